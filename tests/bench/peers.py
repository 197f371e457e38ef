"""gitrun beside Guild, DVC, DataLad and MLflow: `peers.py --place DIR [--files N …] [--runs N] [--prints]`.

Each tool is installed into a virtual environment of its own below DIR by `uv`, when it is not there yet; DataLad's git-annex
comes with it. Then all of them do the same in turn, in repositories of their own: run a script that writes a file (with
`--prints`: only prints a line), run it again, skip it, list runs; push many; run a grid. CPU is user and system time of a
command and all its children; medians.
"""

# ruff: noqa: T201, RUF001 - a table is what it is for, and it says "times" as the guide does

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import spine

PEERS = {
    "guild": ("guildai", "numpy<2", "setuptools<81", "pip"),
    "dvc": ("dvc",),
    "datalad": ("datalad", "git-annex"),
    "mlflow": ("mlflow-skinny",),
}
"""Packages of each tool. Guild imports pkg_resources, calls pip for each run, and its optimizers need an old numpy."""
PYTHON = "3.11"
SCRIPT = 'import time\nx = 1\nprint("x", x)\nopen("out.txt", "w").write(f"{x} {time.time_ns()}\\n")\n'
"""Writes another file each time: DataLad records nothing else."""
PRINTING = 'x = 1\nprint("x", x)\n'
"""Leaves nothing: a run is what the tools themselves cost. DataLad records no run then, and has none to do again."""
TRACKED = (
    "import mlflow, os\nwith mlflow.start_run():\n    mlflow.log_param('x', 1)\n"
    "    exec(open('job.py').read())\n    mlflow.log_artifact('job.py')\n"
    "    if os.path.exists('out.txt'):\n        mlflow.log_artifact('out.txt')\n"
)
"""The same for MLflow, which has no command that records a script: the script calls it."""
STAGE = "stages:\n  job:\n    cmd: python job.py\n    deps: [job.py]\n"
OUTPUT = "    outs: [out.txt]\n"
PUSHED, POINTS = 100, 50
ACTIONS = ("run", "restart", "skip", "list")
ONCE = (f"push of {PUSHED} runs", f"grid of {POINTS}")

Action = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tool is tried: directory of its repository, of the virtual environments, number of files, and the script."""

    directory: Path
    venvs: Path
    files: int
    script: str


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool in a repository of its own: what it does in each round, and what is measured once, after PUSHED runs."""

    name: str
    actions: dict[str, Action]
    once: dict[str, Action]


def main() -> None:
    """Prints a table for each number of files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--place", type=Path, required=True, help="directory of the virtual environments")
    parser.add_argument("--files", type=int, nargs="+", default=[20, 5_000])
    parser.add_argument("--runs", type=int, default=0, help="runs that each tool makes before it is measured")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--prints", action="store_true", help="a script that only prints")
    parser.add_argument("--once", action="store_true", help="also push and run a grid, which takes minutes")
    options = parser.parse_args()
    for name, packages in PEERS.items():
        install(options.place.resolve() / name, packages)
    with tempfile.TemporaryDirectory(prefix="gitrun-peers-") as scratch:
        spine.live_in(Path(scratch))
        for files in options.files:
            place = Place(Path(scratch) / str(files), options.place.resolve(), files, PRINTING if options.prints else SCRIPT)
            place.directory.mkdir()
            peers = [make(place) for make in (ours, guild, dvc, datalad, mlflow)]
            for peer in peers:
                for _ in range(options.runs):
                    peer.actions["run"]()
            print_table(files, options.runs, measure(peers, options.rounds), ACTIONS)
            if options.once:
                print_table(files, PUSHED, measure_once(peers), ONCE)


def install(place: Path, packages: tuple[str, ...]) -> None:
    """Makes a virtual environment with the packages, unless there is one."""
    if (place / "complete").exists():
        return
    subprocess.run(["uv", "venv", "--quiet", "--clear", "--python", PYTHON, str(place)], check=True)
    subprocess.run(["uv", "pip", "install", "--quiet", "--python", str(place / "bin" / "python"), *packages], check=True)
    (place / "complete").touch()


def repository(place: Place, name: str) -> Path:
    """A repository of that many files with the script, and an empty remote."""
    repo = place.directory / name
    spine.grow(repo, place.files - 1)
    (repo / "job.py").write_text(place.script)
    spine.git(repo, "add", "job.py")
    spine.git(repo, "commit", "-qm", "job")
    spine.git(place.directory, "init", "-q", "--bare", f"{name}.git")
    spine.git(repo, "remote", "add", "origin", str(place.directory / f"{name}.git"))
    return repo


def caller(repo: Path, first: Path, **variables: str) -> Callable[..., Action]:
    """A function that makes actions: it runs words in the repository, with a directory first on PATH."""
    environ = {**os.environ, "PATH": f"{first}{os.pathsep}{os.environ['PATH']}", **variables}

    def action(*words: str) -> Action:
        def call() -> None:
            done = subprocess.run(
                words, cwd=repo, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
            if done.returncode:
                sys.exit(f"{' '.join(words)}: {done.stderr or done.stdout}")

        return call

    return action


def ours(place: Place) -> Peer:
    """Returns gitrun."""
    call = caller(repository(place, "gitrun"), Path(sys.executable).parent)
    call("git", "run", "job.py")()
    return Peer(
        "gitrun",
        {
            "pass": call("python", "-c", "pass"),
            "run": call("git", "run", "job.py"),
            "restart": call("git", "run", "--restart", "1"),
            "skip": call("git", "run", "--needed", "job.py"),
            "list": call("git", "run", "list"),
        },
        {ONCE[0]: call("git", "run", "push", "origin"), ONCE[1]: call("git", "run", "job.py", f"x=range[1:{POINTS}]")},
    )


def guild(place: Place) -> Peer:
    """Returns Guild. It has no remote on the same disk: it copies its runs into a directory instead."""
    home = place.directory / "guild-home"
    home.mkdir()
    call = caller(repository(place, "guild"), place.venvs / "guild" / "bin", GUILD_HOME=str(home))
    call("guild", "run", "-y", "job.py")()
    # Guild takes no number there
    run = next((home / "runs").glob("[0-9a-f]*")).name
    return Peer(
        "Guild",
        {
            "run": call("guild", "run", "-y", "job.py"),
            "restart": call("guild", "run", "-y", "--restart", run),
            "skip": call("guild", "run", "-y", "--needed", "job.py"),
            "list": call("guild", "runs"),
        },
        {
            ONCE[0]: call("guild", "export", "-y", str(place.directory / "guild-copy")),
            ONCE[1]: call("guild", "run", "-y", "job.py", f"x=range[1:{POINTS}]"),
        },
    )


def dvc(place: Place) -> Peer:
    """Returns DVC with a stage. It has no restart, and its queue works in a process of its own."""
    repo = repository(place, "dvc")
    call = caller(repo, place.venvs / "dvc" / "bin", DVC_NO_ANALYTICS="1")
    call("dvc", "init", "-q")()
    (repo / "dvc.yaml").write_text(STAGE + (OUTPUT if place.script == SCRIPT else ""))
    spine.git(repo, "add", ".")
    spine.git(repo, "commit", "-qm", "dvc")
    call("dvc", "exp", "run", "-q")()
    return Peer(
        "DVC",
        {
            "run": call("dvc", "exp", "run", "-q", "-f"),
            "skip": call("dvc", "repro", "-q"),
            "list": call("dvc", "exp", "list", "-q"),
        },
        {ONCE[0]: call("dvc", "exp", "push", "-q", "--no-cache", "-A", "origin")},
    )


def datalad(place: Place) -> Peer:
    """Returns DataLad. Its runs are commits of the branch; it has no list of them, and skips nothing."""
    repo = repository(place, "datalad")
    call = caller(repo, place.venvs / "datalad" / "bin")
    call("datalad", "create", "--force", "-d", ".")()
    spine.git(repo, "push", "-q", "origin", "HEAD")
    run = call("datalad", "run", "-m", "job", "python job.py")
    run()
    again = {"restart": call("datalad", "rerun")} if place.script == SCRIPT else {}
    return Peer("DataLad", {"run": run, **again}, {ONCE[0]: call("datalad", "push", "--to", "origin")})


def mlflow(place: Place) -> Peer:
    """Returns MLflow's tracking, called by the script."""
    repo = repository(place, "mlflow")
    (repo / "tracked.py").write_text(TRACKED)
    call = caller(
        repo, place.venvs / "mlflow" / "bin", MLFLOW_TRACKING_URI=str(repo / "mlruns"), MLFLOW_ALLOW_FILE_STORE="true"
    )
    run = call("python", "tracked.py")
    run()
    return Peer("MLflow", {"run": run, "list": call("mlflow", "runs", "list", "--experiment-id", "0")}, {})


def measure(peers: list[Peer], rounds: int) -> dict[str, dict[str, float]]:
    """Medians of CPU seconds by action and tool. In each round all tools do one action before any does the next."""
    actions = {
        f"{what} {peer.name}": action for what in ("pass", *ACTIONS) for peer in peers if (action := peer.actions.get(what))
    }
    spent = spine.costs(actions, rounds)
    return {
        what: {peer.name: spent[f"{what} {peer.name}"][0] for peer in peers if what in peer.actions}
        for what in ("pass", *ACTIONS)
    }


def measure_once(peers: list[Peer]) -> dict[str, dict[str, float]]:
    """CPU seconds of what cannot be done twice: a push after PUSHED more runs of each tool, and a grid."""
    found: dict[str, dict[str, float]] = {}
    for what in ONCE:
        for peer in peers:
            if what in peer.once:
                for _ in range(PUSHED if what == ONCE[0] else 0):
                    peer.actions["run"]()
                found.setdefault(what, {})[peer.name] = cost_of(peer.once[what])
    return found


def cost_of(action: Action) -> float:
    """CPU seconds of one call."""
    before = os.times()
    action()
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def print_table(files: int, runs: int, spent: dict[str, dict[str, float]], actions: tuple[str, ...]) -> None:
    """Prints CPU seconds of gitrun, and of the others as ratios to it."""
    names = list(dict.fromkeys(name for what in actions for name in spent.get(what, {}) if name != "gitrun"))
    print(f"\n{files:,} files, {runs:,} runs before\n")
    print("| | gitrun CPU s | × pass | " + " | ".join(names) + " |")
    print("|---|---:|---:|" + "---:|" * len(names))
    bare = spent.get("pass", {}).get("gitrun")
    for what in actions:
        if what not in spent:
            continue
        row = spent[what]
        here = row["gitrun"]
        ratios = [f"× {row[name] / here:.1f}" if name in row else "" for name in names]
        print(f"| {what} | {here:.3f} | {f'{here / bare:.1f}' if bare else ''} | {' | '.join(ratios)} |")


if __name__ == "__main__":
    main()

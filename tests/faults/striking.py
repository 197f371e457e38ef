"""Commands struck at a numbered point, and what must hold afterwards.

`python tests/faults/striking.py run rm --faults all,self --every 3` strikes them at each third point and prints figures.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from repository import ECHO, Repo

from gitrun import Project
from gitrun.errors import GitrunError
from gitrun.render.text import run_json

TRACING = Path(__file__).with_name("tracing.py")
PROGRAM = "import sys\nx = 1.0\nprint(x, flush=True)\nopen('made', 'w').write(str(x) * 100)\n"
STEPS = """
[operations.prepare]
script = "prepare.py"
[operations.all]
steps = ["prepare", "p.py"]
"""
SCENES = {
    "run": ("git-run", "p.py", "x=5"),
    "first": ("git-run", "p.py", "x=5"),
    "command": ("git-run", "--label", "l", "--", "sh", "-c", "echo out; echo y > made"),
    "restart": ("git-run", "--restart", "1", "x=6"),
    "stage": ("git-run", "--stage", "p.py"),
    "steps": ("git-run", "all"),
    "label": ("git-run", "label", "fine", "1"),
    "tag": ("git-run", "tag", "t", "1:3"),
    "rm": ("git-run", "rm", "1", "2"),
    "restore": ("git-run", "restore", "1"),
    "gc": ("git-run", "gc", "--keep", "1", "--slots"),
    "notes": ("git-run", "notes", "--rebuild"),
    "push": ("git-run", "push", "--all", "origin"),
    "fetch": ("git-run", "fetch", "origin"),
    "pull": ("git-run", "pull", "origin"),
    "pack": ("git", "pack-refs", "--all"),
    "archive": ("git", "-c", "gitrun.trashExpire=never", "run", "gc", "--archive"),
    "archived-label": ("git-run", "label", "fine", "1"),
    "archived-tag": ("git-run", "tag", "t", "1:2"),
    "archived-restart": ("git-run", "--restart", "1", "x=6"),
    "archived-rm": ("git-run", "rm", "1"),
    "archived-gc": ("git-run", "gc"),
    "archived-push": ("git-run", "push", "--all", "origin"),
    "archived-fetch": ("git-run", "fetch", "origin"),
}
KILLS = {"all": {"victim": "all"}, "self": {"victim": "self"}, "supervisor": {"victim": "supervisor"}}
ERRORS = {
    "EIO": {"error": errno.EIO, "writes": True},
    "ENOSPC": {"error": errno.ENOSPC, "writes": True},
    "full": {"error": errno.ENOSPC, "writes": True, "lasts": True},
}
"""What a write, or the bringing of it to the disk, is answered: once, or from then on."""
FAULTS = KILLS | ERRORS
ARCHIVED = "archived-"
"""What the scenes begin with in which the runs are in archives, here and on the server, one of them deleted since."""
PURGES = {"gc", "archived-gc"}
GOES = {"rm", "archived-rm", *PURGES}
"""What takes runs out of the list."""


@dataclass(frozen=True)
class Place:
    """Where things are struck: a working copy that is brought back to the template before each strike."""

    path: Path
    known: dict[bool, Before] = field(default_factory=dict)
    """The runs before, without and with archives."""

    @property
    def repo(self) -> Repo:
        return Repo(self.path / "work" / "repo")

    @property
    def server(self) -> Repo:
        return Repo(self.path / "work" / "server")

    @classmethod
    def create(cls, path: Path) -> Place:
        """A repository with four runs, one of them deleted, and a server that has one of them, gone on, and one more."""
        place = cls(path)
        repo = Repo.create(path / "work" / "repo")
        repo.write("p.py", PROGRAM)
        repo.write("echo.py", ECHO)
        repo.write("prepare.py", "open('data', 'w').write('prepared')\n")
        repo.write("gitrun.toml", STEPS)
        repo.commit("first")
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", place.server.path], check=True)
        repo.git("remote", "add", "origin", str(place.server.path))
        for x in (1, 2, 3, 4):
            repo.run("p.py", f"x={x}", check=True)
        repo.run("rm", "1", check=True)
        repo.git("push", "--quiet", "origin", "main")
        repo.run("push", "origin", "1", check=True)
        other = path / "work" / "other"
        repo.git("clone", "--quiet", str(place.server.path), str(other))
        Repo(other).run("fetch", "origin", check=True)
        Repo(other).run("comment", "-m", "from elsewhere", "1", check=True)
        Repo(other).run("echo.py", check=True)
        Repo(other).run("push", "--all", "origin", check=True)
        shutil.rmtree(other)
        repo.run("comment", "-m", "from here", "1", check=True)
        for name, value in (("gitrun.trashExpire", "now"), ("gc.auto", "6700"), ("gc.autoPackLimit", "1")):
            repo.git("config", name, value)
        repo.run("list", check=True)
        (path / "work").rename(path / "template")
        place.bring_back()
        return place

    def bring_back(self, scene: str = "") -> None:
        """Makes the working copy as it was; for the scene of a first run no slot is free yet, and no index."""
        subprocess.run(["rm", "-rf", self.path / "work"], check=True)
        template = self.path / f"template{'-archived' * scene.startswith(ARCHIVED)}"
        if not template.exists():
            self.archive(template)
        subprocess.run(["cp", "-a", template, self.path / "work"], check=True)  # shutil takes five times as long
        if scene == "first":
            for name in ("worktrees", "gitrun/slots"):
                shutil.rmtree(self.repo.path / ".git" / name)
            (self.repo.path / ".git" / "gitrun" / "index.sqlite").unlink()

    def before(self, scene: str) -> Before:
        """The runs before the scene."""
        is_archived = scene.startswith(ARCHIVED)
        if is_archived not in self.known:
            self.bring_back(scene)
            self.known[is_archived] = Before.of(self.repo)
        return self.known[is_archived]

    def archive(self, template: Path) -> None:
        """Makes the template of scenes with archives."""
        self.bring_back()
        for repo in (self.repo, self.server):
            repo.run("gc", "--archive", check=True)
        self.repo.run("rm", "2", check=True)
        (self.path / "work").rename(template)


@dataclass(frozen=True)
class Struck:
    """What became of a command: its points, at which of them it was struck, its exit status and what it said."""

    points: int
    struck: str
    status: int
    out: str
    err: str


def strike(repo: Repo, words: tuple[str, ...], **wish: object) -> Struck:
    """The command, traced; struck as is wished."""
    read, write = os.pipe()
    with subprocess.Popen(
        [sys.executable, TRACING, json.dumps({**wish, "told": write}), "--", *words], cwd=repo.path, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        pass_fds=(write,),
    ) as process:  # fmt: skip
        os.close(write)
        out, err = process.communicate(timeout=90)
    with os.fdopen(read) as file:
        said = json.loads(file.read() or "{}")
    assert said, f"the tracer failed: {err}"
    return Struck(said["points"], said["struck"], said["status"], out, err)


def can_trace() -> bool:
    """Whether programs can be traced here."""
    if platform.machine() != "x86_64" or sys.platform != "linux":
        return False
    with tempfile.TemporaryDirectory() as place:
        try:
            return strike(Repo(Path(place)), ("mkdir", "made")).points == 2
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            return False


def runs(repo: Repo) -> dict[str, dict[str, object]]:
    """The runs by id, newest attempt first, as JSON has them."""
    return {run.id: run_json(run) for run in Project(repo.path).list_all()}


def deleted(repo: Repo) -> set[str]:
    """The ids of deleted runs."""
    return {run.id for run in Project(repo.path).trash.list_runs()}


def sound(repo: Repo) -> None:
    """Fails unless git finds nothing wrong, and all objects of all runs are there."""
    done = subprocess.run(
        ["git", "fsck", "--full", "--no-dangling"], cwd=repo.path, capture_output=True, text=True, check=False
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith(("Checking", "notice:"))]
    assert (done.returncode, said) == (0, []), said
    repo.git("rev-list", "--objects", "--quiet", "--glob=refs/runs/*", "--glob=refs/gitrun/archive/*")


@dataclass(frozen=True)
class Before:
    """The runs by id, and the ids of the deleted ones, before the strike."""

    runs: dict[str, dict[str, object]]
    gone: set[str]

    @classmethod
    def of(cls, repo: Repo) -> Before:
        return cls(runs(repo), deleted(repo))


def afterwards(place: Place, scene: str, known: Before, struck: Struck, at: int) -> None:
    """Fails unless every run is absent or whole, and the repository as good as before once the doctor was there."""
    repo, before, gone = place.repo, known.runs, known.gone
    by_program = "p.py" in struck.struck and "git" not in struck.struck.rpartition(" by ")[2]
    assert by_program or "Traceback" not in struck.err, struck.err
    assert struck.status != 128 or struck.err.startswith(("gitrun: ", "fatal: ")) or "\ngitrun: " in struck.err, struck.err
    if at % 2:
        heal(repo)
    listed = repo.run("list")
    assert (listed.returncode, "Traceback" in listed.stderr) == (0, False), listed.stderr
    now = runs(repo)
    assert all("error" not in run for run in now.values()), now
    assert all(run["status"] in {"completed", "terminated", "error", "staged"} for run in now.values()), now
    lost = before.keys() - now.keys()
    assert lost <= (before.keys() if scene == "gc" else deleted(repo) if scene in GOES else set())
    if scene not in {*PURGES, "restore"}:
        assert gone == deleted(repo) - lost
    if struck.status == 0 and scene in {"run", "first", "command", "restart"}:
        assert next(iter(now.values()))["status"] == "completed"
    sound(repo)
    heal(repo)
    assert runs(repo).keys() >= now.keys()
    sound(place.server)
    again = repo.run("p.py", "x=7")
    assert again.returncode == 0, again.stderr
    sound(repo)


def heal(repo: Repo) -> None:
    """Fails unless the doctor repairs all that can be repaired."""
    for fix in (True, False):
        report = Project(repo.path).upkeep.examine(fix=fix, is_full=True)
        assert not report.findings, report
        # of the others every command takes care; an index that is wrong and not seen to be is wrong for good
        assert all(one.kind != "index" for one in report.repaired), report


def strike_at(place: Place, scene: str, fault: str, at: int) -> Struck:
    """What became of the scene's command with the fault at that point, in a place that is as it was."""
    place.bring_back(scene)
    return strike(place.repo, SCENES[scene], at=at, within=str(place.path), **FAULTS[fault])


def strike_all(place: Place, scene: str, fault: str, chosen: slice) -> tuple[int, list[str]]:
    """How often the scene's command was struck, and what went wrong."""
    known = place.before(scene)
    points = strike_at(place, scene, fault, 0).points
    assert points, "there is nothing to strike: files below /dev do not count"
    wrong = []
    numbers = range(1, points + 1)[chosen]
    for at in numbers:
        said = ""
        try:
            struck = strike_at(place, scene, fault, at)
            said = f"{struck.struck}\n{struck.err[:3000]}"
            afterwards(place, scene, known, struck, at)
        except (AssertionError, GitrunError, OSError, sqlite3.Error, subprocess.SubprocessError) as error:
            wrong.append(f"{scene} {fault} at {at} of {points}: {type(error).__name__} {str(error)[:1500]}\n{said}")
    return len(numbers), wrong


def say(*lines: str) -> None:
    """Lines on stdout, at once."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def main() -> None:
    """Strikes what is asked for, and prints figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scenes", nargs="*", default=list(SCENES))
    parser.add_argument("--faults", default=",".join(FAULTS))
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--from", dest="first", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temp:
        place = Place.create(Path(temp).resolve())
        for scene in given.scenes:
            for fault in given.faults.split(","):
                begun = time.monotonic()
                count, wrong = strike_all(place, scene, fault, slice(given.first, None, given.every))
                figures = f"{count:4} strikes, {len(wrong)} wrong, {time.monotonic() - begun:.0f} s"
                say(f"{scene:10} {fault:10} {figures}", *(f"  {one}" for one in wrong))


if __name__ == "__main__":
    main()

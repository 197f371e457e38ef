"""git run status --porcelain, the quick way: it counts what the verb counts, and imports next to nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from supervised import start, until

QUICK = "import sys, os; sys.argv = ['gitrun', 'status', '--porcelain']; from gitrun.commands.entry import main\n"


def counted(repo, cwd=None) -> str:
    """What a prompt gets, after a look at what the verb itself says."""
    quick = subprocess.run(
        ["git", "run", "status", "--porcelain"], cwd=cwd or repo.path, capture_output=True, text=True, check=True
    )
    # forked calls do not come through the entry point
    slow = repo.run("status", "--porcelain", cwd=cwd, check=True)
    assert quick.stdout == slow.stdout
    return quick.stdout


def test_quick_answer_is_that_of_the_verb(team, tmp_path) -> None:
    ann = team.ann
    assert counted(ann) == "running 0\nunpushed 0\n"
    for x in (2, 3):
        ann.run("echo.py", f"x={x}", check=True)
    assert counted(ann) == "running 0\nunpushed 2\n"
    ann.run("push", "origin", "1", check=True)
    assert counted(ann) == "running 0\nunpushed 1\n"
    ann.run("label", "better", "1", check=True)
    assert counted(ann) == "running 0\nunpushed 2\n"
    ann.run("push", "origin", "--all", check=True)
    assert counted(ann) == "running 0\nunpushed 0\n"

    team.bob.run("fetch", "origin", check=True)
    assert counted(team.bob) == "running 0\nunpushed 0\n"
    ann.git("worktree", "add", "--quiet", str(tmp_path / "beside"))
    assert counted(ann, tmp_path / "beside") == "running 0\nunpushed 0\n"
    assert ann.run("status", check=True).stdout == "0 runs running, 0 not pushed\n"

    ann.git("remote", "remove", "origin")
    ann.run("echo.py", "x=9", check=True)
    assert counted(ann) == "running 0\nunpushed 0\n"


def test_running_run_is_counted_while_it_runs(team) -> None:
    process = start(team.ann, "--", "sleep", "100")
    # the verb reads the run only after its record is complete
    until(lambda: team.ann.run("list", "--status", "running").stdout)
    assert counted(team.ann) == "running 1\nunpushed 0\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert counted(team.ann) == "running 0\nunpushed 1\n"


def test_prompt_imports_next_to_nothing(repo) -> None:
    ask = "import atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr))\nmain()"
    ended = subprocess.run([sys.executable, "-c", QUICK + ask], cwd=repo.path, capture_output=True, text=True, check=True)
    assert ended.stdout == "running 0\nunpushed 0\n"
    ours = {name for name in ended.stderr.split() if name.startswith("gitrun")}
    assert ours == {
        "gitrun", "gitrun.log", "gitrun.lazy", "gitrun.commands", "gitrun.commands.entry", "gitrun.commands.prompt",
        "gitrun.git", "gitrun.git.lock_state",
    }  # fmt: skip
    assert not {"typing", "subprocess", "pathlib", "contextlib", "click"} & set(ended.stderr.split())


def test_error_outside_of_a_repository_is_the_verbs(tmp_path) -> None:
    outside = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    ended = subprocess.run(
        ["git", "run", "status", "--porcelain"], cwd=tmp_path, env=outside, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (128, "")
    assert ended.stderr.startswith("gitrun: error: not a git repository")

"""What is the user's stays as it was, whatever is run: index, HEAD, branches, stash, configuration, working tree."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time

import pytest
from belongings import OURS, belongings
from repository import Repo
from sampled import sampled
from templates import made_once

CHANGES_ITS_WORLD = """\
import os, pathlib, subprocess
x = 1
pathlib.Path("echo.py").write_text("changed = 1")
pathlib.Path("new.txt").write_text("new")
os.remove("gone.txt")
subprocess.run(["git", "add", "-A"], check=True)
"""


@pytest.fixture
@made_once
def lived_in(repo: Repo) -> Repo:
    """A repository in which somebody is in the middle of things."""
    repo.write("gone.txt", "will go\n")
    repo.write("tool.sh", "#!/bin/sh\nexit 3\n").chmod(0o755)
    repo.write(".gitignore", "ignored/\n*.log\n")
    repo.commit("more")
    repo.git("branch", "other")
    repo.write("echo.py", (repo.path / "echo.py").read_text() + "# stashed\n")
    repo.git("stash")
    repo.write("staged.txt", "staged\n")
    repo.git("add", "staged.txt")
    repo.write("echo.py", (repo.path / "echo.py").read_text() + "# edited\n")
    repo.write("untracked/new file.txt", "new\n")
    repo.write("ignored/data", "data\n")
    repo.write("world.py", CHANGES_ITS_WORLD)
    repo.git("config", "user.nickname", "someone")
    return repo


@pytest.fixture
@made_once
def run_in(lived_in: Repo) -> Repo:
    """As `lived_in`, with a run."""
    lived_in.run("echo.py", check=True)
    return lived_in


CALLS = {
    "a run": ["echo.py"],
    "a run that changes its world": ["world.py"],
    "a failing run": ["tool.sh"],
    "a command": ["--", "rm", "-rf", "."],
    "a program that is not there": ["--", "no-such-program"],
    "a staged run": ["--stage", "echo.py"],
    "annotations": ["--label", "l", "--tag", "t", "--comment", "c", "echo.py"],
    "a plan": ["--dry-run", "echo.py"],
    "a refused flag": ["echo.py", "nope=1"],
    "a refused operation": ["nope.py"],
    "links": ["--link", "untracked", "echo.py"],
    "no links": ["--no-link", "echo.py"],
}


@pytest.mark.parametrize("words", CALLS.values(), ids=CALLS)
def test_nothing_of_the_users_changes_by(lived_in, words):
    before = belongings(lived_in)
    lived_in.run(*words)
    assert belongings(lived_in) == before


AGAIN = {
    "a restart": ["--restart", "1"],
    "a restart with flags": ["--restart", "1", "x=5"],
    "a restart from the working tree": ["--restart", "1", "--force-sourcecode"],
    "a clean restart": ["--restart", "1", "--clean"],
    "a skip": ["--restart", "1", "--needed"],
    "a staged restart": ["--restart", "1", "--stage"],
    "list": ["list", "--all", "--json"],
    "show": ["show", "1"],
    "log": ["log", "1"],
    "cat": ["cat", "1"],
    "select": ["select", "1"],
    "mark": ["mark", "1"],
}


@pytest.mark.parametrize("words", AGAIN.values(), ids=AGAIN)
def test_nothing_of_the_users_changes_afterwards_by(run_in, words):
    before = belongings(run_in)
    run_in.run(*words, check=True)
    assert belongings(run_in) == before


def test_belongings_see_what_a_run_in_place_changes(lived_in):
    before = belongings(lived_in)
    lived_in.run("--in-place", "world.py", check=True)
    after = belongings(lived_in)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert {"git index", "tree repo echo.py", "tree repo gone.txt", "tree repo new.txt"} <= changed


def test_only_our_own_places_appear_in_git(lived_in):
    git = lived_in.path / ".git"
    before = {str(path.relative_to(git)) for path in git.rglob("*")}
    lived_in.run("echo.py", check=True)
    fresh = {str(path.relative_to(git)) for path in git.rglob("*")} - before
    assert {name for name in fresh if not f"{name}/".startswith((*OURS, "refs/notes/"))} == set()
    assert any(name.startswith(("refs/runs/", "reftable/")) for name in fresh)


def test_the_stat_cache_is_not_refreshed(lived_in):
    os.utime(lived_in.path / "gone.txt", (1e9, 1e9))
    before = (lived_in.path / ".git/index").read_bytes()
    lived_in.run("echo.py", check=True)
    lived_in.run("--restart", "1", check=True)
    assert (lived_in.path / ".git/index").read_bytes() == before
    lived_in.git("status")  # git itself would have refreshed it
    assert (lived_in.path / ".git/index").read_bytes() != before


def test_a_locked_index_is_no_obstacle(lived_in):
    lived_in.write(".git/index.lock", "")
    lived_in.run("echo.py", check=True)
    assert (lived_in.path / ".git/index.lock").read_bytes() == b""


@pytest.mark.parametrize("hook", sampled(3, ["post-index-change", "post-checkout", "pre-commit", "post-commit", "commit-msg"]))
def test_hooks_of_the_user_are_not_run(lived_in, hook, tmp_path):
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / hook).write_text(f"#!/bin/sh\necho ran >> {tmp_path}/ran\n")
    (hooks / hook).chmod(0o755)
    lived_in.git("config", "core.hooksPath", str(hooks))
    lived_in.run("echo.py", check=True)
    lived_in.run("--restart", "1", "--force-sourcecode", check=True)
    assert not (tmp_path / "ran").exists()


def test_a_split_index_and_its_shared_part_stay(lived_in):
    lived_in.git("update-index", "--split-index")
    lived_in.write("echo.py", "x = 3\nprint(x)\n")
    lived_in.git("add", "untracked")
    git = lived_in.path / ".git"
    before = {path.name: path.read_bytes() for path in git.iterdir() if "index" in path.name}
    assert lived_in.run("echo.py", check=True).stdout == "3\n"
    assert {path.name: path.read_bytes() for path in git.iterdir() if "index" in path.name} == before


def test_bring_writes_only_what_was_produced(lived_in):
    lived_in.write("make.py", "open('made.txt', 'w').write('made')\n")
    before = belongings(lived_in)
    lived_in.run("--bring", "make.py", check=True)
    after = belongings(lived_in)
    assert {name for name in after if after[name] != before.get(name)} == {"tree repo made.txt"}
    assert before.keys() <= after.keys()


def test_a_repository_moved_elsewhere_goes_on(lived_in, tmp_path):
    lived_in.run("echo.py", check=True)  # in a slot, which a copy would not have
    shutil.move(lived_in.path, tmp_path / "moved")
    moved = Repo(tmp_path / "moved")
    before = belongings(moved)
    assert moved.run("--restart", "1", check=True).stdout == "1.0 2 'a'\n"
    assert belongings(moved) == before


def test_a_killed_run_leaves_the_users_things(lived_in):
    before = belongings(lived_in)
    words = ["git", "run", "--", "sleep", "30"]
    process = subprocess.Popen(words, cwd=lived_in.path, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 20
    while not list((lived_in.path / ".git").glob("gitrun/live/*/owner")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert lived_in.run("list").returncode == 0
    assert belongings(lived_in) == before

"""The lock of git gc: whether one runs, and how one is held off."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from doctor_calls import git_dir, healed

from gitrun import Project
from gitrun.git.exe import open_repository
from gitrun.git.gc_lock import hold_off_gc, is_gc_alive, is_gc_running
from gitrun.store.publication import protect_from_gc

if TYPE_CHECKING:
    from gitrun.git.exe import Git


def test_the_word_of_a_dead_gc_is_taken_away(lived) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    (git_dir(lived) / "gc.pid").write_text(f"{dead.pid} {os.uname().nodename}")
    assert "gc.pid" in healed(lived)[0]


@pytest.fixture
def git(repo) -> Git:
    """A repository with two commits and no runs."""
    repo.write("deep/second.txt", "2")
    repo.commit("second")
    return Project(repo.path).git


@pytest.mark.parametrize("collecting", [True, False])
def test_new_objects_are_packed_only_beside_a_gc(repo, git, collecting) -> None:
    if collecting:
        (git.common_dir / "gc.pid").write_text("1 elsewhere")
    protect_from_gc(git, [repo.head()], [repo.git("rev-parse", "HEAD~1")])
    packs = list((git.common_dir / "objects" / "pack").glob("*.idx"))
    assert len(packs) == collecting
    for pack in packs:
        packed = repo.git("verify-pack", "-v", pack).splitlines()
        assert sum(len(line.split(" ", 1)[0]) == git.object_format.digits for line in packed) == 4


def test_a_held_lock_keeps_git_from_collecting(repo) -> None:
    git = open_repository(repo.path, os.environ)
    with hold_off_gc(git):
        assert is_gc_running(git)
        words = ["git", "-C", str(repo.path), "gc", "--quiet"]
        refused = subprocess.run(words, capture_output=True, text=True, check=False)
        assert (refused.returncode, "already running" in refused.stderr) == (128, True)
    assert not is_gc_running(git)
    repo.git("gc", "--quiet")


@pytest.mark.parametrize(
    ("words", "age", "alive"),
    [
        ("{pid} {host}", 0, True),
        ("4194305 {host}", 0, False),
        ("1 another-machine", 0, True),
        ("1 another-machine", 13 * 3600, False),
        ("nonsense", 0, False),
    ],
)
def test_a_gc_lives_by_the_rule_of_git(tmp_path, words, age, alive) -> None:
    lock = tmp_path / "gc.pid"
    lock.write_text(words.format(pid=os.getpid(), host=os.uname().nodename))
    os.utime(lock, (time.time() - age, time.time() - age))
    assert is_gc_alive(lock) is alive

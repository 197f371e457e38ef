"""Git's records of the worktrees of slots, in a repository of reftables."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from forms import Form
from killed_runs import killed
from repository import ECHO, Repo

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """A repository of reftables with one commit."""
    Form(refs="reftable").apply(monkeypatch)
    repo = Repo.create(tmp_path / "r")
    repo.write("echo.py", ECHO)
    repo.commit()
    return repo


@pytest.mark.parametrize("damage", ["nonsense\n", None])
def test_a_damaged_record_of_reftables_is_made_again(tables, damage):
    tables.run("echo.py", check=True)
    listed = tables.path / ".git/worktrees/gitrun-0/reftable/tables.list"
    listed.unlink()
    if damage:
        listed.write_text(damage)
    tables.run("echo.py", "y=3", check=True)
    assert tables.git("worktree", "list").count("detached HEAD") == 1
    assert list((tables.path / ".git/gitrun/slots/0").glob("tree/*/.new")) == []


def test_a_program_may_leave_head_at_a_branch_without_commits(tables):
    tables.run("--", "git", "checkout", "-q", "--orphan", "empty", check=True)
    assert "detached HEAD" in tables.git("worktree", "list")
    tables.run("echo.py", check=True)


def test_many_first_runs_make_their_slots_side_by_side(tables):
    with ThreadPoolExecutor(6) as threads:
        ended = list(threads.map(lambda number: tables.run("echo.py", f"y={number}"), range(6)))
    assert [one.returncode for one in ended] == [0] * 6, [one.stderr for one in ended]
    assert len(tables.git("for-each-ref", "refs/runs").splitlines()) == 6


def test_relative_paths_of_worktrees_change_no_setting(tables):
    tables.git("config", "worktree.useRelativePaths", "true")
    before = (tables.path / ".git/config").read_bytes()
    tables.run("echo.py", check=True)
    assert (tables.path / ".git/config").read_bytes() == before


def test_a_lock_that_a_killed_git_left_on_the_head_of_a_slot_holds_up_nothing(tables):
    lock = tables.path / ".git/worktrees/gitrun-0/reftable/tables.list.lock"
    killed(tables)
    lock.touch()
    assert tables.run("list", "--json", check=True).stdout.count('"status": "terminated"') == 1
    lock.touch()
    tables.run("echo.py", check=True)
    assert not lock.exists()

"""Git's records of the worktrees of slots, also in a repository of reftables."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from forms import Form
from killed_runs import killed
from repository import ECHO, Repo

from gitrun.workspace.worktree_records import replace_file

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


def test_a_file_of_a_record_is_replaced_in_one_piece_or_stays(tmp_path):
    path = tmp_path / "HEAD"
    replace_file(os.fsencode(path), b"old\n")
    (tmp_path / "HEAD.new").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(os.fsencode(path), b"newer\n")
    assert path.read_bytes() == b"old\n"


@pytest.mark.parametrize(
    ("old", "new", "atomic", "stays"),
    [
        (b"1234\n", b"5678\n", True, True),
        (b"1234\n", b"56\n", True, False),
        (b"1" * 513, b"2" * 513, True, False),
        (b"1234\n", b"56\n", False, True),
        (b"12\n", b"3456\n", False, True),
    ],
)
def test_a_file_is_overwritten_where_half_of_it_is_never_seen_or_does_no_harm(tmp_path, old, new, atomic, stays):
    path = tmp_path / "HEAD"
    path.write_bytes(old)
    inode = path.stat().st_ino
    other = os.open(path, os.O_RDONLY)  # keeps its inode from being used again
    replace_file(os.fsencode(path), new, atomic=atomic)
    assert path.read_bytes() == new
    assert (path.stat().st_ino == inode) == stays
    os.close(other)


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize("change", ["ln file second", "mv file second; ln -s second file", "chmod +x file"])
def test_what_belongs_to_others_too_is_not_overwritten(tmp_path, change, atomic):
    (tmp_path / "file").write_bytes(b"mine\n")
    subprocess.run(["sh", "-ec", change], cwd=tmp_path, check=True)
    replace_file(os.fsencode(tmp_path / "file"), b"ours\n", atomic=atomic)
    assert (tmp_path / "file").read_bytes() == b"ours\n"
    assert not os.access(tmp_path / "file", os.X_OK)
    assert change.startswith("chmod") or (tmp_path / "second").read_bytes() == b"mine\n"


def test_an_unchanged_file_keeps_its_times(tmp_path):
    path = tmp_path / "HEAD"
    path.write_bytes(b"same\n")
    os.utime(path, (1, 1))
    replace_file(os.fsencode(path), b"same\n")
    assert path.stat().st_mtime == 1

"""The output of `git status`, as paths by kind."""

from __future__ import annotations

import os

import pytest

from gitrun.git.exe import open_repository
from gitrun.git.status import parse_status, read_status, unreadable_directories


@pytest.fixture
def git(repo):
    return open_repository(repo.path, os.environ)


def test_paths_are_sorted_by_what_happened_to_them(repo, git) -> None:
    repo.write(".gitignore", "*.log\n")
    repo.write("gone", "x")
    repo.commit()
    repo.write("echo.py", "x = 2\n")
    (repo.path / "gone").unlink()
    repo.write(os.fsdecode(b"a \xff\n"), "new")
    repo.write("b.log", "ignored")
    status = read_status(git)
    assert (status.changed, status.deleted) == ((b"echo.py", b"gone"), (b"gone",))
    assert (status.untracked, status.ignored) == ((b"a \xff\n",), (b"b.log",))
    assert (status.base, status.branch) == (repo.head(), "main")


def test_before_the_first_commit_there_is_no_base(empty_repo) -> None:
    status = read_status(open_repository(empty_repo.path, os.environ))
    assert (status.base, status.branch) == (None, "main")


def test_a_repository_inside_is_nested_not_untracked(repo, git) -> None:
    repo.write("inner/f", "x")
    repo.git("init", "--quiet", "inner")
    status = read_status(git)
    assert (status.nested, status.untracked) == ((b"inner/",), ())


def test_an_unmerged_path_with_blanks_is_a_conflict() -> None:
    line = b"u UU N... 100644 100644 100644 100644 " + b"1" * 40 + b" " + b"2" * 40 + b" " + b"3" * 40 + b" a b c"
    found, heads = parse_status(b"# branch.oid (initial)\0" + line + b"\0")
    assert (found, heads) == ({"conflict": [b"a b c"]}, {b"branch.oid": "(initial)"})


@pytest.mark.skipif(not os.geteuid(), reason="root opens every directory")
def test_a_closed_directory_is_named(tmp_path) -> None:
    closed = tmp_path / "a" / "b"
    closed.mkdir(parents=True)
    closed.chmod(0)
    assert unreadable_directories(os.fsencode(tmp_path), ()) == [b"a/b/"]
    closed.chmod(0o700)

"""Single commits of runs: read by their headers, and written."""

from __future__ import annotations

import os

import pytest

from gitrun import Project
from gitrun.git.exe import open_repository
from gitrun.git.objects import Objects
from gitrun.store.commits import (
    commit_tree,
    hash_files,
    import_blobs,
    quote_path,
    read_commit,
    scratch_directory,
    write_blobs,
)


@pytest.fixture
def git(repo):
    return open_repository(repo.path, os.environ)


def test_an_attempt_and_its_result_are_read(repo, git) -> None:
    run = Project(repo.path).run("echo.py")
    with Objects(git) as objects:
        attempt, result = (read_commit(objects.read(name)) for name in (run.id, run.tip))
    assert (attempt.kind, attempt.parents, attempt.author) == (
        "attempt", (repo.head(),), "A User <user@example.org>",
    )  # fmt: skip
    assert (result.kind, result.parents) == ("result", (run.id,))


def test_a_commit_without_our_trailer_is_none(git) -> None:
    with Objects(git) as objects:
        assert [read_commit(objects.read(name)) for name in ("HEAD", "HEAD^{tree}", "HEAD:echo.py", "none")] == [None] * 4


def test_the_last_trailer_tells_the_kind(repo, git) -> None:
    message = b"run x\n\nGitrun-Kind: result\n\nGitrun-Kind: attempt\nGitrun-Format: 1\n"
    made = commit_tree(git, repo.git("rev-parse", "HEAD^{tree}"), [None, "HEAD"], message)
    with Objects(git) as objects:
        found = read_commit(objects.read(made))
    assert (found.kind, found.parents) == ("attempt", (repo.head(),))


def test_files_of_any_name_are_hashed_unfiltered(repo, git, tmp_path) -> None:
    repo.git("config", "core.autocrlf", "input")
    paths = [tmp_path / name for name in ('"quoted', "line\nend", "back\\slash\r")]
    for path in paths:
        path.write_bytes(b"a\r\n" + os.fsencode(path.name))
    for path, made in zip(paths, hash_files(git, paths), strict=True):
        with Objects(git) as objects:
            assert objects.read(made).data == path.read_bytes()


def test_many_contents_become_one_pack(repo, git) -> None:
    contents = [b"x" * count for count in range(120)]
    ids = import_blobs(git, contents)
    assert repo.git("count-objects", "-v").splitlines()[3] == "packs: 1"
    with Objects(git) as objects:
        assert [one.data for one in objects.read_many(ids)] == contents


def test_scratch_files_are_private_and_go(git) -> None:
    with scratch_directory(git) as directory:
        assert directory.stat().st_mode & 0o777 == 0o700
        assert list(write_blobs(git, directory, {"a": b"1", "d/b": b"2"})) == [b"a", b"d/b"]
    assert not directory.exists()


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (b"a", b"a"), (b'"a', b'"\\"a"'), (b"a\nM 1", b'"a\\nM 1"'), (b"a\r", b'"a\\r"'), (b"a\\n", b"a\\n"),
        (b'a"\\\n', b'"a\\"\\\\\\n"'), (b"\xff", b"\xff"),
    ],
)  # fmt: skip
def test_no_path_ends_its_line(path, line) -> None:
    assert quote_path(path) == line


def test_paths_of_all_kinds_arrive_at_fast_import(git) -> None:
    paths = [b"a", b'"a', b"a\nM 1", b"a\r", b"a\\n", b'a"\\\n', b"\xff", b" a "]
    lines = b"".join(b"M 100644 inline %s\ndata 1\nx\n" % quote_path(path) for path in paths)
    git.run("fast-import", "--quiet", stdin=b"commit refs/heads/paths\ncommitter a <a> 0 +0000\ndata 0\n" + lines)
    assert sorted(git.run("ls-tree", "-z", "--name-only", "refs/heads/paths").split(b"\0")[:-1]) == sorted(paths)

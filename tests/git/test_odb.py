"""Objects read through libgit2."""

from __future__ import annotations

import os

import pygit2
import pytest
from forms import with_sha1

from gitrun.git.exe import open_repository
from gitrun.git.odb import Odb

pytestmark = with_sha1


@pytest.fixture
def git(repo):
    return open_repository(repo.path, os.environ)


def test_a_commit_whose_tree_is_a_commit_and_so_on_has_no_files(repo, git):
    objects = pygit2.Odb(str(repo.path / ".git" / "objects"))
    top = repo.git("rev-parse", "HEAD^{tree}")
    for _ in range(1_200):  # more than Python goes into
        data = f"tree {top}\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nx\n".encode()
        top = str(objects.write(pygit2.enums.ObjectType.COMMIT, data))
    assert Odb(git).read_many([f"{top}:.gitrun/run.toml"]) == [None]


def test_objects_are_read_by_id_and_by_path(repo, git):
    repo.write("d/e/f", "content")
    repo.write("d/e/g", "more")
    head = repo.commit()
    names = [f"{head}:d/e/f", f"{head}:d/e/g", f"{head}:d/none", f"{head}:none/f", head, "0" * 40]
    found = Odb(git).read_many(names)
    assert [each and each.kind for each in found] == ["blob", "blob", None, None, "commit", None]
    assert [found[0].data, found[1].data] == [b"content", b"more"]


def test_content_over_the_limit_is_not_loaded(repo, git):
    found = Odb(git).read(repo.git("rev-parse", "HEAD:echo.py"), limit=3)
    assert (found.kind, found.data, found.size > 3) == ("blob", None, True)

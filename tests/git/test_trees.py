"""The files of a source read by path: one Tree in the repository, in the working tree, and in memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gitrun.errors import GitFailed, ObjectsGone
from gitrun.git.exe import open_repository
from gitrun.git.objects import Entry, Objects, TreeMaker
from gitrun.git.trees import GitTree, WorkTree
from gitrun.model.tree import EXECUTABLE, FILE, LINK, TREE, MemoryTree, is_regular_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from repository import Repo

    from gitrun.model.tree import Tree

CONTENTS = {"a.py": b"a = 1\n", "d/b.yaml": b"b: 1\n", "d/e/c.py": b"c\n", "d/run": b"#!/bin/sh\n"}


@pytest.fixture
def objects(empty_repo: Repo) -> Iterator[Objects]:
    """The objects of a repository with CONTENTS, a link and a name that is not UTF-8."""
    for path, content in CONTENTS.items():
        empty_repo.write(path, content.decode())
    (empty_repo.path / "d/run").chmod(0o755)
    (empty_repo.path / "link.py").symlink_to("a.py")
    empty_repo.write(os.fsdecode(b"d\xff/x"), "odd")
    empty_repo.commit()
    with Objects(open_repository(empty_repo.path, os.environ)) as objects:
        yield objects


@pytest.fixture(params=["git", "working tree", "memory"])
def tree(request: pytest.FixtureRequest, objects: Objects, empty_repo: Repo) -> Tree:
    if request.param == "memory":
        return MemoryTree({**CONTENTS, os.fsdecode(b"d\xff/x"): b"odd"}, frozenset({"d/run"}))
    return GitTree(objects, "HEAD") if request.param == "git" else WorkTree(empty_repo.path)


def test_every_tree_reads_files_by_path(tree: Tree) -> None:
    assert {path: tree.read(path, 100) for path in CONTENTS} == CONTENTS
    assert tree.read(os.fsdecode(b"d\xff/x"), 100) == b"odd"


@pytest.mark.parametrize(
    "path", ["", "d", "nope", "nope/x", "a.py/x", "/a.py", "d/", "../a.py", "d//run", "./a.py", "d/../a.py"]
)
def test_no_tree_reads_what_is_no_file_or_no_plain_path(tree: Tree, path: str) -> None:
    assert (tree.read(path, 100), tree.identity(path), is_regular_file(tree, path)) == (None, "", False)


def test_no_tree_reads_a_file_over_the_limit(tree: Tree) -> None:
    assert (tree.read("a.py", 6), tree.read("a.py", 5)) == (CONTENTS["a.py"], None)


def test_every_tree_has_the_modes_of_git(tree: Tree) -> None:
    assert [tree.mode(path) for path in ("", "d", "d/e", "a.py", "d/run", "nope")] == [TREE, TREE, TREE, FILE, EXECUTABLE, None]


def test_every_tree_names_directories_and_files_that_end_so(tree: Tree) -> None:
    assert set(tree.names("d")) == {"b.yaml", "e", "run"}
    assert set(tree.names("d", (".py", ".yaml"))) == {"b.yaml", "e"}
    assert tree.names("nope") == tree.names("a.py") == ()
    assert ".git" not in tree.names("")


def test_identity_changes_with_the_content(tree: Tree) -> None:
    assert len({tree.identity(path) for path in CONTENTS}) == len(CONTENTS)


def test_a_symbolic_link_is_no_file(objects: Objects, empty_repo: Repo) -> None:
    for tree in (GitTree(objects, "HEAD"), WorkTree(empty_repo.path)):
        assert (tree.mode("link.py"), tree.read("link.py", 100), tree.identity("link.py")) == (LINK, None, "")


def test_a_directory_behind_a_symbolic_link_is_not_entered(objects: Objects, empty_repo: Repo) -> None:
    (empty_repo.path / "other").symlink_to("d")
    assert WorkTree(empty_repo.path).read("other/b.yaml", 100) is None


def test_stamp_of_an_edited_file_changes(objects: Objects, empty_repo: Repo) -> None:
    before = WorkTree(empty_repo.path).identity("a.py")
    empty_repo.write("a.py", "a = 2\n")
    os.utime(empty_repo.path / "a.py", ns=(1, 1))
    assert WorkTree(empty_repo.path).identity("a.py") != before


def test_identity_in_git_is_the_id_of_the_blob(objects: Objects, empty_repo: Repo) -> None:
    assert GitTree(objects, "HEAD^{tree}").identity("d/e/c.py") == empty_repo.git("rev-parse", "HEAD:d/e/c.py")


def test_an_object_that_is_gone_is_told_from_a_file_that_is_none(objects: Objects) -> None:
    gone = "1" * objects.git.object_format.digits
    with TreeMaker(objects.git) as maker:
        tree = GitTree(objects, maker.make({b"a": Entry(FILE, gone), b"d": Entry(TREE, gone)}))
    with pytest.raises(ObjectsGone):
        tree.read("a", 100)
    with pytest.raises(GitFailed, match="missing"):
        tree.read("d/a", 100)


def test_a_very_deep_path_is_read(objects: Objects) -> None:
    deep, entry = "/".join(["d"] * 3000), Entry(FILE, objects.read("HEAD:a.py").id)  # type: ignore[union-attr]
    with TreeMaker(objects.git) as maker:
        for _ in range(3000):
            entry = Entry(TREE, maker.make({b"d": entry}))
    assert GitTree(objects, entry.id).read(deep, 100) == CONTENTS["a.py"]

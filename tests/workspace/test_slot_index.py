"""git's index of a slot, read and written without git."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from litter import slot

from gitrun import Project
from gitrun.dataclass import replace
from gitrun.git.exe import open_repository
from gitrun.workspace.slot_index import SlotIndex, check_out_record, find_layout, read_attempt_tree, read_slot_index

if TYPE_CHECKING:
    from repository import Repo


@pytest.fixture
def repo(empty_repo: Repo) -> Repo:
    empty_repo.write("d/inner/f", "1")
    empty_repo.write("d/g", "2")
    empty_repo.write("a.py", "x = 1\n")
    empty_repo.commit()
    return empty_repo


def read(repo: Repo) -> SlotIndex:
    """The index of the first slot."""
    index = read_slot_index(place(repo), open_repository(repo.path, os.environ).object_format)
    assert index
    return index


def place(repo: Repo):
    return repo.path / ".git" / "gitrun" / "slots" / "0" / "index"


def in_slot(repo: Repo, *words: str) -> str:
    """What git says in the first slot."""
    environ = {**os.environ, "GIT_INDEX_FILE": str(place(repo))}
    done = subprocess.run(["git", *words], cwd=slot(repo), env=environ, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_git_finds_every_tree_where_it_is_read_here(repo) -> None:
    repo.run("a.py", check=True)
    index = read(repo)
    names = {b"": "HEAD^{tree}", b"d": "HEAD:d", b"d/inner": "HEAD:d/inner", b".gitrun": "HEAD:.gitrun"}
    assert {path: index.id_at(at) for path, at in index.layout.trees.items()} == {
        path: in_slot(repo, "rev-parse", name) for path, name in names.items()
    }


def test_trees_that_are_out_of_date_are_left_out(repo) -> None:
    repo.run("a.py", check=True)
    (slot(repo) / "d" / "inner" / "f").write_text("9")
    in_slot(repo, "add", "d/inner/f")
    assert set(read(repo).layout.trees) == {b".gitrun"}


def test_an_index_is_that_of_attempts_with_the_same_source_alone(repo) -> None:
    repo.run("a.py", check=True)
    repo.run("a.py", "x=2", check=True)
    index, git = read(repo), open_repository(repo.path, os.environ)
    for name, text, is_same in (("a.py", "x = 1\n", True), ("d/inner/f", "3", False), ("new", "", False), ("d/g", "2", False)):
        repo.write(name, text)
        attempt = Project(repo.path).run("a.py", stage=True)
        tree = read_attempt_tree(git, attempt.attempt.id)
        assert tree
        assert index.is_of(tree) == is_same, name


def test_git_finds_the_record_clean_that_was_written_without_it(repo) -> None:
    for x in (1, 2):
        repo.run("a.py", f"x={x}", check=True)
    index, git = read(repo), open_repository(repo.path, os.environ)
    first = Project(repo.path).list_runs()[1].attempt.id
    tree = read_attempt_tree(git, first)
    assert tree
    written = check_out_record(git, os.fsencode(slot(repo)), index, tree, time.time_ns())
    assert written.data == place(repo).read_bytes() != index.data
    assert (slot(repo) / ".gitrun" / "flags.toml").read_text() == "x = 1\n"
    assert in_slot(repo, "write-tree") == in_slot(repo, "rev-parse", f"{first}^{{tree}}")
    assert in_slot(repo, "diff-files", "--name-only") == ""
    assert read(repo).is_unchanged(os.fsencode(slot(repo)))


def test_an_index_of_this_second_keeps_its_time_so_that_git_looks_at_files_again(repo) -> None:
    for x in (1, 2):
        repo.run("a.py", f"x={x}", check=True)
    git, runs = open_repository(repo.path, os.environ), Project(repo.path).list_runs()
    for run, seconds, keeps in ((runs[1], 0, True), (runs[0], 1, False)):
        index, tree = read(repo), read_attempt_tree(git, run.attempt.id)
        assert tree
        check_out_record(git, os.fsencode(slot(repo)), index, tree, index.written + seconds * 10**9)
        assert (place(repo).stat().st_mtime_ns == index.written) == keeps


def test_a_file_as_young_as_the_index_is_compared_by_its_content(repo) -> None:
    repo.run("a.py", check=True)
    index, top = read(repo), os.fsencode(slot(repo))
    young = replace(index, written=0)
    assert young.is_unchanged(top)
    at, size = index.layout.entries[b"d/g"] + 40, index.object_format.size
    other = index.data[:at] + bytes(size) + index.data[at + size :]
    assert not replace(index, data=other, written=0).is_unchanged(top)
    assert replace(index, data=other, written=time.time_ns()).is_unchanged(top)


def test_an_index_of_very_many_files_is_left_to_git(repo) -> None:
    repo.run("a.py", check=True)
    count = len(read(repo).layout.entries)
    assert read_slot_index(place(repo), read(repo).object_format, count)
    assert read_slot_index(place(repo), read(repo).object_format, count - 1) is None
    assert place(repo).exists()


def test_half_an_index_is_removed(repo) -> None:
    repo.run("a.py", check=True)
    whole = place(repo).read_bytes()
    place(repo).write_bytes(whole[:100] + bytes(10) + whole[110:])
    form = open_repository(repo.path, os.environ).object_format
    assert read_slot_index(place(repo), form) is None
    assert not place(repo).exists()
    assert read_slot_index(place(repo), form) is None
    assert repo.run("--", "cat", "d/g", check=True).stdout == "2"


def tracked_paths(repo) -> tuple[list[bytes] | None, list[bytes]]:
    """The paths in the index as they are read here, and as git lists them."""
    git = open_repository(repo.path, os.environ)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=repo.path, capture_output=True, check=True).stdout
    layout = find_layout((git.git_dir / "index").read_bytes(), git.object_format)
    return layout and list(layout.entries), listed[:-1].split(b"\0")


def test_paths_in_an_index_are_read_as_git_lists_them(repo) -> None:
    for name in ("x" * 255, "d/" + "y" * 200, *("z" * length for length in range(1, 20)), "\n", '\u00e9 "'):
        repo.write(name, "1")
    repo.git("add", ".")
    here, listed = tracked_paths(repo)
    assert here == listed
    # version 3 has more flags for a file that is only intended to be added
    repo.write("later", "1")
    repo.git("add", "--intent-to-add", "later")
    here, listed = tracked_paths(repo)
    assert here == listed
    assert b"later" in listed


@pytest.mark.parametrize("words", [("--index-version", "4"), ("--split-index",)], ids=" ".join)
def test_an_index_of_another_form_is_left_to_git(repo, words) -> None:
    repo.git("update-index", *words)
    assert tracked_paths(repo)[0] is None

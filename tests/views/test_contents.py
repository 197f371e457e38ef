"""What in an attempt's tree is its source."""

from __future__ import annotations

import os

import pytest
from runs_made_up import made_up

from gitrun import Project
from gitrun.views.contents import (
    Change,
    Content,
    PathsBesideSource,
    changed_paths,
    list_files,
    source_files,
    uncommitted_changes,
)


@pytest.mark.parametrize(
    ("path", "is_other"),
    [
        (".gitrun/output", True),
        ("a/.gitrun/x", False),
        (".gitrunx", False),
        ("out", True),
        ("out/deep/x", True),
        ("outer", False),
    ],
)
def test_records_and_what_was_carried_are_no_source(path, is_other) -> None:
    assert (path in PathsBesideSource(made_up(carried=("out",)).attempt)) is is_other


def test_changes_name_paths_of_any_bytes(empty_repo) -> None:
    name = b"odd\xff\n\x1b"
    first = empty_repo.commit()
    (empty_repo.path / os.fsdecode(name)).write_bytes(b"")
    second = empty_repo.commit()
    assert changed_paths(Project(empty_repo.path).git, first, second) == [Change(os.fsdecode(name), "added")]


def test_submodule_without_files_has_no_size(repo) -> None:
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.git('rev-parse', 'HEAD')},inner")
    repo.git("commit", "--quiet", "--message=inner")
    (repo.path / "inner").mkdir()
    project = Project(repo.path)
    run = project.run("echo.py")
    assert Content("inner", None, "source") in list(source_files(project.git, run.attempt))


def test_listing_can_be_left_in_the_middle(repo) -> None:
    for number in range(2000):
        repo.write(f"{'x' * 60}{number}", "")
    repo.commit()
    project = Project(repo.path)
    run = project.run("echo.py")
    listing = list_files(project.git, run)
    assert next(listing).part == "source"
    listing.close()


def test_uncommitted_is_told_of_a_run_whose_source_tree_was_collected(repo) -> None:
    repo.write("new.txt", "n")
    project = Project(repo.path)
    run = project.run("echo.py")
    repo.git("gc", "--prune=now", "--quiet")
    assert uncommitted_changes(project.git, run.attempt) == [Change("new.txt", "added")]


@pytest.mark.parametrize(
    ("size", "content"),
    [
        (7, Content("big", 7, "source", stored="lfs")),
        (10**17, Content("big", 10**17, "source", stored="lfs")),
        ("x", Content("big", 126, "source")),
    ],
)
def test_file_of_git_lfs_has_the_size_that_its_pointer_names(repo, size, content) -> None:
    repo.write("big", f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize {size}\n")
    project = Project(repo.path)
    run = project.run("echo.py")
    assert content in list(source_files(project.git, run.attempt))

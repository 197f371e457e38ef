"""What is put into the place where a program runs: linked directories are open_links, nothing is written through a link."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from supervised import last, runs

from gitrun.lifecycle.inputs import open_links, unlink_outputs
from gitrun.project import Project

if TYPE_CHECKING:
    from pathlib import Path

NEEDS = """
[operations.make]
command = ["sh", "-c", "mkdir -p {dir} && echo 1 > {dir}/a.txt"]
flags.dir = "data"
[operations.use]
command = ["sh", "-c", "cat data/a.txt; ls"]
needs = { make = "data/a.txt" }
"""


@pytest.fixture
def place(repo, tmp_path) -> Path:
    """A directory into which `data` of the working tree is linked, with a file and a directory in it."""
    repo.write("data/a.txt", "mine")
    repo.write("data/sub/b.txt", "mine")
    tree: Path = tmp_path / "tree"
    tree.mkdir()
    (tree / "data").symlink_to(repo.path / "data")
    return tree


def links(tree: Path) -> list[str]:
    found = (path for path in tree.rglob("*") if path.is_symlink())
    return sorted(os.fspath(path.relative_to(tree)) for path in found)


def test_linked_directory_is_opened_only_as_far_as_a_file_must_lie_in_it(repo, place) -> None:
    session = Project(repo.path).session()
    linked = open_links(session, place, [b"data"], [b"data/new.txt"])
    assert (sorted(linked), links(place)) == ([b"data/a.txt", b"data/sub"], ["data/a.txt", "data/sub"])
    linked = open_links(session, place, linked, [b"data/a.txt", b"data/sub/deep/c.txt"])
    assert (sorted(linked), links(place)) == ([b"data/sub/b.txt"], ["data/sub/b.txt"])
    assert (repo.path / "data/a.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("outputs", "left"),
    [
        (("data/a.txt",), ["data/sub"]),
        (("data/*.txt",), ["data/sub"]),
        (("data",), []),
        (("data/sub/*.txt",), ["data/a.txt"]),
        (("other",), ["data"]),
    ],
)
def test_outputs_are_free_for_the_program_to_write(repo, place, outputs, left) -> None:
    linked = unlink_outputs(Project(repo.path).session(), place, [b"data"], outputs)
    assert (links(place), sorted(map(os.fsdecode, linked))) == (left, left)
    assert (place / "data").is_dir()


def test_file_that_cannot_be_put_where_it_belongs_is_an_error_without_files(repo) -> None:
    repo.write("gitrun.toml", NEEDS)
    repo.run("make", check=True)
    repo.write("elsewhere/x", "")
    (repo.path / "data").symlink_to("elsewhere")
    done = repo.run("use")
    assert (done.returncode, last(repo)["status"], done.stdout) == (127, "error", "")
    assert "'data/a.txt' of run " in done.stderr
    assert "files" not in repo.git("show", f"runs/{last(repo)['id']}:.gitrun/result.toml")
    assert list((repo.path / "elsewhere").iterdir()) == [repo.path / "elsewhere/x"]
    (repo.path / "data").unlink()
    assert repo.run("use", check=True).stdout.startswith("1\n")


def test_needed_file_goes_over_one_of_the_source_for_this_run_alone(repo) -> None:
    repo.write("gitrun.toml", NEEDS)
    repo.run("make", check=True)
    repo.write("data/a.txt", "of the source\n")
    repo.commit()
    assert repo.run("use", check=True).stdout.startswith("1\n")
    assert repo.run("--", "cat", "data/a.txt", check=True).stdout == "of the source\n"
    assert len(runs(repo)) == 3

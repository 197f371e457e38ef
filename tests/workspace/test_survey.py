"""What is found in a slot after a program has been there."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from litter import slot

from gitrun.dataclass import replace
from gitrun.git.exe import open_repository
from gitrun.workspace.manifest import Manifest
from gitrun.workspace.slot_index import read_slot_index
from gitrun.workspace.survey import Survey, survey_checkout, survey_slot

if TYPE_CHECKING:
    from repository import Repo


@pytest.fixture
def repo(empty_repo: Repo) -> Repo:
    empty_repo.write("d/inner/f", "1")
    empty_repo.write("d/g", "2")
    empty_repo.commit()
    empty_repo.run("--", "true", check=True)
    return empty_repo


def surveyed(repo: Repo, change: str) -> Survey | None:
    """The survey of the first slot after a change there."""
    subprocess.run(["sh", "-ec", change], cwd=slot(repo), check=True)
    path, form = repo.path / ".git/gitrun/slots/0/index", open_repository(repo.path, os.environ).object_format
    index = read_slot_index(path, form)
    assert index
    # as if it had been written after all files
    return survey_checkout(os.fsencode(slot(repo)), replace(index, written=time.time_ns()), Manifest(), None)


@pytest.mark.parametrize(
    "change",
    [
        "cp -p d/g x; printf 9 > d/g; touch -r x d/g; rm x",
        "ln d/g ../x; printf 9 > ../x; touch -d @1 ../x; rm ../x",
        "chmod +x d/g",
        "mv d/g x; ln -s ../x d/g",
        "mv d x; ln -s x d",
        "mv d/inner x; ln -s ../x d/inner",
        "rm d/g",
        "rm d/g; mkdir d/g",
        "rm -r d; touch d",
        "rm .gitrun/run.toml",
    ],
)
def test_a_changed_checkout_is_noticed_whatever_its_times_say(repo, change) -> None:
    assert surveyed(repo, "true")
    assert surveyed(repo, change) is None


@pytest.mark.parametrize(
    "change", ["touch d/g", "cp d/g x; mv x d/g", "chmod 600 d/g", "ln d/g ../x; rm ../x", "cp -r d x; rm -r d; mv x d"]
)
def test_a_file_with_the_content_of_the_checkout_is_none_that_has_changed(repo, change) -> None:
    survey = surveyed(repo, change)
    assert survey
    assert survey.foreign == ()


def test_a_checkout_with_very_many_new_files_is_left_to_git(repo) -> None:
    for number in range(51):
        repo.write(f"many/{number}", str(number))
    repo.run("--", "true", check=True)
    assert surveyed(repo, "cp many/0 x; mv x many/0")
    assert surveyed(repo, "cp -r many x; rm -r many; mv x many") is None


def test_what_is_new_is_named_and_caches_are_told_from_it(repo) -> None:
    survey = surveyed(
        repo, "mkdir -p d/__pycache__ new; touch new/x d/y; mkfifo pipe; ln -s d link; echo changed > .gitrun/run.toml"
    )
    assert survey
    assert (survey.caches, survey.tracked) == ((b"d/__pycache__",), 2 + len(list((slot(repo) / ".gitrun").iterdir())))
    top = os.fsencode(slot(repo))
    assert {path[len(top) + 1 :] for path in survey.foreign} == {b"new", b"d/y", b"pipe", b"link"}


def test_caches_that_nobody_asked_to_keep_are_foreign(repo) -> None:
    survey = surveyed(repo, "mkdir d/__pycache__ d/inner/__pycache__")
    assert survey
    tracked = (b"d/g", b"d/inner/f", b".gitrun/run.toml")
    kept = survey_slot(os.fsencode(slot(repo)), tracked, Manifest(), {b"d/__pycache__"})
    assert kept.caches == (b"d/__pycache__",)
    assert os.fsencode(slot(repo)) + b"/d/inner/__pycache__" in kept.foreign

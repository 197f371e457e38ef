"""git run gc: what it says before it deletes, and what it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from archived_runs import refs, repository_of
from forms import with_files
from keyboard import Terminal
from templates import made_once
from three_runs import listed, three_runs

from gitrun.model.run import ARCHIVE

if TYPE_CHECKING:
    from repository import Repo

    from gitrun import Project

MANY = 10_000
"""Refs that git run gc leaves alone."""
QUESTION = "archive them? [Y/n]: "


@pytest.fixture
@made_once
def project(repo) -> Project:
    return three_runs(repo)


@pytest.fixture
def project_with_slot(repo) -> Project:
    return three_runs(repo)


def test_settings_say_what_is_superfluous(repo, project) -> None:
    repo.git("config", "gitrun.gc.keep", "2")
    repo.run("gc", check=True)
    assert listed(project.list_runs()) == [3, 2]


@pytest.mark.parametrize("words", [("--older-than", "soonish"), ("--status", "done"), ("--keep", "-1")])
def test_nonsense_is_refused(repo, words) -> None:
    assert repo.run("gc", *words).returncode == 129


def test_dry_run_says_what_and_how_much_and_changes_nothing(repo, project_with_slot) -> None:
    project = project_with_slot
    orphan = repo.write(f".git/gitrun/files/{'0' * 40}/a", "12345")
    told = repo.run("gc", "--keep", "1", "--slots", "--dry-run", "--json", check=True)
    found = json.loads(told.stdout)
    assert found["delete"] == [run.id for run in project.list_runs()[1:]]
    assert [file["size"] for file in found["files"]] == [5]
    assert len(found["slots"]) == 1
    assert found["size"] == 5 + found["slots"][0]["size"]
    assert orphan.exists()
    assert listed(project.list_runs()) == [3, 2, 1]


@pytest.fixture
def crowded(tmp_path) -> Repo:
    """A repository with three old runs, and so many other refs beside them that these are due for the archive."""
    repo = repository_of(tmp_path / "crowded", 3)
    head = repo.git("rev-parse", "HEAD")
    with (repo.path / ".git" / "packed-refs").open("a") as file:
        file.writelines(f"{head} refs/runs/other/{number:05}\n" for number in range(MANY))
    return repo


@with_files
@pytest.mark.parametrize(
    ("keys", "status", "archived", "says"),
    [
        ("\r", 0, 3, "archived 3 runs"),
        ("n\r", 0, 0, "archived no runs. To stop this question: git config gitrun.gc.archiveAfter never"),
        ("\x03", 130, 0, ""),
        ("\x04", 130, 0, ""),
    ],
    ids=["return", "no", "Ctrl-C", "Ctrl-D"],
)
def test_old_runs_are_archived_only_after_a_yes(crowded, keys, status, archived, says) -> None:
    with Terminal(crowded, "git-run", "gc") as terminal:
        asked = b" ".join(terminal.shows(QUESTION, seconds=60).split())
        assert b"note: 3 old runs can be archived, which makes git fetch and push faster. You use archived" in asked
        terminal.waits_for_keys()
        terminal.type(keys)
        assert terminal.ends() == status
    assert says.encode() in b" ".join(terminal.seen.split())
    assert terminal.seen.endswith(b"\n")
    assert (len(refs(crowded, ARCHIVE)) > 0, MANY + 3 - len(refs(crowded))) == (archived > 0, archived)


@with_files
def test_nobody_is_asked_who_does_not_see_the_question(crowded) -> None:
    with (crowded.path / "said").open("wb") as file, Terminal(crowded, "git-run", "gc", stderr=file) as terminal:
        assert terminal.ends() == 0
    assert "To allow that: git config gitrun.gc.archiveBeyond 10000" in (crowded.path / "said").read_text()
    assert refs(crowded, ARCHIVE) == {}

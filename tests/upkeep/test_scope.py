"""Archived runs that the index holds as readable are not read again, unless somebody asks for that."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest
from archived_runs import archive, archive_all, refs, repository_of
from doctor_calls import doctor, git_dir

from gitrun import Project
from gitrun.model.run import ARCHIVE, RUNS
from gitrun.upkeep.scope import choose_runs

if TYPE_CHECKING:
    from repository import Repo

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def listed(twelve) -> Repo:
    """A repository with twelve archived runs that the index has read."""
    looked_at(twelve)
    return twelve


def looked_at(repo: Repo) -> list[str]:
    """The ids of all runs, once the index takes them for known."""
    time.sleep(0.2)
    return [run.id for run in Project(repo.path).list_runs()]


def with_index(repo: Repo, words: str) -> None:
    """Changes the index behind gitrun's back."""
    with sqlite3.connect(git_dir(repo) / "gitrun" / "index.sqlite") as base:
        assert base.execute(words).rowcount
    base.close()


def counts(repo: Repo) -> tuple[int, int]:
    """The numbers of runs that the doctor reads, and that it does not read again."""
    report = Project(repo.path).upkeep.examine()
    everything = Project(repo.path).upkeep.examine(is_full=True)
    assert (everything.runs, everything.passed_over) == (report.runs + report.passed_over, 0)
    assert report.findings == everything.findings == ()
    return report.runs, report.passed_over


def unpacked(repo: Repo) -> Repo:
    """The repository with all its objects loose."""
    (pack,) = (git_dir(repo) / "objects" / "pack").glob("*.pack")
    data = pack.read_bytes()
    for path in pack.parent.glob(f"{pack.stem}.*"):
        path.unlink()
    subprocess.run(("git", "unpack-objects", "-q"), cwd=repo.path, input=data, check=True)
    return repo


def without(repo: Repo, name: str) -> None:
    """Removes a loose object."""
    found = repo.git("rev-parse", name)
    (git_dir(repo) / "objects" / found[:2] / found[2:]).unlink()


def test_archived_runs_that_the_index_holds_are_not_read_again(listed) -> None:
    assert counts(listed) == (0, 12)


def test_a_row_of_an_archived_run_is_compared_only_with_all(listed) -> None:
    with_index(listed, "UPDATE runs SET tip = substr(tip, 2) || substr(tip, 1, 1)")
    assert [Project(listed.path).upkeep.examine(is_full=full).findings == () for full in (False, True)] == [True, False]


@pytest.mark.parametrize(
    "words", ["DELETE FROM state WHERE name = 'boot'", "DELETE FROM state WHERE name = 'archives'", "PRAGMA user_version = 1"]
)
def test_index_that_is_stale_answers_for_no_archived_run(listed, words) -> None:
    with sqlite3.connect(git_dir(listed) / "gitrun" / "index.sqlite") as base:
        base.execute(words)
    base.close()
    assert counts(listed) == (12, 0)


def test_without_an_index_all_archived_runs_are_read(twelve) -> None:
    (git_dir(twelve) / "gitrun" / "index.sqlite").unlink(missing_ok=True)
    assert counts(twelve) == (12, 0)


def test_archive_that_moved_since_the_index_took_it_is_read(listed) -> None:
    listed.write("train.py", "print('hello')\n")
    listed.run("train.py", check=True)
    assert counts(listed) == (1, 12)
    archive_all(listed)
    assert counts(listed) == (13, 0)
    looked_at(listed)
    assert counts(listed) == (0, 13)


def test_archived_run_with_a_ref_is_read(listed) -> None:
    run = looked_at(listed)[0]
    listed.run("tag", "good", run, check=True)
    assert counts(listed) == (1, 11)
    looked_at(listed)
    # the archive still lists it as it was before, which its row in the index does not say
    listed.git("update-ref", "-d", RUNS + run)
    assert counts(listed) == (1, 11)


def test_deleted_archived_runs_are_not_counted(listed) -> None:
    listed.run("rm", "1", check=True)
    assert counts(listed) == (11, 0)
    looked_at(listed)
    assert counts(listed) == (0, 11)


def test_run_in_two_archives_is_counted_once(listed) -> None:
    listed.git("update-ref", f"{ARCHIVE}0123456789abcdef", archive(listed)[1])
    looked_at(listed)
    assert counts(listed) == (0, 12)


@pytest.mark.parametrize(
    "words",
    [
        "DELETE FROM runs WHERE id = (SELECT min(id) FROM runs)",
        "UPDATE runs SET created = 9e9 WHERE id = (SELECT min(id) FROM runs)",
    ],
)
def test_rows_that_cannot_be_right_have_their_runs_read(listed, words) -> None:
    with_index(listed, words)
    git = Project(listed.path).git
    assert choose_runs(git, NOW).passed_over < 12
    findings = Project(listed.path).upkeep.examine().findings
    # a date that only the index has is none of a run
    assert [one.kind for one in findings] == ["index"] * ("created" not in words)


def test_archived_run_from_the_future_is_named(listed) -> None:
    git = Project(listed.path).git
    assert choose_runs(git, datetime(2000, 1, 1, tzinfo=timezone.utc)).tips.keys() == set(looked_at(listed))


def test_archived_runs_on_replaced_history_are_named(listed, monkeypatch) -> None:
    monkeypatch.setenv("FILTER_BRANCH_SQUELCH_WARNING", "1")
    listed.git("filter-branch", "--msg-filter", "cat; echo more", "--", "--branches")
    (finding,) = Project(listed.path).upkeep.examine().findings
    assert (finding.kind, "12 runs use it" in finding.words) == ("purged-history", True)


def test_damaged_row_of_an_archived_run_is_for_all(listed) -> None:
    with_index(listed, "UPDATE runs SET record = replace(record, 'completed', 'error')")
    assert doctor(listed)[1] == 0
    lines, code = doctor(listed, "--all")
    assert (code, lines[0].startswith("the index differs from the refs of runs ")) == (1, True)
    lines, code = doctor(listed, "--all", "--fix")
    assert (code, lines[0].startswith("fixed: the index differs")) == (0, True)


def test_missing_object_of_an_archived_run_is_for_all(listed) -> None:
    run = looked_at(unpacked(listed))[0]
    without(listed, f"{run}:.gitrun/env.toml")
    assert doctor(listed) == ([], 0)
    lines, code = doctor(listed, "--all")
    assert (code, "is missing, so runs " in lines[0] and "and 9 more" in lines[0]) == (1, True)


def test_unreadable_archived_run_is_named_if_the_index_knows_it(listed) -> None:
    run = looked_at(unpacked(listed))[0]
    without(listed, f"{run}:.gitrun/run.toml")
    assert doctor(listed) == ([], 0)
    assert any(f"run {run[:8]} cannot be read: " in line for line in doctor(listed, "--all")[0])
    (git_dir(listed) / "gitrun" / "index.sqlite").unlink()
    looked_at(listed)
    lines, code = doctor(listed)
    assert (code, [f"run {run[:8]} cannot be read: " in line for line in lines]) == (1, [True])


def test_empty_object_of_an_archived_run_is_named_with_the_run(listed) -> None:
    run = looked_at(unpacked(listed))[0]
    found = listed.git("rev-parse", f"{run}:.gitrun/env.toml")
    path = git_dir(listed) / "objects" / found[:2] / found[2:]
    path.chmod(0o644)
    path.write_bytes(b"")
    ended = listed.run("doctor")
    assert (ended.returncode, "is empty; runs " in ended.stdout) == (1, True)
    assert ended.stderr.splitlines()[1].startswith("gitrun: note: 12 archived runs were not read again. ")


def test_lost_part_of_the_last_archive_commit_is_named(twelve) -> None:
    unpacked(twelve)
    looked_at(twelve)
    without(twelve, f"{archive(twelve)[1]}:tips")
    (line, *_), code = doctor(twelve)
    assert (code, line.startswith(f"archive {archive(twelve)[0]} cannot be read: a blob of commit")) == (1, True)


def test_notes_of_recent_runs_are_looked_for_beside_archived_ones(listed) -> None:
    listed.write("train.py", "print('hello')\n")
    listed.run("train.py", check=True)
    run = next(iter(refs(listed)))
    assert counts(listed) == (1, 12)
    listed.git("notes", "--ref=runs", "remove", run)
    assert [one.kind for one in Project(listed.path).upkeep.examine().findings] == ["notes"]


def test_first_runs_are_archived_as_one_repository_has_them(tmp_path) -> None:
    repo = repository_of(tmp_path / "few", 3)
    looked_at(repo)
    # without archives every run is read, whatever the index says
    assert counts(repo) == (3, 0)


def test_closing_line_says_what_was_not_read(listed) -> None:
    said = "12 archived runs were not read again. To read them: git run doctor --all"
    assert listed.run("doctor").stderr == f"gitrun: no problems found in 0 runs; {said}\n"
    assert listed.run("doctor", "--all").stderr == "gitrun: no problems found in 12 runs\n"
    listed.git("config", "gitrun.fsync", "false")
    assert listed.run("doctor").stderr == f"gitrun: note: {said}\n"

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from gitrun import Project
from gitrun.errors import StaleRun
from gitrun.model.plan import Outcome, Plan, Request
from gitrun.store.attempts import AttemptHandle, Collected, begin
from gitrun.store.live import is_live, recorded_runs
from gitrun.store.refs import tip_of

if TYPE_CHECKING:
    from repository import Repo

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
COMPLETED = Outcome("completed", 0, MOMENT, MOMENT, 0.25)


@pytest.fixture
def project(repo: Repo) -> Project:
    return Project(repo.path)


def begun(project: Project, *, stage: bool = False) -> AttemptHandle:
    plan = project.plan(Request(operation="echo.py", stage=stage))
    assert isinstance(plan, Plan)
    return begin(project.git, plan, {})


def collect() -> Collected:
    return Collected(COMPLETED, {})


def test_finished_attempt_has_a_result_a_note_and_no_record(repo, project):
    with begun(project) as attempt:
        assert is_live(project.git.state, attempt.run_id)
        assert attempt.finish(collect) == COMPLETED
    assert recorded_runs(project.git.state) == []
    assert [run.status for run in project.list_runs()] == ["completed"]
    assert repo.git("notes", "--ref=runs", "show", attempt.id).startswith("completed in 0.25s")


def test_attempt_left_without_finish_is_finished_by_the_next_command(project):
    with begun(project) as attempt:
        pass
    assert not is_live(project.git.state, attempt.run_id)
    assert recorded_runs(project.git.state) == [attempt.run_id]
    project.recover()
    assert recorded_runs(project.git.state) == []
    assert [(run.status, run.exit_status) for run in project.list_runs()] == [("terminated", -9)]


def test_closed_attempt_is_staged(project):
    with begun(project, stage=True) as attempt:
        attempt.close()
    assert recorded_runs(project.git.state) == []
    assert [run.status for run in project.list_runs()] == ["staged"]


def test_workspace_is_released_between_result_and_end(project):
    seen = []

    def release(collected: Collected) -> None:
        seen.append(
            (collected.outcome, tip_of(project.git, attempt.run_id) != attempt.id, is_live(project.git.state, attempt.run_id))
        )

    with begun(project) as attempt:
        attempt.finish(collect, release)
    assert seen == [(COMPLETED, True, True)]


def test_attempt_whose_result_is_refused_stays_for_recovery(project):
    with begun(project) as attempt:
        other = replace(attempt, id="1" * 40)
        with pytest.raises(StaleRun, match="was changed while it ran"):
            other.finish(collect)
    assert recorded_runs(project.git.state) == [attempt.run_id]

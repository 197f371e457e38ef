from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from gitrun import Project
from gitrun.errors import StaleRun
from gitrun.model.plan import Outcome, Plan, Request
from gitrun.store.attempts import AttemptHandle, Collected, PreparedResult, begin
from gitrun.store.live import is_live, recorded_runs
from gitrun.store.refs import tip_of
from gitrun.store.trust import record_made_here

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


def test_a_begin_records_the_result_of_another_attempt(repo, project):
    with begun(project) as first:
        first.live.output.write_text("said\n")
        prepared = first.prepare(collect)
        assert tip_of(project.git, first.run_id) == first.id
        with begun_after(project, prepared) as second:
            assert is_live(project.git.state, second.run_id)
        assert tip_of(project.git, first.run_id) == prepared.id
        assert first.end(prepared.collected) == COMPLETED
    assert repo.git("show", f"{prepared.id}:.gitrun/output") == "said"
    assert repo.git("notes", "--ref=runs", "show", first.id).startswith("completed in 0.25s")
    assert {run.id: run.status for run in project.list_runs()} == {first.run_id: "completed", second.run_id: "terminated"}


def test_neither_is_recorded_if_the_other_run_has_changed(repo, project):
    with begun(project) as first:
        prepared = first.prepare(collect)
        repo.run("label", "mine", first.run_id, check=True)
        with pytest.raises(StaleRun, match=f"another process changed run {first.run_id[:8]}"):
            begun_after(project, prepared)
        assert recorded_runs(project.git.state) == [first.run_id]
        assert first.finish(collect, prepared=prepared) == COMPLETED
    assert [(run.status, run.notes.label) for run in project.list_runs()] == [("completed", "mine")]


def test_a_prepared_result_is_recorded_as_it_is(project):
    calls = []

    def counted() -> Collected:
        calls.append("called")
        return collect()

    with begun(project) as first:
        prepared = first.prepare(counted)
        assert first.finish(counted, prepared=prepared) == COMPLETED
        assert tip_of(project.git, first.run_id) == prepared.id
    assert calls == ["called"]


def test_a_prepared_result_that_lost_objects_is_recorded_again(repo, project):
    with begun(project) as first:
        first.live.output.write_text("said\n")
        prepared = first.prepare(collect)
        # as if a gc had deleted an object after the refs moved
        record_made_here(project.git, prepared.id)
        repo.git("update-ref", f"refs/runs/{first.run_id}", prepared.id)
        blob = repo.git("rev-parse", f"{prepared.id}:.gitrun/output")
        (repo.path / ".git/objects" / blob[:2] / blob[2:]).unlink()
        assert first.finish(collect, prepared=prepared) == COMPLETED
    assert repo.git("cat-file", "blob", blob) == "said"
    assert [run.status for run in project.list_runs()] == ["completed"]


def begun_after(project: Project, ended: PreparedResult) -> AttemptHandle:
    plan = project.plan(Request(operation="echo.py"))
    assert isinstance(plan, Plan)
    return begin(project.git, plan, {}, ended)

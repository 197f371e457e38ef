"""Deleted runs stay in the trash, whole; no step of a deletion or restoration loses one."""

from __future__ import annotations

import pytest
from templates import made_once
from three_runs import listed, three_runs

from gitrun.errors import RunIsRunning, StaleRun
from gitrun.model.run import BrokenRun
from gitrun.store import trash
from gitrun.store.live import hold_live
from gitrun.store.refs import tips


@pytest.fixture
@made_once
def project(repo):
    return three_runs(repo)


def refs(repo, under: str) -> list[str]:
    return repo.git("for-each-ref", "--format=%(objectname)", under).splitlines()


def test_deleted_run_is_gone_from_the_list_and_comes_back_as_it_was(repo, project) -> None:
    before = project.list_runs()
    project.trash.remove(before[:2])
    assert listed(project.list_runs()) == [1]
    assert listed(project.trash.list_runs()) == [3, 2]
    project.trash.restore(project.trash.list_runs())
    assert project.list_runs() == before
    assert refs(repo, "refs/gitrun") == []


def test_deleting_is_all_or_nothing_when_somebody_changes_a_run(project) -> None:
    runs = project.list_runs()
    project.mark(runs[1])
    with pytest.raises(StaleRun):
        project.trash.remove(runs)
    assert listed(project.list_runs()) == [3, 2, 1]
    assert project.trash.list_runs() == []


def test_running_run_is_not_deleted(project) -> None:
    run = project.list_runs()[0]
    with hold_live(project.git.state, run.id), pytest.raises(RunIsRunning, match="it is running"):
        project.trash.remove([run])
    assert listed(project.list_runs()) == [3, 2, 1]


def test_deletion_killed_between_its_steps_leaves_the_run_and_the_next_command_tidies_up(repo, project) -> None:
    runs = project.list_runs()
    repo.git("update-ref", f"refs/gitrun/trash/{runs[0].id}", runs[0].tip)
    assert project.trash.list_runs() == []
    project.trash.remove([runs[1]])
    assert listed(project.trash.list_runs()) == [2]
    assert refs(repo, "refs/gitrun/trash") == [runs[1].tip]


def test_run_annotated_after_a_killed_deletion_is_deleted_with_its_annotation(repo, project) -> None:
    run = project.list_runs()[0]
    repo.git("update-ref", f"refs/gitrun/trash/{run.id}", run.tip)
    project.mark(run)
    project.trash.remove([project.find(run.id)])
    assert project.trash.list_runs()[0].notes.marked


def test_restoring_never_goes_over_a_run_that_is_another_by_now(repo, project) -> None:
    run = project.list_runs()[0]
    project.trash.remove([run])
    base = repo.git("rev-parse", f"{run.tip}~1")
    repo.git("update-ref", f"refs/runs/{run.id}", base)
    restored = project.trash.restore(project.trash.list_runs())
    assert restored.left == (run.id,)
    assert tips(project.git)[run.id] == base
    assert trash.deleted_tips(project.git) == {run.id: run.tip}


def test_another_state_of_a_run_in_the_trash_is_not_written_over(repo, project) -> None:
    run = project.list_runs()[0]
    project.mark(run)
    project.trash.remove([project.find(run.id)])
    repo.git("update-ref", f"refs/runs/{run.id}", run.tip)
    other = repo.git("commit-tree", f"{run.tip}^{{tree}}", "-p", run.tip, "-m", "note\n\nGitrun-Kind: annotation")
    repo.git("update-ref", f"refs/runs/{run.id}", other)
    with pytest.raises(StaleRun, match="already in the trash"):
        project.trash.remove([project.find(run.id)])
    assert tips(project.git)[run.id] == other


def test_purge_takes_ref_and_kept_files_away(repo, project) -> None:
    run = project.list_runs()[0]
    kept = project.git.state / "files" / run.id / "deep"
    kept.mkdir(parents=True)
    project.trash.remove([run])
    assert kept.exists()
    project.trash.purge(project.trash.list_runs())
    assert project.trash.list_runs() == []
    assert not kept.parent.exists()
    assert trash.deletion_times(project.git) == {}


def test_deleted_runs_survive_gc(repo, project) -> None:
    project.trash.remove(project.list_runs())
    repo.git("gc", "--quiet", "--prune=now")
    assert listed(project.trash.list_runs()) == [3, 2, 1]


def test_what_does_not_read_can_be_deleted_by_its_id(repo, project) -> None:
    head = repo.head()
    repo.git("update-ref", f"refs/runs/{head}", head)
    repo.run("rm", head[:10], check=True)
    assert project.broken() == []
    assert isinstance(project.trash.list_runs()[0], BrokenRun)

"""gc deletes what nobody needs any more, nothing else, and lists all of it before."""

from __future__ import annotations

import os
import time

import pytest
from forms import with_files
from templates import made_once
from three_runs import listed, three_runs

from gitrun import Project
from gitrun.store.live import hold_live
from gitrun.upkeep import gc
from gitrun.upkeep.gc import GcRules, Retention
from gitrun.workspace.slots import lease_slot

BIG = "open('big.bin', 'wb').write(bytes(1000))\n"


@pytest.fixture
@made_once
def project(repo) -> Project:
    return three_runs(repo)


@pytest.fixture
def project_with_slot(repo) -> Project:
    return three_runs(repo)


def test_nothing_asked_deletes_no_run(repo, project) -> None:
    repo.run("gc", check=True)
    assert listed(project.list_runs()) == [3, 2, 1]


def test_superfluous_runs_go_to_the_trash(repo, project) -> None:
    project.mark(project.list_runs()[2])
    told = repo.run("gc", "--keep", "1", check=True)
    assert "deleted run" in told.stderr
    assert listed(project.list_runs()) == [3, 1]
    assert listed(project.trash.list_runs()) == [2]


def test_trash_is_purged_when_its_time_is_over(project) -> None:
    project.trash.remove(project.list_runs()[:1])
    early, late = time.time() - 100, time.time() + 100
    assert project.upkeep.survey(GcRules(expire=early)).purged == {}
    project.upkeep.sweep(project.upkeep.survey(GcRules(expire=late)))
    assert project.trash.list_runs() == []


def test_time_in_the_trash_counts_from_gc_where_it_is_not_known(project) -> None:
    project.trash.remove(project.list_runs()[:1])
    (project.git.state / "trash").unlink()
    project.upkeep.sweep(project.upkeep.survey(GcRules(expire=time.time() - 100)))
    assert listed(project.trash.list_runs()) == [3]
    assert len((project.git.state / "trash").read_text().splitlines()) == 1


def test_files_of_deleted_runs_stay_until_the_runs_are_purged(repo) -> None:
    repo.write("big.py", BIG)
    repo.git("config", "gitrun.maxProduced", "10")
    project = Project(repo.path)
    run = project.run("big.py")
    kept = project.git.state / "files" / run.id
    project.trash.remove([run])
    project.upkeep.sweep(project.upkeep.survey(GcRules()))
    assert kept.exists()
    found = project.upkeep.survey(GcRules(expire=time.time() + 100))
    assert found.kept_size == 1000
    project.upkeep.sweep(found)
    assert not kept.exists()


def test_idle_slots_are_emptied_and_made_anew(repo, project_with_slot) -> None:
    project = project_with_slot
    assert project.upkeep.survey(GcRules()).slots == ()
    project.upkeep.sweep(project.upkeep.survey(GcRules(slots=True)))
    assert list((project.git.state / "slots").iterdir()) == []
    assert len(repo.git("worktree", "list").splitlines()) == 1
    assert project.run("echo.py", flags={"x": 4}).status == "completed"


def test_slots_in_use_and_worktrees_of_the_user_are_not_touched(repo, project) -> None:
    with lease_slot(project.git, project.list_runs()[0].attempt.id, "") as slot:
        found = project.upkeep.survey(GcRules(slots=True))
        assert found.slots == ()
        gc.remove_slot(project.git, slot.directory)
        assert slot.tree.exists()
    repo.git("worktree", "add", "-q", repo.path.parent / "mine")
    project.upkeep.sweep(project.upkeep.survey(GcRules(slots=True)))
    assert (repo.path.parent / "mine" / "echo.py").exists()


def test_what_killed_commands_left_goes_after_a_day_unless_something_runs(project) -> None:
    old = project.git.state / "tmp" / "index.dead"
    old.write_bytes(b"123")
    assert project.upkeep.survey(GcRules()).leftovers == ()
    os.utime(old, (0, 0))
    with hold_live(project.git.state, project.list_runs()[0].id):
        assert project.upkeep.survey(GcRules()).leftovers == ()
    project.upkeep.sweep(project.upkeep.survey(GcRules()))
    assert not old.exists()


@with_files
def test_many_loose_refs_and_objects_are_packed_and_nothing_is_lost(repo, project, monkeypatch) -> None:
    monkeypatch.setattr(gc, "LOOSE_REFS", 3)
    monkeypatch.setattr(gc, "LOOSE_OBJECTS", 1)
    lost = repo.git("hash-object", "-w", "--stdin")  # no ref leads there
    for number in range(700):
        (repo.path / "many").mkdir(exist_ok=True)
        repo.write(f"many/{number}", str(number))
    repo.git("add", ".")
    reflog = repo.git("reflog")
    git = Project(repo.path).git
    object.__setattr__(git, "config", {name: value for name, value in git.config.items() if name != "gc.auto"})
    found = gc.find_garbage(git, (), GcRules(), time.time())
    assert found.loose_refs == 3
    assert found.loose_objects > 256
    gc.collect_garbage(git, found)
    assert gc.objects_to_pack(git)[0] == 0
    assert not any(file.is_file() for file in (repo.path / ".git/refs/runs").rglob("*"))
    assert listed(project.list_runs()) == [3, 2, 1]
    assert repo.git("cat-file", "-t", lost) == "blob"
    assert repo.git("reflog") == reflog


def test_retention_is_asked_of_runs_with_their_last_attempt(project) -> None:
    project.run(restart=project.list_runs()[2].id)
    found = project.upkeep.survey(GcRules(Retention(keep=1)))
    assert listed(found.runs) == [3, 2]

"""Folded runs lose their refs, and nothing else: each verb finds them, and whoever goes on with one makes its ref again."""

from __future__ import annotations

import shutil

import pytest
from archived_runs import archive, archive_all, refs, repository_of
from repository import Repo

from gitrun import Project
from gitrun.errors import StaleRun
from gitrun.git.objects import Objects
from gitrun.model.run import ARCHIVE, TRASH
from gitrun.store import archive_writer, archives
from gitrun.store.purged import record_purged
from gitrun.store.refs import RefEdit, ref_store, tip_of, tips
from gitrun.upkeep.archiving import ArchiveRules, archive_runs, runs_to_archive


def test_archived_runs_have_no_refs_and_are_all_there(tmp_path) -> None:
    repo = repository_of(tmp_path / "repo", 12)
    before = [run.id for run in Project(repo.path).list_runs()]
    archived = archive_all(repo)
    project = Project(repo.path)
    assert refs(repo) == {}
    assert tips(project.git) == archived
    assert [run.id for run in project.list_runs()] == before
    assert project.find(before[3]).tip == archived[before[3]]
    repo.git("fsck", "--no-dangling", "--strict")


def test_a_commit_has_at_most_a_thousand_runs_and_names_its_parents(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(archive_writer, "SIZE", 5)
    repo = repository_of(tmp_path / "repo", 12)
    archived = archive_all(repo)
    project = Project(repo.path)
    with Objects(project.git) as objects:
        chain = archives.read_archive(objects, archive(repo)[1])
    # those without runs are on top, because git reads them at each fetch
    assert [len(commit.tips) for commit in chain] == [5, 5, 2] + [0] * archive_writer.SEALS
    times = [int(repo.git("show", "--no-patch", "--format=%ct", name)) for name in (chain[0].id, *chain[0].tips.values())]
    assert times[0] == max(times)
    assert archives.tips_of(chain) == archived


def test_oldest_runs_are_first_in_an_archive(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(archive_writer, "SIZE", 5)
    repo = repository_of(tmp_path / "repo", 12)
    project = Project(repo.path)
    oldest_first = [run.id for run in project.list_runs()[::-1]]
    archive_runs(project.git, runs_to_archive(project.git, project.list_runs(), ArchiveRules()))
    with Objects(project.git) as objects:
        chain = archives.read_archive(objects, archive(repo)[1])
    assert [sorted(commit.tips) for commit in chain[:3]] == [sorted(oldest_first[at : at + 5]) for at in (0, 5, 10)]


def test_purged_archive_still_ends_with_commits_without_runs(twelve) -> None:
    run = Project(twelve.path).list_runs()[3]
    twelve.run("rm", run.id, check=True)
    twelve.run("purge", run.id, check=True)
    project = Project(twelve.path)
    with Objects(project.git) as objects:
        chain = archives.read_archive(objects, archive(twelve)[1])
    assert [len(commit.tips) for commit in chain] == [11] + [0] * archive_writer.SEALS


def test_equal_sets_are_equal_commits(tmp_path) -> None:
    one, two = repository_of(tmp_path / "one", 6), Repo(shutil.copytree(tmp_path / "one", tmp_path / "two"))
    assert archive_all(one) == archive_all(two)
    assert archive(one)[1] == archive(two)[1]
    assert archive(one)[0] != archive(two)[0]


def test_label_of_an_archived_run_makes_its_ref_again(twelve) -> None:
    run = Project(twelve.path).list_runs()[0]
    twelve.run("label", "best", run.id, check=True)
    assert list(refs(twelve)) == [run.id]
    assert Project(twelve.path).find("best").id == run.id


def test_tags_of_many_archived_runs_make_their_refs_again(twelve) -> None:
    twelve.run("tag", "old", "1:5", check=True)
    assert len(refs(twelve)) == 5
    assert len(Project(twelve.path).list_runs()) == 12


def test_ref_of_a_run_wins_over_the_archive(twelve) -> None:
    project = Project(twelve.path)
    run = project.list_runs()[0]
    project.annotate([run], lambda notes: notes.__class__(label="x"), "label")
    tip = refs(twelve)[run.id]
    assert tip_of(project.git, run.id) == tips(project.git)[run.id] == tip != run.tip
    archive_all(twelve)
    assert tip_of(project.git, run.id) == tip


def test_stale_move_of_an_archived_run_is_refused(twelve) -> None:
    git = Project(twelve.path).git
    run, other = list(tips(git).items())[:2]
    with pytest.raises(StaleRun):
        ref_store(git).apply([RefEdit(f"refs/runs/{run[0]}", other[1], other[1], "x")])
    assert refs(twelve) == {}


def test_deleted_archived_run_is_gone_until_restored(twelve) -> None:
    project = Project(twelve.path)
    run = project.list_runs()[4]
    project.trash.remove([run])
    assert run.id not in tips(project.git)
    assert len(project.list_runs()) == 11
    assert list(refs(twelve, TRASH)) == [run.id]
    assert run.id in twelve.git("show", f"{archive(twelve)[1]}:gone")
    project.trash.restore(project.trash.list_runs())
    assert refs(twelve) == {run.id: run.tip}
    assert len(project.list_runs()) == 12


def test_purge_writes_the_archive_without_the_run(twelve) -> None:
    project = Project(twelve.path)
    run = project.list_runs()[4]
    project.trash.remove([run])
    project.trash.purge(project.trash.list_runs())
    assert len(tips(project.git)) == 11
    twelve.git("gc", "--quiet", "--prune=now")
    assert twelve.git("rev-list", "--all", "--objects").count(run.tip) == 0
    assert len(project.list_runs()) == 11
    assert archives.own_writers(project.git)[archives.PUBLIC] == archive(twelve)[0]


def test_purge_of_all_runs_removes_the_archive(twelve) -> None:
    project = Project(twelve.path)
    project.trash.remove(project.list_runs())
    project.trash.purge(project.trash.list_runs())
    assert refs(twelve, ARCHIVE) == {}
    assert project.list_runs() == []


def test_cache_of_archives_can_be_deleted_or_damaged(twelve) -> None:
    project = Project(twelve.path)
    before = tips(project.git)
    cache = project.git.state / "archives.sqlite"
    for content in (b"", b"no database" * 1000, None):
        cache.unlink() if content is None else cache.write_bytes(content)
        assert tips(project.git) == before
        assert tips(project.git) == before


def test_running_moved_and_deleted_runs_are_not_archived(tmp_path) -> None:
    repo = repository_of(tmp_path / "repo", 4)
    git = Project(repo.path).git
    (moved, tip), (deleted, other), (purged, third), (fine, last) = tips(git).items()
    repo.git("update-ref", TRASH + deleted, repo.head())
    git.state.mkdir()
    record_purged(git, [purged])
    assert archive_writer.move_to_archive(git, {moved: last, deleted: other, purged: third, fine: last}) == [fine]
    assert set(tips(git)) == {moved, deleted, purged, fine}
    assert tip_of(git, moved) == tip

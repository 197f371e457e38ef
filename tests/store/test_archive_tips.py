"""The cache of archived runs says what the archives say, whoever moved them."""

from __future__ import annotations

from archived_runs import archive, refs

from gitrun import Project
from gitrun.git.objects import Loose
from gitrun.model.run import ARCHIVE
from gitrun.store.archive_tips import archive_faults, archived_tip, archived_tips
from gitrun.store.archives import write_archive_commit

OTHER = "0123456789abcdef"


def test_archive_that_is_moved_back_or_deleted_is_noticed(twelve) -> None:
    git = Project(twelve.path).git
    writer, head = archive(twelve)
    all_tips = archived_tips(git, {writer: head})
    run = next(iter(all_tips))
    later = write_archive_commit(Loose(git), head, {}, [run]).id
    assert run not in archived_tips(git, {writer: later})
    assert archived_tips(git, {writer: head}) == all_tips
    assert archived_tips(git, {}) == {}
    assert archived_tips(git, {writer: head}) == all_tips


def test_own_archive_counts_before_others(twelve) -> None:
    git = Project(twelve.path).git
    writer, head = archive(twelve)
    run, tip = next(iter(archived_tips(git, {writer: head}).items()))
    foreign = write_archive_commit(Loose(git), None, {run: twelve.head()}).id
    for other in ("0" * 16, "f" * 16):
        heads = {writer: head, other: foreign}
        assert archived_tip(git, heads, run) == archived_tips(git, heads)[run] == tip


def test_broken_archive_hides_no_other_one(twelve) -> None:
    git = Project(twelve.path).git
    twelve.git("update-ref", ARCHIVE + OTHER, "HEAD")
    heads = refs(twelve, ARCHIVE)
    assert len(Project(twelve.path).list_runs()) == 12
    assert list(archive_faults(git, heads)) == [OTHER]
    assert [one.kind for one in Project(twelve.path).upkeep.examine().findings] == ["archive"]


def test_read_only_state_is_no_obstacle(twelve) -> None:
    git = Project(twelve.path).git
    heads = refs(twelve, ARCHIVE)
    cache = git.state / "archives.sqlite"
    cache.mkdir()
    assert len(archived_tips(git, heads)) == 12

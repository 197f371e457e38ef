"""New commits of runs are on the disk before their refs move, and whole afterwards, whatever a gc does at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gitrun import Project
from gitrun.errors import ObjectsGone, StaleRun
from gitrun.git.objects import Objects
from gitrun.store.publication import Move, new_objects, publish, publish_many
from gitrun.store.refs import RefEdit, tips

if TYPE_CHECKING:
    from gitrun.git.exe import Git

REF = f"refs/runs/{'a' * 40}"


@pytest.fixture
def git(repo) -> Git:
    """A repository with two commits and no runs."""
    repo.write("deep/second.txt", "2")
    repo.commit("second")
    return Project(repo.path).git


def object_file(git: Git, object_id: str):
    return git.common_dir / "objects" / object_id[:2] / object_id[2:]


def test_only_what_the_known_commit_lacks_is_new(repo, git) -> None:
    with Objects(git) as objects:
        found = new_objects(git, objects, repo.head(), repo.git("rev-parse", "HEAD~1"))
    names = ("HEAD", "HEAD^{tree}", "HEAD:deep", "HEAD:deep/second.txt")
    assert sorted(found) == sorted(repo.git("rev-parse", name) for name in names)


def test_ref_of_a_commit_that_is_not_whole_does_not_move(repo, git) -> None:
    object_file(git, repo.git("rev-parse", "HEAD:deep")).unlink()
    with Objects(git) as objects, pytest.raises(ObjectsGone):
        publish(git, objects, Move(RefEdit(REF, repo.head(), None, "start run"), None))
    assert tips(git) == {}


def test_object_that_a_gc_takes_away_meanwhile_is_missed(repo, git) -> None:
    head, blob = repo.head(), repo.git("rev-parse", "HEAD:deep/second.txt")
    object_file(git, blob).unlink()
    with Objects(git) as objects, pytest.raises(ObjectsGone, match=blob):
        publish(git, objects, Move(RefEdit(REF, head, None, "start run"), repo.git("rev-parse", "HEAD~1")))
    assert tips(git) == {"a" * 40: head}


def test_one_stale_run_keeps_all_from_being_published(repo, git) -> None:
    head, before = repo.head(), repo.git("rev-parse", "HEAD~1")
    edits = [RefEdit(REF, head, None, "annotate"), RefEdit(f"refs/runs/{'b' * 40}", head, before, "annotate")]
    with Objects(git) as objects, pytest.raises(StaleRun):
        publish_many(git, objects, edits, [head])
    assert tips(git) == {}

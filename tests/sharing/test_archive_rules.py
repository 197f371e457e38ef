"""A server takes an archive only if each of its runs is sound, and lets it go forward only."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

import pytest
from archived_runs import archive, archive_all, refs, repository_of
from repository import Repo
from templates import place_made_once

from gitrun import Project
from gitrun.git.objects import Loose
from gitrun.model.run import ARCHIVE
from gitrun.store.archives import write_archive_commit

pytestmark = pytest.mark.usefixtures("forked")


@dataclass(frozen=True)
class Guarded:
    """A repository and its remote, which has gitrun's hook."""

    ann: Repo
    remote: Repo


@pytest.fixture
@place_made_once
def guarded(tmp_path) -> Guarded:
    """A repository with six archived runs that are trusted, and a remote with gitrun's hook."""
    repo = repository_of(tmp_path / "ann", 6)
    repo.git("init", "--quiet", "--bare", "../remote.git")
    remote = Repo(tmp_path / "remote.git")
    remote.git("config", "receive.advertisePushOptions", "true")
    remote.run("hooks", "install", check=True)
    repo.git("remote", "add", "origin", "../remote.git")
    Project(repo.path).sharing.trust(list(refs(repo)))
    archive_all(repo)
    return Guarded(repo, remote)


@pytest.fixture
def ann(guarded) -> Repo:
    """The repository."""
    return guarded.ann


def there(repo: Repo) -> str:
    return repo.git("ls-remote", "origin", f"{ARCHIVE}*").partition("\t")[0]


def push(repo: Repo, commit: str, name: str = "0123456789abcdef") -> str:
    """What the remote said to a push of this commit as an archive."""
    return push_ref(repo, f"{commit}:{ARCHIVE}{name}")


def push_ref(repo: Repo, spec: str) -> str:
    """What the remote said to a push."""
    words = ("git", "push", "origin", spec)
    return subprocess.run(words, cwd=repo.path, capture_output=True, text=True, check=False).stderr


def test_sound_archive_is_taken_and_goes_forward(ann) -> None:
    ann.run("push", check=True)
    assert there(ann) == archive(ann)[1]
    ann.run("rm", "2", check=True)
    ann.run("push", check=True)
    assert there(ann) == archive(ann)[1]


def test_unsound_or_misnamed_archives_are_refused(ann) -> None:
    git = Project(ann.path).git
    head = ann.head()
    assert "is not an archive" in push(ann, head)
    assert "its name is not one that gitrun gives" in push(ann, archive(ann)[1], "x")
    assert "was not made by gitrun" in push(ann, write_archive_commit(Loose(git), None, {head: head}).id)
    assert there(ann) == ""


def test_purged_archive_replaces_the_old_one_only_with_the_right_to_delete(ann) -> None:
    ann.run("push", check=True)
    before = there(ann)
    run = ann.run("select", "2", check=True).stdout.strip()
    ann.run("rm", run, check=True)
    ann.run("purge", run, "--yes", check=True)
    ann.run("push", check=True)
    assert there(ann) == before
    Repo(ann.path.parent / "remote.git").git("config", "gitrun.allowDelete", "true")
    ann.run("push", check=True)
    assert there(ann) == archive(ann)[1]


def test_run_may_not_fall_behind_what_the_archive_has(ann) -> None:
    ann.run("push", check=True)
    run = ann.run("select", "2", check=True).stdout.strip()
    assert "it has new commits here" in push_ref(ann, f"{run}:refs/runs/{run}")
    ann.run("tag", "x", run, check=True)
    assert "refused" not in push_ref(ann, f"refs/runs/{run}")

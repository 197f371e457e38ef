"""A push sends the archive in place of its runs, but only if all of them are to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from archived_runs import archive, archive_all, refs, repository_of
from clones import clone
from repository import Repo
from sampled import sampled_values
from templates import place_made_once

from gitrun import Project
from gitrun.model.run import ARCHIVE, INCOMING, RUNS
from gitrun.store import archive_writer
from gitrun.store.refs import tips
from gitrun.upkeep.archiving import archive_runs

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Alone:
    """A repository and its remote, to which nothing was pushed."""

    ann: Repo
    remote: Repo


@pytest.fixture
@place_made_once
def alone(tmp_path) -> Alone:
    """A repository with six archived runs that are trusted, and an empty remote."""
    repo = repository_of(tmp_path / "ann", 6)
    repo.git("init", "--quiet", "--bare", "../remote.git")
    repo.git("remote", "add", "origin", "../remote.git")
    Project(repo.path).sharing.trust(list(refs(repo)))
    archive_all(repo)
    return Alone(repo, Repo(tmp_path / "remote.git"))


@pytest.fixture
def ann(alone) -> Repo:
    """The repository."""
    return alone.ann


def there(repo: Repo, under: str) -> list[str]:
    return [line.split()[1].removeprefix(under) for line in repo.git("ls-remote", "origin", f"{under}*").splitlines()]


@dataclass(frozen=True)
class Pushed:
    """A repository and the remote that it was pushed to."""

    many: Repo
    remote: Repo


@pytest.fixture
@place_made_once
def pushed(tmp_path) -> Pushed:
    """A repository with 300 runs in a pushed archive, 20 of them in each of its commits."""
    repo = repository_of(tmp_path / "many", 300)
    repo.git("init", "--quiet", "--bare", "../remote.git")
    repo.git("remote", "add", "origin", "../remote.git")
    project = Project(repo.path)
    project.sharing.trust(list(refs(repo)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive_writer, "SIZE", 20)
        archive_runs(project.git, project.list_runs()[::-1])
    repo.run("push", "--no-scan", check=True)
    # fetched and pushed objects are in packs, whose use git can log
    repo.git("-C", "../remote.git", "repack", "-q", "-a", "-d")
    return Pushed(repo, Repo(tmp_path / "remote.git"))


@pytest.fixture
def many(pushed, monkeypatch) -> Repo:
    """The repository; what is archived of it now is again in commits of 20 runs."""
    monkeypatch.setattr(archive_writer, "SIZE", 20)
    return pushed.many


def reads(log: Path, place: str) -> int:
    """How many objects git has read from packs of a repository."""
    return sum(f"/{place}/" in line for line in log.read_text().splitlines()) if log.exists() else 0


def test_search_for_secrets_in_an_old_archived_run_reads_no_other_runs(many, monkeypatch, tmp_path) -> None:
    oldest = Project(many.path).list_runs()[-1]
    many.run("tag", "t", oldest.id, check=True)
    tips = refs(many)
    there = Project(many.path).sharing.published("origin", tips)
    monkeypatch.setenv("GIT_TRACE_PACK_ACCESS", str(tmp_path / "log"))
    sharing = Project(many.path).sharing
    assert sharing.unpublished(tips, there) == sharing.secrets(tips, there) == []
    assert 0 < reads(tmp_path / "log", "many") < 20


def test_push_of_a_tag_on_an_old_archived_run_reads_no_other_runs(many, monkeypatch, tmp_path) -> None:
    oldest = Project(many.path).list_runs()[-1]
    many.run("tag", "t", oldest.id, check=True)
    monkeypatch.setenv("GIT_TRACE_PACK_ACCESS", str(tmp_path / "log"))
    assert "pushed 1 run" in many.run("push", "origin", oldest.id, check=True).stderr
    assert reads(tmp_path / "log", "many") < 100


def test_server_reads_only_newer_runs_when_a_tag_on_an_archived_run_is_pushed(many, monkeypatch, tmp_path) -> None:
    recent = Project(many.path).list_runs()[5]
    many.run("tag", "t", recent.id, check=True)
    monkeypatch.setenv("GIT_TRACE_PACK_ACCESS", str(tmp_path / "log"))
    many.run("push", check=True)
    assert reads(tmp_path / "log", "remote.git") < 100


@pytest.mark.parametrize("is_named", sampled_values(1, [False, True]))
def test_fetch_of_a_tag_on_an_old_archived_run_reads_no_other_runs(many, monkeypatch, tmp_path, is_named) -> None:
    bob = clone(tmp_path / "remote.git", tmp_path / "bob")
    bob.run("fetch", check=True)
    oldest = Project(many.path).list_runs()[-1].id
    many.run("tag", "t", oldest, check=True)
    many.run("push", check=True)
    monkeypatch.setenv("GIT_TRACE_PACK_ACCESS", str(tmp_path / "log"))
    words = ("fetch", "origin", oldest) if is_named else ("fetch",)
    assert "updated: run" in bob.run(*words, check=True).stderr
    assert reads(tmp_path / "log", "bob") < 100
    assert reads(tmp_path / "log", "remote.git") < 100
    assert refs(bob) == refs(many)
    assert refs(bob, INCOMING) == {}


def test_push_sends_one_ref_and_counts_runs(ann) -> None:
    assert "pushed 6 runs" in ann.run("push", check=True).stderr
    assert there(ann, RUNS) == []
    assert there(ann, ARCHIVE) == [archive(ann)[0]]
    assert "pushed 0 runs to origin, 6 already there" in ann.run("push", check=True).stderr


def test_named_archived_run_is_pushed_by_a_ref(ann) -> None:
    run = ann.run("select", "2", check=True).stdout.strip()
    ann.run("push", "origin", run, check=True)
    assert there(ann, RUNS) == [run]
    assert there(ann, ARCHIVE) == []


def test_archive_with_a_run_that_is_not_sent_stays_here(ann) -> None:
    run = ann.run("select", "2", check=True).stdout.strip()
    Project(ann.path).sharing.trust([run], back=True)
    ann.run("push", check=True)
    assert len(there(ann, RUNS)) == 5
    assert run not in there(ann, RUNS)
    assert there(ann, ARCHIVE) == []


def test_remote_that_refuses_archives_gets_runs(ann) -> None:
    hook = ann.path.parent / "remote.git" / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\n! grep -q refs/gitrun/\n")
    hook.chmod(0o755)
    assert "pushed 6 runs" in ann.run("push", check=True).stderr
    assert len(there(ann, RUNS)) == 6


def test_bundle_names_archived_runs_as_runs(ann, tmp_path) -> None:
    ann.run("export", "1:3", str(tmp_path / "some.bundle"), check=True)
    names = ann.git("bundle", "list-heads", str(tmp_path / "some.bundle")).split()[1::2]
    assert [name.startswith(RUNS) for name in names] == [True] * 3
    other = Repo.create(tmp_path / "other")
    other.run("import", str(tmp_path / "some.bundle"), check=True)
    assert sorted(refs(other)) == sorted(name.removeprefix(RUNS) for name in names)
    assert ann.git("for-each-ref", "refs/gitrun/outbox") == ""


def test_runs_beside_an_archive_that_is_there_are_pushed(ann) -> None:
    ann.run("push", check=True)
    ann.write("p.py", "print(1)\n")
    ann.run("p.py", check=True)
    new, one, two = (ann.run("select", number, check=True).stdout.strip() for number in ("1", "3", "4"))
    ann.run("tag", "t", one, check=True)
    # somebody has pushed an earlier state of a run that is archived here and there: the ref counts there
    ann.git("push", "--quiet", "origin", f"{two}:refs/runs/{two}")
    assert "pushed 3 runs (2 new) to origin, 4 already there" in ann.run("push", check=True).stderr
    assert sorted(there(ann, RUNS)) == sorted((new, one, two))
    assert "pushed 0 runs to origin, 7 already there" in ann.run("push", check=True).stderr


def test_later_additions_and_deletions_of_an_archive_are_pushed(ann) -> None:
    ann.run("push", check=True)
    ann.write("p.py", "print(1)\n")
    for _ in range(2):
        ann.run("p.py", check=True)
    kept, deleted = sorted(refs(ann))
    ann.run("gc", "--archive", check=True)
    ann.run("rm", deleted, ann.run("select", "4", check=True).stdout.strip(), check=True)
    assert "pushed 1 run to origin, 5 already there" in ann.run("push", check=True).stderr
    assert there(ann, RUNS) == []
    remote = Project(ann.path.parent / "remote.git").git
    assert kept in tips(remote)
    assert deleted not in ann.git("-C", "../remote.git", "log", "--format=%P", archive(ann)[1])
    assert len(tips(remote)) == 6


def test_deletion_on_a_remote_says_what_an_archive_there_keeps(ann) -> None:
    ann.run("push", check=True)
    run = ann.run("select", "2", check=True).stdout.strip()
    mine = ann.run("rm", "--remote", "origin", run)
    assert (mine.returncode, "To delete it: git run rm" in mine.stderr) == (1, True)
    bob = clone(ann.path.parent / "remote.git", ann.path.parent / "bob")
    bob.run("fetch", check=True)
    theirs = bob.run("rm", "--remote", "origin", run)
    assert (theirs.returncode, "only the repository that wrote it" in theirs.stderr) == (1, True)
    # what the words for the writer say
    for words in (("rm", run), ("purge", run), ("push",)):
        ann.run(*words, check=True)
    assert run not in tips(Project(ann.path.parent / "remote.git").git)

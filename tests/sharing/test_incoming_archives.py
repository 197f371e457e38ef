"""Archives of others bring their runs, each of them checked; what both sides have in different states gets a ref."""

from __future__ import annotations

import pytest
from archived_runs import archive, archive_all, refs, repository_of
from clones import Team, clone
from repository import Repo
from templates import place_made_once

from gitrun import Project
from gitrun.git.objects import Loose
from gitrun.model.run import ARCHIVE, TRASH
from gitrun.sharing.incoming_archives import read_incoming, receive_archive
from gitrun.sharing.quarantine import IncomingRules, Received
from gitrun.store.archives import own_writers, write_archive_commit
from gitrun.store.refs import tips


@pytest.fixture
@place_made_once
def archive_team(tmp_path):
    """A bare repository with an archive of eight runs that Ann has pushed; Ann, who trusts them; and Bob, who has fetched."""
    ann = repository_of(tmp_path / "ann", 8)
    ann.git("init", "--quiet", "--bare", "../remote.git")
    ann.git("remote", "add", "origin", "../remote.git")
    ann.git("push", "--quiet", "origin", "HEAD:refs/heads/master")
    Project(ann.path).sharing.trust(list(refs(ann)))
    archive_all(ann)
    ann.run("push", check=True)
    bob = clone(tmp_path / "remote.git", tmp_path / "bob")
    for repo in (ann, bob):
        repo.git("config", "user.name", "x")
        repo.git("config", "user.email", "x@example.org")
    bob.run("fetch", check=True)
    return Team(Repo(tmp_path / "remote.git"), ann, bob)


@pytest.fixture
def two(archive_team):
    return archive_team.ann, archive_team.bob


def known(repo) -> dict[str, str]:
    return tips(Project(repo.path).git)


def test_fetched_archive_brings_its_runs_without_refs(two) -> None:
    ann, bob = two
    assert known(bob) == known(ann)
    assert refs(bob) == {}
    assert len(Project(bob.path).list_runs()) == 8
    assert "nothing new" in bob.run("fetch", check=True).stderr


def test_named_run_of_an_archive_comes_alone(two, tmp_path) -> None:
    ann, _ = two
    run = next(iter(known(ann)))
    for name in (run, run[:8]):
        carol = clone(tmp_path / "remote.git", tmp_path / f"carol{len(name)}")
        carol.run("fetch", name, check=True)
        assert refs(carol) == {run: known(ann)[run]}
        assert refs(carol, ARCHIVE) == {}


def test_run_that_went_on_is_updated_over_the_archive(two) -> None:
    ann, bob = two
    run = next(iter(known(ann)))
    ann.run("label", "best", run, check=True)
    ann.run("push", check=True)
    assert "updated" in bob.run("fetch", check=True).stderr
    assert known(bob) == known(ann)


def test_both_archive_and_go_on_and_merge(two) -> None:
    ann, bob = two
    one, other, *_ = known(ann)
    archive_again(bob)
    for repo, run, word in ((ann, one, "a"), (bob, one, "b"), (bob, other, "b")):
        repo.run("tag", word, run, check=True)
    archive_again(ann)
    ann.run("push", check=True)
    bob.run("pull", check=True)
    assert sorted(Project(bob.path).find(one).notes.tags) == ["a", "b"]
    archive_again(bob)
    bob.run("push", "--all", check=True)
    ann.run("pull", check=True)
    assert known(ann) == known(bob)
    assert Project(ann.path).find(other).notes.tags == ("b",)


def archive_again(repo) -> None:
    repo.run("gc", "--archive", check=True)


def test_run_deleted_there_stays_here(two) -> None:
    ann, bob = two
    run, tip = next(iter(known(ann).items()))
    ann.run("rm", run, check=True)
    ann.run("push", check=True)
    bob.run("fetch", check=True)
    assert refs(bob) == {run: tip}
    ann.run("purge", run, "--yes", check=True)
    ann.run("tag", "x", next(iter(known(ann))), check=True)
    archive_again(ann)
    ann.run("push", check=True)
    assert ann.git("ls-remote", "origin", f"{ARCHIVE}*").split()[0] == archive(ann)[1]
    bob.run("fetch", check=True)
    assert known(bob)[run] == tip
    assert len(known(bob)) == 8


def test_run_deleted_here_does_not_come_back(two) -> None:
    ann, bob = two
    run, other, *_ = known(ann)
    bob.run("rm", run, check=True)
    ann.run("tag", "x", other, check=True)
    archive_again(ann)
    ann.run("push", check=True)
    told = bob.run("fetch", check=True)
    assert run not in known(bob)
    bob.run("purge", run, "--yes", check=True)
    bob.run("fetch", check=True)
    assert run not in known(bob), told.stderr
    bob.run("fetch", run, check=True)
    assert run in known(bob)


@pytest.mark.parametrize("case", ["unsound run", "not an archive", "wrong name"])
def test_hostile_archive_is_refused_as_a_whole(two, case) -> None:
    ann, bob = two
    git = Project(ann.path).git
    run, tip = next(iter(known(ann).items()))
    head = ann.head()
    hostile = head if case == "not an archive" else write_archive_commit(Loose(git), None, {run: tip}).id
    if case == "unsound run":
        # the id of a run must be that of its first attempt
        hostile = write_archive_commit(Loose(git), None, {head: tip}).id
    name = "head" if case == "wrong name" else "0123456789abcdef"
    ann.git("push", "--quiet", "origin", f"{hostile}:{ARCHIVE}{name}")
    told = bob.run("fetch")
    assert told.returncode == 1
    assert f"archive {name} is refused" in told.stderr
    assert set(refs(bob, ARCHIVE)) == set(refs(ann, ARCHIVE))
    assert known(bob) == known(ann)


def test_of_a_known_archive_only_what_is_new_is_read(two) -> None:
    ann, bob = two
    run, other, *_ = known(ann)
    writer, before = archive(ann)
    ann.run("rm", run, check=True)
    ann.run("tag", "x", other, check=True)
    archive_again(ann)
    ann.run("push", check=True)
    (new,) = read_incoming(Project(ann.path).git, {writer: archive(ann)[1]}, {writer: before}, Received())
    assert (new.tips, new.gone) == ({other: known(ann)[other]}, {run})
    assert before in new.commits
    tip = known(bob)[run]
    bob.run("fetch", check=True)
    assert known(bob) == known(ann) | {run: tip}
    assert refs(bob) == {run: tip, other: known(ann)[other]}


def test_archive_that_does_not_go_on_from_the_known_one_is_read_as_a_whole(two) -> None:
    ann, _ = two
    git = Project(ann.path).git
    writer, head = archive(ann)
    (received,) = read_incoming(git, {writer: head}, {writer: ann.head()}, Received())
    assert received.before is None
    assert received.tips == known(ann)


def test_archive_that_another_process_moves_meanwhile_is_left(two) -> None:
    ann, bob = two
    git = Project(bob.path).git
    writer, head = archive(bob)
    ann.run("tag", "x", next(iter(known(ann))), check=True)
    archive_again(ann)
    bob.git("fetch", "--quiet", "../ann", f"{ARCHIVE}*:refs/kept/*")
    received = Received()
    (incoming,) = read_incoming(git, {writer: archive(ann)[1]}, {writer: head}, received)
    assert incoming.before == head
    bob.git("update-ref", ARCHIVE + writer, archive(ann)[1])
    receive_archive(git, incoming, (), IncomingRules(), received)
    assert "at the same moment" in received.archives[writer]


def test_copied_repository_gets_an_archive_of_its_own(two, tmp_path) -> None:
    ann, _ = two
    ann.git("clone", "--quiet", "--mirror", "../remote.git", "../copy.git")
    git = Project(ann.path).git
    run, other, *_ = known(ann)
    writer, head = archive(ann)
    # a copy of Ann's repository wrote the archive too
    rival = write_archive_commit(Loose(git), head, {}, [run]).id
    ann.git("push", "--quiet", "origin", f"{rival}:{ARCHIVE}{writer}")
    ann.run("tag", "x", other, check=True)
    archive_again(ann)
    ann.run("fetch", check=True)
    assert len(known(ann)) == 8
    assert own_writers(git)["public"] != writer
    assert refs(ann, ARCHIVE)[writer] == rival


def test_deleted_run_never_leaves_with_an_archive(two) -> None:
    ann, _ = two
    run = ann.run("select", "1", check=True).stdout.strip()
    ann.git("push", "--quiet", "origin", ":" + ARCHIVE + archive(ann)[0])
    ann.run("rm", run, check=True)
    tip = refs(ann, TRASH)[run]
    ann.run("push", check=True)
    remote = ann.git("ls-remote", "origin", f"{ARCHIVE}*").split()[0]
    assert remote == archive(ann)[1]
    assert tip not in ann.git("rev-list", remote)

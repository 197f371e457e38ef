"""Two people archive overlapping runs, go on with them, delete some and pull: nothing is lost, nothing is back from the dead.

`HYPOTHESIS_PROFILE=long pytest tests/stateful` takes more and longer sequences, others each time.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from archived_runs import refs, repository_of
from clones import clone
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from repository import Repo
from stateful.test_two_clones import LONG, profile, quiet

from gitrun.sharing.transfer import FetchRequest
from gitrun.store.archive_writer import move_to_archive
from gitrun.store.archives import PRIVATE, PUBLIC
from gitrun.store.refs import tips

if TYPE_CHECKING:
    from pathlib import Path

    from gitrun import Project
    from gitrun.model.run import Notes

PROFILE = profile(100, 40) if LONG else profile(3, 20)
WHO = st.sampled_from(("ann", "bob"))
EVERYWHERE = st.sampled_from(("ann", "bob", "remote.git"))
NUMBERS = st.integers(0, 4)


@pytest.fixture(scope="module")
def beginning(tmp_path_factory) -> Path:
    """Ann's five runs, which she has pushed, and Bob has fetched."""
    place = tmp_path_factory.mktemp("archives")
    ann = repository_of(place / "ann", 5)
    ann.git("init", "--quiet", "--bare", "../remote.git")
    ann.git("remote", "add", "origin", "../remote.git")
    ann.git("push", "--quiet", "origin", "HEAD:refs/heads/master", "refs/runs/*:refs/runs/*")
    bob = clone(place / "remote.git", place / "bob")
    for repo in (ann, bob):
        for name, value in (("user.name", repo.path.name), ("user.email", "x@example.org"), ("gitrun.fsync", "false")):
            repo.git("config", name, value)
    quiet(bob).sharing.fetch("origin", FetchRequest())
    quiet(ann).sharing.trust(list(refs(ann)))
    return place


class ArchivedRuns(RuleBasedStateMachine):
    """The tags that each run has in each clone and on the remote, and what was deleted."""

    def __init__(self, beginning: Path, place: Path) -> None:
        super().__init__()
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(beginning, place, symlinks=True)
        self.place = place
        self.count = 0

    @initialize()
    def begin(self) -> None:
        self.projects = {name: quiet(Repo(self.place / name)) for name in ("ann", "bob", "remote.git")}
        for name in ("ann", "bob"):
            Repo(self.place / name).git("config", "remote.origin.url", str(self.place / "remote.git"))
        self.ids = sorted(tips(self.projects["ann"].git))
        self.tags: dict[str, dict[str, set[str]]] = {name: {run: set() for run in self.ids} for name in self.projects}
        self.trash: dict[str, dict[str, set[str]]] = {"ann": {}, "bob": {}}
        self.purged: dict[str, set[str]] = {"ann": set(), "bob": set()}

    @rule(who=EVERYWHERE, some=st.sets(NUMBERS, min_size=1), content=st.sampled_from((PUBLIC, PRIVATE)))
    def archive(self, who: str, some: set[int], content: str) -> None:
        git = self.projects[who].git
        here = tips(git)
        move_to_archive(git, {run: here[run] for run in map(self.ids.__getitem__, some) if run in here}, content)

    @rule(who=WHO, number=NUMBERS)
    def go_on(self, who: str, number: int) -> None:
        run = self.ids[number]
        if run in self.tags[who]:
            self.count += 1
            tag = f"{who}{self.count}"
            self.annotate(self.projects[who], run, tag)
            self.tags[who][run] = self.tags[who][run] | {tag}

    def annotate(self, project: Project, run: str, tag: str) -> None:
        def add(notes: Notes) -> Notes:
            return replace(notes, tags=tuple(sorted({*notes.tags, tag})))

        assert project.annotate([project.find(run)], add, "tag") == [run]

    @rule(who=WHO, number=NUMBERS)
    def delete(self, who: str, number: int) -> None:
        run = self.ids[number]
        if run in self.tags[who] and run not in self.trash[who]:
            self.projects[who].trash.remove([self.projects[who].find(run)])
            self.trash[who][run] = self.tags[who].pop(run)

    @rule(who=WHO, number=NUMBERS)
    def restore(self, who: str, number: int) -> None:
        run = self.ids[number]
        if run in self.trash[who] and run not in self.tags[who]:
            self.projects[who].trash.restore(self.projects[who].trash.find([run]))
            self.tags[who][run] = self.trash[who].pop(run)

    @rule(who=WHO, number=NUMBERS)
    def purge(self, who: str, number: int) -> None:
        run = self.ids[number]
        if run in self.trash[who] and run not in self.tags[who]:
            self.projects[who].trash.purge(self.projects[who].trash.find([run]))
            del self.trash[who][run]
            self.purged[who].add(run)

    @rule(who=WHO, push=st.sampled_from(("own", "all", "none")))
    def pull_and_push(self, who: str, push: str) -> None:
        project, there = self.projects[who], self.tags["remote.git"]
        received = project.sharing.fetch("origin", FetchRequest(merge=True))
        assert (received.refused, received.archives, received.diverged) == ({}, {}, [])
        for run, tags in there.items():
            if run in self.tags[who]:
                self.tags[who][run] = self.tags[who][run] | tags
            elif run not in self.trash[who] and run not in self.purged[who]:
                self.tags[who][run] = set(tags)
        runs = project.sharing.all_tips()
        if push == "own":
            runs = {run.id: run.tip for run in project.sharing.made_here(project.list_runs())}
        if push != "none":
            pushed = project.sharing.push("origin", runs)
            assert pushed.rejected == ()
            for run in runs:
                there[run] = there[run] | self.tags[who][run]

    @rule(name=EVERYWHERE)
    def git_keeps_house(self, name: str) -> None:
        Repo(self.place / name).git("gc", "--quiet", "--prune=now")

    @invariant()
    def nobody_has_lost_or_found_a_run(self) -> None:
        for who in ("ann", "bob"):
            project = self.projects[who]
            listed = {run.id: set(run.notes.tags) for run in project.list_runs()}
            assert listed == self.tags[who], who
            assert set(tips(project.git)) == set(listed)
            assert set(project.trash.list_ids()) == set(self.trash[who])
        assert set(tips(self.projects["remote.git"].git)) == set(self.ids)

    def teardown(self) -> None:
        for name in self.projects:
            Repo(self.place / name).git("fsck", "--strict", "--no-dangling")
            found = {finding.kind for finding in self.projects[name].upkeep.examine(is_full=True).findings}
            assert found <= {"no-fsync", "trash"}, found


def test_archiving_changes_nothing_that_anybody_sees(beginning, tmp_path) -> None:
    run_state_machine_as_test(lambda: ArchivedRuns(beginning, tmp_path / "team"), settings=PROFILE)

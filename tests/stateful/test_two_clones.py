"""Whatever two people do with their runs, in any order, they have what plain dictionaries say that they have.

`HYPOTHESIS_PROFILE=long pytest tests/stateful` takes many more and longer sequences, others each time.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest
from clones import make_team
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from repository import Repo
from stateful.model import COMPLETED, ERROR, STAGED, Clone, Refused, Said, State, may_be_said, meetings, merged_attempt

from gitrun import Project
from gitrun.errors import NotTrusted, StaleRun
from gitrun.model.plan import Request, Skip, StartedRun
from gitrun.model.run import Comment, Notes
from gitrun.process.streams import NoStream
from gitrun.sharing.transfer import FetchRequest
from gitrun.store.trust import commits_to_trust
from gitrun.upkeep.gc import GcRules

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gitrun.model.run import Run

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


def profile(examples: int, steps: int) -> settings:
    """The settings of a model with this many examples, the same each time; new ones each time in a long run."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=not LONG,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


PROFILE = profile(150, 50) if LONG else profile(3, 25)
ENDS = {"true": COMPLETED, "false": ERROR}
PEOPLE = st.sampled_from(("ann", "bob"))
ANNOTATIONS = ("best", "worst", "marked", "comment", "a", "b")
WHAT = st.tuples(st.sampled_from(ANNOTATIONS), st.booleans())
HOUSE = (("pack-refs", "--all"), ("gc", "--quiet", "--prune=now"))
PLACE, X = st.integers(0, 7), st.integers(1, 3)
OWN = ("refs/runs/", "refs/gitrun/", "refs/notes/runs")


def user_things(repo: Repo) -> dict[str, object]:
    """What is the user's: refs, HEAD, index, configuration and files."""
    refs = [line for line in repo.git("for-each-ref").splitlines() if not line.split("\t")[1].startswith(OWN)]
    files = ("HEAD", "index", "config", "ORIG_HEAD", "FETCH_HEAD")
    inside = {name: (repo.path / ".git" / name).read_bytes() for name in files if (repo.path / ".git" / name).exists()}
    tree = {path.name: path.read_bytes() for path in repo.path.iterdir() if path.is_file()}
    return {"refs": refs, "inside": inside, "tree": tree}


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return tmp_path_factory.mktemp("template")


@pytest.fixture
def beginning(template):
    """Two clones and their remote, to be copied: stash, tag, staged and other changes; three runs of Ann that Bob has too."""
    if not (template / "ann").exists():
        team = make_team(template)
        for repo in (team.ann, team.bob):
            repo.git("config", "gitrun.fsync", "false")
            repo.git("tag", "v1")
            repo.write("echo.py", "stashed = 1\n")
            repo.git("stash", "--quiet")
            repo.write("staged.py", "y = 1\n")
            repo.git("add", "staged.py")
            repo.write("new.txt", "untracked\n")
        ann, bob = (quiet(repo) for repo in (team.ann, team.bob))
        for operation, x in (("true", 1), ("true", 2), ("false", 3)):
            ann.run(command=(operation,), flags={"x": x}, tags=("a", "b"), label="best")
        ann.sharing.push("origin", ann.sharing.all_tips())
        bob.sharing.fetch("origin", FetchRequest())
        bob.sharing.trust([commit for run in bob.list_runs()[:2] for commit in commits_to_trust(run)])
        ann.upkeep.sweep(ann.upkeep.survey(GcRules(slots=True)))
    return template


def quiet(repo: Repo) -> Project:
    """The project, which says nothing."""
    return Project(repo.path, stdout=NoStream(), stderr=NoStream())


class TwoClones(RuleBasedStateMachine):
    """Ann and Bob, each with the model of what is theirs, and what the remote has."""

    def __init__(self, beginning: Path, place: Path) -> None:
        super().__init__()
        self.place = place
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(beginning, place, symlinks=True)
        self.remote: dict[str, State] = {}
        self.known: dict[str, State] = {}
        self.repos = {who: Repo(place / who) for who in ("ann", "bob")}
        self.clones = {who: Clone() for who in self.repos}
        self.touched: set[str] = set()
        self.steps = 0

    @initialize()
    def begin(self) -> None:
        self.projects, self.things = {}, {}
        for who, repo in self.repos.items():
            repo.git("config", "remote.origin.url", str(self.place / "remote.git"))
            project = self.projects[who] = quiet(repo)
            self.things[who] = user_things(repo)
            for run in project.list_runs():
                self.keep(self.clones[who], state_of(run))
            self.clones[who].trusted.update(run.id for run in project.sharing.made_here(project.list_runs()))
        self.remote = dict(self.clones["ann"].runs)

    def at(self, who: str) -> tuple[Project, Clone]:
        """The project and what it should have; it will be looked at after this step."""
        self.touched.add(who)
        return self.projects[who], self.clones[who]

    def pick(self, states: dict[str, State], place: int) -> State | None:
        """One of the states, newest first."""
        found = sorted(states.values(), key=lambda state: state.age, reverse=True)
        return found[place % len(found)] if found else None

    def keep(self, clone: Clone, state: State) -> None:
        """The clone has the run in this state now."""
        clone.runs[state.run] = self.known[state.tip] = state

    def tell(self, who: str, state: State, change: Callable[[Notes], Notes], said: Said) -> None:
        """Annotates a run."""
        project, clone = self.at(who)
        changed = project.annotate([project.find(state.run)], change, "say")
        assert changed == ([state.run] if said != state.said else [])
        if changed:
            self.keep(clone, state.moved(project.find(state.run).tip, said=said))

    @rule(who=PEOPLE, operation=st.sampled_from(("true", "true", "false")), x=X, stage=st.booleans(), needed=st.booleans())
    def run(self, who: str, operation: str, x: int, stage: bool, needed: bool) -> None:
        project, clone = self.at(who)
        found = project.start(Request(command=(operation,), flags={"x": x}, stage=stage, needed=needed))
        assert isinstance(found, StartedRun) == (not (needed and clone.is_made(operation, x)))
        if isinstance(found, StartedRun):
            made = project.find(found.run_id)
            clone.trusted.add(made.id)
            assert (made.operation, made.flags, made.status) == (operation, {"x": x}, STAGED if stage else ENDS[operation])
            self.keep(clone, state_of(made))

    @rule(
        who=PEOPLE, place=PLACE, x=X, trust=st.booleans(), stage=st.sampled_from((False, False, True)), needed=st.booleans()
    )  # fmt: skip
    def restart(self, who: str, place: int, x: int, trust: bool, **options: bool) -> None:
        if state := self.pick(self.clones[who].runs, place):
            self.go_on(who, state, x, trust=trust, **options)

    def go_on(self, who: str, state: State, x: int, *, trust: bool, stage: bool = False, needed: bool = False) -> None:
        """Restarts the run."""
        project, clone = self.at(who)
        if trust:
            project.sharing.trust(commits_to_trust(project.find(state.run)))
            clone.trusted.add(state.last)
        request = Request(restart=state.run[:12], flags={"x": x}, stage=stage, needed=needed)
        if needed and clone.why_skipped(state, x):
            assert isinstance(project.start(request), Skip)
        elif state.last not in clone.trusted:
            with pytest.raises(NotTrusted):
                project.start(request)
        else:
            project.start(request)
            made = project.find(state.run)
            assert made.attempt.id not in state.attempts
            clone.trusted.add(made.attempt.id)
            attempts, last = state.attempts | {made.attempt.id}, made.attempt.id
            new = {"x": x, "status": STAGED if stage else ENDS[state.operation], "created": made.attempt.created}
            self.keep(clone, state.moved(made.tip, attempts=attempts, last=last, **new))

    @rule(who=PEOPLE, place=PLACE, what=st.sampled_from(ANNOTATIONS), there=st.booleans())
    def annotate(self, who: str, place: int, what: str, there: bool) -> None:
        if state := self.pick(self.clones[who].runs, place):
            self.say(who, state, what, there=there)

    def say(self, who: str, state: State, what: str, *, there: bool) -> None:
        """Makes an annotation, or takes it back."""
        if what in {"best", "worst"}:
            label = what if there else None
            self.tell(who, state, lambda notes: replace(notes, label=label), replace(state.said, label=label))
        elif what == "marked":
            self.tell(who, state, lambda notes: replace(notes, marked=there), replace(state.said, marked=there))
        elif what == "comment":
            made = Comment(f"{who} says {self.steps}", who, datetime.now(timezone.utc))
            said = replace(state.said, comments=state.said.comments | {made.text})
            self.tell(who, state, lambda notes: replace(notes, comments=(*notes.comments, made)), said)
        else:
            tags = state.said.tags | {what} if there else state.said.tags - {what}
            self.tell(who, state, lambda notes: replace(notes, tags=tuple(sorted(tags))), replace(state.said, tags=tags))

    @rule(place=PLACE, whats=st.tuples(WHAT, WHAT), again=st.booleans())
    def both_go_on(self, place: int, whats: tuple[tuple[str, bool], ...], again: bool) -> None:
        both = {run: state for run, state in self.clones["ann"].runs.items() if run in self.clones["bob"].runs}
        if state := self.pick(both, place):
            for who, (what, there) in zip(self.clones, whats, strict=True):
                self.say(who, self.clones[who].runs[state.run], what, there=there)
                if again:
                    self.go_on(who, self.clones[who].runs[state.run], 1, trust=True)

    @rule(who=PEOPLE)
    def hand_over(self, who: str) -> None:
        self.push(who, "all", 0)
        self.fetch("bob" if who == "ann" else "ann", merge=True, named=None)

    @rule(who=PEOPLE, place=PLACE, number=st.integers(1, 3))
    def rm(self, who: str, place: int, number: int) -> None:
        project, clone = self.at(who)
        runs = [state.run for state in clone.newest_first()[place : place + number]]
        try:
            clone.remove(runs)
        except Refused:
            with pytest.raises(StaleRun):
                project.trash.remove([project.find(run) for run in runs])
        else:
            project.trash.remove([project.find(run) for run in runs])

    @precondition(lambda self: any(clone.deleted() for clone in self.clones.values()))
    @rule(who=PEOPLE, place=PLACE)
    def restore(self, who: str, place: int) -> None:
        project, clone = self.at(who)
        if state := self.pick(clone.deleted(), place):
            back, left = clone.restore([state.run])
            found = project.trash.restore(project.trash.find([state.run[:10]]))
            assert (set(found.back), set(found.left)) == (back, left)

    @precondition(lambda self: any(clone.deleted() for clone in self.clones.values()))
    @rule(who=PEOPLE, place=PLACE)
    def purge(self, who: str, place: int) -> None:
        project, clone = self.at(who)
        if state := self.pick(clone.deleted(), place):
            clone.purge([state.run])
            project.trash.purge(project.trash.find([state.run]))

    @rule(who=PEOPLE, expire=st.sampled_from((False, False, True)), slots=st.booleans())
    def gc(self, who: str, expire: bool, slots: bool) -> None:
        project, clone = self.at(who)
        project.upkeep.sweep(project.upkeep.survey(GcRules(expire=time.time() + 60 if expire else None, slots=slots)))
        clone.settle()
        if expire:
            clone.purge(clone.deleted())

    @rule(name=st.sampled_from(("ann", "bob", "remote.git")), words=st.sampled_from(HOUSE))
    def git_keeps_house(self, name: str, words: tuple[str, ...]) -> None:
        self.touched.update({name} & self.repos.keys())
        Repo(self.place / name).git(*words)

    @precondition(lambda self: self.remote)
    @rule(who=PEOPLE, merge=st.booleans(), named=st.none() | PLACE)
    def fetch(self, who: str, merge: bool, named: int | None) -> None:
        project, clone = self.at(who)
        wanted = self.pick(self.remote, named) if named is not None else None
        there = {wanted.run: wanted} if wanted else self.remote
        names = (wanted.run[:12],) if wanted else ()
        expected = clone.look_through(there, list(there) if wanted else ())
        found = project.sharing.fetch("origin", FetchRequest(names, merge=merge))
        assert not found.refused
        assert not found.running
        assert found.same == expected.same
        for name in ("fresh", "forward", "ahead", "deleted"):
            assert sorted(getattr(found, name)) == sorted(getattr(expected, name)), name
        left, joined = ([], expected.diverged) if merge else (expected.diverged, [])
        assert (sorted(found.diverged), sorted(found.merged)) == (sorted(left), sorted(joined))
        for run in (*expected.fresh, *expected.forward):
            self.keep(clone, there[run])
        for run in joined:
            self.keep(clone, self.joined(clone.runs[run], there[run], project.find(run)))

    def joined(self, ours: State, theirs: State, found: Run) -> State:
        """The state that merges the two, of which it must be told which annotation was the later one."""
        later = merged_attempt(ours, theirs)
        said = said_of(found)
        bases = meetings(ours, theirs, self.known)
        assert any(may_be_said(base.said, ours.said, theirs.said, said) for base in bases), (bases, ours, theirs, said)
        before = ours.before | theirs.before | {found.tip}
        return replace(later, tip=found.tip, attempts=ours.attempts | theirs.attempts, said=said, before=before)

    @rule(who=PEOPLE, which=st.sampled_from(("own", "all", "one")), place=PLACE)
    def push(self, who: str, which: str, place: int) -> None:
        project, clone = self.at(who)
        one = self.pick(clone.runs, place)
        states = {"own": clone.own(), "all": dict(clone.runs), "one": {one.run: one} if one else {}}[which]
        own = {run.id: run.tip for run in project.sharing.made_here(project.list_runs())}
        runs = {"own": own, "all": project.sharing.all_tips()}.get(which, {run: state.tip for run, state in states.items()})
        assert runs == {run: state.tip for run, state in states.items()}
        found = project.sharing.push("origin", runs)
        new = {run for run in states if run not in self.remote}
        same = {run for run, state in states.items() if run not in new and self.remote[run].tip == state.tip}
        forward = {run for run, state in states.items() if run not in new | same and self.remote[run].tip in state.before}
        rejected = states.keys() - new - same - forward
        assert (set(found.fresh), set(found.forward), found.same) == (new, forward, len(same))
        assert {run for run, _ in found.rejected} == rejected
        self.remote |= {run: states[run] for run in new | forward}

    @rule(who=PEOPLE, place=PLACE)
    def delete_on_remote(self, who: str, place: int) -> None:
        project, clone = self.at(who)
        if state := self.pick({run: state for run, state in clone.runs.items() if run in self.remote}, place):
            found = project.sharing.delete("origin", {state.run: state.tip})
            is_as_known = self.remote[state.run].tip == state.tip
            assert bool(found.forward) == is_as_known == (not found.rejected)
            if is_as_known:
                del self.remote[state.run]

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        self.steps += 1
        for who in self.touched:
            project, clone = self.projects[who], self.clones[who]
            found = project.list_all()
            assert [state_seen(run) for run in found] == [state_meant(state) for state in clone.newest_first()]
            (project.git.state / "index.sqlite").unlink()
            assert project.list_all() == found
            assert sorted(run.id for run in project.trash.list_runs()) == sorted(clone.deleted())
            assert user_things(self.repos[who]) == self.things[who]
            if found and self.steps % 3 == 0:
                one = found[self.steps % len(found)]
                assert {attempt.id for attempt in project.attempts(one)} == clone.runs[one.id].attempts
            if self.steps % 5 == 0:
                self.repos[who].git("fsck", "--strict", "--no-dangling")
        self.touched.clear()
        there = Repo(self.place / "remote.git").git("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/runs")
        assert dict(line.split() for line in there.splitlines()) == {run: state.tip for run, state in self.remote.items()}

    def teardown(self) -> None:
        for name in ("ann", "bob", "remote.git"):
            Repo(self.place / name).git("fsck", "--strict", "--no-dangling")
        left = [repo.git("for-each-ref", "refs/gitrun/incoming", "refs/gitrun/outbox") for repo in self.repos.values()]
        assert left == ["", ""]


def state_of(run: Run) -> State:
    """A run of one attempt, as the model has it."""
    x, ids, before = run.flags["x"], frozenset({run.id}), frozenset({run.tip})
    return State(run.id, run.tip, ids, run.id, run.attempt.created, run.operation, x, run.status, said_of(run), before)


def said_of(run: Run) -> Said:
    """The annotations of a run as the model has them."""
    notes = run.notes
    return Said(notes.label, notes.marked, frozenset(notes.tags), frozenset(comment.text for comment in notes.comments))


def state_seen(run: Run) -> tuple[object, ...]:
    """What of a run the model knows, as it is."""
    return run.id, run.tip, run.attempt.id, run.operation, dict(run.flags), run.status, said_of(run)


def state_meant(state: State) -> tuple[object, ...]:
    """What of a run the model knows, as it should be."""
    return state.run, state.tip, state.last, state.operation, {"x": state.x}, state.status, state.said


def test_two_clones_and_a_remote_have_what_the_model_says(beginning, tmp_path) -> None:
    run_state_machine_as_test(lambda: TwoClones(beginning, tmp_path / "team"), settings=PROFILE)

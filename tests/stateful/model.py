"""What two people and a remote should have: plain dictionaries, and the rules of DESIGN.md without any git."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

STAGED, COMPLETED, ERROR = "staged", "completed", "error"


class Refused(Exception):
    """What is asked for is against the rules."""


@dataclass(frozen=True, slots=True)
class Said:
    """Annotations of a run."""

    label: str | None = None
    marked: bool = False
    tags: frozenset[str] = frozenset()
    comments: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class State:
    """A run at one of its tips; `before` are the tips that it goes back to, its own too."""

    run: str
    tip: str
    attempts: frozenset[str]
    last: str
    created: datetime
    operation: str
    x: int
    status: str
    said: Said
    before: frozenset[str]

    def moved(self, tip: str, **changes: object) -> State:
        """The state at a tip that was put on this one."""
        return replace(self, tip=tip, before=self.before | {tip}, **changes)  # type: ignore[arg-type]

    @property
    def age(self) -> tuple[datetime, str]:
        """The place in the list, oldest first."""
        return self.created, self.run


@dataclass(slots=True)
class Sorted:
    """What a fetch makes of the runs of the remote, by id."""

    fresh: list[str] = field(default_factory=list)
    forward: list[str] = field(default_factory=list)
    ahead: list[str] = field(default_factory=list)
    diverged: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    same: int = 0


@dataclass(slots=True)
class Clone:
    """What one clone has: runs, deleted runs, ids that were purged, and attempts that may be executed."""

    runs: dict[str, State] = field(default_factory=dict)
    trash: dict[str, State] = field(default_factory=dict)
    purged: set[str] = field(default_factory=set)
    trusted: set[str] = field(default_factory=set)

    def newest_first(self) -> list[State]:
        """The list of runs."""
        return sorted(self.runs.values(), key=lambda state: state.age, reverse=True)

    def deleted(self) -> dict[str, State]:
        """Returns the deleted runs: those in the trash that are not part of a run that exists."""
        return {run: state for run, state in self.trash.items() if not self.has(state)}

    def has(self, state: State) -> bool:
        """Whether the run that is there goes back to this state."""
        return state.run in self.runs and state.tip in self.runs[state.run].before

    def settle(self) -> None:
        """What is in the trash and there as well leaves the trash."""
        self.trash = self.deleted()

    def remove(self, runs: Iterable[str]) -> None:
        """Moves runs to the trash, all or none."""
        self.settle()
        old = {run: self.runs[run] for run in runs}
        for run, state in old.items():
            there = self.trash.get(run)
            if there and there.tip not in state.before and state.tip not in there.before:
                raise Refused(run)
        for run, state in old.items():
            if run not in self.trash or state.tip not in self.trash[run].before:
                self.trash[run] = state
            del self.runs[run]

    def restore(self, runs: Iterable[str]) -> tuple[set[str], set[str]]:
        """Takes deleted runs out of the trash; those that are back, and those that stay."""
        asked = set(runs)
        left = {run for run in asked if run in self.runs}
        for run in asked - left:
            self.runs[run] = self.trash.pop(run)
        return asked - left, left

    def purge(self, runs: Iterable[str]) -> None:
        """Takes deleted runs away for good."""
        for run in set(runs):
            self.purged.add(run)
            del self.trash[run]

    def why_skipped(self, state: State, x: int) -> bool:
        """Whether `--needed` makes a restart of this run unnecessary: DESIGN.md section 5."""
        if state.status != COMPLETED:
            return False
        return state.x == x or self.is_made(state.operation, x)

    def is_made(self, operation: str, x: int) -> bool:
        """Whether a completed run of the operation has exactly these flags."""
        return any((one.operation, one.x, one.status) == (operation, x, COMPLETED) for one in self.runs.values())

    def look_through(self, there: Mapping[str, State], named: Collection[str]) -> Sorted:
        """What a fetch of these runs does; `named` runs come back also if they were deleted."""
        found = Sorted()
        for run, theirs in there.items():
            ours = self.runs.get(run)
            if ours and ours.tip == theirs.tip:
                found.same += 1
            elif ours is None and run not in named and (run in self.trash or run in self.purged):
                found.deleted.append(run)
            elif ours is None:
                found.fresh.append(run)
            elif ours.tip in theirs.before:
                found.forward.append(run)
            elif theirs.tip in ours.before:
                found.ahead.append(run)
            else:
                found.diverged.append(run)
        return found

    def own(self) -> dict[str, State]:
        """The runs that a plain push pushes: made here or trusted, and ended."""
        ended = {run: state for run, state in self.runs.items() if state.status != STAGED}
        return {run: state for run, state in ended.items() if {state.run, state.last} & self.trusted}


def merged_attempt(one: State, two: State) -> State:
    """The one of the two whose last attempt a merge has for its own."""

    def rank(mine: State, other: State) -> tuple[bool, datetime, str]:
        return (mine.last not in other.attempts, mine.created, mine.last)

    return one if rank(one, two) >= rank(two, one) else two


def meetings(one: State, two: State, known: Mapping[str, State]) -> list[State]:
    """The newest states to which both go back."""
    common = [known[tip] for tip in one.before & two.before if tip in known]
    return [state for state in common if not any(state.tip in other.before for other in common if other is not state)]


def may_be_said(base: Said, one: Said, two: Said, found: Said) -> bool:
    """Whether a merge may say this: both sides' tags and comments, of label and mark what one side has changed."""
    label = may_be(base.label, one.label, two.label, found.label)
    marked = may_be(base.marked, one.marked, two.marked, found.marked)
    tags = found.tags == three_way(base.tags, one.tags, two.tags)
    return label and marked and tags and found.comments == three_way(base.comments, one.comments, two.comments)


def may_be(base: object, one: object, two: object, found: object) -> bool:
    """Whether a field may have this value; if both sides changed it, either may be the later one."""
    if one == base:
        return found == two
    return found == one if two == base else found in (one, two)


def three_way(base: frozenset[str], one: frozenset[str], two: frozenset[str]) -> frozenset[str]:
    """What both kept, and what either added."""
    return (base & one & two) | (one - base) | (two - base)

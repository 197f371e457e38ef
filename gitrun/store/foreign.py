"""Runs made elsewhere: checks their trees for size before anything unfolds them, and dates them reliably.

The file `received` has a line for each foreign attempt and result that passed these checks: its id, and the time when it was
first seen here, in seconds since 1970.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from datetime import datetime, timezone

from gitrun.dataclass import replace
from gitrun.errors import BadRun
from gitrun.git.locks import make_shared_directory
from gitrun.git.objects import tree_of_commit
from gitrun.model.text import safe_text
from gitrun.model.validation_rules import MAX_COMMITS, credible_start, own_parents
from gitrun.store.commits import read_commit
from gitrun.store.tree_size import Measurer
from gitrun.store.trust import FEW, TrustedIds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.git.objects import ObjectReader
    from gitrun.model.run import Attempt, Run
    from gitrun.store.commits import Commit

TICK = 0.000001
"""Seconds between runs that arrived together: keeps them in the order of their makers' times."""


class ForeignRuns:
    """Checks runs that were neither made nor trusted here. Objects that many of them share are read once."""

    def __init__(self, git: Git, objects: ObjectReader) -> None:
        self._git, self._objects = git, objects
        self._trusted = TrustedIds(git)
        self._received = ReceivedTimes(git)
        self._measurer = Measurer(objects)

    def admit(self, run: Run, attempt: Commit) -> Run:
        """Returns the run with its effective creation time. `attempt` is the commit of its last attempt.

        Raises BadRun if it came from elsewhere and its trees are too large or its carried files unproven.
        """
        names = {run.attempt.id, *([run.attempt.result] if run.attempt.result else [])}
        # a run that was received and trusted later keeps the time of its arrival
        if self._received.get(run.attempt.id) is None and all(name in self._trusted for name in names):
            return run
        if not all(map(self._is_known, names)):
            self._measure(run)
            self._prove_carried(run.attempt, attempt)
        when = credible_start(run.attempt.created, attempt.time, self._received.get(run.attempt.id))
        return replace(run, attempt=replace(run.attempt, created=when))

    def date(self, runs: Iterable[Run]) -> list[Run]:
        """Returns the admitted runs; one seen for the first time is dated no later than now.

        Records the time of those in `received`.
        """
        runs_read = list(runs)
        fresh = [run for run in runs_read if self._is_new(run.attempt)]
        # rounded to the digits of the file, so that the same time is read back
        now = datetime.fromtimestamp(round(time.time(), 6), timezone.utc)
        # oldest first, so that the times given here keep the order of the makers' times
        names = (name for run in sorted(fresh, key=list_order) for name in (run.attempt.id, run.attempt.result) if name)
        times = record_received(self._git, [name for name in names if not self._is_known(name)], now)
        return [
            replace(run, attempt=replace(run.attempt, created=min(run.attempt.created, times[run.attempt.id])))
            if run.attempt.id in times
            else run
            for run in runs_read
        ]

    def _is_new(self, attempt: Attempt) -> bool:
        return not all(map(self._is_known, {attempt.id, attempt.result} - {""}))

    def _is_known(self, name: str) -> bool:
        """Returns whether an attempt or result is trusted, or was received earlier."""
        return name in self._trusted or self._received.get(name) is not None

    def _measure(self, run: Run) -> None:
        """Raises BadRun unless all unchecked trees of the run, and those of its bases, are small enough to unfold."""
        for commit in commits_of_run(self._objects, run):
            if self._is_known(commit.id):
                continue
            self._measurer.require_small(commit.tree)
            before = own_parents(commit.id, commit.kind, commit.parents, run.id)
            for base in (parent for parent in commit.parents if parent not in before):
                if tree := tree_id_of(self._objects, base):
                    self._measurer.require_small(tree)

    def _prove_carried(self, attempt: Attempt, commit: Commit) -> None:
        """Raises BadRun unless each carried path has the same entry at the run's previous tip."""
        before = tree_id_of(self._objects, commit.parents[-1]) if attempt.carried and commit.parents else ""
        for path in map(os.fsencode, attempt.carried):
            if self._measurer.entry(commit.tree, path) != self._measurer.entry(before, path):
                name = safe_text(os.fsdecode(path)[:80])
                raise BadRun(f"its last attempt carries '{name}', which the attempt before it did not leave")


def list_order(run: Run) -> tuple[datetime, str]:
    """Returns the sort key of a run in lists: creation time, then id."""
    return run.attempt.created, run.id


def commits_of_run(objects: ObjectReader, run: Run) -> Iterator[Commit]:
    """Yields the commits of the run that exist here, newest first on each path, at most MAX_COMMITS of them."""
    commits: set[str] = set()
    front = [run.tip]
    while front and len(commits) < MAX_COMMITS:
        name = front.pop()
        commit = read_commit(objects.read(name, 1 << 21)) if name not in commits else None
        commits.add(name)
        if commit:
            yield commit
            front += own_parents(commit.id, commit.kind, commit.parents, run.id)


def tree_id_of(objects: ObjectReader, commit: str) -> str:
    """Returns the tree id of any commit; empty if the commit is not here."""
    data = objects.read(commit, 1 << 21)
    is_commit = data is not None and data.kind == "commit" and data.data is not None
    return tree_of_commit(data.data) if data and data.data and is_commit else ""


class ReceivedTimes:
    """The times when foreign attempts and results were first seen here. The first FEW questions search the text."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._text = ""
        self._asked = 0
        self._times: dict[str, datetime] | None = None
        with suppress(OSError):
            self._text = "\n" + received_file(git).read_text(errors="replace")

    def get(self, name: str) -> datetime | None:
        """Returns when the attempt or result was first seen; None if it is not foreign, or new."""
        if not self._text:
            return None
        self._asked += 1
        if self._asked > FEW:
            if self._times is None:
                self._times = received_times(self._git)
            return self._times.get(name)
        start = self._text.find(f"\n{name} ")
        if start < 0:
            return None
        # the first line that can be read counts, and most have one
        return parse_received(self._text[start:].split("\n", 2)[1]).get(name) or received_times(self._git).get(name)


def received_file(git: Git) -> Path:
    """Returns the path of the file that records foreign attempts and results."""
    return git.state / "received"


def received_times(git: Git) -> dict[str, datetime]:
    """Returns the time when each foreign attempt and result was first seen here, by id."""
    times: dict[str, datetime] = {}
    with suppress(OSError):
        # <id> 1700000000.123456
        for line in received_file(git).read_text(errors="replace").splitlines():
            # two processes may have recorded an id, which was first seen at the first of these times
            for name, when in parse_received(line).items():
                times.setdefault(name, when)
    return times


def parse_received(line: str) -> dict[str, datetime]:
    """Returns id and time of a line; nothing if a full disk has cut it short."""
    name, _, when = line.partition(" ")
    with suppress(ValueError, OverflowError, OSError):
        return {name: datetime.fromtimestamp(float(when), timezone.utc)}
    return {}


def record_received(git: Git, names: Iterable[str], now: datetime) -> Mapping[str, datetime]:
    """Records these foreign attempts and results as received now, oldest first. Returns the time given to each."""
    times = {name: datetime.fromtimestamp(now.timestamp() + TICK * number, timezone.utc) for number, name in enumerate(names)}
    if times:
        # a line end first: the file may end in a line that a full disk cut short
        text = "\n" + "".join(f"{name} {when.timestamp():.6f}\n" for name, when in times.items())
        with suppress(OSError):  # in a read-only repository, foreign runs count as new each time
            make_shared_directory(git.state)
            with received_file(git).open("a") as file:
                file.write(text)
    return times


def unknown_ids(git: Git, names: Iterable[str]) -> list[str]:
    """Returns the attempts and results that are neither trusted nor received here."""
    trusted, received = TrustedIds(git), ReceivedTimes(git)
    return [name for name in names if name not in trusted and received.get(name) is None]

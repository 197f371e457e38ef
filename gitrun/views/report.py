"""What a reviewer reads of some runs: the verdict, the runs of each commit, and how each differs from the one before it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from gitrun.errors import BadRun, GitFailed
from gitrun.git.objects import Objects
from gitrun.model import reading, record
from gitrun.model.refs import short
from gitrun.model.status import COMPLETED, STATUSES
from gitrun.model.text import count_text, safe_lines
from gitrun.store.modules import aligned, side_of
from gitrun.store.signing import signature
from gitrun.views.checking import latest_of
from gitrun.views.contents import CHANGED, CHANGES, Change, Others
from gitrun.views.diff import differing, flat
from gitrun.views.history import history
from gitrun.views.ranges import Range, tree_of
from gitrun.views.series import courses

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gitrun.git.exe import Git
    from gitrun.model.run import Run
    from gitrun.store.index import Index
    from gitrun.views.diff import Differing
    from gitrun.views.history import Commit

DETAILED = 20
"""Runs that are told in full: the newest of each operation, then the newest."""
PATHS, NAMES = 20, 40
"""Changed files, and names of the environment, that are told of a run."""
DRAWN = 6
"""Metrics of a run whose course is drawn."""
TAIL, WIDEST, READ = 20, 200, 1 << 16
"""Lines of output, characters of a line, and bytes of the output that are looked at."""


@dataclass(frozen=True, slots=True)
class Detail:
    """One run in full, beside the one of its operation before it (None: it is the first).

    `more_code`: not all changed files are named. `signed` says by whom, from git; `before` counts the lines left out.
    """

    run: Run
    previous: Run | None
    flags: Differing
    metrics: Differing
    environment: Differing
    code: tuple[Change, ...]
    more_code: bool
    series: Mapping[str, Sequence[float]]
    tail: tuple[str, ...]
    before: int
    signed: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that is reported; `commits` are newest first, `runs` are those of no commit that is reported on.

    `bases` are the runs that metrics and flags are compared with, by operation.
    """

    range: Range | None
    commits: tuple[Commit, ...]
    runs: tuple[Run, ...]
    bases: Mapping[str, Run] = field(default_factory=dict)
    details: tuple[Detail, ...] = ()

    @property
    def all_runs(self) -> list[Run]:
        """Every run that is reported on, once, newest attempt first."""
        found = {run.id: run for commit in self.commits for run in (*commit.exact, *commit.changed)}
        found |= {run.id: run for run in self.runs}
        return sorted(found.values(), key=lambda run: (run.attempt.created, run.id), reverse=True)

    @property
    def failed(self) -> list[Run]:
        """The latest run of every operation that has failed or has not ended."""
        return [run for run in latest(self.all_runs) if run.status != COMPLETED]

    @property
    def is_good(self) -> bool:
        """Whether the latest run of every operation is completed."""
        return not self.failed

    @property
    def title(self) -> str:
        """What is reported on."""
        if self.range is None:
            return count_text(len(self.runs), "run")
        return f"{short(self.range.base)}..{short(self.range.head)}" if self.range.base else short(self.range.head)

    @property
    def counts(self) -> str:
        """How many runs there are of how many commits, and how they ended."""
        runs = self.all_runs
        ended = {status: sum(run.status == status for run in runs) for status in STATUSES}
        each = ", ".join(f"{count} {status}" for status, count in ended.items() if count)
        of = f" of {count_text(len(self.commits), 'commit')}" if self.commits else ""
        without = sum(not (commit.exact or commit.changed) for commit in self.commits)
        none = f"; {without} of the commits without a run" if without and len(self.commits) > 1 else ""
        return f"{count_text(len(runs), 'run')}{of}: {each}{none}"


def report(git: Git, index: Index, asked: Range | Sequence[Run]) -> Report:
    """The report on the commits of a range, or on some runs."""
    if isinstance(asked, Range):
        bare = Report(asked, tuple(history(git, index, asked.revisions)), ())
    else:
        bare = Report(None, (), tuple(asked))
    runs = bare.all_runs
    return replace(bare, bases=bases_of(git, index, bare.range, runs), details=details(git, index, runs))


def bases_of(git: Git, index: Index, among: Range | None, runs: Iterable[Run]) -> dict[str, Run]:
    """The latest completed run of each operation that was made of the commit that all is compared with."""
    if among is None or among.base is None:
        return {}
    tree, found = tree_of(git, among.base), {}
    for run in latest(runs):
        base = latest_of(index, tree, run)
        if base is not None:
            found[run.operation] = base
    return found


def latest(runs: Iterable[Run]) -> list[Run]:
    """The first run of each operation."""
    found: dict[str, Run] = {}
    for run in runs:
        found.setdefault(run.operation, run)
    return list(found.values())


def details(git: Git, index: Index, runs: Sequence[Run]) -> tuple[Detail, ...]:
    """Some of the runs (newest first) in full."""
    first = {run.id: run for run in latest(runs)}
    chosen = list(islice((first | {run.id: run for run in runs}).values(), DETAILED))
    earlier = {operation: index.of_operation(operation) for operation in {run.operation for run in chosen}}
    pairs = [(run, previous_of(run, earlier[run.operation])) for run in chosen]
    with Objects(git) as objects:
        known = {run.id: run for pair in pairs for run in pair if run}
        names = [
            name for run in known.values() for name in (f"{run.attempt.id}:{record.ENV}", f"{run.attempt.left}:{record.OUTPUT}")
        ]
        read = [found.data if found and found.kind == "blob" else None for found in objects.read_many(names, 11 << 20)]
    places = {run: place for place, run in enumerate(known)}
    environments = {run: environment(read[2 * place]) for run, place in places.items()}
    outputs = {run: read[2 * place + 1] for run, place in places.items()}
    return tuple(detail(git, pair, environments, outputs[pair[0].id] or b"") for pair in pairs)


def previous_of(run: Run, among: Sequence[Run]) -> Run | None:
    """The run that comes behind this one in a list, newest first."""
    place = next((place for place, other in enumerate(among) if other.id == run.id), len(among))
    return among[place + 1] if place + 1 < len(among) else None


def detail(git: Git, pair: tuple[Run, Run | None], environments: Mapping[str, Mapping[str, object]], output: bytes) -> Detail:
    """One run in full."""
    run, previous = pair
    told = {name: known for name, known in run.metrics.summaries.items() if known.count > 2}
    found = signature(git, run.attempt.id)
    lines, before = tail(output)
    old = previous or run
    code, more = changed_code(git, old, run) if previous else ((), False)
    return Detail(
        run=run, previous=previous,
        flags=differing(old.flags, run.flags), metrics=differing(old.metrics, run.metrics),
        environment=differing(environments[old.id], environments[run.id]), code=code, more_code=more,
        series=courses(git, run, list(islice(told, DRAWN))), tail=lines, before=before,
        signed=found.words if found else "unsigned",
    )  # fmt: skip


def environment(data: bytes | None) -> dict[str, object]:
    """What is recorded of an environment, flat, without what only says where things lie on a machine."""
    with suppress(BadRun):
        found = flat(reading.parse_toml(data or b"", record.ENV))
        return {name: value for name, value in found.items() if not str(value).startswith(("/", "["))}
    return {}


def changed_code(git: Git, old: Run, new: Run) -> tuple[tuple[Change, ...], bool]:
    """The first source files that differ between two runs, and whether there are more."""
    left_out = Others(old.attempt), Others(new.attempt)
    found: list[Change] = []
    with suppress(GitFailed):  # an object is missing: a foreign run
        before, after = aligned(git, *(side_of(run.attempt, run.attempt.id) for run in (old, new)))
        words = ("diff-tree", "-r", "-z", "--name-status", "--no-renames", before, after, "--")
        fields = git.lines(*words, end=b"\0")
        for status, path in islice(zip(fields, fields, strict=False), 50 * PATHS):
            name = path[:-1].decode(errors="surrogateescape")
            if not any(name in others for others in left_out):
                found.append(Change(name, CHANGES.get(status[:-1], CHANGED)))
            if len(found) > PATHS:
                break
        fields.close()  # type: ignore[attr-defined]
    return tuple(found[:PATHS]), len(found) > PATHS


def tail(output: bytes) -> tuple[tuple[str, ...], int]:
    """The last lines of an output, each safe, and how many lines were before them."""
    lines = safe_lines(output[-READ:].decode(errors="replace"))
    before = output[:-READ].count(b"\n") + max(len(lines) - TAIL, 0)
    return tuple(line.rstrip()[:WIDEST] for line in lines[-TAIL:]), before

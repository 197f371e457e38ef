"""The report that a reviewer reads: the verdict, the runs of each commit, and their differences from the runs before."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass, field, replace
from gitrun.errors import BadRun
from gitrun.git.objects import Objects
from gitrun.model import decode, record_files
from gitrun.model.run import BATCH, COMPLETED, STATUSES, short_id
from gitrun.model.text import amount_text, count_text, safe_lines
from gitrun.store.commits import read_signature
from gitrun.views.batches import rank_batch
from gitrun.views.code_changes import read_code_changes
from gitrun.views.curves import read_curves
from gitrun.views.diff import differing_values, flatten
from gitrun.views.gates import latest_completed
from gitrun.views.history import Range, read_history, tree_of_commit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gitrun.git.exe import Git
    from gitrun.model.run import Run
    from gitrun.store.index import Index
    from gitrun.views.batches import RankedBatch
    from gitrun.views.code_changes import CodeChanges
    from gitrun.views.curves import Curve
    from gitrun.views.diff import Differing
    from gitrun.views.history import Commit


DETAILED = 20
"""The number of runs shown in full: the newest of each operation, before any others."""
DRAWN = 6
"""The number of metrics of a run that are drawn as a curve."""
TAIL, WIDEST, READ = 20, 200, 1 << 16
"""The number of last lines of an output, their maximum length, and the bytes that are read for them."""


@dataclass(frozen=True, slots=True)
class Detail:
    """A run in full, compared with the run of its operation before it (None if it is the first).

    `code` are its changes since that run, or its uncommitted changes. `signed` is git's verdict on the signature. `before` is
    how much of the output comes before its `tail`; empty for nothing.
    """

    run: Run
    previous: Run | None
    flags: Differing
    metrics: Differing
    environment: Differing
    code: CodeChanges
    curves: tuple[Curve, ...]
    tail: tuple[str, ...]
    before: str
    signed: str


@dataclass(frozen=True, slots=True)
class Report:
    """A report: its commits, newest first, and `runs` that belong to none of these commits.

    `bases` are the runs that metrics and flags are compared with, by operation. `older` is the number of older runs of the
    commits that the report leaves out.
    """

    range: Range | None
    commits: tuple[Commit, ...]
    runs: tuple[Run, ...]
    bases: Mapping[str, Run] = field(default_factory=dict)
    details: tuple[Detail, ...] = ()
    batches: tuple[RankedBatch, ...] = ()
    older: int = 0

    @property
    def all_runs(self) -> list[Run]:
        """Returns every run in the report once, the newest attempt first."""
        # commits that share a tree share its runs
        runs = {run.id: run for commit in self.commits for run in (*commit.exact, *commit.changed)}
        runs |= {run.id: run for run in self.runs}
        return sorted(runs.values(), key=lambda run: (run.attempt.created, run.id), reverse=True)

    @property
    def failed(self) -> list[Run]:
        """Returns the latest run of each operation, if it is not completed."""
        return [run for run in latest_by_operation(self.all_runs) if run.status != COMPLETED]

    @property
    def is_good(self) -> bool:
        """Returns whether the latest run of every operation is completed."""
        return not self.failed

    @property
    def title(self) -> str:
        """Returns the range of the report, or its number of runs."""
        if self.range is None:
            return count_text(len(self.runs), "run")
        return f"{short_id(self.range.base)}..{short_id(self.range.head)}" if self.range.base else short_id(self.range.head)

    @property
    def counts(self) -> str:
        """Returns a sentence on the number of runs and commits, and the number of runs of each status."""
        runs = self.all_runs
        ended = {status: sum(run.status == status for run in runs) for status in STATUSES}
        each = ", ".join(f"{count} {status}" for status, count in ended.items() if count)
        of = f" of {count_text(len(self.commits), 'commit')}" if self.commits else ""
        without = sum(not (commit.exact or commit.changed) for commit in self.commits)
        none = f"; {without} of the commits without a run" if without and len(self.commits) > 1 else ""
        newest = f"; the newest {len(runs):,}" if self.older else ""
        return f"{count_text(len(runs) + self.older, 'run')}{of}{newest}: {each}{none}"


def build_report(git: Git, index: Index, subject: Range | Sequence[Run], most_runs: int = -1) -> Report:
    """Returns the report on the commits of a range, with at most `most_runs` runs of each (-1: all), or on some runs."""
    if isinstance(subject, Range):
        bare = Report(subject, tuple(read_history(git, index, subject.revisions, most_runs=most_runs)), ())
    else:
        bare = Report(None, (), tuple(subject))
    runs = bare.all_runs
    # commits that share a tree share its runs, so that their counts cannot be added up
    ids, trees = ({getattr(commit, name) for commit in bare.commits} for name in ("id", "tree"))
    count = index.count_related(ids, trees) if any(commit.more for commit in bare.commits) else len(runs)
    batches = tuple(filter(None, (rank_batch(git, index, run) for run in runs if run.attempt.kind == BATCH)))
    return replace(
        bare,
        bases=base_runs(git, index, bare.range, runs),
        details=build_details(git, index, runs),
        batches=batches,
        older=count - len(runs),
    )


def base_runs(git: Git, index: Index, among: Range | None, runs: Iterable[Run]) -> dict[str, Run]:
    """Returns, by operation, the latest completed run of the commit that the range is compared with."""
    if among is None or among.base is None:
        return {}
    tree, bases = tree_of_commit(git, among.base), {}
    for run in latest_by_operation(runs):
        base = latest_completed(index, tree, run)
        if base is not None:
            bases[run.operation] = base
    return bases


def latest_by_operation(runs: Iterable[Run]) -> list[Run]:
    """Returns the first run of each operation."""
    latest: dict[str, Run] = {}
    for run in runs:
        latest.setdefault(run.operation, run)
    return list(latest.values())


def build_details(git: Git, index: Index, runs: Sequence[Run]) -> tuple[Detail, ...]:
    """Returns up to `DETAILED` of the runs (newest first) in full."""
    first = {run.id: run for run in latest_by_operation(runs)}
    detailed = list(islice((first | {run.id: run for run in runs}).values(), DETAILED))
    pairs = [(run, index.run_before(run)) for run in detailed]
    with Objects(git) as objects:
        runs_by_id = {run.id: run for pair in pairs for run in pair if run}
        names = [
            name
            for run in runs_by_id.values()
            for name in (f"{run.attempt.id}:{record_files.ENV}", f"{run.attempt.left}:{record_files.OUTPUT}")
        ]
        # an output is shortened to 10 MiB and a line before it is recorded
        contents = [entry.data if entry and entry.kind == "blob" else None for entry in objects.read_many(names, 11 << 20)]
    positions = {run_id: position for position, run_id in enumerate(runs_by_id)}
    environments = {run_id: flat_environment(contents[2 * position]) for run_id, position in positions.items()}
    outputs = {run_id: contents[2 * position + 1] for run_id, position in positions.items()}
    return tuple(build_detail(git, pair, environments, outputs[pair[0].id] or b"") for pair in pairs)


def build_detail(
    git: Git, pair: tuple[Run, Run | None], environments: Mapping[str, Mapping[str, object]], output: bytes
) -> Detail:
    """Returns a run in full."""
    run, previous = pair
    # one or two values make no curve
    summaries = {name: summary for name, summary in run.metrics.summaries.items() if summary.count > 2}
    signature = read_signature(git, run.attempt.id)
    lines, before = output_tail(output)
    old = previous or run
    return Detail(
        run=run, previous=previous,
        flags=differing_values(old.flags, run.flags), metrics=differing_values(old.metrics, run.metrics),
        environment=differing_values(environments[old.id], environments[run.id]), code=read_code_changes(git, previous, run),
        curves=tuple(read_curves(git, [run], list(islice(summaries, DRAWN)))), tail=lines, before=before,
        signed=signature.words if signature else "unsigned",
    )  # fmt: skip


def flat_environment(data: bytes | None) -> dict[str, object]:
    """Returns the recorded environment as a flat table, without paths and lists, which differ from machine to machine."""
    # the record of a run from elsewhere may be malformed
    with suppress(BadRun):
        flat = flatten(decode.parse_toml(data or b"", record_files.ENV))
        return {name: value for name, value in flat.items() if not str(value).startswith(("/", "["))}
    return {}


def output_tail(output: bytes) -> tuple[tuple[str, ...], str]:
    """Returns the last lines of an output, made safe for a terminal, and how much is before them; "" for nothing."""
    lines = safe_lines(output[-READ:].decode(errors="replace"))
    before = output[:-READ].count(b"\n") + max(len(lines) - TAIL, 0)
    amount = amount_text(output[:-READ].decode(errors="replace"), before) if before else ""
    return tuple(line.rstrip()[:WIDEST] for line in lines[-TAIL:]), amount

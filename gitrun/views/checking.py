"""Checks of a run against gates: the run that is meant, the run to compare with, and the verdict of each gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitrun.errors import UnknownRun
from gitrun.model.refs import short
from gitrun.model.status import COMPLETED
from gitrun.store.resolve import find
from gitrun.views.gate_rules import Sides, judge
from gitrun.views.ranges import commit_of, tree_of, usual_base

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.git.exe import Git
    from gitrun.model.run import Run
    from gitrun.store.index import Index
    from gitrun.views.gate_rules import Gate, Judged


@dataclass(frozen=True, slots=True)
class Checked:
    """A run, the run that it was compared with (None if no gate needs one), and the gates' verdicts."""

    run: Run
    base: Run | None
    gates: tuple[Judged, ...]

    @property
    def passed(self) -> bool:
        """Tells whether the run is completed and passes every gate."""
        return self.run.status == COMPLETED and all(gate.passed for gate in self.gates)


def check(git: Git, index: Index, gates: Sequence[Gate], name: str | None, base: str | None) -> Checked:
    """Checks the run `name`, or HEAD's latest run if there is no name. Raises UnknownRun if there is nothing to compare."""
    run = find(index, name, git.prefix) if name else run_of_head(git, index, gates)
    return judge_run(git, index, run, gates, base)


def judge_run(git: Git, index: Index, run: Run, gates: Sequence[Gate], base: str | None) -> Checked:
    """Checks the run against the gates. Raises UnknownRun if there is nothing to compare, or a metric is missing."""
    before = base_of(git, index, run, base) if any(gate.needs_base for gate in gates) else None
    if run.status != COMPLETED:  # its metrics may be those of an unfinished run
        return Checked(run, before, ())
    sides = Sides(run.metrics, before.metrics if before else None)
    return Checked(run, before, tuple(judge(gate, sides) for gate in gates))


def usual_operation(git: Git, index: Index, gates: Sequence[Gate]) -> str:
    """Returns the operation for which a commit is judged by default: that of HEAD's latest run, else of the newest run.

    Only runs that have the metrics of all gates count. Raises UnknownRun if there is none.
    """
    try:
        return run_of_head(git, index, gates).operation
    except UnknownRun:
        for run in index.readable_runs():
            if all(run.metrics.ask(gate.metric.removeprefix("metric:")) is not None for gate in gates):
                return run.operation
        raise


def run_of_head(git: Git, index: Index, gates: Sequence[Gate]) -> Run:
    """Returns the latest run of HEAD's tree, or of HEAD with changes. Raises UnknownRun if there is none.

    Prefers the operation whose runs have the metrics of all gates.
    """
    head = commit_of(git, "HEAD")
    if head is None:
        raise UnknownRun("there is no commit yet of which a run could have been made")
    runs = {run.id: run for run in (*index.made_of(tree_of(git, head)), *index.made_from(head))}
    latest = sorted(runs.values(), key=lambda run: (run.attempt.created, run.id), reverse=True)
    if not latest:
        raise UnknownRun(f"no run was made of commit {short(head)}, or from it", "git run check RUN names another one")
    # runs of a helper operation, without the metrics, do not hide the one that has them
    having = (run for run in latest if all(run.metrics.ask(gate.metric.removeprefix("metric:")) is not None for gate in gates))
    operation = next(having, latest[0]).operation
    return next(run for run in latest if run.operation == operation)


def base_of(git: Git, index: Index, run: Run, name: str | None) -> Run:
    """Returns the run to compare with: `name`, or the latest completed run of the same operation of the commit `name`.

    Without a name the commit is the one where HEAD left the main branch. Raises UnknownRun.
    """
    if name is not None:
        try:
            return find(index, name, git.prefix)
        except UnknownRun:
            if commit_of(git, name) is None:
                raise
    commit = commit_of(git, name) if name is not None else usual_base(git, commit_of(git, "HEAD") or "")
    if commit is None:
        raise UnknownRun("there is no commit to compare with", "--base names one, or a run")
    found = latest_of(index, tree_of(git, commit), run)
    if found is None:
        raise UnknownRun(
            f"no other completed run of {run.operation} was made of commit {short(commit)}",
            "--base names a run, or another commit",
        )
    return found


def latest_of(index: Index, tree: str, run: Run) -> Run | None:
    """Returns the latest completed run of a tree, other than `run`, with the same operation; None if there is none."""
    of_tree = (other for other in index.made_of(tree) if other.operation == run.operation and other.status == COMPLETED)
    return next((other for other in of_tree if other.id != run.id), None)

"""Whether a start is needed, or what was asked for has been run already: `--needed`, from DESIGN.md section 5."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.model.plan import COMMAND, Skip
from gitrun.model.refs import short
from gitrun.model.run import Run, restart_needed, words_start
from gitrun.model.status import ENDED
from gitrun.model.text import safe_text, time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.model.plan import Plan

UNCHANGED = "Skipping run because flags have not changed (--needed specified)"
MATCHES = "Skipping because the following runs match this operation (--needed specified):"


MOST = 10
"""Matching runs that are listed; of more only how many."""


def skip_restart(run: Run, plan: Plan, runs: Sequence[Run], *, same_source: bool, total: int = 0) -> Skip | None:
    """Why a restart of `run` is not needed; None if it is. `runs` and `total` are as for `skip_start`."""
    if run.status not in ENDED:
        return None
    is_same = not restart_needed(run, plan.flags) and not has_other_words(run, plan)
    if is_same and (not same_source or has_same_source(run, plan)):
        return Skip(run, (UNCHANGED,), not has_same_source(run, plan))
    others = [other for other in runs if other.id != run.id]
    return skip_start(plan, others, same_source=same_source, total=total - (len(runs) - len(others)))


def skip_start(plan: Plan, runs: Sequence[Run], *, same_source: bool, total: int = 0) -> Skip | None:
    """Why a start is not needed: other runs of the operation have ended with exactly these flags and words; None if none have.

    `runs` are newest first; `total` is how many there are in all, if that is more.
    """
    alike = [
        run
        for run in runs
        if run.status in ENDED and run.operation == plan.operation and run.flags == plan.flags
        and not has_other_words(run, plan) and (not same_source or has_same_source(run, plan))
    ]  # fmt: skip
    if not alike:
        return None
    differs = not any(has_same_source(run, plan) for run in alike)
    more = max(total - len(runs), 0) + len(alike) - len(alike[:MOST])
    lines = (MATCHES, *map(line, alike[:MOST]), *((f"  and {more:,} more",) if more else ()))
    return Skip(alike[0], lines, differs)


def has_same_source(run: Run, plan: Plan) -> bool:
    """Whether the run was made of the plan's source, the files of submodules included."""
    return run.attempt.source == plan.source.tree and run.attempt.content == plan.source.content


def has_other_words(run: Run, plan: Plan) -> bool:
    """Whether the run was given other words behind `--` than the plan is; how its script is called does not matter."""
    if plan.kind == COMMAND:
        own = len(plan.definition.command) if plan.definition else 0
    else:
        own = words_start(plan.kind, plan.command)
    return run.attempt.command[own:] != plan.command[own:]


def line(run: Run) -> str:
    """A run on a line of its own, as skipped runs are listed."""
    fields = (
        f"[{short(run.id)}]",
        safe_text(run.operation),
        time_text(run.attempt.started),
        run.status,
        safe_text(run.attempt.flags_text),
    )
    return "  " + "  ".join(fields).rstrip()

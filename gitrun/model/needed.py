"""Whether a start is needed, or what was asked for has been run already: `--needed`, from DESIGN.md section 5."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.model.plan import COMMAND, INTERPRETERS, PROGRAM, Skip
from gitrun.model.refs import short
from gitrun.model.run import Run, restart_needed
from gitrun.model.status import ENDED
from gitrun.model.text import safe_text, time_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitrun.model.plan import Plan

UNCHANGED = "Skipping run because flags have not changed (--needed specified)"
MATCHES = "Skipping because the following runs match this operation (--needed specified):"


def skip_restart(run: Run, plan: Plan, runs: Iterable[Run], *, same_source: bool) -> Skip | None:
    """Why a restart of `run` is not needed; None if it is. `runs` are all runs, newest first."""
    if run.status not in ENDED:
        return None
    if not restart_needed(run, plan.flags) and (not same_source or run.attempt.source == plan.source.tree):
        return Skip(run, (UNCHANGED,), run.attempt.source != plan.source.tree)
    return skip_start(plan, (other for other in runs if other.id != run.id), same_source=same_source)


def skip_start(plan: Plan, runs: Iterable[Run], *, same_source: bool) -> Skip | None:
    """Why a start is not needed: other runs of the operation have ended with exactly these flags; None if there are none."""
    alike = [
        run
        for run in runs
        if run.status in ENDED and run.operation == plan.operation and run.flags == plan.flags
        and (not same_source or run.attempt.source == plan.source.tree)
    ]  # fmt: skip
    if not alike:
        return None
    differs = all(run.attempt.source != plan.source.tree for run in alike)
    return Skip(alike[0], (MATCHES, *map(line, alike)), differs, all(has_other_words(run, plan) for run in alike))


def has_other_words(run: Run, plan: Plan) -> bool:
    """Whether the run was given other words behind `--` than the plan is; how its script is called does not matter."""
    if plan.kind == COMMAND:
        own = len(plan.definition.command) if plan.definition else 0
    else:
        own = 1 if plan.kind == PROGRAM and plan.command[0] not in INTERPRETERS.values() else 2
    return run.attempt.command[own:] != plan.command[own:]


def line(run: Run) -> str:
    """A run on a line of its own, as skipped runs are listed."""
    fields = (
        f"[{short(run.id)}]",
        safe_text(run.operation),
        time_text(run.attempt.started),
        run.status,
        safe_text(run.flags.text()),
    )
    return "  " + "  ".join(fields).rstrip()

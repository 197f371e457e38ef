"""`--needed`: decides whether a start is needed, or whether a recorded run already covers it."""

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
"""Most matching runs that are listed; the rest is only counted."""


def skip_restart(run: Run, plan: Plan, runs: Sequence[Run], *, same_source: bool, total: int = 0) -> Skip | None:
    """Returns the reason to skip a restart of `run`; None if it is needed.

    `runs` and `total` are as for `skip_start`.
    """
    if run.status not in ENDED:
        return None
    is_same = not restart_needed(run, plan.flags) and not has_other_words(run, plan)
    if is_same and (not same_source or has_same_source(run, plan)):
        return Skip(run, (UNCHANGED,), not has_same_source(run, plan))
    others = [other for other in runs if other.id != run.id]
    return skip_start(plan, others, same_source=same_source, total=total - (len(runs) - len(others)))


def skip_start(plan: Plan, runs: Sequence[Run], *, same_source: bool, total: int = 0) -> Skip | None:
    """Returns the reason to skip a start: runs of the operation ended with the same flags and words. None without one.

    `runs` are newest first. `total` is the number of all runs, if `runs` holds only some of them.
    """
    alike = [
        run
        for run in runs
        if run.status in ENDED and run.operation == plan.operation and run.flags == plan.flags
        and not has_other_words(run, plan) and (not same_source or has_same_source(run, plan))
    ]  # fmt: skip
    if not alike:
        return None
    # one run with this source is enough to skip without a warning
    differs = not any(has_same_source(run, plan) for run in alike)
    more = max(total - len(runs), 0) + len(alike) - len(alike[:MOST])
    lines = (MATCHES, *map(line, alike[:MOST]), *((f"  and {more:,} more",) if more else ()))
    return Skip(alike[0], lines, differs)


def has_same_source(run: Run, plan: Plan) -> bool:
    """Returns whether the run has the plan's source, including the files of submodules."""
    return run.attempt.source == plan.source.tree and run.attempt.content == plan.source.content


def has_other_words(run: Run, plan: Plan) -> bool:
    """Returns whether the words after `--` differ; how the script itself is started does not matter."""
    if plan.kind == COMMAND:
        # the words of the entry itself are no words after `--`
        own = len(plan.definition.command) if plan.definition else 0
    else:
        own = words_start(plan.kind, plan.command)
    return run.attempt.command[own:] != plan.command[own:]


def line(run: Run) -> str:
    """Returns the line that lists a matching run."""
    fields = (
        f"[{short(run.id)}]",
        safe_text(run.operation),
        time_text(run.attempt.started),
        run.status,
        safe_text(run.attempt.brief_text),
    )
    return "  " + "  ".join(fields).rstrip()

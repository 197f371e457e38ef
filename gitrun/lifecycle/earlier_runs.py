"""Reads what runs from before a batch teach its sampler: `--learn source` and `--learn operation`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from gitrun import store
from gitrun.git.objects import Objects
from gitrun.lifecycle.batch_trials import trial_of
from gitrun.model import record_files
from gitrun.model.batch import LEARN_OPERATION, LEARN_SOURCE, PLUS
from gitrun.model.decode import parse_toml
from gitrun.model.sampling import SearchPoints

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitrun.model.batch import BatchDefinition, Trial
    from gitrun.model.flags import Value
    from gitrun.model.plan import Plan
    from gitrun.workspace.session import Session

MOST = 1_000
"""Newest earlier runs that a sampler learns from."""


def read_earlier(
    session: Session, plan: Plan, definition: BatchDefinition, batch: str, fixed: Mapping[str, Value]
) -> list[Trial]:
    """Returns the completed runs from before the batch that are points of its space, as trials without a number.

    They have the operation of its trials, their fixed flags, all objectives, and with `--learn source` the source of the
    batch. They are the same after every restart, unless runs are deleted. `batch` is empty before its first attempt.
    """
    if definition.learn not in {LEARN_SOURCE, LEARN_OPERATION}:
        return []
    begun, points = begun_at(session, batch) or plan.created, SearchPoints(definition)
    with store.index.Index(session.git) as index:
        runs = index.of_operation(plan.operation.removesuffix(PLUS))
    trials = [
        trial
        for run in runs
        if not (batch and run.attempt.batch == batch) and run.attempt.stopped and run.attempt.stopped < begun
        and (definition.learn == LEARN_OPERATION or same_source(run.attempt.source, run.attempt.content, plan))
        and (trial := trial_of(run, definition.objectives)).values and points.contains(trial.flags, fixed)
    ]  # fmt: skip
    return sorted((replace(trial, number=0) for trial in trials[:MOST]), key=lambda trial: trial.run_id)


def same_source(tree: str, content: str, plan: Plan) -> bool:
    """Returns whether a run's source is that of the batch."""
    return (tree, content) == (plan.source.tree, plan.source.content)


def begun_at(session: Session, batch: str) -> datetime | None:
    """Returns when the first attempt of a batch was made, whose id is that of the batch; None if it is not here."""
    if not batch:
        return None
    with Objects(session.git) as objects:
        data = objects.read(f"{batch}:{record_files.RUN}")
    created = parse_toml(data.data, record_files.RUN).get("created") if data and data.data else None
    return created if isinstance(created, datetime) else None

"""Reads the trials of a batch from their runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gitrun import model, store
from gitrun.git.objects import Objects
from gitrun.model.batch import GRID, PLUS, Trial, count_trials
from gitrun.model.grid import lay_grid
from gitrun.model.record_files import RESULT
from gitrun.model.run import COMPLETED, RUNNING, TERMINATED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.model.batch import BatchDefinition, Objective
    from gitrun.model.metrics import Metrics
    from gitrun.model.plan import Outcome
    from gitrun.model.run import Run
    from gitrun.workspace.session import Session


def trials_of(session: Session, batch: str, operation: str) -> list[Run]:
    """Returns the runs of the batch's trials."""
    with store.index.Index(session.git) as index:
        return [run for run in index.of_operation(operation) if run.attempt.batch == batch and run.attempt.trial]


def trial_of(run: Run, objectives: Sequence[Objective]) -> Trial:
    """Returns a run as the trial of a batch."""
    status = run.attempt.shown_status
    values = objective_values(run.metrics, objectives) if status == COMPLETED else ()
    return Trial(run.attempt.trial or 0, run.flags, status, run.id, values)


def count_wanted(definition: BatchDefinition) -> int:
    """Returns the number of trials that a batch is to have."""
    if definition.sampler != GRID:
        return definition.max_trials or 0
    count = lay_grid(definition.space, definition.points, definition.repeat).count
    return min(count, definition.max_trials or count)


def objective_values(metrics: Metrics, objectives: Sequence[Objective]) -> tuple[float, ...]:
    """Returns the values of the objectives; empty unless all are there."""
    values = [metrics.ask(objective.metric) for objective in objectives]
    return tuple(value for value in values if value is not None) if None not in values else ()


def recorded_trials(session: Session, attempt_id: str) -> tuple[Trial, ...]:
    """Returns the trials that a batch had at the end of the attempt before this one. Some may be deleted now."""
    with Objects(session.git) as objects:
        results = (objects.read(f"{attempt_id}^{number}:{RESULT}") for number in (2, 1))
        result = next((one for one in results if one), None)
    return model.batch_record.read_trials(result.data) if result else ()


def reused_trials(session: Session, recorded: Sequence[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """Returns those recorded trials that are runs from before the batch, if these runs still exist."""
    reused = [trial for trial in recorded if trial.reused]
    if not reused:
        return []
    with store.index.Index(session.git) as index:
        pairs = [(trial, index.get(trial.run_id)) for trial in reused]
    return [
        replace(trial_of(run, objectives), number=trial.number, reused=True)
        for trial, run in pairs
        if isinstance(run, model.run.Run)
    ]


def with_trials(session: Session, batch: str, outcome: Outcome) -> Outcome:
    """Returns the outcome of a batch whose process died, with its trials and their counts."""
    with Objects(session.git) as objects, store.index.Index(session.git) as index:
        run = index.get(batch)
        if not isinstance(run, model.run.Run):
            return outcome
        found = objects.read(f"{run.attempt.id}:{model.record_files.BATCH}")
        rows = objects.read(f"{run.attempt.id}:{model.record_files.POINTS}")
    if found is None or found.data is None:
        return outcome
    definition = model.batch_record.decode_batch(found.data, rows.data if rows else None)
    runs = trials_of(session, batch, run.operation.removesuffix(PLUS))
    trials = [trial_of(one, definition.objectives) for one in runs]
    # what still runs belonged to the dead process, and is about to be recorded as terminated
    trials = [replace(one, status=TERMINATED) if one.status == RUNNING else one for one in trials]
    trials += reused_trials(session, recorded_trials(session, run.attempt.id), definition.objectives)
    trials.sort(key=lambda one: one.number)
    total = max(count_wanted(definition), len(trials))
    return replace(outcome, trials=tuple(trials), counts=count_trials(trials, total, definition.objectives))

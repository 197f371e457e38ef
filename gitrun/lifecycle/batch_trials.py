"""Reads the trials of a batch from their runs: how they ended, and what samplers and pruners need to know of them."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from gitrun import lifecycle, model, store, views
from gitrun.dataclass import replace
from gitrun.git.objects import Objects
from gitrun.model import record_files
from gitrun.model.batch import GRID, LEARN_OPERATION, LEARN_SOURCE, PLUS, RANDOM, Trial
from gitrun.model.decode import parse_toml
from gitrun.model.flags import Flags
from gitrun.model.grid import lay_grid
from gitrun.model.record_files import METRICS, RESULT, RUN
from gitrun.model.repeats import count_batch
from gitrun.model.run import COMPLETED, PRUNED, RUNNING, STAGED, TERMINATED
from gitrun.model.sampling import SearchPoints
from gitrun.model.space import Choice
from gitrun.store import claims

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from gitrun.model.batch import BatchDefinition, Objective
    from gitrun.model.flags import Value
    from gitrun.model.metrics import Metrics
    from gitrun.model.plan import Outcome, Plan
    from gitrun.model.run import Run
    from gitrun.workspace.session import Session


MOST_EARLIER = 1_000
"""Newest earlier runs that a sampler learns from."""
TRIALS_OWN = frozenset({"operation", "kind", "given", "batch", "trial", "sampler"})
"""Further keys of run.toml in which a trial differs from its batch."""
BATCHES_OWN = frozenset({"optimizer", "opt_flags", "max_trials", "minimize", "maximize", "random_seed", "resources"})
"""Parameters that decide about a batch or about where its trials run, and not about what a trial executes."""


def trials_of(session: Session, batch_id: str) -> list[Run]:
    """Returns the runs of the batch's trials."""
    with store.index.Index(session.git) as index:
        return [run for run in index.trials_of(batch_id) if run.attempt.trial]


def trial_of(run: Run, objectives: Sequence[Objective]) -> Trial:
    """Returns a run as the trial of a batch."""
    status = run.attempt.shown_status
    values = objective_values(run.metrics, objectives) if status == COMPLETED else ()
    return Trial(run.attempt.trial or 0, run.flags, status, run.id, values, tree=run.attempt.source)


def count_wanted(definition: BatchDefinition) -> int:
    """Returns the number of trials that a batch is to have."""
    if definition.sampler != GRID:
        return definition.max_trials or 0
    count = lay_grid(definition.space, definition.points, definition.repeat).count
    count *= len(definition.commits) or 1
    return min(count, definition.max_trials or count)


def objective_values(metrics: Metrics, objectives: Sequence[Objective]) -> tuple[float, ...]:
    """Returns the values of the objectives; empty unless all are there and finite: no number is better than nan."""
    values = [metrics.ask(objective.metric) for objective in objectives]
    numbers = tuple(value for value in values if value is not None and math.isfinite(value))
    return numbers if len(numbers) == len(values) else ()


def read_knowledge(session: Session, pairs: Iterable[tuple[Trial, Run]], definition: BatchDefinition) -> Iterator[Trial]:
    """Yields trials, each given with its run, with what the sampler keeps with them, and with the series that pruners need.

    A search learns the last value of a pruned trial from its series. Raises BadRun.
    """
    keeps = definition.sampler not in {GRID, RANDOM}
    with Objects(session.git) as objects:
        for trial, run in pairs:
            trial_known = trial
            # what another batch kept with a trial is about trials of that batch
            if keeps and not trial.reused:
                data = objects.read(f"{run.attempt.id}:{RUN}")
                trial_known = replace(trial_known, attrs=model.batch_record.read_sampler(data.data if data else None))
            if definition.objectives and (definition.prune or (keeps and trial.status == PRUNED)):
                trial_known = replace(
                    trial_known, series=read_series(objects, run.attempt.left, definition.objectives[0].metric)
                )
            yield trial_known


def read_series(objects: Objects, commit: str, metric: str) -> tuple[tuple[int, float], ...]:
    """Returns steps and values of a metric that a result has recorded."""
    data = objects.read(f"{commit}:{METRICS}")
    return lifecycle.pruning.read_points((data.data if data else None) or b"", metric)


def recorded_trials(session: Session, attempt_id: str) -> tuple[Trial, ...]:
    """Returns the trials that a batch had at the end of the attempt before this one. Some may be deleted now."""
    with Objects(session.git) as objects:
        results = (objects.read(f"{attempt_id}^{number}:{RESULT}") for number in (2, 1))
        result = next((one for one in results if one), None)
    return model.batch_record.read_trials(result.data) if result else ()


def reused_runs(session: Session, recorded: Iterable[Trial]) -> dict[int, Run]:
    """Returns by number those recorded trials that are runs from before the batch, if these runs still exist."""
    reused = [trial for trial in recorded if trial.reused]
    if not reused:
        return {}
    with store.index.Index(session.git) as index:
        pairs = [(trial.number, index.get(trial.run_id)) for trial in reused]
    return {number: run for number, run in pairs if isinstance(run, model.run.Run)}


def find_outdated(session: Session, plan: Plan, runs: Mapping[int, Run]) -> frozenset[int]:
    """Returns the numbers of those trials that rest on other files of needed runs than the plan of their batch does."""
    definition, basis = plan.batch_definition, plan.basis
    if not runs or basis is None or not basis.needs or (definition and definition.commits):
        return frozenset()
    files_needed = [(need.directory, need.files) for need in basis.needs]
    bases = views.lineage.read_bases(session.git, list(runs.values()))
    recorded = ([(need.directory, need.files) for need in one.needs] for one in bases)
    return frozenset(number for number, files in zip(runs, recorded, strict=True) if files != files_needed)


def reused_trial(number: int, run: Run, objectives: Sequence[Objective]) -> Trial:
    """Returns a run from before the batch as one of its trials."""
    return replace(trial_of(run, objectives), number=number, reused=True)


def append_reused(journal: Path, number: int, run_id: str) -> None:
    """Notes a reused trial in the live record of its batch. The result has it later."""
    with journal.open("a") as file:
        file.write(f"{json.dumps({'number': number, 'run': run_id})}\n")


def read_reused(journal: Path) -> Iterator[Trial]:
    """Yields the reused trials of a batch whose process died. A line that was cut counts as not written."""
    try:
        lines = journal.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        with suppress(ValueError, TypeError, KeyError):
            record = json.loads(line)
            yield Trial(int(record["number"]), {}, COMPLETED, str(record["run"]), reused=True)


def with_trials(session: Session, batch_id: str, outcome: Outcome, journal: Path) -> Outcome:
    """Returns the outcome of a batch whose process died, with its trials and their counts."""
    with Objects(session.git) as objects, store.index.Index(session.git) as index:
        run = index.get(batch_id)
        if not isinstance(run, model.run.Run):
            return outcome
        data = objects.read(f"{run.attempt.id}:{model.record_files.BATCH}")
        rows = objects.read(f"{run.attempt.id}:{model.record_files.POINTS}")
    if data is None or data.data is None:
        return outcome
    definition = model.batch_record.decode_batch(data.data, rows.data if rows else None)
    runs = trials_of(session, batch_id)
    trials = [trial_of(one, definition.objectives) for one in runs]
    # what still runs belonged to the dead process, and is about to be recorded as terminated
    trials = [replace(one, status=TERMINATED) if one.status == RUNNING else one for one in trials]
    recorded = recorded_trials(session, run.attempt.id)
    reused = reused_runs(session, (*recorded, *read_reused(journal)))
    trials += [reused_trial(number, one, definition.objectives) for number, one in reused.items()]
    numbers = {one.number for one in trials}
    # those that could not be planned have no run
    trials += [one for one in recorded if one.reason and one.number not in numbers]
    trials.sort(key=lambda one: one.number)
    total = max(count_wanted(definition), len(trials))
    return replace(outcome, trials=with_tips(session, trials), counts=count_batch(definition, trials, total))


def with_tips(session: Session, trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """Returns the trials with the commits that their runs are at now."""
    tips = store.refs.tips(session.git)
    return tuple(replace(trial, tip=tips.get(trial.run_id, "")) for trial in trials)


def read_earlier(
    session: Session, plan: Plan, definition: BatchDefinition, batch_id: str, fixed: Mapping[str, Value]
) -> list[Trial]:
    """Returns the completed runs from before the batch that are points of its space, as trials without a number.

    They have the operation of its trials, their fixed flags, all objectives, and with `--learn source` the source of the
    batch. They are the same after every restart, unless runs are deleted. `batch_id` is empty before its first attempt.
    """
    if definition.learn not in {LEARN_SOURCE, LEARN_OPERATION}:
        return []
    begun, points = begun_at(session, batch_id) or plan.created, SearchPoints(definition)
    with store.index.Index(session.git) as index:
        runs = index.of_operation(plan.operation.removesuffix(PLUS))
    trials = [
        trial
        for run in runs
        if not (batch_id and run.attempt.batch == batch_id) and run.attempt.stopped and run.attempt.stopped < begun
        and (definition.learn == LEARN_OPERATION or same_source(run.attempt.source, run.attempt.content, plan))
        and (trial := trial_of(run, definition.objectives)).values and points.contains(trial.flags, fixed)
    ]  # fmt: skip
    return sorted((replace(trial, number=0) for trial in trials[:MOST_EARLIER]), key=lambda trial: trial.run_id)


def same_source(tree: str, content: str, plan: Plan) -> bool:
    """Returns whether a run's source is that of the batch."""
    return (tree, content) == (plan.source.tree, plan.source.content)


def begun_at(session: Session, batch_id: str) -> datetime | None:
    """Returns when the first attempt of a batch was made, whose id is that of the batch; None if it is not here."""
    if not batch_id:
        return None
    with Objects(session.git) as objects:
        data = objects.read(f"{batch_id}:{record_files.RUN}")
    created = parse_toml(data.data, record_files.RUN).get("created") if data and data.data else None
    return created if isinstance(created, datetime) else None


def planned_trials(session: Session, batch: Run) -> list[Run]:
    """Returns the trials of a batch that wait for workers and are what the batch describes. Raises BadRun."""
    definition = views.batches.read_definition(session.git, batch)
    waiting = [run for run in trials_of(session, batch.id) if run.status == STAGED]
    with Objects(session.git) as objects:
        return [run for run in waiting if is_planned_trial(objects, batch, definition, run)]


def is_planned_trial(objects: Objects, batch: Run, definition: BatchDefinition, trial: Run) -> bool:
    """Returns whether a staged trial is one that its batch describes: the same source and program, and flags of its lists."""
    work, planned = claims.read_work(objects, trial.id), claims.read_work(objects, batch.attempt.id)
    if work is None or planned is None or trial.attempt.id != trial.id or trial.attempt.batch != batch.id:
        return False
    own, its = batch.attempt, trial.attempt
    if (f"{its.operation}{PLUS}", its.kind) != (own.operation, definition.kind):
        return False
    return without_own_keys(work) == without_own_keys(planned) and is_point(definition, own.flags, its.flags)


def without_own_keys(work: claims.Work) -> tuple[object, ...]:
    """Returns the part of what an attempt is to do that a batch and its trials have in common."""
    values = {key: value for key, value in work.values.items() if key not in TRIALS_OWN}
    params = {key: value for key, value in work.params.items() if key not in BATCHES_OWN}
    return values, params, work.source


def is_point(definition: BatchDefinition, written: Mapping[str, Value], flags: Mapping[str, Value]) -> bool:
    """Returns whether flags are a point of a batch over lists or rows, whose other flags are as `written`."""
    columns = {name for row in definition.points for name in row}
    names = {*definition.space, *columns}
    fixed, others = (Flags({name: one[name] for name in one if name not in names}) for one in (written, flags))
    row = Flags({name: flags[name] for name in columns if name in flags})
    is_row = not columns or any(row == Flags(one) for one in definition.points)
    return (
        fixed == others
        and is_row
        and all(
            isinstance(domain, Choice) and any(Flags({name: one}) == Flags({name: flags[name]}) for one in domain.values)
            for name, domain in definition.space.items()
            if name in flags
        )
    )

"""Pruners of Optuna, fed with the series that trials have logged.

Successive halving and hyperband keep notes with each trial. Feeding a trial's series step by step gives the same notes, so
that a batch which goes on decides as one that was never interrupted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import optuna

from gitrun.errors import BadValue
from gitrun.extras.optuna import (
    errors_of,
    open_study,
    quiet_optuna,
    read_end,
    read_setting,
    setting_kinds,
)
from gitrun.model.sampling import PRUNER_PREFIX, is_ended

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from optuna.pruners import BasePruner

    from gitrun.model.batch import BatchDefinition, Trial
    from gitrun.model.values import Value

PRUNERS: Mapping[str, Callable[..., BasePruner]] = {
    "median": optuna.pruners.MedianPruner,
    "percentile": optuna.pruners.PercentilePruner,
    "halving": optuna.pruners.SuccessiveHalvingPruner,
    "hyperband": optuna.pruners.HyperbandPruner,
    "threshold": optuna.pruners.ThresholdPruner,
}
OWN_SETTINGS: Mapping[str, Mapping[str, Any]] = {"percentile": {"percentile": 25.0}}
NOTE_KEEPERS = ("halving", "hyperband")


class OptunaPruner:
    """Decides about running trials of the batch `batch_id`. A step is judged once, by the trials known at that moment."""

    def __init__(self, definition: BatchDefinition, batch_id: str) -> None:
        self._definition, self._batch = definition, batch_id
        self._begin_study()

    def should_stop(self, trial: Trial, trials: Sequence[Trial]) -> bool:
        """Returns whether any step of the running trial so far says that it is not worth going on."""
        others = (other for other in trials if other.number != trial.number)
        finished = sorted((*others, trial), key=lambda each: each.number)
        finished = [each for each in finished if each.number > 0]
        with quiet_optuna(), errors_of(f"pruner {self._definition.prune}", "To search without it: --prune none"):
            # a trial that has begun again, or whose past has changed since, changes what was decided
            if not self._continue(finished):
                self._begin_study()
            for each in finished:
                self._feed(each)
        return trial.number in self._hopeless

    def _begin_study(self) -> None:
        """Begins a study named for the batch: the brackets of hyperband depend on the name."""
        self._storage = optuna.storages.InMemoryStorage()
        self._study = open_study(self._definition.objectives, self._batch, self._storage)
        self._study_id = self._storage.get_study_id_from_name(self._batch)
        self._pruner = make_pruner(self._definition.prune, self._definition.options)
        self._fed: dict[int, Trial] = {}
        self._hopeless: set[int] = set()

    def _continue(self, finished: Sequence[Trial]) -> bool:
        """Returns whether trials have only been added, grown or ended since."""
        return all(
            each.number not in self._fed
            or self._fed[each.number] is each
            or self._fed[each.number] == each
            or (
                not is_ended(self._fed[each.number])
                and each.series[: len(self._fed[each.number].series)] == self._fed[each.number].series
            )
            for each in finished
        )

    def _feed(self, trial: Trial) -> None:
        """Feeds what is new of a trial: its steps, each judged as it would have been when it came, and its end."""
        is_judged = self._definition.prune in NOTE_KEEPERS or not is_ended(trial)
        before = self._fed.get(trial.number)
        if before is trial:
            return
        trial_id = self._find_trial(trial.number)
        steps = {step for step, _ in before.series} if before else set()
        for step, value in trial.series[len(before.series) if before else 0 :]:
            # as Trial.report: the first value of a step counts
            if step in steps or step < 0:
                continue
            steps.add(step)
            self._storage.set_trial_intermediate_value(trial_id, step, value)
            if is_judged and self._judge(trial_id):
                self._hopeless.add(trial.number)
        self._fed[trial.number] = trial
        if is_ended(trial) and not (before and is_ended(before)):
            self._storage.set_trial_state_values(trial_id, *read_end(trial, 1))

    def _judge(self, trial_id: int) -> bool:
        is_hopeless: bool = self._pruner.prune(self._study, self._storage.get_trial(trial_id))
        return is_hopeless

    def _find_trial(self, number: int) -> int:
        """Returns where a trial is in the storage. Trials between that are not known count as running."""
        while self._storage.get_n_trials(self._study_id) < number:
            self._storage.create_new_trial(self._study_id)
        trial_id: int = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number - 1)
        return trial_id


def check_options(name: str, options: Mapping[str, Value]) -> None:
    """Raises BadValue for settings that pruner `name` does not take."""
    make_pruner(name, options)


def make_pruner(name: str, options: Mapping[str, Value]) -> BasePruner:
    """Returns a pruner of Optuna with those options that begin with `prune_`. Raises BadValue."""
    owner, settings = f"pruner {name}", dict(OWN_SETTINGS.get(name, {}))
    kinds = {f"{PRUNER_PREFIX}{setting}": kind for setting, kind in setting_kinds(PRUNERS[name]).items()}
    for typed, value in options.items():
        option = typed.replace("-", "_")
        if option.startswith(PRUNER_PREFIX):
            settings[option.removeprefix(PRUNER_PREFIX)] = read_setting(owner, kinds, option, value)
    try:
        with quiet_optuna():
            return PRUNERS[name](**settings)
    except (TypeError, ValueError) as error:
        raise BadValue(f"{owner}: {error}", f"Its settings are {', '.join(sorted(kinds))}") from error


def open_pruner(definition: BatchDefinition, batch_id: str) -> OptunaPruner:
    """Returns the pruner of a batch. Raises BadValue for its settings."""
    return OptunaPruner(definition, batch_id)

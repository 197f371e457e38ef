"""Samplers of Optuna. Nothing is kept in a storage: the study is rebuilt from the trials of the batch.

A proposal is a function of the batch's seed, the number of its trial, and the trials so far. Each is made by a sampler that
is seeded for it alone. tpe and gp learn from values alone, so that the trials can simply be added. cmaes and nsga2 keep
notes with their trials: they are asked for each trial again, in order, which gives the same notes. Those of cmaes are a
pickle, which must not come from a run: runs are fetched from others.
"""

from __future__ import annotations

import inspect
import math
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from gitrun.errors import BadValue, GitrunError, OptimizerFailed
from gitrun.model.batch import Proposal
from gitrun.model.run import COMPLETED, PRUNED
from gitrun.model.sampling import (
    ALLOW_REPEATS,
    PRUNER_PREFIX,
    TRIES,
    RandomSampler,
    SearchPoints,
    exact_number,
    first_values,
    is_ended,
    seed_of_proposal,
)
from gitrun.model.space import Choice
from gitrun.model.values import format_value, identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage

    from gitrun.model.batch import BatchDefinition, Objective, Trial
    from gitrun.model.space import Domain
    from gitrun.model.values import Value

ENGINE = f"optuna {optuna.__version__}"
SAMPLERS: Mapping[str, Callable[..., BaseSampler]] = {
    "tpe": optuna.samplers.TPESampler,
    "gp": optuna.samplers.GPSampler,
    "cmaes": optuna.samplers.CmaEsSampler,
    "nsga2": optuna.samplers.NSGAIISampler,
    "qmc": optuna.samplers.QMCSampler,
}
OWN_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "tpe": {"multivariate": True, "group": True},
    # without it, all batches have the same points
    "qmc": {"scramble": True},
}
NOTE_KEEPERS = ("cmaes", "nsga2")
"""Samplers that keep notes with their trials."""
GUILD_SETTINGS = {"random_starts": "n_startup_trials"}
WORDS = {"bool": "yes or no", "int": "a whole number", "float": "a number", "str": "text"}
ROW = ""
"""The name under which the rows of a file are a choice; no flag has it."""
STUDY = "gitrun"
RUNNING = "running"
"""The attribute of a trial with the numbers of the trials that ran when it was proposed."""
LARGEST_SEED = 2**32


class SpaceSampler:
    """A sampler in the space of a batch, with random points for what Optuna does not propose."""

    def __init__(self, definition: BatchDefinition) -> None:
        self._definition = definition
        self._settings = read_settings(definition.sampler, definition.options)
        self._points = SearchPoints(definition)
        self._codes = code_points(self._points)
        self._random = RandomSampler(definition)


class OptunaSampler(SpaceSampler):
    """Proposes the points of a batch by a sampler of Optuna. The study stays live: each trial is added once."""

    def __init__(self, definition: BatchDefinition) -> None:
        super().__init__(definition)
        self._begin_study()

    def propose(self, number: int, trials: Sequence[Trial]) -> Proposal | None:
        """Returns the flags of trial `number`; None if all that is proposed has a trial already."""
        finished = sorted((trial for trial in trials if trial.number != number), key=lambda trial: max(trial.number, 0))
        with quiet_optuna(), errors_of(f"optimizer {self._definition.sampler}", "To draw values at random: --optimizer random"):
            self._tell(finished)
            flags = self._propose_flags(number, finished)
        running: list[Value] = [trial.number for trial in finished if not is_ended(trial)]
        return None if flags is None else Proposal(flags, {RUNNING: running} if running else {})

    def _begin_study(self) -> None:
        self._storage = optuna.storages.InMemoryStorage()
        self._study = open_study(self._definition.objectives, STUDY, self._storage)
        self._study_id = self._storage.get_study_id_from_name(STUDY)
        self._added: list[Trial] = []
        self._ids: list[int | None] = []
        """The trials of the study, each with its id in the storage; None: not in it, or not running."""
        self._asked: dict[int, tuple[int, Mapping[str, Value] | None]] = {}

    def _tell(self, finished: Sequence[Trial]) -> None:
        """Brings the study to the given trials, which are in the order of their numbers."""
        if not continues(self._added, finished) or self._asked.keys() - {trial.number for trial in finished}:
            self._begin_study()
        for index in range(len(self._added), len(finished)):
            trial = finished[index]
            if self._definition.sampler in NOTE_KEEPERS and trial.number > 0:
                self._ask_once_more(trial, finished[:index])
            else:
                self._add(trial, {})
        self._end_trials(finished, ())

    def _ask_once_more(self, trial: Trial, before: Sequence[Trial]) -> None:
        """Tells of a trial of a sampler that keeps notes: asks for it, knowing what was known then, unless that was done."""
        if trial.number not in self._asked:
            running = trial.attrs.get(RUNNING, [])
            self._end_trials(before, running if isinstance(running, list) else ())
            self._propose_flags(trial.number, before)
        trial_id, flags = self._asked.pop(trial.number)
        if flags is not None and self._points.point_key(flags) == self._points.point_key(trial.flags):
            self._added.append(trial)
            self._ids.append(trial_id)
            return
        notes = self._storage.get_trial(trial_id).system_attrs
        self._storage.set_trial_state_values(trial_id, TrialState.FAIL)
        self._add(trial, notes)

    def _add(self, trial: Trial, notes: Mapping[str, Any]) -> None:
        """Adds a trial as running, if it is in the space."""
        params = self._encode(trial.flags)
        self._added.append(trial)
        self._ids.append(None)
        if params is None:
            return
        distributions = {name: self._codes[name].distribution for name in params}
        try:
            frozen = optuna.trial.create_trial(
                state=TrialState.RUNNING, params=params, distributions=distributions, system_attrs=dict(notes)
            )
        except ValueError:
            # a value that is not on a step of its range
            return
        self._ids[-1] = self._storage.create_new_trial(self._study_id, template_trial=frozen)

    def _end_trials(self, trials: Sequence[Trial], running: Sequence[object]) -> None:
        """Tells how trials have ended, but for those with the numbers `running`."""
        for index, trial in enumerate(trials):
            self._added[index] = trial
            trial_id = self._ids[index]
            if trial_id is None or not is_ended(trial) or trial.number in running:
                continue
            state, values = read_end(trial, len(self._study.directions))
            if state == TrialState.PRUNED:
                for step, value in trial.series:
                    self._storage.set_trial_intermediate_value(trial_id, step, value)
            self._storage.set_trial_state_values(trial_id, state, values)
            self._ids[index] = None

    def _propose_flags(self, number: int, finished: Sequence[Trial]) -> Mapping[str, Value] | None:
        """Asks for flags until no trial has them."""
        points = self._points
        flags: Mapping[str, Value] | None
        keys = set() if points.allows_repeats else points.known_keys(number, finished)
        for again in range(TRIES + 1):
            trial_id, flags = self._ask(number, again)
            if points.point_key(flags) not in keys:
                break
            if again < TRIES:
                self._storage.set_trial_state_values(trial_id, TrialState.FAIL)
        else:
            # few points are left, and the sampler is after others
            proposal = self._random.propose(number, finished)
            flags = proposal.flags if proposal else None
        if self._definition.sampler in NOTE_KEEPERS:
            self._asked[number] = trial_id, flags
        else:
            self._storage.set_trial_state_values(trial_id, TrialState.FAIL)
        return flags

    def _ask(self, number: int, again: int) -> tuple[int, dict[str, Value]]:
        """Returns the flags that the sampler proposes, and where the trial is in the storage."""
        first = first_values(self._points.space) if number == 1 and not again else {}
        if first:
            self._study.enqueue_trial({name: self._codes[name].encode(value) for name, value in first.items()})
        seed = seed_of_proposal(self._definition.seed, number, again)
        self._study.sampler = make_sampler(self._definition.sampler, self._settings, seed)
        trial = self._study.ask()
        flags: dict[str, Value] = {}
        row: Any = self._codes[ROW].ask(trial, ROW) if ROW in self._codes else 0
        flags.update(self._points.row_flags(row))
        for name in self._points.order:
            if self._points.exists(name, flags):
                flags[name] = self._codes[name].ask(trial, name)
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, trial.number)
        return trial_id, flags

    def _encode(self, flags: Mapping[str, Value]) -> dict[str, Any] | None:
        """Returns the flags of a trial as Optuna's parameters; None if the trial is outside of the space."""
        point = self._points.select_flags(flags)
        params = {name: self._codes[name].encode(point[name]) for name in self._points.order if name in point}
        if ROW in self._codes:
            params[ROW] = self._points.find_row(point)
        missing = [name for name in self._points.order if name not in point and self._points.exists(name, point)]
        return None if missing or None in params.values() else params


class QmcSampler(SpaceSampler):
    """Proposes points of a low-discrepancy sequence. They do not depend on results; trial k has the k-th point."""

    def __init__(self, definition: BatchDefinition) -> None:
        super().__init__(definition)
        self._begin_sequence()

    def propose(self, number: int, trials: Sequence[Trial]) -> Proposal | None:
        """Returns the flags of trial `number`; None if all that is proposed has a trial already."""
        points = self._points
        if number <= self._drawn:
            self._begin_sequence()
        with quiet_optuna(), errors_of("optimizer qmc", "To draw values at random: --optimizer random"):
            while self._drawn < number:
                params = self._study.ask(self._distributions).params
                self._drawn += 1
        values: dict[str, Any] = {name: code.decode(params.get(name)) for name, code in self._codes.items()}
        row = values.pop(ROW, 0)
        values |= first_values(points.space) if number == 1 else {}
        flags = points.assemble(values, row)
        is_known = not points.allows_repeats and points.point_key(flags) in points.known_keys(number, trials)
        return self._random.propose(number, trials) if is_known else Proposal(flags)

    def _begin_sequence(self) -> None:
        """Begins a study in which a first trial has named all flags: what it has not seen, it draws at random."""
        self._drawn = 0
        codes = {name: code for name, code in self._codes.items() if not code.distribution.single()}
        self._distributions = {name: code.distribution for name, code in codes.items()}
        with quiet_optuna():
            sampler = make_sampler("qmc", self._settings, seed_of_proposal(self._definition.seed, 0))
            self._study = optuna.create_study(sampler=sampler)
            params = {name: code.any_param for name, code in codes.items()}
            self._study.add_trial(optuna.trial.create_trial(value=0.0, params=params, distributions=self._distributions))


class PointCode:
    """Translates values of a flag into Optuna's and back. A choice is its index: Optuna takes True for 1."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self.values: list[Value] = []
        self.distribution: BaseDistribution
        if isinstance(domain, Choice):
            distinct = {identity(value): value for value in reversed(domain.values)}
            self.values = list(reversed(distinct.values()))
            self._indices = {identity(value): index for index, value in enumerate(self.values)}
            self.distribution = CategoricalDistribution(range(len(self.values)))
        elif domain.kind == "int":
            step = int(domain.step or 1)
            self.distribution = IntDistribution(int(domain.low), int(domain.high), log=domain.log, step=step)
        else:
            self.distribution = FloatDistribution(domain.low, domain.high, log=domain.log, step=domain.step)

    @property
    def any_param(self) -> float:
        """Returns some parameter of the distribution."""
        return 0 if isinstance(self._domain, Choice) else self._domain.low

    def encode(self, value: Value) -> int | float | None:
        """Returns the parameter for a value; None if it is outside of the domain."""
        domain = self._domain
        if isinstance(domain, Choice):
            return self._indices.get(identity(value))
        if isinstance(value, bool) or not isinstance(value, int | float) or not domain.low <= value <= domain.high:
            return None
        if domain.kind == "float":
            return float(value)
        return int(value) if value == int(value) else None

    def decode(self, param: Any) -> Value:  # noqa: ANN401 - Optuna has no narrower type
        """Returns the value for a parameter; None stands for the only one."""
        if isinstance(self._domain, Choice):
            return self.values[param or 0]
        return exact_number(self._domain, self._domain.low if param is None else param)

    def ask(self, trial: optuna.Trial, name: str) -> Value:
        """Returns the value that a trial gets."""
        domain = self._domain
        if isinstance(domain, Choice):
            return self.decode(trial.suggest_categorical(name, range(len(self.values))))
        if domain.kind == "int":
            low, high, step = int(domain.low), int(domain.high), int(domain.step or 1)
            return self.decode(trial.suggest_int(name, low, high, step=step, log=domain.log))
        return self.decode(trial.suggest_float(name, domain.low, domain.high, step=domain.step, log=domain.log))


def code_points(points: SearchPoints) -> dict[str, PointCode]:
    """Returns the codes of the flags of a space; if there are several rows of a file, also that of the row."""
    codes = {name: PointCode(domain) for name, domain in points.space.items()}
    return codes | ({ROW: PointCode(Choice(tuple(range(len(points.rows)))))} if len(points.rows) > 1 else {})


def open_sampler(definition: BatchDefinition) -> OptunaSampler | QmcSampler:
    """Returns the sampler of a batch. Raises BadValue for its settings."""
    return QmcSampler(definition) if definition.sampler == "qmc" else OptunaSampler(definition)


def check_options(name: str, options: Mapping[str, Value]) -> None:
    """Raises BadValue for settings that sampler `name` does not take."""
    make_sampler(name, read_settings(name, options), 0)


def read_settings(name: str, options: Mapping[str, Value]) -> dict[str, Any]:
    """Returns the settings of a sampler by the names of Optuna. Raises BadValue."""
    settings: dict[str, Any] = {}
    kinds = setting_kinds(SAMPLERS[name])
    for typed, value in options.items():
        option = typed.replace("-", "_")
        option = GUILD_SETTINGS.get(option, option)
        if option == ALLOW_REPEATS or option.startswith(PRUNER_PREFIX):
            continue
        if option == "prev_trials":
            raise BadValue(f"optimizer {name} has no setting {typed!r}", "To choose what earlier runs it learns from: --learn")
        settings[option] = read_setting(f"optimizer {name}", kinds, option, value)
    return settings


def read_setting(owner: str, kinds: Mapping[str, frozenset[str]], name: str, value: Value) -> Value:
    """Returns the value of a setting. Raises BadValue if there is no such setting, or its type is another one."""
    if name not in kinds:
        raise BadValue(f"{owner} has no setting {name!r}", f"Its settings are {', '.join(sorted(kinds))}")
    kind = type(value).__name__
    if kind == "int" and kind not in kinds[name] and "float" in kinds[name]:
        return float(str(value))
    if kind not in kinds[name]:
        words = " or ".join(WORDS[kind] for kind in sorted(kinds[name]))
        raise BadValue(f"setting {name!r} of {owner} must be {words}, not {format_value(value)}")
    return value


def setting_kinds(function: Any) -> dict[str, frozenset[str]]:  # noqa: ANN401 - any class
    """Returns the settings that a class takes as plain values, each with the names of its types."""
    kinds_by_name = {}
    for parameter in inspect.signature(function).parameters.values():
        annotation = parameter.annotation
        text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
        kinds = frozenset(text.replace(" ", "").split("|")) - {"None"}
        if kinds and kinds <= WORDS.keys() and parameter.name != "seed" and not parameter.name.startswith("warn_"):
            kinds_by_name[parameter.name] = kinds
    return kinds_by_name


def make_sampler(name: str, settings: Mapping[str, Any], seed: int) -> BaseSampler:
    """Returns a sampler of Optuna. Raises BadValue for settings that contradict."""
    try:
        with quiet_optuna():
            return SAMPLERS[name](**{**OWN_SETTINGS.get(name, {}), **settings, "seed": seed % LARGEST_SEED})
    except ValueError as error:
        raise BadValue(f"optimizer {name}: {error}") from error


def open_study(objectives: Sequence[Objective], name: str, storage: BaseStorage) -> optuna.Study:
    """Returns a new study of these objectives. Without any, it minimizes."""
    goal = optuna.study.StudyDirection
    directions = [goal.MINIMIZE if objective.minimize else goal.MAXIMIZE for objective in objectives] or [goal.MINIMIZE]
    with quiet_optuna():
        return optuna.create_study(storage=storage, directions=directions, study_name=name)


def read_end(trial: Trial, count: int) -> tuple[TrialState, list[float] | None]:
    """Returns the state of an ended trial for Optuna, with the values of `count` objectives. What is not finite has failed."""
    if trial.status == COMPLETED and len(trial.values) == count and all(map(math.isfinite, trial.values)):
        return TrialState.COMPLETE, list(trial.values)
    if trial.status == PRUNED and trial.series and count == 1 and math.isfinite(trial.series[-1][1]):
        return TrialState.PRUNED, [trial.series[-1][1]]
    return TrialState.FAIL, None


def continues(old: Sequence[Trial], new: Sequence[Trial]) -> bool:
    """Returns whether trials have only been added or ended since."""
    return len(old) <= len(new) and all(
        before is now or before == now
        or (before.number == now.number and before.flags == now.flags and not is_ended(before))
        for before, now in zip(old, new, strict=False)
    )  # fmt: skip


@contextmanager
def errors_of(owner: str, hint: str) -> Iterator[None]:
    """Raises OptimizerFailed, with the cause, for what Optuna or a library below it raises."""
    try:
        yield
    except GitrunError:
        raise
    except Exception as error:
        # numpy, scipy and torch each have exceptions of their own; the trials so far are recorded, and a restart goes on
        raise OptimizerFailed(f"{owner} failed: {type(error).__name__}: {error}", hint) from error


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keeps Optuna from writing to the terminal. What it would warn of is decided here, or checked before."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)

"""Plans a batch: its space, how it is searched, and the plan of each of its trials."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass, replace
from gitrun.errors import UsageError
from gitrun.model.batch import GRID, LEARN_BATCH, PLUS, BatchDefinition, Objective
from gitrun.model.flags import Flags, default_values, parse_value, split_assignment
from gitrun.model.plan import BATCH_PARAMS, Request
from gitrun.model.run import BATCH, STEPS
from gitrun.model.sampling import ALLOW_REPEATS, PRUNER_PREFIX
from gitrun.model.space import Choice, format_domain
from gitrun.source.batch_space import SpaceBefore, read_batch_space
from gitrun.source.declared_flags import resolve_operation, resolve_restart
from gitrun.source.planning import new_params, plan_declared, plan_restart, plan_with_source, require_no_batch_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

    from gitrun.git.exe import Git
    from gitrun.model.batch import CommitTree
    from gitrun.model.flags import Value
    from gitrun.model.plan import Plan, Source
    from gitrun.model.space import Space
    from gitrun.source.batch_space import BatchSpace
    from gitrun.source.planning import LaunchStamp, PlanOrigin, Previous
    from gitrun.source.source_tree import SourceTree

    PlanTrial: TypeAlias = Callable[[Mapping[str, Value], LaunchStamp], Plan]
    """Returns the plan of a trial with these flags of the space."""
    PlanSource: TypeAlias = Callable[[SourceTree, Source], PlanTrial]
    """Returns the function that plans the trials of a source, whose files the tree has."""

DEFAULT_TRIALS = 20
"""Trials of a search without --max-trials."""
DEFAULT_OBJECTIVE = "loss"
NO_PRUNER = "none"
"""The value of `--prune` in a restart of a batch that is no longer to be pruned."""


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """The plan of a batch, and how to plan one of its trials: on the batch's own source, and on any."""

    plan: Plan
    plan_trial: PlanTrial
    plan_source: PlanSource


@dataclass(frozen=True, slots=True)
class PreviousBatch:
    """The last attempt of the batch being restarted, with its definition."""

    previous: Previous
    definition: BatchDefinition


def plan_batch(git: Git, tree: SourceTree, request: Request, origin: PlanOrigin, default_sampler: str) -> BatchPlan | None:
    """Plans a new batch. Returns None if each flag has one value, and the trials one source. Raises UsageError, CannotRun.

    `default_sampler` is the one for ranges, if the request names none.
    """
    declaration = resolve_operation(git, tree, request, origin.snapshot)
    operation = declaration.operation
    space = read_batch_space(git, declaration, request, force=bool(request.force_flags))
    if not space.space and not space.points and not origin.commits:
        require_no_batch_options(request)
        return None
    if operation.kind == STEPS:
        if not space.space and not space.points:
            raise UsageError(f"{operation.name} has steps, which take one commit", "To run them at one: --at COMMIT")
        raise UsageError(f"{operation.name} has steps, which take one value for each flag", "Give the list to one step")
    fixed: Mapping[str, Any] = space.fixed

    as_trial = without_batch_options(request)

    def plan_source(files: SourceTree, recorded: Source) -> PlanTrial:
        # once for all trials of a source
        resolve = lru_cache(maxsize=1)(partial(resolve_operation, git, files, replace(as_trial, flags=fixed), recorded))

        def plan_trial(flags: Mapping[str, Value], stamp: LaunchStamp) -> Plan:
            params = new_params(git, as_trial, stamp)
            return plan_declared(files, resolve(), {**fixed, **flags}, params, replace(origin, stamp=stamp, snapshot=recorded))

        return plan_trial

    definition = define(request, space.space, operation.kind, origin.stamp.seed, default_sampler)
    definition = with_commits(replace(definition, points=space.points), origin.commits, request.at)
    trial, *_ = [plan_source(tree, origin.snapshot)(point, origin.stamp) for point in space.probes()]
    return make_batch_plan(as_batch(trial, request, definition, {}), definition, plan_source, tree)


def make_batch_plan(plan: Plan, definition: BatchDefinition, plan_source: PlanSource, tree: SourceTree) -> BatchPlan:
    """Returns the plan of a batch, with the seed of the batch as that of each trial."""

    def plan_seeded(files: SourceTree, recorded: Source) -> PlanTrial:
        return with_seed(plan_source(files, recorded), definition)

    return BatchPlan(plan, plan_seeded(tree, plan.source), plan_seeded)


def with_commits(definition: BatchDefinition, commits: tuple[CommitTree, ...], words: str | None) -> BatchDefinition:
    """Returns the definition with the commits that are the sources of the trials. Raises UsageError for a search."""
    if commits and definition.sampler != GRID:
        raise UsageError(
            f"a search takes one commit, and '{words}' has {len(commits):,}",
            "To try the same values at each commit: a list, such as lr=linspace[0:1:5]. To search: --at COMMIT",
        )
    return replace(definition, commits=commits)


def plan_batch_restart(git: Git, tree: SourceTree, request: Request, batch: PreviousBatch, origin: PlanOrigin) -> BatchPlan:
    """Plans another attempt of a batch: given flags, options and commits replace its own. Raises UsageError, CannotRun."""
    previous, before, last = batch.previous, batch.definition, batch.previous.attempt
    # each commit has defaults of its own
    names = last.given if before.commits else tuple(last.flags)
    own = {name: last.flags[name] for name in names if name in last.flags and name not in before.space}
    trial_attempt = replace(
        last, operation=last.operation.removesuffix(PLUS), kind=before.kind, flags=Flags(own),
        given=tuple(name for name in last.given if name in own),
    )  # fmt: skip
    declaration = resolve_restart(tree, trial_attempt, previous.basis, previous.tree if request.force_sourcecode else None)
    force = last.params.force_flags if request.force_flags is None else request.force_flags
    space = read_batch_space(git, declaration, request, force=force, before=SpaceBefore(before, own))
    # what a point lacks has its default there
    defaults = default_values(declaration.with_values(own).flags or ())
    no_longer = (*before.space, *(name for row in before.points for name in row))
    lacking: dict[str, Value | None] = {name: defaults.get(name) for name in no_longer if name not in own}
    lacking |= {name: defaults.get(name) for name in (*space.space, *space.columns)}
    as_trial = replace(previous, attempt=replace(trial_attempt, flags=Flags({**own, **lacking})))
    fixed: Mapping[str, Any] = space.fixed

    def plan_source(files: SourceTree, recorded: Source) -> PlanTrial:
        def plan_trial(flags: Mapping[str, Value], stamp: LaunchStamp) -> Plan:
            trial_request, at = without_batch_options(request), replace(origin, stamp=stamp, snapshot=recorded)
            if before.commits:
                return plan_with_source(git, files, replace(trial_request, flags={**own, **fixed, **flags}), as_trial, at)
            return plan_restart(git, files, replace(trial_request, flags={**fixed, **flags}), as_trial, at)[0]

        return plan_trial

    changed = change_definition(before, request, space)
    require_lists(changed)
    changed = with_commits(changed, origin.commits or before.commits, request.at)
    trial, *_ = [plan_source(tree, origin.snapshot)(point, origin.stamp) for point in space.probes()]
    plan = as_batch(
        trial, request, changed, {name: getattr(last.params, name) for name in ("minimize", "maximize", "optimizer")}
    )
    return make_batch_plan(plan, changed, plan_source, tree)


def change_definition(before: BatchDefinition, request: Request, space: BatchSpace) -> BatchDefinition:
    """Returns the definition of a batch that is restarted: what the request gives replaces what was there before."""
    sampler = request.optimizer or before.sampler
    repeat = request.repeat or before.repeat
    limit = request.max_trials
    if limit is None and before.max_trials is not None:
        # as many points as before
        limit = -(-before.max_trials // before.repeat) * repeat if repeat != before.repeat else before.max_trials
    prune = pruner_of(request) if request.prune is not None else before.prune
    return replace(
        before, space=space.space, points=space.points,
        sampler=sampler,
        learn=request.learn or before.learn,
        repeat=repeat, max_trials=DEFAULT_TRIALS * repeat if limit is None and sampler != GRID else limit,
        objectives=objectives_of(request) or before.objectives or default_objectives(sampler),
        seed=request.random_seed if request.random_seed is not None else before.seed,
        options=read_options(request) or carried_options(before, sampler, prune), prune=prune,
        gpus_per_trial=request.gpus_per_trial if request.gpus_per_trial is not None else before.gpus_per_trial,
    )  # fmt: skip


def without_batch_options(request: Request) -> Request:
    """Returns the request without the options that only a batch takes, as that of a trial."""
    empty = Request()
    return replace(request, **{name: getattr(empty, name) for name in BATCH_PARAMS})


def define(request: Request, space: Space, kind: str, seed: int, default_sampler: str) -> BatchDefinition:
    """Returns the definition of a new batch. Raises UsageError."""
    sampler = request.optimizer or (GRID if all(isinstance(domain, Choice) for domain in space.values()) else default_sampler)
    repeat = request.repeat or 1
    limit = None if sampler == GRID else DEFAULT_TRIALS * repeat
    definition = BatchDefinition(
        sampler, space, objectives=objectives_of(request) or default_objectives(sampler),
        max_trials=request.max_trials if request.max_trials is not None else limit,
        seed=request.random_seed if request.random_seed is not None else seed,
        options=read_options(request), repeat=repeat, learn=request.learn or LEARN_BATCH, kind=kind, prune=pruner_of(request),
        gpus_per_trial=request.gpus_per_trial,
    )  # fmt: skip
    require_lists(definition)
    return definition


def require_lists(definition: BatchDefinition) -> None:
    """Raises UsageError if the batch is a grid with a range."""
    ranges = (name for name, domain in definition.space.items() if not isinstance(domain, Choice))
    if definition.sampler == GRID and (name := next(ranges, "")):
        raise UsageError(
            f"a grid takes lists, and {name} is a range",
            f"To make a list: {name}=linspace[0:1:5]. To search: --optimizer random",
        )


def default_objectives(sampler: str) -> tuple[Objective, ...]:
    """Returns what a batch is after, if nothing says so: a grid needs nothing."""
    return () if sampler == GRID else (Objective(DEFAULT_OBJECTIVE),)


def objectives_of(request: Request) -> tuple[Objective, ...]:
    """Returns the metrics to minimize and to maximize, which the request has joined by commas."""
    return tuple(
        Objective(metric, minimize=minimizes)
        for text, minimizes in ((request.minimize, True), (request.maximize, False))
        for metric in (text.split(",") if text else ())
    )


def pruner_of(request: Request) -> str:
    """Returns the name of the pruner; empty if there is to be none."""
    return "" if request.prune in {None, NO_PRUNER} else request.prune or ""


def read_options(request: Request) -> dict[str, Value]:
    """Returns the settings of the optimizer. Raises UsageError."""
    pairs = ((name, parse_value(text)) for name, text in map(split_assignment, request.opt_flags or ()))
    return {name: value for name, value in pairs if value is not None}


def carried_options(before: BatchDefinition, sampler: str, prune: str) -> dict[str, Value]:
    """Returns the settings of a batch that go on with this sampler and pruner: another one has settings of its own."""

    def is_carried(name: str) -> bool:
        if name.replace("-", "_").startswith(PRUNER_PREFIX):
            return prune == before.prune
        return sampler == before.sampler or name == ALLOW_REPEATS

    return {name: value for name, value in before.options.items() if is_carried(name)}


def as_batch(trial: Plan, request: Request, definition: BatchDefinition, chosen_options: Mapping[str, Any]) -> Plan:
    """Returns the plan of a batch, made from that of one of its trials."""
    space, columns = definition.space, {name for row in definition.points for name in row}
    texts: dict[str, Value | None] = dict.fromkeys(columns) | {
        name: list(domain.values) if isinstance(domain, Choice) and not domain.when else format_domain(domain)
        for name, domain in space.items()
    }
    goals = {name: getattr(request, name) for name in ("optimizer", "minimize", "maximize") if getattr(request, name)}
    before = (text for text in trial.params.opt_flags if split_assignment(text)[0] in definition.options)
    options = tuple(request.opt_flags or before)
    params = replace(
        trial.params,
        **{**chosen_options, **goals},
        opt_flags=options,
        max_trials=definition.max_trials,
        random_seed=definition.seed,
    )
    return replace(
        trial, operation=trial.operation + PLUS, kind=BATCH, flags=trial.flags.put(texts), params=params,
        given=tuple(dict.fromkeys((*trial.given, *space))), batch_definition=definition, notices=(),
    )  # fmt: skip


def with_seed(plan_trial: PlanTrial, definition: BatchDefinition) -> PlanTrial:
    """Returns the function, with the seed of the batch as that of each trial: trials are compared with each other."""

    def plan(flags: Mapping[str, Value], stamp: LaunchStamp) -> Plan:
        trial = plan_trial(flags, stamp)
        return replace(trial, params=replace(trial.params, random_seed=definition.seed, opt_flags=(), max_trials=None))

    return plan

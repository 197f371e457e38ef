"""Decides what to run: turns a request, the source and an entry of the project file into a plan, or a reason to skip."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

from gitrun import lifecycle, model, source, store, workspace
from gitrun.dataclass import dataclass, replace
from gitrun.errors import CannotRun, Declined, GitrunError, RunIsRunning, UnknownRun, UsageError
from gitrun.git.objects import Loose, Objects, TreeMaker, require_object
from gitrun.model import encode, record_files
from gitrun.model.plan import Plan, Skip, Source
from gitrun.model.run import BATCH, COMPLETED, RUNNING, STEPS, VALUE, short_id
from gitrun.model.settings import RUN_SETTINGS, require_valid
from gitrun.source.planning import (
    LaunchStamp,
    PlanOrigin,
    Previous,
    complete_request,
    plan_restart,
    plan_start,
    recorded_source,
)
from gitrun.source.snapshot import Snapshot, SnapshotOptions, find_outside, take_snapshot
from gitrun.source.source_tree import open_source
from gitrun.source.typed_paths import below_top

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gitrun.lifecycle.parent import ParentRun
    from gitrun.model.batch import BatchDefinition, CommitTree
    from gitrun.model.batch_events import BatchEvent
    from gitrun.model.entry import Definition
    from gitrun.model.plan import Request
    from gitrun.model.provenance import Basis
    from gitrun.model.run import Run
    from gitrun.source.batch_planning import BatchPlan, PlanSource, PlanTrial
    from gitrun.source.environment import Locks
    from gitrun.source.source_tree import SourceTree
    from gitrun.source.surroundings import Surroundings
    from gitrun.store.attempts import PreparedResult
    from gitrun.workspace.session import Session

TRIED = 20
"""Newest commits of a range of which one must have the operation with the given flags."""
# how far a clock is plausibly set back, and the distance of a restarted run from the newest
SET_BACK, STEP_AHEAD = timedelta(days=1), timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision to run: the plan, the snapshot, and the run being restarted, if any.

    `around` holds the surroundings of the program, if they were inspected already.
    """

    plan: Plan
    snapshot: Snapshot
    run: Run | None = None
    locks: Locks = ()
    request: Request | None = None
    """The request of a restart, completed with what it keeps of the previous attempt."""
    around: Surroundings | None = None
    plan_trial: PlanTrial | None = None
    """Plans a trial of the batch that is to run."""
    reader: Objects | None = None
    """Reads the source while trials are planned. Starts git when it is used, so it must be closed after that."""
    plan_source: PlanSource | None = None
    """Returns the function that plans trials of the batch that have another source."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """Callbacks into the user interface.

    `confirm` answers questions. `detach` takes the new run's id and forks: it returns true in the background process, which
    continues the run, and false in the other, which returns. `report` takes each event of a batch.
    """

    confirm: Callable[[str], bool] = lambda _: True
    detach: Callable[[str], bool] | None = None
    report: Callable[[BatchEvent], None] | None = None


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """The inputs of a decision: session, request, callbacks, private index file, and time."""

    session: Session
    request: Request
    prompts: Prompts
    index: Path
    stamp: LaunchStamp
    parent: ParentRun | None = None
    looks: bool = False
    """True if the caller only asks what would run, as `Project.plan` does."""
    typed: Request | None = None
    """The request without the links that an entry adds."""
    ended: PreparedResult | None = None
    """The result of another attempt, to be recorded in the step that begins this one."""


def require_worktree(session: Session, request: Request) -> None:
    """Raises CannotRun if the request needs a working tree as its source and there is none."""
    if request.restart is None or request.force_sourcecode or session.git.is_inside:
        session.git.require_top()


def stamp_now() -> LaunchStamp:
    """Returns the current time and two random values."""
    # numpy.random.seed accepts no more than 32 bits
    return LaunchStamp(datetime.now(timezone.utc), os.urandom(16).hex(), int.from_bytes(os.urandom(4), "big"))


def stamp_after(now: LaunchStamp, newest: Sequence[Run]) -> LaunchStamp:
    """Returns the moment, moved behind the newest run, so that a restarted run is newest even after a clock was set back.

    A newest run a day or more ahead was made under a wrong clock and is ignored.
    """
    ahead = max((run.attempt.created - now.now for run in newest), default=-STEP_AHEAD)
    return replace(now, now=now.now + ahead + STEP_AHEAD) if timedelta(0) <= ahead < SET_BACK else now


def decide(launch: LaunchRequest) -> Decision | Skip:
    """Returns what to run, or why nothing has to run. Raises GitrunError."""
    require_valid(launch.session.git.config, RUN_SETTINGS)
    with Objects(launch.session.git) as objects:
        if launch.request.restart is None:
            return decide_start(launch, objects)
        # a plain start does not need these modules
        with store.index.Index(launch.session.git) as index:
            try:
                run = store.resolve.find_run(index, launch.request.restart, launch.session.git.prefix)
            except UnknownRun as error:
                raise unknown_restart(launch.request.restart, error) from error
            # runs are sorted by time, so a restarted run must not be older than the newest
            launch = replace(launch, stamp=stamp_after(launch.stamp, index.readable_runs(1)))
        if run.status == RUNNING:
            raise RunIsRunning(f"cannot restart run {short_id(run.id)}: it is running", f"git run stop {short_id(run.id)}")
        request = complete_request(launch.session.git, launch.request, run.attempt)
        decision = decide_restart(replace(launch, request=request), objects, run)
        return decision if isinstance(decision, Skip) else replace(decision, request=decision.request or request)


def unknown_restart(name: str, error: UnknownRun) -> GitrunError:
    """Returns UnknownRun, or UsageError if `name` looks like the next argument, so that the run was forgotten."""
    # git run --restart lr=0.1: the run is missing
    if name and "=" not in name and not name.startswith("--"):
        return error
    before = f", not '{name}'" if name else ""
    return UsageError(f"--restart needs a run{before}", "To list the runs: git run list")


def decide_start(launch: LaunchRequest, objects: Objects) -> Decision | Skip:
    """Decides about a new run of the working tree."""
    session, request = launch.session, launch.request
    if request.at is not None and not launch.parent:
        return decide_commit(launch, objects)
    # with --in-place a step sees the files of earlier steps, so it needs a new snapshot
    snapshot = launch.parent.snapshot if launch.parent and not request.in_place else snapshot_for(launch, objects)
    tree = open_source(objects, snapshot.source.whole)
    origin = PlanOrigin(snapshot.source, launch.stamp, request.stage)
    if source.planning.may_be_batch(request):
        typed = with_sampler_name(launch.typed or request)
        batch = source.batch_planning.plan_batch(session.git, tree, typed, origin, lifecycle.samplers.default_search())
        if batch:
            return decide_batch(request, objects, with_batch_needs(launch, objects, batch), snapshot)
    plan = with_parent(launch, plan_start(session.git, tree, launch.typed or request, origin))
    if launch.parent:
        plan = with_needs(session, objects, request, plan)
        return step_skip_reason(launch, objects, plan) or Decision(plan, snapshot, locks=locks_of(objects, plan))
    skip = skip_reason(launch, objects, plan)
    return skip or Decision(with_needs(session, objects, request, plan), snapshot, locks=locks_of(objects, plan))


def decide_commit(launch: LaunchRequest, objects: Objects) -> Decision | Skip:
    """Decides about a new run of the request's commit. Reads operation, flags and entries from the commit alone."""
    session = launch.session
    name = launch.request.at or ""
    if source.commits.is_range(session.git, name):
        return decide_range(launch, objects, name)
    batch = plan_batch_at(launch, objects, name) if source.planning.may_be_batch(launch.request) else None
    if batch:
        return decide_commit_batch(launch, objects, batch)
    plan = plan_commit(session, objects, launch.request, launch.stamp)
    # the name may mean another commit a moment later
    request = replace(launch.request, at=plan.source.base)
    launch = replace(launch, request=request)
    skip = skip_reason(launch, objects, plan)
    if skip:
        return skip
    snapshot = own_snapshot(launch, objects, plan)
    return Decision(with_needs(session, objects, request, plan), snapshot, locks=locks_of(objects, plan), request=request)


def decide_range(launch: LaunchRequest, objects: Objects, name: str) -> Decision:
    """Decides about a batch with a trial for each commit of a range. Raises GitrunError.

    The batch's own source is that of the newest commit that can run the operation.
    """
    commits = source.commits.list_sources(launch.session.git, objects, name)
    fault: UsageError | CannotRun | None = None
    for one in commits[: -TRIED - 1 : -1]:
        try:
            batch = plan_batch_at(launch, objects, one.commit, commits)
        except (UsageError, CannotRun) as error:
            fault = fault or error
            continue
        if batch:
            return decide_commit_batch(launch, objects, batch)
    raise fault or CannotRun("no commit of the range can run")


def plan_batch_at(launch: LaunchRequest, objects: Objects, name: str, commits: tuple[CommitTree, ...] = ()) -> BatchPlan | None:
    """Plans a new batch whose source is the commit of this name. Returns None if it is none. Raises UsageError, CannotRun."""
    session, request = launch.session, with_sampler_name(launch.request)
    recorded = read_commit(session, objects, name)
    tree, origin = open_source(objects, recorded.whole), PlanOrigin(recorded, launch.stamp, request.stage, commits)
    return source.batch_planning.plan_batch(session.git, tree, request, origin, lifecycle.samplers.default_search())


def decide_commit_batch(launch: LaunchRequest, objects: Objects, batch: BatchPlan, run: Run | None = None) -> Decision:
    """Returns the decision to run a batch whose source is a commit, or that has several. Raises UsageError."""
    # files are lent to a commit's source as to that of any single commit
    request = replace(launch.request, at=batch.plan.source.base)
    decision = decide_batch(request, objects, batch, own_snapshot(replace(launch, request=request), objects, batch.plan), run)
    commits = batch.plan.batch_definition.commits if batch.plan.batch_definition else ()
    notes = source.commits.note_shallow(launch.session.git, commits)
    return replace(decision, plan=replace(decision.plan, notices=(*decision.plan.notices, *notes)), request=request)


def list_new_commits(launch: LaunchRequest, objects: Objects, run: Run) -> tuple[CommitTree, ...]:
    """Returns the commits that a restart of a batch over commits names; none if it goes on with its own. Raises UsageError."""
    git, request = launch.session.git, launch.request
    if request.force_sourcecode:
        raise UsageError(
            f"--force-sourcecode cannot be used with {run.operation}: its trials run the code of commits",
            "To run your working tree: git run OPERATION. To add commits: --at BASE..HEAD",
        )
    if request.at is None:
        return ()
    if not source.commits.is_range(git, request.at):
        # names the error if there is no such commit
        commit = source.commits.find_commit(git, request.at)
        raise UsageError(f"{run.operation} takes a range of commits, not one", f"For example: --at {short_id(commit)}..HEAD")
    return source.commits.list_sources(git, objects, request.at)


def plan_commit(session: Session, objects: Objects, request: Request, stamp: LaunchStamp) -> Plan:
    """Plans a new run of the request's commit. Writes no refs. Raises UsageError, CannotRun."""
    recorded = read_commit(session, objects, "HEAD" if request.at is None else request.at)
    tree = open_source(objects, recorded.whole)
    return plan_start(session.git, tree, request, PlanOrigin(recorded, stamp, request.stage))


def read_commit(session: Session, objects: Objects, name: str) -> Source:
    """Returns the source that a commit is, with the files of its submodules. Raises UsageError."""
    recorded = source.commits.read_source(session.git, objects, name)
    if recorded.submodules and session.settings.submodules == "files":
        return source.commit_submodules.add_commit_files(session.git, objects, recorded)
    return recorded


def skip_reason(launch: LaunchRequest, objects: Objects, plan: Plan, run: Run | None = None) -> Skip | None:
    """Returns why a start of the plan, or a restart of `run`, is not needed; None if it is, or if nobody asked."""
    if not launch.request.compares:
        return None

    same_source = launch.request.compares_source
    words = store.index_rows.words_key(plan.kind, plan.operation, plan.command)
    criteria = (plan.operation, plan.flags, words, plan.source.tree if same_source else "")
    # no column of the index covers the files of submodules
    is_exact = words is not None and not (same_source and plan.source.submodules)
    with store.index.Index(launch.session.git) as index:
        # one more than are listed shows that there are more
        runs = index.ended_with_same_flags(*criteria, limit=model.plan.MAX_LISTED + 1 if is_exact else -1)
        total = index.count_ended_with_same_flags(*criteria) if is_exact and len(runs) > model.plan.MAX_LISTED else len(runs)
    if run:
        skip = model.plan.skip_restart(run, plan, runs, same_source=same_source, total=total)
    else:
        skip = model.plan.skip_start(plan, runs, same_source=same_source, total=total)
    if skip is None:
        return None
    # a run of somebody else also counts, but the user learns that it is foreign
    trusted = list(store.trust.trusted_runs(launch.session.git, runs))
    is_own = run is not None and skip.run.id == run.id
    is_foreign = not is_own and model.plan.skip_start(plan, trusted, same_source=same_source) is None
    return replace(skip, lent_changes=lent_changes(launch.session, objects, skip.run), is_foreign=is_foreign)


def lent_changes(session: Session, objects: Objects, run: Run) -> tuple[str, ...]:
    """Returns a sentence for each path lent to the run's last attempt that has changed since."""
    recorded = store.outputs.lent_record(objects, run.attempt.id)
    # versions of gitrun without lent.toml recorded nothing
    if not recorded or not session.git.worktree:
        return ()

    return workspace.lending.lent_changes(session.git.worktree, recorded, session.settings, session.git.state)


def step_skip_reason(launch: LaunchRequest, objects: Objects, plan: Plan) -> Skip | None:
    """Returns why a step is not needed: a completed run has the same flags, needed files and inputs. Else None.

    Only trusted runs count, because later steps read their files.
    """
    if not launch.request.compares:
        return None

    for run in store.trust.trusted_runs(launch.session.git, same_flags_runs(launch.session, plan)):
        if run.status == COMPLETED and used_files(recorded_basis(objects, run)) == used_files(plan.basis):
            skip = model.plan.skip_start(plan, (run,), same_source=launch.request.compares_source)
            if skip:
                return skip
    return None


def used_files(basis: Basis | None) -> tuple[object, ...]:
    """Returns the needed files and the inputs that an attempt used."""
    return (tuple((need.directory, need.files) for need in basis.needs), basis.inputs) if basis else ((), ())


def with_parent(launch: LaunchRequest, plan: Plan) -> Plan:
    """Returns the plan as a step of its parent run. Of its flags only those typed for the parent count as typed."""
    if launch.parent is None:
        return plan

    names = tuple(name for name in plan.given if name in launch.parent.given)
    return replace(plan, basis=replace(plan.basis or model.provenance.NO_BASIS, parent=launch.parent.run_id), given=names)


def with_needs(session: Session, objects: Objects, request: Request, plan: Plan) -> Plan:
    """Returns the plan with the runs and inputs that its entry needs. Raises GitrunError if one is missing."""
    if plan.definition is None:
        return plan
    if plan.kind == STEPS:
        lifecycle.step_checks.check_steps(session, objects, request, plan)
    if not (plan.definition.needs or plan.definition.inputs):
        return plan

    return source.dependencies.add_dependencies(session, objects, request, plan)


def decide_restart(launch: LaunchRequest, objects: Objects, run: Run) -> Decision | Skip:
    """Decides about another attempt of `run`, from its own source or from the working tree."""
    session, request = launch.session, launch.request
    definition = require_restartable(request, run, read_definition(objects, run) if run.attempt.kind == BATCH else None)
    basis = recorded_basis(objects, run)
    if not launch.looks or basis:  # an entry can download files or run a script to read its flags
        store.trust.require_trusted(session.git, run, clean=request.clean)
    snapshot = None
    if request.force_sourcecode:
        snapshot = launch.parent.snapshot if launch.parent else snapshot_for(launch, objects)
    recorded = snapshot.source if snapshot else own_source(session, objects, run)
    tree = open_source(objects, recorded.whole)
    previous = Previous(run.attempt, basis, open_source(objects, run.attempt.id))
    if definition:
        last = source.batch_planning.PreviousBatch(previous, definition)
        commits = list_new_commits(launch, objects, run) if definition.commits else ()
        launch, request = replace(launch, request=with_sampler_name(request)), with_sampler_name(request)
        origin = PlanOrigin(recorded, launch.stamp, request.stage, commits)
        batch = source.batch_planning.plan_batch_restart(session.git, tree, request, last, origin)
        if definition.commits:
            return decide_commit_batch(launch, objects, batch, run)
        batch = with_batch_needs(replace(launch, request=request), objects, batch)
        return decide_batch(request, objects, batch, snapshot or own_snapshot(launch, objects, batch.plan), run)
    if request.needs_batch:
        raise UsageError(f"run {short_id(run.id)} is no batch", "To restart it: project.run(restart=...)")
    source.planning.require_no_batch_options(request)
    plan, dropped = plan_restart(session.git, tree, request, previous, PlanOrigin(recorded, launch.stamp, request.stage))
    plan = with_parent(launch, plan)
    if run.attempt.trial:
        recorded_run = require_object(objects, f"{run.attempt.id}:{record_files.RUN}").data
        plan = replace(plan, sampler=model.batch_record.read_sampler(recorded_run))
    if launch.parent:
        plan = with_needs(session, objects, request, plan)
        skip = step_skip_reason(launch, objects, plan)
    else:
        skip = skip_reason(launch, objects, plan, run)
    if skip:
        return skip
    words = (
        tuple(f"note: {word}" for word in lent_changes(session, objects, run)) if request.lends_files(session.settings) else ()
    )
    words += (f"note: {plan.operation} no longer has these flags, which are left out: {', '.join(dropped)}",) if dropped else ()
    if snapshot is None:
        snapshot = own_snapshot(launch, objects, plan)
    snapshot = replace(snapshot, words=(*snapshot.words, *words))
    plan = plan if launch.parent else with_needs(session, objects, request, plan)
    return Decision(plan, snapshot, run, locks_of(objects, plan))


def require_restartable(request: Request, run: Run, definition: BatchDefinition | None) -> BatchDefinition | None:
    """Returns the definition of a batch; None of another run. Raises CannotRun without a program, or UsageError."""
    if run.attempt.kind == VALUE:
        raise CannotRun(
            f"cannot restart run {short_id(run.id)}: a caller computed its value, and no program ran",
            f"To go on with its batch: git run --restart {short_id(run.attempt.batch or '')}",
        )
    if request.at is not None and not (definition and definition.commits):
        raise UsageError(
            "--at and --restart cannot be combined: a restart runs the run's own code",
            f"To run the commit: git run --at {request.at} OPERATION",
        )
    return definition


def with_sampler_name(request: Request) -> Request:
    """Returns the request with our name of the optimizer, if it names one. Raises BadValue for an unknown one."""
    return replace(request, optimizer=lifecycle.samplers.find_sampler_name(request.optimizer)) if request.optimizer else request


def with_batch_needs(launch: LaunchRequest, objects: Objects, batch: BatchPlan) -> BatchPlan:
    """Returns the batch with what its entry needs, the same for all trials, and as a step. Raises GitrunError."""
    plan = with_needs(launch.session, objects, launch.request, batch.plan)
    return replace(batch, plan=replace(with_parent(launch, plan), given=plan.given))


def decide_batch(request: Request, objects: Objects, batch: BatchPlan, snapshot: Snapshot, run: Run | None = None) -> Decision:
    """Returns the decision to run a batch. Raises UsageError if it cannot do what the request asks for."""
    if request.in_place:
        raise UsageError("a batch cannot run in the working tree", "Leave out --in-place")
    plan, definition = batch.plan, batch.plan.batch_definition
    if definition and definition.repeat > 1 and request.compares:
        raise UsageError("--needed and --repeat cannot be combined: repeats have the same flags", "Leave out --needed")
    if request.stage_trials and definition and definition.commits:
        raise UsageError("--stage-trials takes one commit", "To stage the batch alone: --stage")
    if definition:
        lifecycle.samplers.check_sampler(definition)
        lifecycle.gpus.check_gpus(plan.params, definition.gpus_per_trial)
        plan = replace(plan, batch_definition=replace(definition, engine=lifecycle.samplers.engine_of(definition)))
        if not request.optimizer and definition.sampler == model.batch.RANDOM:
            note = lifecycle.samplers.default_search_note()
            plan = replace(plan, notices=(*plan.notices, *((f"note: {note}",) if note else ())))
    if request.on is not None:
        # its trials are staged for workers, and it runs here
        plan = replace(plan, staged=False)
    return Decision(
        plan, snapshot, run, locks_of(objects, plan), plan_trial=batch.plan_trial, reader=objects,
        plan_source=batch.plan_source,
    )  # fmt: skip


def read_definition(objects: Objects, run: Run) -> BatchDefinition:
    """Returns what the run, a batch, searches for. Raises BadRun."""
    data = require_object(objects, f"{run.attempt.id}:{record_files.BATCH}").data or b""
    points = objects.read(f"{run.attempt.id}:{record_files.POINTS}")
    rows = points.data if points else None
    return model.batch_record.decode_batch(data, rows, run.attempt.params.random_seed or 0)


def own_snapshot(launch: LaunchRequest, objects: Objects, plan: Plan) -> Snapshot:
    """Returns a snapshot of a source that is in git, with the paths of the working tree to lend to it."""
    session, recorded, snapshot = launch.session, plan.source, Snapshot(plan.source, (), (), ())
    if recorded.submodules:
        bare = source.submodules.list_linked_modules(objects, recorded)
        snapshot = replace(snapshot, bare=tuple(os.fsencode(path) for path, _ in bare))
    apart = (*paths_to_link(session, launch.request), *entry_links(session, objects, plan))
    if not launch.request.lends_files(session.settings) or session.git.worktree is None:
        return snapshot
    outside, paths, modules = find_outside(session.git, session.settings, apart)
    snapshot = replace(snapshot, outside=outside, linked=paths)
    if modules or recorded.submodules:
        snapshot = source.submodules.add_lent_files(session.git, objects, snapshot, modules, session.settings)
    return snapshot


def entry_links(session: Session, objects: Objects, plan: Plan) -> tuple[bytes, ...]:
    """Returns the existing paths of the working tree that the plan's entry, or one of its steps, links."""
    top = session.git.worktree
    if top is None or plan.definition is None:
        return ()
    names = linked_paths(open_source(objects, plan.source.whole), plan.definition)
    return tuple(os.fsencode(path) for path in dict.fromkeys(names) if os.path.lexists(top / path))


def linked_paths(tree: SourceTree, definition: Definition, above: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Returns the paths that an entry and its steps link. The tree has the entries of the steps."""
    names = (*above, definition.name)
    # a circle of entries is refused later
    steps = [source.operations.definition_of(tree, step.operation) for step in definition.steps if step.operation not in names]
    return (*definition.links, *(path for step in steps if step for path in linked_paths(tree, step, names)))


def locks_of(objects: Objects, plan: Plan) -> Locks:
    """Returns the lock files in the plan's source."""
    return source.environment.list_lock_files(open_source(objects, plan.source.whole))


def recorded_basis(objects: Objects, run: Run) -> Basis | None:
    """Returns the basis of the run's last attempt; None if it has nothing but its source. Raises BadRun."""
    data = require_object(objects, f"{run.attempt.id}:{record_files.RUN}").data or b""
    if not encode.may_name_dependencies(data):
        return None

    return model.provenance.read_basis(data)


def own_source(session: Session, objects: Objects, run: Run) -> Source:
    """Returns the source of the run's last attempt. Raises BadRun if the attempt's commit does not match it."""
    try:
        store.checkpoints.source_tree(objects, Loose(session.git), run.attempt)
    except OSError:  # not writable: git need not write trees that are in a pack
        with TreeMaker(session.git) as maker:
            store.checkpoints.source_tree(objects, maker, run.attempt)
    recorded = recorded_source(run.attempt)
    # only here the answer matters, and it takes another read
    if session.git.config.get("core.sparsecheckout", ("false",))[-1] != "true":
        return recorded
    data = require_object(objects, f"{run.attempt.id}:{record_files.RUN}").data or b""
    table = model.decode.get_table(model.decode.parse_toml(data, record_files.RUN), "source")
    return replace(recorded, is_full=table.get("full") is True)


def snapshot_for(launch: LaunchRequest, objects: Objects) -> Snapshot:
    """Returns a snapshot of the working tree. Raises CannotRun if there is none, or the user declines it."""
    session = launch.session
    choice = SnapshotOptions(
        session.settings,
        paths_to_link(session, launch.request),
        launch.prompts.confirm,
        launch.request.lends_files(session.settings),
    )
    snapshot = take_snapshot(session.git, objects, launch.index, choice)
    if snapshot and snapshot.source.submodules and session.settings.submodules == "files":
        snapshot = source.submodules.add_submodule_files(
            session.git, objects, snapshot, choice, launch.index if launch.request.in_place else None
        )
    if snapshot is None:
        raise Declined("nothing was run", "To leave files out: add them to .gitignore, or name them with --link")
    return snapshot


def paths_to_link(session: Session, request: Request) -> tuple[bytes, ...]:
    """Returns the paths that `--link` and the setting name, relative to the top of the working tree.

    Raises UsageError if a path of `--link` does not exist or is in git.
    """
    top = session.git.worktree or Path()
    paths = [os.fsencode(path) for path in session.settings.link_paths if os.path.lexists(top / path)]
    for typed in request.links:
        path = below_top(session.git, typed)
        if not os.path.lexists((session.git.worktree or Path()) / path):
            raise UsageError(f"'{typed}' does not exist, so it cannot be linked")
        words = ("ls-tree", "-z", "--full-tree", request.at) if request.at else ("ls-files", "-z")
        # the checkout of the snapshot already has these files
        if session.git.run(*words, "--", path):
            raise UsageError(f"cannot link '{typed}': it is tracked by git, so it is part of the snapshot")
        paths.append(os.fsencode(path))
    return tuple(paths)


def same_flags_runs(session: Session, plan: Plan) -> list[Run]:
    """Returns the runs of the same operation with the same flags, newest attempt first."""
    with store.index.Index(session.git) as index:
        return index.with_same_flags(plan.operation, plan.flags)

"""Starts runs elsewhere: on a cluster (`--on tcp://…`, `--on local:N`), or by the workers of a remote (`--on REMOTE`)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from gitrun import lifecycle, sharing, store
from gitrun.dataclass import replace
from gitrun.errors import CannotRun, UsageError
from gitrun.lifecycle.cluster import LOCAL, WORKER, is_cluster, open_cluster, read_amounts
from gitrun.lifecycle.cluster_batch import MOST_DEATHS, ClusterBatchExecutor, outcome_of_run
from gitrun.lifecycle.cluster_pool import LIST_RUNNING, ClusterPool, ClusterTask, Place, warn_of_resources
from gitrun.lifecycle.decide import Prompts
from gitrun.model.plan import Request, Skip, StartedRun
from gitrun.model.run import BATCH, STAGED, short_id
from gitrun.model.text import count_text, safe_text
from gitrun.process.signals import Signals
from gitrun.store import trust

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.lifecycle.cluster_pool import Arrival
    from gitrun.lifecycle.launch import BegunAttempt
    from gitrun.model.plan import Outcome, Plan
    from gitrun.model.provenance import InputFile
    from gitrun.model.run import Run
    from gitrun.workspace.session import Session

WORKERS_OWN = "git run worker -h"
"""The command that lists the options of a worker."""
NAMED = 5
"""Workers that are named in messages; further ones are counted."""


def start(session: Session, request: Request, prompts: Prompts) -> StartedRun | Skip:
    """Starts a run elsewhere, and waits for its end unless plain workers take it. Returns Skip if nothing has to run.

    Raises GitrunError if nothing could be run or recorded.
    """
    refuse_options(request)
    if (request.on or "").startswith(LOCAL):
        return lifecycle.local_cluster.start(session, request, prompts)
    if not is_cluster(request.on or ""):
        return start_by_workers(session, request, prompts)
    with open_place(session, request) as place:
        warn_of_resources(place, read_amounts(request.resources or ()), session.say)
        # what is handed out is staged: nothing of it runs here
        with lifecycle.launch.begin_request(session, replace(request, stage=True), prompts) as begun:
            if isinstance(begun, Skip):
                return begun
            with begun.attempt as attempt:
                tell_workers_needs(session, place, begun)
                if begun.decision.plan.kind == BATCH:
                    lifecycle.launch.introduce(begun)
                    executor = ClusterBatchExecutor(begun.launch, begun.decision, lifecycle.launch.start_trial, place)
                    outcome = lifecycle.attempt.perform(attempt, executor)
                    # workers in other clones cannot write the notes of the trials
                    store.notes.add_note_of_run(session.git, attempt.run_id)
                    return StartedRun(attempt.run_id, outcome)
                lifecycle.launch.run_attempt(begun)
                task = task_of(begun)
        warn_of_resources(place, task.resources, session.say)
        return StartedRun(task.run_id, run_single(session, place, task))


def tell_workers_needs(session: Session, place: Place, begun: BegunAttempt) -> None:
    """Tells the user what workers in other clones do not get with the run, and pushes its inputs for them.

    Undoes the attempt, and raises UsageError or GitFailed, if the run cannot be handed out.
    """
    with undoing(begun):
        require_executable_elsewhere(begun.decision.plan)
        lifecycle.worker_needs.tell_needs(session, begun)
        lifecycle.worker_needs.require_publishable(session, place.remote, {begun.attempt.run_id: begun.attempt.id})
        lifecycle.worker_inputs.publish_inputs(session, place.remote, inputs_of_plan(begun.decision.plan))


@contextmanager
def undoing(begun: BegunAttempt) -> Iterator[None]:
    """Undoes a begun attempt if an error ends the `with`."""
    attempt, run = begun.attempt, begun.decision.run
    try:
        yield
    except BaseException:
        store.attempts.undo_begin(attempt.git, attempt.live, attempt.run_id, attempt.id, run.tip if run else None)
        raise


def require_executable_elsewhere(plan: Plan) -> None:
    """Raises UsageError for a batch with a pruner, which reads metrics on this machine while a program writes them."""
    definition = plan.batch_definition
    if definition and definition.prune:
        raise UsageError(
            f"trials elsewhere cannot be pruned, and this batch has --prune {safe_text(definition.prune)}",
            "To go on without: --prune none",
        )


def inputs_of_plan(plan: Plan) -> list[tuple[InputFile, str]]:
    """Returns the inputs of a plan, each with the tree of its source."""
    return [(one, plan.source.whole) for one in (plan.basis.inputs if plan.basis else ())]


def start_by_workers(session: Session, request: Request, prompts: Prompts) -> StartedRun | Skip:
    """Stages a run or the trials of a batch, and pushes all in one push to a remote, whose workers claim them.

    Raises GitrunError.
    """
    git, remote = session.git, request.on or ""
    if not sharing.remotes.is_remote(git, remote):
        names = ", ".join(sharing.remotes.remote_names(git))
        hint = "A cluster is tcp://HOST:8786 or local:4" + (f", a remote is one of: {names}" if names else "")
        raise UsageError(f"--on {remote} is neither an address of a cluster nor a remote", hint)
    for option, is_given in (
        ("--via", request.via is not None), ("--same-env", request.same_env), ("--jobs", request.jobs is not None),
        ("--resource", bool(request.resources)),
    ):  # fmt: skip
        if is_given:
            raise UsageError(f"{option} is for a cluster, and {remote} is a remote", f"Give it to its workers: {WORKERS_OWN}")
    place = replace(request, on=None, stage=True)
    with lifecycle.launch.begin_request(session, place, prompts) as begun:
        if isinstance(begun, Skip):
            return begun
        with begun.attempt as attempt:
            plan = begun.decision.plan
            with undoing(begun):
                require_executable_elsewhere(plan)
                if plan.batch_definition and plan.batch_definition.commits:
                    raise UsageError("a batch over commits runs on a cluster or here", "Leave out --on")
            whole = replace(begun.launch, request=replace(begun.launch.request, stage_trials=plan.kind == BATCH))
            lifecycle.launch.run_attempt(replace(begun, launch=whole))
            run_id = attempt.run_id
        lifecycle.worker_needs.tell_needs(session, begun)
    tips = {run_id: attempt.id}
    if plan.kind == BATCH:
        runs = lifecycle.batch_trials.trials_of(session, run_id)
        tips |= {run.id: run.tip for run in runs if run.attempt.status == STAGED}
    lifecycle.worker_needs.require_publishable(session, remote, tips)
    lifecycle.worker_inputs.publish_inputs(session, remote, inputs_of_plan(plan))
    pushed = sharing.transfer.Sharing(git, session.settings).push(remote, tips)
    for refused, reason in pushed.rejected[:NAMED]:
        session.say(f"error: {remote} refuses run {short_id(refused)}: {reason}")
    if pushed.rejected:
        raise CannotRun(f"{count_text(len(pushed.rejected), 'run')} of {len(tips)} stay here, staged")
    name = short_id(run_id)
    words = f"--batch {name}" if plan.kind == BATCH else f"--once {run_id}"
    count = count_text(len(tips) - (plan.kind == BATCH), "run")
    session.say(f"{count} handed out. To execute: git run worker {remote} {words}")
    return StartedRun(run_id, None)


def refuse_options(request: Request) -> None:
    """Raises UsageError for options that do not apply elsewhere."""
    is_elsewhere = not (request.on or "").startswith(LOCAL)
    # with a remote, staging is what happens anyway
    starts = is_cluster(request.on or "")
    for option, is_given in (
        ("--in-place", request.in_place), ("--background", request.background),
        ("--stage", starts and request.stage), ("--stage-trials", starts and request.stage_trials),
        ("--bring", bool(request.bring)), ("--gpus", is_elsewhere and request.gpus is not None),
        ("--gpus-per-trial", is_elsewhere and request.gpus_per_trial is not None),
        ("--prune", is_elsewhere and bool(request.prune) and request.prune != "none"),
        ("--via", not is_elsewhere and request.via is not None), ("--same-env", not is_elsewhere and request.same_env),
    ):  # fmt: skip
        if is_given:
            raise UsageError(f"--on {request.on} cannot be combined with {option}")


@contextmanager
def open_place(session: Session, request: Request) -> Iterator[Place]:
    """Connects to the cluster of the request. Raises GitrunError, before anything is written."""
    git = session.git
    if git.worktree is None:
        raise CannotRun("to hand out runs, gitrun needs a working tree, and this repository has none")
    remote = request.via or sharing.remotes.default_remote(git, push=True)
    cluster = open_cluster(request.on or "")
    try:
        place = Place(cluster, remote, (*WORKER, remote), request.same_env)
        check_workers(session, place)
        yield place
    finally:
        cluster.close()


def check_workers(session: Session, place: Place) -> None:
    """Tells the user which workers cannot execute runs, and why. Raises CannotRun if none of them can."""
    words = (*WORKER[:1], *LIST_RUNNING)
    ends = place.cluster.ask_workers(words)
    bad = {address: end.words for address, end in ends.items() if end.status != 0}
    hint = "To start one in a clone: cd CLONE && dask worker ADDRESS"
    if bad and len(bad) == len(ends):
        raise CannotRun(f"no worker can execute runs: {next(iter(bad.values()))}", hint)
    for address, reason in list(bad.items())[:NAMED]:
        session.say(f"warning: worker {address} cannot execute runs: {reason}. {hint}")
    if len(bad) > NAMED:
        session.say(f"warning: {count_text(len(bad) - NAMED, 'more worker')} cannot execute runs")


def task_of(begun: BegunAttempt) -> ClusterTask:
    """Returns the task of a staged run."""
    attempt, run = begun.attempt, begun.decision.run
    resources = read_amounts(attempt.plan.params.resources) if attempt.plan else {}
    return ClusterTask(attempt.run_id, attempt.id, run.tip if run else None, resources)


def run_single(session: Session, place: Place, task: ClusterTask) -> Outcome | None:
    """Has a staged run executed, again if its worker dies. Shows its output once it has ended. Returns the outcome.

    Returns None if the run stays staged. Raises CannotRun if nobody executes it, GitrunError.
    """
    name = short_id(task.run_id)
    with Signals() as signals, ClusterPool(session, signals, place) as pool:
        for _ in range(MOST_DEATHS):
            pool.hand_out([task])
            arrival = wait_for_arrival(pool)
            run = arrival.run
            if run and arrival.is_ended:
                store.notes.add_note_of_run(session.git, run.id)
                session.stdout.write(lifecycle.cluster_pool.read_output(session, run))
                session.say(f"run {name} was executed on {run.attempt.worker}")
                return outcome_of_run(run)
            if pool.ends:
                return None
            if arrival.problem or run is None:
                hint = f"To start it here: git run --start {name}"
                raise CannotRun(f"run {name} cannot be executed, and stays staged: {arrival.problem}", hint)
            session.say(f"note: run {name} did not end on {arrival.host or 'its worker'}. gitrun hands it out again")
            task = stage_again(session, run)
    raise CannotRun(f"run {name} cannot be executed: {MOST_DEATHS} workers ended before it did")


def wait_for_arrival(pool: ClusterPool) -> Arrival:
    """Waits until the only task of a pool is over. Returns its arrival."""
    while not (arrivals := pool.wait(60)):
        pass
    return arrivals[0]


def stage_again(session: Session, run: Run) -> ClusterTask:
    """Stages another attempt of a run whose worker died. Returns its task. Raises GitrunError."""
    # a worker may have left files that nobody vouches for
    is_foreign = bool(run.attempt.result) and not trust.is_trusted(session.git, run)
    again = Request(restart=run.id, stage=True, clean=is_foreign)
    with lifecycle.launch.begin_request(session, again, Prompts()) as begun:
        if isinstance(begun, Skip):
            raise CannotRun(f"run {short_id(run.id)} cannot be handed out again")
        with begun.attempt:
            lifecycle.launch.run_attempt(begun)
            return task_of(begun)

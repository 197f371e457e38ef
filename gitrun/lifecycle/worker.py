"""Executes runs that were handed out through a remote: claims each there, runs it, and pushes the result.

A run's ref on the remote decides who executes it. A worker commits an attempt on top of the tip that it fetched, and pushes
it: git accepts one such push and refuses all others. Only then does the program start. The result is pushed on top of the
attempt in the same way, so that a run has one result, whoever handed it out and however often.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from gitrun import lifecycle, store
from gitrun.dataclass import dataclass, replace
from gitrun.errors import (
    CannotRun,
    GitFailed,
    GitrunError,
    LostClaim,
    NotHere,
    NotTrusted,
    RunIsRunning,
    StaleRun,
    UnknownRun,
)
from gitrun.git.exe import KeptProcesses, keep_processes
from gitrun.git.objects import Objects
from gitrun.lifecycle.courier import Courier, Route
from gitrun.lifecycle.decide import Prompts
from gitrun.lifecycle.executor import STOPPED
from gitrun.model.plan import Request, Skip, StartedRun
from gitrun.model.run import BATCH, COMPLETED, ERROR, PENDING, PRUNED, RUNNING, STAGED, TERMINATED, Run, is_id, short_id
from gitrun.sharing.remotes import GONE_ON, RACES
from gitrun.sharing.transfer import FetchRequest, Sharing
from gitrun.store import claims, trust
from gitrun.store.claims import bundle_path, list_claims, record_claim, remove_claim
from gitrun.store.index import Index
from gitrun.store.refs import tip_of
from gitrun.store.runs import read_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TypeAlias

    from gitrun.model.plan import Outcome
    from gitrun.store.attempts import AttemptHandle
    from gitrun.workspace.session import Session

    Work: TypeAlias = "Ended | Claimed | Executed"

PUSH_WAITS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before each try to push a result to a remote that does not answer."""
HURRIED_WAITS = (0.0, 1.0, 2.0)
"""The same once this process was asked to end: a scheduler kills it soon."""
LARGEST_BUNDLE = 1 << 26
"""Bytes of a result that are handed to the caller because the remote stays away."""


@dataclass(frozen=True, slots=True)
class WorkerRequest:
    """The request of a worker: what to execute, and how.

    `run_id` is the id of the one run to execute, or a prefix of it. Without it, the worker takes runs of the batch `batch_id`,
    or all, until `most` were executed or none are left. `proofs` are the full ids that the user gave, of the run and of a
    later attempt or its result: what they prove is executed. `stop_after` and `take_over` are in seconds. `name` names this
    machine in the attempts.
    """

    remote: str
    name: str
    run_id: str = ""
    proofs: frozenset[str] = frozenset()
    batch_id: str = ""
    most: int | None = None
    stop_after: float | None = None
    take_over: float | None = None
    same_env: bool = False
    gpus: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that needs no execution: somebody has its result."""

    run: Run


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that another worker executes, or has just claimed."""

    run: Run


@dataclass(frozen=True, slots=True)
class Executed:
    """A run that was executed here, with its result. The remote has that if `is_pushed`; else it is kept here.

    `bundle` has the result for a remote that stays away; it is empty if there is none, or if it is larger than LARGEST_BUNDLE.
    """

    run: Run
    outcome: Outcome
    is_pushed: bool
    bundle: bytes = b""


WorkerGits = KeptProcesses
"""Git processes that answer the questions of a worker, or of several, one after the other."""


@contextmanager
def open_worker(session: Session, request: WorkerRequest, gits: WorkerGits | None = None) -> Iterator[Worker]:
    """Yields a worker. Its git processes serve all its runs. With `gits`, they serve the next worker too."""
    with keep_processes(replace(session.git, processes=gits) if gits else session.git) as git:
        # `gits` remember for the next worker too, so this does not end with the `with`
        if git.processes and git.processes.remembered is None:
            git.processes.remembered, git.processes.together = {}, True
        try:
            yield Worker(replace(session, git=git), request)
        finally:
            store.notes.add_waiting_notes(git, at_once=True)


class Worker:
    """A worker of one remote in one clone."""

    def __init__(self, session: Session, request: WorkerRequest) -> None:
        self.session, self.request = session, request
        self.sharing = Sharing(session.git, session.settings)
        self.started = time.monotonic()
        self.is_stopping = False
        self.is_done = False
        """No run is left that could be executed here."""
        self.untrusted = 0
        """Runs that waited for a worker at the last look, and are not trusted here."""

    def execute_one(self) -> Work:
        """Executes the run of the request unless it has ended or is claimed. Raises NotHere if it cannot run here."""
        self.deliver_results()
        run = self.fetch_run(self.request.run_id)
        self.trust_by_id(run)
        return self.execute(run)

    def execute_all(self) -> Iterator[Work]:
        """Executes the runs that are handed out, one after the other, until there are none. Yields each."""
        self.deliver_results()
        passed_over: set[str] = set()
        executed = 0
        while not self.is_over and (self.request.most is None or executed < self.request.most):
            run = self.find_next(passed_over)
            if run is None:
                self.is_done = True
                return
            passed_over.add(run.tip)
            try:
                work = self.execute(self.fetch_run(run.id))
            except (NotHere, NotTrusted) as error:
                self.session.say(f"note: run {short_id(run.id)} is not executed here: {error}")
                continue
            executed += isinstance(work, Executed)
            yield work

    @property
    def is_over(self) -> bool:
        """Returns whether no other run is to be started."""
        return self.is_stopping or (self.seconds_left is not None and self.seconds_left <= 0)

    @property
    def seconds_left(self) -> float | None:
        """Returns the seconds until --stop-after; None without it."""
        after = self.request.stop_after
        return None if after is None else after - (time.monotonic() - self.started)

    def find_next(self, passed_over: set[str]) -> Run | None:
        """Fetches the runs of the remote. Returns the next one to execute whose tip is not in `passed_over`."""
        self.sharing.fetch(self.request.remote, FetchRequest(lenient=True))
        with Index(self.session.git) as index:
            runs = [run for run in index.readable_runs() if self.is_open(run) and run.tip not in passed_over]
        batch_id = self.request.batch_id
        runs = [run for run in runs if (run.attempt.batch or "").startswith(batch_id)]
        # oldest first, and the trials of a batch by number
        runs.sort(key=lambda run: (run.attempt.batch or "", run.attempt.trial or 0, run.attempt.created))
        self.trust_claims([run for run in runs if self.is_abandoned(run)])
        chosen = next(store.trust.trusted_runs(self.session.git, runs), None)
        self.untrusted = 0 if chosen else len(runs)
        return chosen

    def is_open(self, run: Run) -> bool:
        """Returns whether the run was handed out and waits for a worker."""
        attempt = run.attempt
        if attempt.kind == BATCH:
            return False
        if attempt.status == STAGED or self.is_abandoned(run):
            return True
        # a worker that was told to end, for example at the end of its time, left the run to the next one
        return attempt.shown_status == TERMINATED and bool(attempt.worker) and attempt.reason != STOPPED

    def is_abandoned(self, run: Run) -> bool:
        """Returns whether a worker claimed the run so long ago that it may be taken over."""
        return run.status == PENDING and bool(run.attempt.worker) and self.may_take_over(run)

    def trust_claims(self, runs: list[Run]) -> None:
        """Trusts the claims on these runs that execute exactly what is trusted here."""
        if runs:
            with Objects(self.session.git) as objects:
                for run in runs:
                    claims.trust_claim(self.session.git, objects, run)

    def fetch_run(self, name: str) -> Run:
        """Fetches the run with this id, or prefix of one, and returns it. Raises UnknownRun, GitFailed."""
        received = self.sharing.fetch(self.request.remote, FetchRequest((name,)))
        for run_id, reason in received.refused.items():
            raise CannotRun(f"run {short_id(run_id)} is refused: {reason}")
        (run_id,) = (name,) if is_id(name) else self.sharing.known((name,))
        run = read_run(self.session.git, run_id)
        if not isinstance(run, Run):
            raise UnknownRun(f"run {short_id(run_id)} cannot be read")
        return run

    def trust_by_id(self, run: Run) -> None:
        """Trusts what the ids that the user gave prove.

        That of an attempt proves its source and flags, that of a result also the files that the next attempt finds.
        """
        ids, attempt = self.request.proofs, run.attempt
        if attempt.result and ids & {attempt.result, run.tip}:
            proven = trust.commits_to_trust(run)
        elif attempt.id in ids:
            proven = (attempt.id,)
        else:
            return
        unknown = [commit for commit in proven if not trust.is_trusted_commit(self.session.git, commit)]
        if unknown:
            trust.grant_trust(self.session.git, unknown)

    def execute(self, run: Run) -> Work:
        """Executes a fetched run, unless somebody has ended or claimed it. Raises NotHere, NotTrusted, GitFailed."""
        if run.attempt.kind == BATCH:
            hint = f"To execute its trials: git run worker {self.request.remote} --batch {short_id(run.id)}"
            raise CannotRun(f"run {short_id(run.id)} is a batch", hint)
        if run.attempt.shown_status in {COMPLETED, ERROR, PRUNED}:
            return Ended(run)
        is_claimed = run.attempt.status != STAGED and not run.attempt.result
        if run.status == RUNNING or (is_claimed and not self.may_take_over(run)):
            return Claimed(run)
        if self.is_abandoned(run):
            self.trust_claims([run])
        trust.require_trusted(self.session.git, run)
        lifecycle.worker_checks.require_possible(self.session, run, self.request.remote, same_env=self.request.same_env)
        request = Request(restart=run.id, stop_after=self.seconds_left, gpus=self.request.gpus, worker=self.request.name)
        try:
            started = self.start(request)
        except LostClaim:
            return Claimed(run)
        except (CannotRun, UnknownRun) as error:
            # nothing was written: another machine may be able to run it
            raise NotHere(error.message, error.hint) from error
        if started is None or started.outcome is None:
            raise CannotRun(f"run {short_id(run.id)} did not run")
        self.is_stopping = self.is_stopping or bool(started.outcome.ordered)
        is_pushed = self.hand_over(run.id)
        ended = read_run(self.session.git, run.id)
        bundle = b"" if is_pushed else read_bundle(bundle_path(self.session.git.state, run.id))
        return Executed(ended if isinstance(ended, Run) else run, started.outcome, is_pushed, bundle)

    def start(self, request: Request) -> StartedRun | None:
        """Runs the request once its claim is taken. Returns None if nothing has to run. Raises LostClaim, GitrunError."""
        with ExitStack() as stack:
            self.lock_gpus(stack)
            try:
                begun = stack.enter_context(lifecycle.launch.begin_request(self.session, request, Prompts()))
            except (RunIsRunning, StaleRun) as error:
                raise LostClaim(f"another worker of this clone has run {short_id(request.restart or '')}") from error
            if isinstance(begun, Skip):
                return None
            attempt = stack.enter_context(begun.attempt)
            stack.enter_context(self.claim(attempt, begun.decision.run))
            return StartedRun(attempt.run_id, lifecycle.launch.run_attempt(begun))

    def lock_gpus(self, stack: ExitStack) -> None:
        """Locks the GPUs of the request until the stack is closed. Raises NotHere if one is in use."""
        names = lifecycle.gpus.split_list(self.request.gpus)
        if not names:
            return
        pool = lifecycle.gpus.GpuPool(names, len(names), lifecycle.gpus.lock_directory(self.session.git.environ))
        if pool.acquire(stack) is None:
            raise NotHere(
                f"GPUs {','.join(names)} are in use on this machine", "To wait for them: start the worker again later"
            )

    @contextmanager
    def claim(self, attempt: AttemptHandle, run: Run | None) -> Iterator[None]:
        """Claims the run of a begun attempt, and reports about it inside the `with`. Undoes the attempt if that fails."""
        try:
            self.take(attempt)
        except BaseException:
            store.attempts.undo_begin(attempt.git, attempt.live, attempt.run_id, attempt.id, run.tip if run else None)
            raise
        route = Route(self.session.git, self.request.remote, attempt.run_id, attempt.id, attempt.live.output)
        courier = Courier(route, self.session.settings.progress_interval)
        try:
            yield
        finally:
            courier.end()

    def may_take_over(self, run: Run) -> bool:
        """Returns whether the claim is old enough to be taken from its worker."""
        after = self.request.take_over
        return after is not None and datetime.now(timezone.utc) - run.attempt.created >= timedelta(seconds=after)

    def take(self, attempt: AttemptHandle) -> None:
        """Claims the run: pushes its new attempt. Raises LostClaim if another worker was first, GitFailed."""
        git, remote, run_id = self.session.git, self.request.remote, attempt.run_id
        record_claim(git.state, run_id, remote)
        try:
            pushed = self.sharing.push(remote, {run_id: attempt.id})
        except GitFailed as error:
            remove_claim(git.state, run_id)
            raise NotHere(error.message, error.hint) from error
        for _, reason in pushed.rejected:
            remove_claim(git.state, run_id)
            if reason in RACES:
                raise LostClaim(f"another worker has claimed run {short_id(run_id)}")
            raise NotHere(f"{remote} refuses the claim on run {short_id(run_id)}: {reason}")

    def hand_over(self, run_id: str) -> bool:
        """Pushes the result of a run. Returns whether the remote has it. Keeps it in a bundle if the remote stays away."""
        session, remote, reason = self.session, self.request.remote, ""
        for wait in HURRIED_WAITS if self.is_stopping else PUSH_WAITS:
            time.sleep(wait)
            try:
                reason = self.push_result(run_id)
            except GitFailed as error:
                reason = error.message
                continue
            break
        if not reason:
            return True
        self.session.say(f"warning: the result of run {short_id(run_id)} is not pushed: {reason}")
        if reason == GONE_ON:
            remove_claim(session.git.state, run_id)
            session.say(f"note: another worker took run {short_id(run_id)} over. What this attempt left stays here")
            return False
        file = bundle_path(session.git.state, run_id)
        with suppress(GitrunError):
            self.sharing.export(self.tips_with_steps(run_id), file)
            session.say(f"note: it is kept in {file}. To push it later: git run worker {remote} --max 0")
        return False

    def push_result(self, run_id: str) -> str:
        """Pushes the result of a run and of its steps. Returns why the remote refused it, or empty. Raises GitFailed."""
        pushed = self.sharing.push(self.request.remote, self.tips_with_steps(run_id))
        reason = dict(pushed.rejected).get(run_id, "")
        if not reason:
            remove_claim(self.session.git.state, run_id)
        return reason

    def tips_with_steps(self, run_id: str) -> dict[str, str]:
        """Returns the tips of a run, and of the runs of its steps: id -> tip."""
        git = self.session.git
        run = read_run(git, run_id)
        steps = lifecycle.worker_checks.list_step_runs(self.session, run) if isinstance(run, Run) else ()
        tips = {one: tip_of(git, one) for one in (run_id, *steps)}
        return {one: tip for one, tip in tips.items() if tip}

    def deliver_results(self) -> None:
        """Pushes results of claims that an earlier worker in this clone could not push, or died before it did."""
        session, remote = self.session, self.request.remote
        claims = list_claims(session.git.state, remote)
        if claims:
            # a worker that died has left no result yet
            lifecycle.recover.recover(session)
        for run_id in claims:
            if store.live.is_live(session.git.state, run_id):
                continue
            run = read_run(session.git, run_id)
            if isinstance(run, Run) and not run.attempt.result:
                if not run.attempt.worker:
                    remove_claim(session.git.state, run_id)
                # else what a dead worker left could not be recorded: the disk may be full
                continue
            try:
                reason = self.push_result(run_id)
            except GitFailed as error:
                session.say(f"warning: the result of run {short_id(run_id)} is not pushed: {error.message}")
                return
            if reason == GONE_ON:
                remove_claim(session.git.state, run_id)
            session.say(
                f"warning: the result of run {short_id(run_id)} is not pushed: {reason}"
                if reason
                else f"pushed the result of run {short_id(run_id)} to {remote}"
            )


def read_bundle(path: Path) -> bytes:
    """Returns the bytes of a bundle; empty without one, or if it is too large to be handed over."""
    with suppress(OSError):
        return path.read_bytes() if path.stat().st_size <= LARGEST_BUNDLE else b""
    return b""

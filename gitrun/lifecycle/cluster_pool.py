"""Runs that a cluster executes: pushed to a remote, handed out, watched there, and taken back when they have ended.

The remote tells what became of a run, never the cluster alone: a task that is lost may have ended its run, and one that is
handed out twice executes it once. The driver trusts an attempt and a result only if the worker named both over the channel
of the cluster. Of what else it finds on the remote, it runs nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
import select
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gitrun.dataclass import dataclass, field
from gitrun.errors import BadRun, GitFailed, GitrunError
from gitrun.git.objects import Objects
from gitrun.lifecycle.cluster import NOT_HERE, RESOURCES_HINT, WORKER, TaskEnd
from gitrun.lifecycle.executor import STOPPED
from gitrun.model import record_files
from gitrun.model.run import COMPLETED, ERROR, PRUNED, STAGED, Run, run_ref, short_id
from gitrun.process.signals import INTERRUPTS, ORDERS
from gitrun.sharing.progress import ask_to_stop
from gitrun.sharing.remotes import RACES
from gitrun.sharing.transfer import FetchRequest, Sharing
from gitrun.store import claims, trust
from gitrun.store.commits import scratch_directory
from gitrun.store.index import Index
from gitrun.store.refs import RefEdit, ref_store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from types import TracebackType

    from gitrun.lifecycle.cluster import Cluster
    from gitrun.process.signals import Signals
    from gitrun.workspace.session import Session

LINGER = ("--linger", "10s")
"""A worker's process waits so long for the next run: most of its start is imports."""
MOST_REFUSALS = 4
"""Workers that may say that they cannot execute a run, before it counts as one that nobody can."""
PAUSE = 2.0
"""Seconds between two looks at the remote, for a run that nobody tells us about."""
PUSH_WAITS = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each try to hand runs out to a remote that does not answer."""
FOREIGN_CLAIM = 7200.0
"""Seconds after which a claim that is not by a worker of this cluster counts as abandoned."""
STOP_PATIENCE = 60.0
"""Seconds that workers have to stop their runs once this process was asked to end."""
LOST = "the connection to the cluster is lost"
TAIL = 10
"""Lines that are shown of the output of a run that failed elsewhere."""
LIST_RUNNING = ("list", "--status", "running", "--all", "--flat", "--json")
"""Verb and options of the command that tells which runs a worker executes."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place that executes runs: the cluster, the remote that they go through, and a worker's words before its options."""

    cluster: Cluster
    remote: str
    words: tuple[str, ...]
    same_env: bool = False


@dataclass(eq=False, slots=True)
class ClusterTask:
    """A run that was handed out: its attempt, and the tip of its ref before (None: it is new).

    `refusals` and `avoid` are the number and the addresses of workers that cannot execute it.
    """

    run_id: str
    attempt: str
    before: str | None
    resources: Mapping[str, str] = field(default_factory=dict)
    refusals: int = 0
    avoid: set[str] = field(default_factory=set)
    is_told: bool = False
    watched_since: float = 0.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A task that is over. `run` is the run as it is now, with a result if `is_ended`; else another attempt is needed.

    With a `problem` nobody executes the run; it stays staged. `is_cluster_gone` says that no other task can be executed.
    """

    task: ClusterTask
    run: Run | None = None
    is_ended: bool = False
    problem: str = ""
    is_cluster_gone: bool = False

    @property
    def host(self) -> str:
        """Returns the name of the machine that executed the run."""
        return self.run.attempt.worker if self.run else ""


class ClusterPool:
    """Runs on their way through a cluster, in place of programs of this machine; a context manager.

    `ends` are the signals that asked gitrun itself to end, in the order of arrival.
    """

    def __init__(self, session: Session, signals: Signals, place: Place) -> None:
        self.ends: list[int] = []
        self._session, self._signals, self._place = session, signals, place
        self._sharing = Sharing(session.git, session.settings)
        self._tasks: dict[str, ClusterTask] = {}
        self._due: dict[str, float] = {}
        """Runs to look for on the remote, each with the time of that."""
        self._later: dict[str, float] = {}
        """Runs to hand to another worker, each with the time of that."""
        self._arrivals: list[Arrival] = []
        self._stop_until = float("inf")

    def __enter__(self) -> ClusterPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._place.cluster.cancel(tuple(self._tasks))

    def hand_out(self, tasks: Sequence[ClusterTask]) -> None:
        """Pushes the runs in one push and hands them to the cluster. Raises GitFailed if the remote does not answer."""
        if not tasks:
            return
        refused = dict(self._push({task.run_id: task.attempt for task in tasks}))
        for task in tasks:
            self._tasks[task.run_id] = task
            reason = refused.get(task.run_id, "")
            if not reason:
                self._submit(task)
            elif reason in RACES:
                # another driver was first; what it handed out will be fetched over this
                edit = RefEdit(run_ref(task.run_id), task.before, task.attempt, "undo failed start")
                ref_store(self._session.git).apply([edit])
                self._watch(task)
            else:
                self._end(Arrival(task, problem=f"{self._place.remote} refuses it: {reason}"))

    def _push(self, tips: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Pushes runs. Returns those that the remote refused, with reasons. Raises GitFailed."""
        for wait in PUSH_WAITS:
            time.sleep(wait)
            try:
                return self._sharing.push(self._place.remote, tips).rejected
            except GitFailed as error:
                problem = error
        raise problem

    def _submit(self, task: ClusterTask) -> None:
        """Hands a run to the cluster."""
        words = [*self._place.words, "--once", task.run_id, "--attempt", task.attempt, "--json", "--quiet", *LINGER]
        words += ["--same-env"] if self._place.same_env else []
        self._place.cluster.submit(task.run_id, words, task.resources, task.avoid)

    def watch(self, task: ClusterTask) -> None:
        """Waits for a run that a worker has already claimed."""
        self._tasks[task.run_id] = task
        self._watch(task)

    def find_running(self) -> frozenset[str]:
        """Returns the ids of the runs that workers of the cluster execute."""
        return frozenset[str]().union(*self._find_running().values())

    def _watch(self, task: ClusterTask) -> None:
        """Looks for a run on the remote after a while."""
        self._due[task.run_id] = time.monotonic() + PAUSE

    def _end(self, arrival: Arrival) -> None:
        """Notes that a task is over."""
        run_id = arrival.task.run_id
        for tasks in (self._tasks, self._due, self._later):
            tasks.pop(run_id, None)
        self._arrivals.append(arrival)

    def wait(self, patience: float) -> list[Arrival]:
        """Waits at most `patience` seconds for something to happen. Returns the tasks that are over."""
        now = time.monotonic()
        until = min([now + patience, self._stop_until, *self._due.values(), *self._later.values()])
        poll = select.poll()
        for descriptor in (self._signals.descriptor, self._place.cluster.descriptor):
            if descriptor >= 0:
                poll.register(descriptor, select.POLLIN)
        poll.poll(0 if self._arrivals else max(until - now, 0) * 1000)
        self.read_signals()
        ends = {end.key: end for end in self._place.cluster.read_ended() if end.key in self._tasks}
        now = time.monotonic()
        for run_id in [run_id for run_id, due in self._later.items() if due <= now]:
            del self._later[run_id]
            self._submit(self._tasks[run_id])
        if self._place.cluster.is_gone and not self.ends:
            # runs that other drivers have handed out have no tasks that could tell
            lost = {run_id: TaskEnd(run_id, None, problem=LOST, is_cluster_gone=True) for run_id in self._tasks}
            ends = {**lost, **ends}
        due = {run_id for run_id, at in self._due.items() if at <= now}
        self._examine({*ends, *due}, ends)
        if now >= self._stop_until:
            for task in list(self._tasks.values()):
                self._end(Arrival(task, problem="it was left to its worker"))
        arrivals, self._arrivals = self._arrivals, []
        return arrivals

    def read_signals(self) -> None:
        """Handles the signals that have arrived: stops the runs if gitrun was asked to end."""
        before = len(self.ends)
        self.ends += [number for number, _ in self._signals.read() if number in (*INTERRUPTS, *ORDERS)]
        if len(self.ends) > before:
            # whoever asks twice does not want to wait
            self._stop_until = time.monotonic() + (0 if before else STOP_PATIENCE)
            if not before:
                self._stop()

    def _stop(self) -> None:
        """Asks the workers to stop the runs, and takes back those that have not begun."""
        self._place.cluster.cancel(tuple(self._tasks))
        running = self._find_running()
        for address, run_ids in running.items():
            for run_id in run_ids & self._tasks.keys():
                self._place.cluster.ask_workers(self._command("stop", "--no-wait", run_id), [address])
        stopping = frozenset[str]().union(*running.values())
        for task in list(self._tasks.values()):
            self._due[task.run_id] = time.monotonic() + 0.2
            if task.run_id in stopping:
                continue
            # a claim that no worker of the cluster admits may be by one that does not answer
            with suppress(GitrunError, OSError):
                run = self._fetch([task.run_id]).get(task.run_id)
                if run and run.attempt.worker and not run.attempt.result:
                    ask_to_stop(self._session.git, self._place.remote, run.id, run.attempt.id)
                elif run and run.attempt.status == STAGED:
                    self._end(Arrival(task, problem="it has not begun"))

    def _command(self, verb: str, *words: str) -> tuple[str, ...]:
        """Returns the words of a command in the directory of a worker."""
        return (*WORKER[:1], verb, *words)

    def _find_running(self) -> dict[str, frozenset[str]]:
        """Returns the ids of the runs that are running in the clone of each worker, by address."""
        words = self._command(*LIST_RUNNING)
        return {address: read_ids(end) for address, end in self._place.cluster.ask_workers(words).items() if end.status == 0}

    def _examine(self, run_ids: Collection[str], ends: Mapping[str, TaskEnd]) -> None:
        """Looks at runs on the remote whose tasks have ended, or that are due. Decides how each goes on."""
        if not run_ids:
            return
        for run_id in run_ids:
            self._due.pop(run_id, None)
        is_cluster_gone = any(end.is_cluster_gone for end in ends.values())
        try:
            runs = self._take_results(run_ids, ends)
        except (GitFailed, OSError) as error:
            for run_id in run_ids:
                if is_cluster_gone:
                    self._end(Arrival(self._tasks[run_id], problem=str(error), is_cluster_gone=True))
                else:
                    # what an answer says is on the remote as well, or in its bundle
                    self._watch(self._tasks[run_id])
            return
        tasks = [self._tasks[run_id] for run_id in run_ids]
        for task in tasks:
            self._examine_task(task, runs.get(task.run_id), ends.get(task.run_id), is_cluster_gone=is_cluster_gone)
        self._examine_claims([(task, runs[task.run_id]) for task in tasks if task.run_id in self._tasks.keys() & runs.keys()])

    def _examine_task(self, task: ClusterTask, run: Run | None, end: TaskEnd | None, *, is_cluster_gone: bool) -> None:
        """Decides how a run goes on that has ended, or that nobody has begun."""
        if run is None:
            self._end(Arrival(task, problem="it cannot be read"))
        elif run.attempt.result:
            if end and end.worker:
                # it is ending, or its disk may be full
                task.avoid.add(end.worker)
            if not self._is_result_of(task, run):
                self._end(Arrival(task, run, problem=self._other_program(run)))
                return
            if not self._is_final(run):
                # the next attempt continues it; who recorded its end may not be who answered
                self._trust_claim(run)
            self._end(Arrival(task, run, is_ended=self._is_final(run)))
        elif is_cluster_gone:
            self._end(Arrival(task, run, problem=end.problem if end else "", is_cluster_gone=True))
        elif run.attempt.status == STAGED:
            self._retry(task, run, end)

    def _take_results(self, run_ids: Collection[str], ends: Mapping[str, TaskEnd]) -> dict[str, Run]:
        """Fetches runs, and trusts what their workers named. Returns the runs by id. Raises GitFailed, OSError."""
        for run_id, end in ends.items():
            if bundle := end.answer.get("bundle"):
                self._import(run_id, bundle)
        runs = self._fetch(run_ids)
        for run_id, run in runs.items():
            if run_id in ends:
                self._trust_named(run, ends[run_id].answer)
        return runs

    def _fetch(self, run_ids: Collection[str]) -> dict[str, Run]:
        """Fetches runs. Returns them by id. Raises GitFailed."""
        self._sharing.fetch(self._place.remote, FetchRequest(tuple(run_ids), lenient=True))
        with Index(self._session.git) as index:
            return {run_id: run for run_id in run_ids if isinstance(run := index.get(run_id), Run)}

    def _import(self, run_id: str, text: object) -> None:
        """Takes a result from the bundle that a worker handed over because the remote did not answer. Raises GitFailed."""
        with suppress(binascii.Error, ValueError, GitrunError), scratch_directory(self._session.git) as directory:
            file = directory / "result.bundle"
            file.write_bytes(base64.b64decode(str(text), validate=True))
            self._sharing.import_(file, FetchRequest((run_id,)))
            with suppress(GitFailed):  # the worker's clone has it too, and pushes it with its next run
                self._sharing.push(self._place.remote, {run_id: self._sharing.known((run_id,))[run_id]})

    def _trust_named(self, run: Run, answer: Mapping[str, Any]) -> None:
        """Trusts the last attempt and its result if the worker named both."""
        commit_ids = (str(answer.get("attempt")), str(answer.get("result")))
        if run.attempt.result and (run.attempt.id, run.attempt.result) == commit_ids:
            trust.grant_trust(self._session.git, commit_ids)

    def _is_final(self, run: Run) -> bool:
        """Returns whether a run with a result needs no other attempt."""
        is_ended = run.attempt.shown_status in {COMPLETED, ERROR, PRUNED} or run.attempt.reason == STOPPED
        return is_ended or bool(self.ends)

    def _retry(self, task: ClusterTask, run: Run, end: TaskEnd | None) -> None:
        """Hands a run that nobody has begun to another worker, unless too many cannot execute it."""
        if run.attempt.id != task.attempt:
            task.watched_since = task.watched_since or time.monotonic()
            if time.monotonic() - task.watched_since >= FOREIGN_CLAIM:
                self._end(Arrival(task, run, problem="another driver has handed it out, and nobody executes it"))
            elif not self._is_same_program(task, run):
                self._end(Arrival(task, run, problem=self._other_program(run)))
            else:
                self._tell_once(task, f"note: waiting for run {short_id(run.id)}, which another driver has handed out")
                self._watch(task)
            return
        if self.ends or end is None:
            self._end(Arrival(task, run, problem="it has not begun"))
            return
        task.refusals += 1
        task.avoid.add(end.worker)
        where = f" on {end.worker}" if end.worker else ""
        self._tell_once(task, f"note: run {short_id(run.id)} does not start{where}: {end.words}")
        if task.refusals >= MOST_REFUSALS:
            self._end(Arrival(task, run, problem=end.words))
            return
        is_elsewhere = end.status == NOT_HERE and bool(set(self._place.cluster.workers) - task.avoid)
        self._later[run.id] = time.monotonic() + (0.0 if is_elsewhere else 2.0**task.refusals - 1)

    def _examine_claims(self, pairs: Sequence[tuple[ClusterTask, Run]]) -> None:
        """Waits for workers that have claimed runs, given with their tasks. If one is dead, its run needs another attempt."""
        claimed = [(task, run) for task, run in pairs if run.attempt.status != STAGED]
        alive = self.find_running() if claimed else frozenset()
        for task, run in claimed:
            task.watched_since = task.watched_since or time.monotonic()
            if run.id in alive or self.ends or self._waits_for_others(task, run):
                self._watch(task)
                continue
            if not self._is_same_program(task, run):
                self._end(Arrival(task, run, problem=self._other_program(run)))
                continue
            self._trust_claim(run)
            self._end(Arrival(task, run))

    def _trust_claim(self, run: Run) -> None:
        """Trusts the last attempt of a run if it would execute what was handed out."""
        with suppress(BadRun), Objects(self._session.git) as objects:
            claims.trust_claim(self._session.git, objects, run)

    def _waits_for_others(self, task: ClusterTask, run: Run) -> bool:
        """Returns whether a claim is by a worker that another driver knows. Tells the user, once."""
        with Objects(self._session.git) as objects:
            is_own = task.attempt in {run.attempt.id, *claims.commit_parents(objects, run.attempt.id)}
        if is_own or time.monotonic() - task.watched_since >= FOREIGN_CLAIM or not self._is_same_program(task, run):
            return False
        name = run.attempt.worker or "another machine"
        self._tell_once(task, f"note: waiting for run {short_id(run.id)}, which {name} executes for another driver")
        return True

    def _is_same_program(self, task: ClusterTask, run: Run) -> bool:
        """Returns whether the last attempt of a run executes what was handed out. Another driver of a batch asks for that."""
        with suppress(BadRun), Objects(self._session.git) as objects:
            program = claims.read_program(objects, task.attempt)
            return program is not None and program == claims.read_program(objects, run.attempt.id)
        return False

    def _is_result_of(self, task: ClusterTask, run: Run) -> bool:
        """Returns whether a run's result is of what was handed out, with whatever files of earlier attempts."""
        if trust.is_trusted_commit(self._session.git, run.attempt.id):
            return True
        with suppress(BadRun), Objects(self._session.git) as objects:
            work = claims.read_work(objects, task.attempt)
            return work is not None and work == claims.read_work(objects, run.attempt.id)
        return False

    def _other_program(self, run: Run) -> str:
        """Returns the reason why a run is not waited for that somebody else has changed."""
        remote = self._place.remote
        return f"somebody has pushed another program to it on {remote}. To see what: git run log {short_id(run.id)}"

    def _tell_once(self, task: ClusterTask, words: str) -> None:
        """Tells the user why a task is not over yet, unless the user has been told one reason."""
        if not task.is_told:
            task.is_told = True
            self._session.say(words)


def read_ids(end: TaskEnd) -> frozenset[str]:
    """Returns the ids in the list of runs that a worker printed as JSON."""
    with suppress(ValueError, TypeError, KeyError):
        return frozenset(str(run["id"]) for run in json.loads(end.stdout))
    return frozenset()


def warn_of_resources(place: Place, resources: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Tells the user that no worker has the resources that a run asks for. Raises BadValue."""
    if place.cluster.lacks(resources):
        names = ", ".join(f"{name}={value}" for name, value in resources.items())
        say(f"warning: no worker has {names}. The runs wait for one. {RESOURCES_HINT}")


def read_output(session: Session, run: Run) -> bytes:
    """Returns what a run has written."""
    with Objects(session.git) as objects:
        output = objects.read(f"{run.attempt.result}:{record_files.OUTPUT}", limit=1 << 25)
    return output.data or b"" if output else b""


def read_tail(session: Session, run: Run) -> list[str]:
    """Returns the last lines that a run has written."""
    return read_output(session, run).decode(errors="replace").splitlines()[-TAIL:]

"""Dask as the cluster that executes runs. Tasks are `subprocess.run` of words: schedulers and workers import nothing of ours.

TLS, timeouts and all else are Dask's own configuration.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

import distributed
from dask.utils import parse_bytes

from gitrun.errors import BadValue, CannotRun
from gitrun.lifecycle.cluster import TaskEnd
from gitrun.process.run import words_runner

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any

    from distributed import Future

GONE = "the connection to the scheduler is lost"
STARTED_TASKS = count(1)
QUIET_LOG = logging.CRITICAL + 1
run_words, NO_INPUT = words_runner()
OPTIONS: Mapping[str, Any] = {"capture_output": True, "stdin": NO_INPUT, "check": False}
"""Options of `subprocess.run` for the programs of workers."""


def connect(address: str) -> DaskCluster:
    """Connects to the scheduler at an address. Raises CannotRun."""
    logging.getLogger("distributed").setLevel(QUIET_LOG)
    if address.startswith("tls://") and not distributed.Security().get_connection_args("client").get("ssl_context"):
        hint = "To name them: distributed.comm.tls in Dask's configuration"
        raise CannotRun(f"{address} needs a certificate and a key of the client", hint)
    try:
        client = distributed.Client(address, set_as_default=False)
    except (OSError, TimeoutError, ValueError, ImportError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CannotRun(f"no Dask scheduler answers at {address}: {reason}", "To start one: dask scheduler") from error
    return DaskCluster(client)


def start_local(threads: int) -> DaskPermits:
    """Starts a scheduler and a worker with threads in this process."""
    logging.getLogger("distributed").setLevel(QUIET_LOG)
    # without an address its metrics take port 8787 of all networks, and warn if another cluster has it
    own_port = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=threads, processes=False, dashboard_address=None,
        scheduler_kwargs=own_port, silence_logs=QUIET_LOG,
    )  # fmt: skip
    return DaskPermits(cluster, distributed.Client(cluster, set_as_default=False), threads)


class Waker:
    """A pipe that wakes the thread which polls its `descriptor`."""

    def __init__(self) -> None:
        self.descriptor, self._write = os.pipe()
        for end in (self.descriptor, self._write):
            os.set_blocking(end, False)

    def wake(self) -> None:
        """Makes the descriptor readable."""
        with suppress(OSError):  # full: it is readable; closed: nobody waits
            os.write(self._write, b"x")

    def clear(self) -> None:
        """Makes the descriptor unreadable again."""
        with suppress(BlockingIOError):
            os.read(self.descriptor, 1 << 16)

    def close(self) -> None:
        """Closes the pipe."""
        for end in (self.descriptor, self._write):
            os.close(end)


class DaskPermits:
    """A Dask cluster in this process; see `lifecycle.cluster.Permits`. A task holds a thread while its program runs."""

    def __init__(self, cluster: distributed.LocalCluster, client: distributed.Client, threads: int) -> None:
        self._cluster, self._client, self.threads = cluster, client, threads
        self._waker, self._granted = Waker(), queue.SimpleQueue[str]()
        self.descriptor = self._waker.descriptor
        self._futures: dict[str, Future] = {}
        self._held: list[str] = []
        self._key = f"gitrun-{os.getpid()}-{id(self)}"
        PERMITS[self._key] = self

    def lacks(self, resources: Mapping[str, str]) -> bool:
        """Returns whether the worker lacks these resources. Raises BadValue."""
        return lacks_resources(self._client, resources)

    def request(self, resources: Mapping[str, str]) -> None:
        """Has Dask start a task on a thread as soon as one is free."""
        key = f"{self._key}-{next(STARTED_TASKS)}"
        resources_asked = read_resources(resources) or None
        self._futures[key] = self._client.submit(hold_thread, self._key, key, key=key, pure=False, resources=resources_asked)

    def hold(self, key: str) -> None:
        """Grants a permit, and returns when it is given back. Called on a thread of the worker."""
        released = RELEASED.setdefault(key, threading.Event())
        self._granted.put(key)
        self._waker.wake()
        released.wait()
        RELEASED.pop(key, None)

    def count_granted(self) -> int:
        """Returns the number of permits that were granted since the last call."""
        self._waker.clear()
        before = len(self._held)
        while not self._granted.empty():
            self._held.append(self._granted.get())
        return len(self._held) - before

    def release(self) -> None:
        """Ends a task that holds a thread."""
        key = self._held.pop()
        RELEASED[key].set()
        self._futures.pop(key, None)

    def close(self) -> None:
        """Ends the tasks, the worker and the scheduler."""
        PERMITS.pop(self._key, None)
        with suppress(OSError, TimeoutError, RuntimeError):
            self._client.cancel(list(self._futures.values()))
        for event in list(RELEASED.values()):
            event.set()
        for part in (self._client, self._cluster):
            with suppress(OSError, TimeoutError, RuntimeError):
                part.close(timeout=5)
        self._waker.close()


PERMITS: dict[str, DaskPermits] = {}
"""The clusters of this process by key. A task knows no more than the key: its arguments are pickled."""
RELEASED: dict[str, threading.Event] = {}
"""The tasks that hold threads, each with the event that ends it."""


def hold_thread(cluster: str, key: str) -> None:
    """Holds a thread of the worker while a program of this machine runs."""
    permits = PERMITS.get(cluster)
    if permits:  # else it has been closed
        permits.hold(key)


class DaskCluster:
    """A Dask cluster; see `lifecycle.cluster.Cluster`."""

    def __init__(self, client: distributed.Client) -> None:
        self._client = client
        self._futures: dict[str, Future] = {}
        self._ended = queue.SimpleQueue[str]()
        self._waker = Waker()
        self.descriptor = self._waker.descriptor

    @property
    def threads(self) -> int:
        """Returns how many tasks can run at a time."""
        return sum(self._client.nthreads().values())

    @property
    def workers(self) -> Collection[str]:
        """Returns the addresses of the workers."""
        return frozenset(self._client.nthreads())

    @property
    def is_gone(self) -> bool:
        """Returns whether the connection to the scheduler is lost."""
        return bool(self._client.status != "running")

    def lacks(self, resources: Mapping[str, str]) -> bool:
        """Returns whether there are workers, but none has these resources. Raises BadValue."""
        return lacks_resources(self._client, resources)

    def submit(self, key: str, words: Sequence[str], resources: Mapping[str, str], avoid: Collection[str]) -> None:
        """Has a worker run the words in its directory, preferably none of `avoid`."""
        others = list(set(self.workers) - set(avoid)) if avoid else []
        placing: dict[str, Any] = {"workers": others, "allow_other_workers": True} if others else {}
        future = self._client.submit(
            run_words, list(words), key=f"gitrun-{key}-{os.getpid()}-{next(STARTED_TASKS)}", pure=False,
            resources=read_resources(resources) or None, **placing, **OPTIONS,
        )  # fmt: skip
        self._futures[key] = future
        future.add_done_callback(lambda _: self._note_end(key))

    def _note_end(self, key: str) -> None:
        """Wakes the thread that waits for tasks."""
        self._ended.put(key)
        self._waker.wake()

    def cancel(self, keys: Collection[str]) -> None:
        """Forgets tasks. Those that run go on."""
        futures = [future for key in keys if (future := self._futures.pop(key, None))]
        with suppress(OSError, TimeoutError, RuntimeError):
            self._client.cancel(futures)

    def read_ended(self) -> list[TaskEnd]:
        """Returns the tasks that have ended since the last call."""
        self._waker.clear()
        ends = []
        while not self._ended.empty():
            key = self._ended.get()
            future = self._futures.pop(key, None)
            if future is not None:
                ends.append(self._end_of(key, future))
        return ends

    def _end_of(self, key: str, future: Future) -> TaskEnd:
        """Returns how a task ended, and where. The program of one that is lost may still run."""
        if future.status == "error":
            error = future.exception()
            dead = getattr(error, "last_worker", None)
            return TaskEnd(key, None, problem=first_line(error), worker=getattr(dead, "address", ""))
        if future.status != "finished":
            return TaskEnd(key, None, problem=GONE, is_cluster_gone=True)
        try:
            worker = next(iter(next(iter(self._client.who_has([future]).values()), ())), "")
            answer = future.result()
        except (OSError, TimeoutError, RuntimeError, distributed.CancelledError, distributed.KilledWorker) as error:
            is_gone = self._client.status != "running" or isinstance(error, distributed.CancelledError)
            return TaskEnd(key, None, problem=GONE if is_gone else first_line(error), is_cluster_gone=is_gone)
        return TaskEnd(key, answer.returncode, answer.stdout or b"", answer.stderr or b"", worker)

    def ask_workers(self, words: Sequence[str], workers: Collection[str] | None = None) -> Mapping[str, TaskEnd]:
        """Runs the words at once on all workers, or on those given. Returns the end by address, of those that answer."""
        try:
            answers = self._client.run(
                run_words, list(words), workers=None if workers is None else list(workers), on_error="return",
                **OPTIONS,
            )  # fmt: skip
        except (OSError, TimeoutError, RuntimeError, ValueError):
            return {}
        return {
            address: TaskEnd("", answer.returncode, answer.stdout, answer.stderr, address)
            if hasattr(answer, "returncode")
            else TaskEnd("", None, problem=first_line(answer), worker=address)
            for address, answer in answers.items()
        }

    def close(self) -> None:
        """Leaves the cluster."""
        with suppress(OSError, TimeoutError, RuntimeError):
            self._client.close(timeout=5)
        self._waker.close()


def lacks_resources(client: distributed.Client, resources: Mapping[str, str]) -> bool:
    """Returns whether a cluster has workers, but none of them has these resources. Raises BadValue."""
    resources_asked = read_resources(resources)
    workers = client.scheduler_info(n_workers=-1)["workers"].values() if resources_asked else ()
    return bool(workers) and not any(
        all(worker["resources"].get(name, 0) >= value for name, value in resources_asked.items()) for worker in workers
    )


def read_resources(resources: Mapping[str, str]) -> dict[str, float]:
    """Returns the amounts of resources: numbers, or bytes such as `8 GB`. Raises BadValue."""
    amounts = {}
    for name, text in resources.items():
        try:
            amounts[name] = float(text)
        except ValueError:
            try:
                amounts[name] = float(parse_bytes(text))
            except (ValueError, KeyError):
                raise BadValue(f"resource {name} must be a number or bytes such as 8 GB, not '{text}'") from None
    return amounts


def first_line(error: BaseException | None) -> str:
    """Returns the first line of an error's text."""
    return next(iter(str(error).splitlines()), type(error).__name__)

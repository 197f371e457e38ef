"""The cluster that executes runs elsewhere: what the road of a run needs of it. Its library is an extra.

A task is the words of a program, `git run worker`. A cluster decides where it runs; git decides that it runs once.
"""

from __future__ import annotations

import json
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from gitrun.dataclass import dataclass
from gitrun.errors import BadValue, MissingPackage
from gitrun.model.run import is_id

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from types import ModuleType
    from typing import Any

SCHEMES = ("tcp://", "tls://", "ws://", "wss://", "ucx://", "inproc://")
"""Beginnings of the addresses of Dask schedulers."""
LOCAL = "local:"
EXTRA = "dask"
WORKER = ("git-run", "worker")
"""First words of the program that executes a run."""
DASK_INSTALL = "To install it: pip install 'git-run-tracker[dask]'"
MOST_JOBS = 1 << 12
RESOURCES_HINT = "To give a worker resources: dask worker ADDRESS --resources 'GPU=1'"
NOT_HERE = 75
"""Exit status of a worker that cannot execute a run, or was not the first one to claim it."""


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """The end of a task: the exit status of its program (None: the cluster lost it), its output, and the worker's address.

    `problem` says why the cluster lost it. `is_cluster_gone` says that nobody is left to run tasks.
    """

    key: str
    status: int | None
    stdout: bytes = b""
    stderr: bytes = b""
    worker: str = ""
    problem: str = ""
    is_cluster_gone: bool = False

    @property
    def answer(self) -> Mapping[str, Any]:
        """Returns the object that `git run worker --json` printed about the run; empty without one."""
        for line in reversed(self.stdout.splitlines()):
            with suppress(ValueError):
                table = json.loads(line)
                if isinstance(table, dict) and is_id(str(table.get("run"))):
                    return table
        return {}

    @property
    def words(self) -> str:
        """Returns the reason why the program has no answer."""
        lines = self.stderr.decode(errors="replace").strip().splitlines()
        with suppress(ValueError, AttributeError):
            # `--json` makes an object of an error too
            return str(json.loads(lines[-1] if lines else "").get("message"))
        return self.problem or (lines[-1].removeprefix("gitrun: ") if lines else f"exit status {self.status}")


class Cluster(Protocol):
    """Machines that run programs. A context manager that leaves the cluster at its end.

    `descriptor` becomes readable when a task ends. `threads` is the number of programs that the cluster runs at a time now.
    """

    descriptor: int

    @property
    def threads(self) -> int:
        """Returns how many tasks can run at a time; 0 while there is no worker."""

    @property
    def workers(self) -> Collection[str]:
        """Returns the addresses of the workers."""

    @property
    def is_gone(self) -> bool:
        """Returns whether the connection to the cluster is lost."""

    def lacks(self, resources: Mapping[str, str]) -> bool:
        """Returns whether there are workers, but none has these resources. Raises BadValue."""

    def submit(self, key: str, words: Sequence[str], resources: Mapping[str, str], avoid: Collection[str]) -> None:
        """Has a worker run the words in its directory, preferably none of `avoid`."""

    def cancel(self, keys: Collection[str]) -> None:
        """Forgets tasks. Those that run go on."""

    def read_ended(self) -> list[TaskEnd]:
        """Returns the tasks that have ended since the last call."""

    def ask_workers(self, words: Sequence[str], workers: Collection[str] | None = None) -> Mapping[str, TaskEnd]:
        """Runs the words at once on all workers, or on those given. Returns the end by address, of those that answer."""

    def close(self) -> None:
        """Leaves the cluster."""


class Permits(Protocol):
    """A cluster in this process, which says when programs may start on this machine.

    `descriptor` becomes readable when a permit is granted. `threads` is the number of permits there are.
    """

    descriptor: int
    threads: int

    def lacks(self, resources: Mapping[str, str]) -> bool:
        """Returns whether this machine does not offer these resources. Raises BadValue."""

    def request(self, resources: Mapping[str, str]) -> None:
        """Asks for a permit to start a program that needs these resources."""

    def count_granted(self) -> int:
        """Returns the number of permits that were granted since the last call."""

    def release(self) -> None:
        """Gives a granted permit back: its program has ended."""

    def close(self) -> None:
        """Gives all permits back and ends the cluster."""


def is_cluster(address: str) -> bool:
    """Returns whether `--on ADDRESS` names a cluster; else it names a git remote."""
    return address.startswith((*SCHEMES, LOCAL))


def open_cluster(address: str) -> Cluster:
    """Connects to a scheduler. Raises MissingPackage, CannotRun."""
    cluster: Cluster = load_extra().connect(address)
    return cluster


def open_local(address: str) -> Permits:
    """Starts a cluster in this process (`local:N`). Raises BadValue, MissingPackage."""
    count = address.removeprefix(LOCAL)
    if not (count.isascii() and count.isdigit() and 1 <= int(count) <= MOST_JOBS):
        raise BadValue("--on local:N needs a number of workers", "For example: --on local:4")
    permits: Permits = load_extra().start_local(int(count))
    return permits


def read_amounts(words: Sequence[str]) -> dict[str, str]:
    """Returns the amounts of resources, given as `NAME=AMOUNT`, by name."""
    return dict(word.partition("=")[::2] for word in words)


def load_extra() -> ModuleType:
    """Imports the extra that needs Dask. Raises MissingPackage."""
    if find_spec("distributed") is None:
        raise MissingPackage("Dask is not installed", DASK_INSTALL)
    return import_module(f"gitrun.extras.{EXTRA}")

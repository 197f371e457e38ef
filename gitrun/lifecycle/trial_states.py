"""The states of a trial in the loop of a batch: begun, running, held, ended; and the pools that run trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gitrun.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack
    from types import TracebackType

    from gitrun.lifecycle.decide import Decision, LaunchRequest
    from gitrun.lifecycle.executor import Execution, LocalExecutor, PreparedProgram
    from gitrun.lifecycle.trial_queue import Task
    from gitrun.process.streams import Stream
    from gitrun.store.attempts import AttemptHandle, PreparedResult


@dataclass(frozen=True, slots=True)
class BegunTrial:
    """A trial that is recorded but does not run yet, with what executes its program."""

    attempt: AttemptHandle
    executor: LocalExecutor


class BeginTrial(Protocol):
    """Begins the attempt of a trial, as `launch.begin_trial` does."""

    def __call__(self, launch: LaunchRequest, decision: Decision) -> BegunTrial:
        """Returns the trial. Raises GitrunError."""


@dataclass(frozen=True, slots=True)
class RunningTrial:
    """A trial whose program runs, with what is needed to record its end. `stack` holds its slot and its live record."""

    task: Task
    attempt: AttemptHandle
    executor: LocalExecutor
    prepared: PreparedProgram
    streams: tuple[Stream, Stream] | None
    stack: ExitStack


@dataclass(frozen=True, slots=True)
class HeldTrial:
    """A trial that has ended and is recorded together with the start of the next one, which saves half of the writes.

    `words` tell the user about it then.
    """

    trial: RunningTrial
    execution: Execution
    result: PreparedResult
    words: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class EndedTrial:
    """A trial that has ended. `host` names the machine that ran it, empty for this one."""

    task: Task
    run_id: str
    host: str = ""


class TrialPool(Protocol):
    """The programs of this machine, or a cluster, that run the trials of a batch. A context manager.

    `ends` are the signals that asked gitrun itself to end, in the order of arrival.
    """

    ends: list[int]

    def __enter__(self) -> object:
        """Begins to supervise."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ends what still runs."""

    def read_signals(self) -> None:
        """Handles the signals that have arrived."""

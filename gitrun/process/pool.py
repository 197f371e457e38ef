"""Supervises many programs at once, in one thread and one loop."""

from __future__ import annotations

import select
from contextlib import ExitStack
from typing import TYPE_CHECKING

from gitrun import process
from gitrun.process.run import RunningProgram, prepare_child, watch_exit
from gitrun.process.signals import INTERRUPTS, ORDERS
from gitrun.process.tree import adopt_orphans

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path
    from types import TracebackType

    from gitrun.process.run import Command
    from gitrun.process.signals import Signals
    from gitrun.process.starting import Starter
    from gitrun.process.streams import Stream

SECOND = 2
"""Number of the program from which on a starter starts them."""


class QueuedSignals:
    """Signals handed to one of several programs. Has what a program's supervisor needs of `Signals`."""

    def __init__(self, source: Signals) -> None:
        self.descriptor = -1
        self.queue: list[tuple[int, bool]] = []
        self._source = source

    def restore_defaults(self) -> None:
        """Restores default signal handling in a child, before its program starts."""
        self._source.restore_defaults()

    def read(self) -> list[tuple[int, bool]]:
        """Returns the signals that were queued since the last call: number, and whether the terminal sent it to all."""
        arrived, self.queue = self.queue, []
        return arrived


class ProgramPool:
    """Programs that run side by side; a context manager. On exit it kills those that still run.

    `find_targets` names the programs that an order to end (SIGTERM, SIGHUP) is meant for; None: for gitrun and all programs.
    `ends` are the signals that asked gitrun itself to end, in the order of arrival. `wakers` are descriptors that end a wait
    when they become readable.
    """

    def __init__(self, signals: Signals, find_targets: Callable[[], Collection[RunningProgram] | None] = lambda: None) -> None:
        self.ends: list[int] = []
        self.wakers: tuple[int, ...] = ()
        self._signals, self._find_targets = signals, find_targets
        self._running: dict[RunningProgram, tuple[ExitStack, int, QueuedSignals]] = {}
        self._stack = ExitStack()
        self._starter: Starter | None = None
        self._count = 0

    def __enter__(self) -> ProgramPool:
        # daemons that the programs start become our children, so that they can be found and ended
        self._stack.enter_context(adopt_orphans())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # a search enters its pool again for each trial
        self._count, self._starter = 0, None
        with self._stack:
            while self._running:
                program, (watching, _, _) = self._running.popitem()
                with watching:
                    program.kill()

    def start(self, command: Command, record: Path, streams: tuple[Stream, Stream]) -> RunningProgram:
        """Starts a program, whose output goes to `record` and the streams. Raises CannotRun if it cannot be started."""
        self._count += 1
        # the first program need not wait for it
        if self._count == SECOND and (starter := process.starting.open_starter(prepare_child(self._signals))):
            self._starter = starter
            self._stack.callback(starter.end)
        signals, watching = QueuedSignals(self._signals), ExitStack()
        program = RunningProgram(command, record, streams, signals, beside=True, starter=self._starter)
        self._running[program] = watching, watching.enter_context(watch_exit(program.process.pid)), signals
        return program

    def wait(self, patience: float) -> list[RunningProgram]:
        """Handles what happens within `patience` seconds. Returns the programs that have ended; call `finish` on each.

        Returns early when anything happened.
        """
        poll, waiting = select.poll(), dict.fromkeys((self._signals.descriptor, *self.wakers), select.POLLIN)
        for program, (_, watch, _) in self._running.items():
            patience = min(patience, program.supervisor.patience())
            # several programs may wait for one terminal to become writable
            waiting |= {watch: select.POLLIN, **dict(program.supervisor.waits_for())}
        for descriptor, event in waiting.items():
            if descriptor >= 0:
                poll.register(descriptor, event)
        ready = {descriptor for descriptor, _ in poll.poll(patience * 1000)}
        self.read_signals()
        for program in self._running:
            program.supervisor.forward_signals()
            program.supervisor.handle(ready)
        ended = [program for program in self._running if program.process.poll() is not None]
        for program in ended:
            self._running.pop(program)[0].close()
        return ended

    def read_signals(self) -> None:
        """Queues the signals that have arrived for the programs that they are meant for."""
        for number, has_it in self._signals.read():
            targets = self._find_targets() if number in ORDERS else None
            if targets is None and number in (*INTERRUPTS, *ORDERS):
                self.ends.append(number)
            for program, (_, _, signals) in self._running.items():
                if targets is None or program in targets:
                    signals.queue.append((number, has_it))

"""Supervises many programs at once, in one thread and one loop."""

from __future__ import annotations

import select
from contextlib import ExitStack
from typing import TYPE_CHECKING

from gitrun.process.run import RunningProgram, watch_exit
from gitrun.process.signals import INTERRUPTS, ORDERS
from gitrun.process.tree import adopt_orphans

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from gitrun.process.run import Command
    from gitrun.process.signals import Signals
    from gitrun.process.streams import Stream


class SharedSignals:
    """The signals of this process, seen by one of several programs: each program gets every signal.

    Has what a program's supervisor needs of `Signals`. Signals that arrived before it was made are not for its program.
    """

    def __init__(self, source: Signals, log: list[tuple[int, bool]]) -> None:
        self.descriptor = source.descriptor
        self._source, self._log, self._seen = source, log, len(log)

    def restore_defaults(self) -> None:
        """Restores default signal handling in a child, before its program starts."""
        self._source.restore_defaults()

    def read(self) -> list[tuple[int, bool]]:
        """Returns the signals that have arrived since the last call: number, and whether the terminal sent it to all."""
        self._log += self._source.read()
        arrived, self._seen = self._log[self._seen :], len(self._log)
        return arrived


class ProgramPool:
    """Programs that run side by side; a context manager. On exit it kills those that still run.

    `ends` are the signals that asked gitrun to end, in the order of arrival; they have been forwarded to all programs.
    """

    def __init__(self, signals: Signals) -> None:
        self._signals, self._log = signals, list[tuple[int, bool]]()
        self._running: dict[RunningProgram, tuple[ExitStack, int]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> ProgramPool:
        self._stack.enter_context(adopt_orphans())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._stack:
            while self._running:
                program, (watching, _) = self._running.popitem()
                with watching:
                    program.kill()

    @property
    def ends(self) -> tuple[int, ...]:
        """Returns the signals so far that asked gitrun to end."""
        self._log += self._signals.read()
        return tuple(number for number, _ in self._log if number in (*INTERRUPTS, *ORDERS))

    def start(self, command: Command, record: Path, streams: tuple[Stream, Stream]) -> RunningProgram:
        """Starts a program, whose output goes to `record` and the streams. Raises CannotRun if it cannot be started."""
        signals = SharedSignals(self._signals, self._log)
        program = RunningProgram(command, record, streams, signals, beside=True)
        watching = ExitStack()
        self._running[program] = watching, watching.enter_context(watch_exit(program.process.pid))
        return program

    def wait(self, patience: float) -> list[RunningProgram]:
        """Handles what happens within `patience` seconds. Returns the programs that ended; call `finish` on each.

        Returns early when a program has ended or a signal has arrived.
        """
        poll = select.poll()
        waiting = {self._signals.descriptor: select.POLLIN}
        for program, (_, watch) in self._running.items():
            patience = min(patience, program.supervisor.patience())
            # several programs may wait for one terminal to become writable
            waiting |= {watch: select.POLLIN, **dict(program.supervisor.waits_for())}
        for descriptor, event in waiting.items():
            if descriptor >= 0:
                poll.register(descriptor, event)
        ready = {descriptor for descriptor, _ in poll.poll(patience * 1000)}
        self._log += self._signals.read()
        for program in self._running:
            program.supervisor.forward_signals()
            program.supervisor.handle(ready)
        ended = [program for program in self._running if program.process.poll() is not None]
        for program in ended:
            self._running.pop(program)[0].close()
        return ended

"""Streams of server-sent events, such as the output of a program while it runs."""

from __future__ import annotations

import asyncio
import codecs
import json
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gitrun.render import feed
from gitrun.store.live import OUTPUT, directory_of, is_live

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from gitrun.project import Project

    InThread = Callable[[Callable[[], Any]], Awaitable[Any]]

TAIL_PAUSE = 0.1
"""Seconds between two looks at the output of a program."""
BEAT = 15.0
"""Seconds after which a stream without news sends a comment, so that no proxy closes it."""
COMMENT = ":\n\n"
PIECE = 1 << 16
LARGEST = 1 << 50
"""Bytes of an output that nobody has."""


class Stopping:
    """The end of the server, for which streams wait between what they say."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def stop(self) -> None:
        """Ends the pauses of all streams."""
        self._event.set()

    async def pause(self, seconds: float) -> bool:
        """Waits. Returns whether the server goes on."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._event.wait(), seconds)
        return not self._event.is_set()


def event(name: str, value: Any, number: int | None = None) -> str:  # noqa: ANN401 - whatever JSON holds
    """Returns a server-sent event; without a name one of the kind `message`."""
    head = (f"id: {number}\n" if number is not None else "") + (f"event: {name}\n" if name else "")
    # JSON has no line ends, which would end the event
    return f"{head}data: {json.dumps(value)}\n\n"


class Tail:
    """The output of a run from a byte on, while its program writes it."""

    def __init__(self, project: Project, run_id: str, start: int, in_thread: InThread, stopping: Stopping) -> None:
        self._project, self._run_id, self._in_thread, self._stopping = project, run_id, in_thread, stopping
        self._at = start
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    async def events(self) -> AsyncIterator[str]:
        """Yields the pieces, and at last how the run ended."""
        state, spoke = self._project.git.state, time.monotonic()
        path = directory_of(state, self._run_id) / OUTPUT
        while is_live(state, self._run_id) and not path.exists():  # a run is recorded before its program starts
            if not await self._stopping.pause(TAIL_PAUSE):
                return
        try:
            source = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            async for piece in self._recorded():
                yield piece
            return
        try:
            size = os.fstat(source).st_size
            self._at = start_of(self._at, size)
            os.lseek(source, self._at, os.SEEK_SET)
            while True:
                # asked before reading, so that what is written just before the end is not missed
                alive = is_live(state, self._run_id)
                while data := os.read(source, PIECE):
                    yield self._piece(data)
                    spoke = time.monotonic()
                if not alive:
                    break
                if time.monotonic() - spoke > BEAT:
                    yield COMMENT
                    spoke = time.monotonic()
                if not await self._stopping.pause(TAIL_PAUSE):
                    return
        finally:
            os.close(source)
        yield await self._end()

    async def _recorded(self) -> AsyncIterator[str]:
        """Yields the output of a run that has ended."""
        data = await self._in_thread(lambda: self._project.read_file(feed.find_run(self._project, self._run_id), "output"))
        self._at = start_of(self._at, len(data))
        for start in range(self._at, len(data), PIECE):
            yield self._piece(data[start : start + PIECE])
        yield await self._end()

    def _piece(self, data: bytes) -> str:
        """Returns an event with text. Its id is the byte after the last whole character, where a browser goes on."""
        self._at += len(data)
        words = self._decoder.decode(data)
        return event("", words, self._at - len(self._decoder.getstate()[0]))

    async def _end(self) -> str:
        run = await self._in_thread(lambda: feed.find_run(self._project, self._run_id))
        return event("end", {"status": run.attempt.shown_status, "exit_status": run.attempt.exit_status})


def start_of(asked: int, size: int) -> int:
    """Returns where to begin in so many bytes. A negative number asks for the last ones."""
    return max(size + asked, 0) if asked < 0 else min(asked, size)

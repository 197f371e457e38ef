"""The loop of a process that answers calls of `git run worker`; see `standby`."""

from __future__ import annotations

import os
import select
import socket
import sys
import time
import traceback
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from gitrun.commands.main import prepare_streams, run_command
from gitrun.commands.standby import CURRENT, LONGEST_LIFE, STREAMS, identify
from gitrun.lifecycle.worker import WorkerGits

if TYPE_CHECKING:
    import _socket

REFUSED = b"-"
"""The answer to a call of another environment: too short to be the id of a process."""


def serve(directory: str, first: _socket.socket) -> NoReturn:
    """Answers the call of the connection `first`, and others until none comes for a while. Ends this process."""
    began, own, numbers = time.monotonic(), identify(), count()
    connection: socket.socket | None = socket.socket(fileno=first.detach())
    code = 1
    try:
        free_streams()
        prepare_streams()
        CURRENT.gits = WorkerGits()
        while connection:
            with connection:
                goes_on = answer(connection, own)
            connection = accept(directory, next(numbers)) if goes_on and time.monotonic() - began < LONGEST_LIFE else None
        CURRENT.gits.end_all()
        code = 0
    finally:
        # whatever has happened, this process does not go on as the caller that it was forked from
        os._exit(code)


def answer(connection: socket.socket, own: bytes) -> bool:
    """Answers one call, unless its environment is another. Returns whether this process can answer others."""
    head, streams, _, _ = socket.recv_fds(connection, 8, STREAMS)
    data = b""
    while len(data) < int.from_bytes(head, "big") and (piece := connection.recv(1 << 16)):
        data += piece
    length, _, rest = data.partition(b"\0")
    *words, identity = rest.split(b"\0", int(length or 0))
    try:
        # a caller that was killed has sent half of its call
        if identity != own:
            connection.sendall(REFUSED)
            return True
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
    finally:
        for stream in streams:
            os.close(stream)
    connection.sendall(os.getpid().to_bytes(8, "big"))
    code, is_sound = run_words([os.fsdecode(word) for word in words])
    connection.settimeout(0)
    is_ordered = False
    with suppress(BlockingIOError, ConnectionError):
        # empty: the caller has been killed, which is no reason to end
        is_ordered = bool(connection.recv(1))
    with suppress(OSError):
        connection.sendall(str(code).encode())
    return is_sound and not is_ordered


def run_words(words: list[str]) -> tuple[int, bool]:
    """Runs the call. Returns its exit code, and whether it ended as planned."""
    is_sound = True
    try:
        code = run_command(words)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except Exception:  # noqa: BLE001 - a bug is a traceback, and the end of this process
        traceback.print_exc()
        code, is_sound = 1, False
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    free_streams()
    return code, is_sound


def free_streams() -> None:
    """Lets go of the streams of a caller, which waits for their end."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(STREAMS):
        os.dup2(nothing, number)
    os.close(nothing)


def accept(directory: str, number: int) -> socket.socket | None:
    """Waits for the next call. Returns its connection; None if none comes within the time to linger."""
    os.makedirs(directory, mode=0o700, exist_ok=True)  # noqa: PTH103 - only this directory gets the mode
    path = Path(directory) / f"{os.getpid()}.{number}"
    with socket.socket(socket.AF_UNIX) as listener:
        listen(listener, path)
        select.select([listener], [], [], CURRENT.linger)
        path.unlink(missing_ok=True)
        # a call that came before the name was removed is answered; others see a closed socket
        listener.settimeout(0)
        with suppress(BlockingIOError):
            connection = listener.accept()[0]
            connection.settimeout(None)
            return connection
    return None


def listen(listener: socket.socket, path: Path) -> None:
    """Listens on a socket at the path."""
    fresh = f".{path.name}"
    here = os.open(".", os.O_RDONLY)
    try:
        # the path of a socket has 107 bytes at most
        os.chdir(path.parent)
        listener.bind(fresh)
    finally:
        os.fchdir(here)
        os.close(here)
    listener.listen(4)
    # a caller takes a socket on which nobody listens for that of a dead process
    path.with_name(fresh).rename(path)

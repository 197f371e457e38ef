"""A process that stays for some seconds after a call of `git run worker`, and answers the next calls in its clone.

A scheduler starts a worker for each run. Its start and its imports take longer than most of the rest, so with `--linger` the
started process only hands its words, environment and standard streams to one that waits, and returns that one's exit code.
Each waiting process listens on a socket `.git/gitrun/standby/<pid>.<number>`, takes one call at a time, and has no socket
while it works. What waits is found by its socket alone: a killed process leaves one that refuses connections.

The first lines of gitrun run before anything else is imported, so this module imports as little as it can.
"""

from __future__ import annotations

import _socket  # `socket` takes as long as the start of the interpreter
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from gitrun.lifecycle.worker import WorkerGits

PLACE = ".git/gitrun/standby"
FOREIGN = frozenset({b"_", b"OLDPWD", b"SHLVL"})
"""Variables of the shell that say nothing about a call."""
FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
STREAMS = 3
LONGEST_LIFE = 600.0
"""Seconds after which a process no longer waits for calls: gitrun or its settings may have changed."""
BROKEN = 1
"""Exit code of a call whose process has died."""


class Standby:
    """State of this process between calls: the seconds that it waits for the next one, and the gits that it keeps."""

    def __init__(self) -> None:
        self.linger = 0.0
        self.gits: WorkerGits | None = None


CURRENT = Standby()
"""The state of this process."""


def call(words: list[str], serve: Callable[[str, _socket.socket], NoReturn]) -> int | None:
    """Hands the call to a process that waits, or starts one, which runs `serve` and waits afterwards. Returns the exit code.

    Returns None if this process is to do it alone: on a terminal, and in a linked worktree.
    """
    above = find_directory()
    if above is None or os.isatty(0) or "GIT_DIR" in os.environ:
        return None
    request = encode_request(words)
    connection = connect(above, request) or start_waiting(above, request, serve)
    reply = read_all(connection)
    return int(reply) if reply else BROKEN


def find_directory() -> str | None:
    """Returns the directory of the sockets for the working directory's clone; None if there is no plain clone."""
    above = os.getcwd()  # noqa: PTH109 - pathlib is not loaded
    while not os.path.isdir(os.path.join(above, ".git")):  # noqa: PTH112, PTH118 - as above
        # `.git` of a linked worktree is a file
        if above == os.path.dirname(above) or os.path.lexists(os.path.join(above, ".git")):  # noqa: PTH118, PTH120
            return None
        above = os.path.dirname(above)  # noqa: PTH120
    return os.path.join(above, PLACE)  # noqa: PTH118


def encode_request(words: list[str]) -> bytes:
    """Returns a call as bytes: the number of its words, the words, and what it has in common with others, after NULs."""
    return b"\0".join([b"%d" % len(words), *map(os.fsencode, words), identify()])


def identify() -> bytes:
    """Returns what the calls that a process answers have in common: directory, file mask, environment."""
    mask = os.umask(0)
    os.umask(mask)
    variables = sorted(b"%b=%b" % pair for pair in os.environb.items() if pair[0] not in FOREIGN)
    return b"\0".join([os.getcwdb(), b"%o" % mask, *variables])  # noqa: PTH109 - as above


def connect(directory: str, request: bytes) -> _socket.socket | None:
    """Hands the call to a process that waits. Returns the connection to it; None if none takes the call."""
    try:
        names = os.listdir(directory)  # noqa: PTH208 - as above
    except OSError:
        return None
    here = os.open(".", os.O_RDONLY)
    try:
        # the path of a socket has 107 bytes at most
        os.chdir(directory)
        for name in names:
            if connection := offer(name, request):
                return connection
    finally:
        os.fchdir(here)
        os.close(here)
    return None


def offer(name: str, request: bytes) -> _socket.socket | None:
    """Offers the call to the process with this socket. Returns the connection if the process takes it."""
    connection = _socket.socket(_socket.AF_UNIX)
    try:
        connection.connect(name)
    except ConnectionRefusedError:
        with suppress(OSError):
            os.unlink(name)  # noqa: PTH108 - as above
    except OSError:  # it has taken another call
        pass
    else:
        with suppress(OSError):
            if send_request(connection, request):
                return connection
    connection.close()
    return None


def send_request(connection: _socket.socket, request: bytes) -> bool:
    """Sends the call with our standard streams. Returns whether the other process takes it, whose end is then ours."""
    streams = b"".join(number.to_bytes(4, sys.byteorder) for number in range(STREAMS))
    connection.sendmsg([len(request).to_bytes(8, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
    connection.sendall(request)
    pid = connection.recv(8)
    if len(pid) < 8:
        return False
    target = int.from_bytes(pid, "big")
    for number in FORWARDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: forward(connection, target, number))
    return True


def forward(connection: _socket.socket, target: int, number: int) -> None:
    """Hands a signal on to the process that answers the call, which then takes no other."""
    with suppress(OSError):
        connection.sendall(b"x")
        os.kill(target, number)


def read_all(connection: _socket.socket) -> bytes:
    """Reads until the other end closes."""
    data = b""
    with suppress(OSError):
        while piece := connection.recv(64):
            data += piece
    return data


def start_waiting(directory: str, request: bytes, serve: Callable[[str, _socket.socket], NoReturn]) -> _socket.socket:
    """Starts a process that answers this call and then waits for others. Returns the connection to it."""
    ours, theirs = _socket.socketpair()
    if os.fork() == 0:
        ours.close()
        serve(directory, theirs)
    theirs.close()
    send_request(ours, request)
    return ours

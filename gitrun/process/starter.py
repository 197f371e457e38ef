"""The starter: a small process that starts the programs of a batch in place of gitrun.

A fork copies the tables of all memory in use, and then each page that either process writes. For gitrun that is a quarter of
what a short trial costs; this process has a tenth of the memory. Programs are tied to it, and it is tied to gitrun: if
gitrun dies, the kernel ends all of them.
"""

# `python -I -S starter.py DESCRIPTOR`: serves a socket. It stands alone, and imports little, so that it stays small.

from __future__ import annotations

import _socket
import ctypes
import gc
import os
import signal
import struct
import sys

BLOCKED = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that the terminal or a user sends to the whole group. They are for gitrun and the programs."""
PR_SET_PDEATHSIG = 1
ANSWER = struct.Struct("<ii")
"""The answer to an order: process id (0: it could not be started) and error number, or the wait status and 0."""
BEGUN = -1
"""Stands in place of the error number in what a child sends before it becomes the program, with its process id."""
DESCRIPTORS = struct.Struct("3i")
LIBC = ctypes.CDLL(None)
READY = ANSWER.pack(-1, 0)
"""The answer that is sent first."""


def carry_out_orders(connection: _socket.socket) -> None:
    """Carries out orders until the other side closes the socket."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python
        signal.signal(ignored, signal.SIG_DFL)
    gc.disable()
    connection.send(READY)
    while True:
        head, ancillary, _, _ = connection.recvmsg(4, _socket.CMSG_SPACE(DESCRIPTORS.size), _socket.MSG_CMSG_CLOEXEC)
        if len(head) < 4:
            return
        count, *texts = receive(connection, int.from_bytes(head, "little")).split(b"\0")
        if not int(count):
            connection.send(ANSWER.pack(os.waitpid(int(texts[0]), 0)[1], 0))
            continue
        streams = DESCRIPTORS.unpack(ancillary[0][2])
        connection.send(ANSWER.pack(*fork_program(connection, texts, int(count), streams, before)))
        for descriptor in streams:
            os.close(descriptor)


def receive(connection: _socket.socket, size: int) -> bytes:
    """Returns so many bytes of the socket; fewer if it was closed."""
    data = bytearray()
    while len(data) < size and (piece := connection.recv(size - len(data))):
        data += piece
    return bytes(data)


def fork_program(
    connection: _socket.socket, texts: list[bytes], count: int, streams: tuple[int, ...], mask: set[int | signal.Signals]
) -> tuple[int, int]:
    """Starts a program: so many words, its directory, its variables. Returns its process id, or 0 and the error number."""
    words, directory = texts[:count], texts[count]
    environ = dict(text.split(b"=", 1) for text in texts[count + 1 :])
    execute = os.execve if b"/" in words[0] else os.execvpe
    failed, fails = os.pipe()
    parent, prctl = os.getpid(), LIBC.prctl
    # each page that the child writes is copied, so it does little
    pid = os.fork()
    if not pid:
        number = 127
        try:
            prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)
            if os.getppid() != parent:  # it died before prctl
                os._exit(127)
            os.dup2(streams[0], 0)
            os.dup2(streams[1], 1)
            os.dup2(streams[2], 2)
            os.chdir(directory)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            # if this process is killed before it answers, gitrun knows that the program may have begun
            connection.send(ANSWER.pack(os.getpid(), BEGUN))
            execute(words[0], words, environ)
        except OSError as error:
            number = error.errno or number
        finally:
            os.write(fails, number.to_bytes(4, "little"))
            os._exit(127)
    os.close(fails)
    number = int.from_bytes(os.read(failed, 4), "little")
    os.close(failed)
    if number:
        os.waitpid(pid, 0)
    return (0, number) if number else (pid, 0)


if __name__ == "__main__":
    os.set_inheritable(int(sys.argv[1]), False)  # noqa: FBT003 - it takes no name
    try:
        carry_out_orders(_socket.socket(fileno=int(sys.argv[1])))
    except ConnectionError:
        # gitrun was killed before it had read an answer; stderr is that of the user
        sys.exit(1)

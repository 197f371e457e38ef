"""Is `git-run` for programs of the tests that start it: hands its streams to the server beside it, which forks gitrun.

It imports next to nothing, which makes it ten times as quick as gitrun. Where the server refuses, gitrun is started.
"""

import _signal
import _socket
import posix
import sys

HERE = sys.argv[0].rpartition("/")[0]
PASSED_ON = (_signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT, _signal.SIGTERM)


def read_number(server: _socket.socket) -> int:
    """Returns the number in the next line of the server, or 0 if it has gone."""
    line = b""
    while not line.endswith(b"\n") and (byte := server.recv(1)):
        line += byte
    return int(line or 0)


def call(server: _socket.socket) -> int:
    """Gives the server our streams. Returns the process that it has forked for us; 0 or less if it refuses."""
    streams = b"".join(number.to_bytes(4, sys.byteorder) for number in range(3))
    try:
        server.connect(HERE + "/socket")
        server.sendmsg([b"x"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
        return read_number(server)
    except OSError:  # it has ended, or one of our streams is closed
        return 0


def main() -> None:
    """Lets a forked gitrun take our place. Ends as it does."""
    server = _socket.socket(_socket.AF_UNIX)
    if (pid := call(server)) <= 0:
        posix.execv(HERE + "/started/git-run", ["git-run", *sys.argv[1:]])
    for number in PASSED_ON:
        _signal.signal(number, lambda number, _: posix.kill(pid, number))
    status = read_number(server)
    if status < 0:
        if -status in PASSED_ON:
            _signal.signal(-status, _signal.SIG_DFL)
        posix.kill(posix.getpid(), -status)
    posix._exit(status)


main()

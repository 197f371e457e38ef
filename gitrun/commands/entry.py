"""The entry point: the first lines of gitrun to run, before any file of the user's can be imported."""

from __future__ import annotations

import _thread
import atexit
import gc
import os
import sys

from gitrun import commands  # which imports its modules when they are used: after sys.path is clean

TYPE_CHECKING = False  # importing typing for its constant takes longer than a prompt may wait
if TYPE_CHECKING:
    import _socket
    from typing import NoReturn

GIVEN = "GITRUN_GIVEN_"
"""Prefix of variables that `git-run` hides from our interpreter and restores for programs."""
MEANT_FOR_PROGRAMS = ("PYTHONPATH", "PYTHONHOME")


def main() -> None:
    """Starts `git-run` with imports from its own installation only, and the user's environment."""
    # a start makes many values and hardly any circles, which a search would look for forty times
    gc.set_threshold(50_000, 20, 50)
    forget_given_path()
    # the shell script `git-run` hides these from our own Python; programs get them unchanged
    for name in MEANT_FOR_PROGRAMS:
        if (value := os.environ.pop(GIVEN + name, None)) is not None:
            os.environ[name] = value
    sys.argv[0] = os.path.join(os.path.dirname(sys.argv[0]), "git-run")  # noqa: PTH118, PTH120 - pathlib is not loaded yet
    if sys.argv[1:2] == ["worker"] and "--linger" in sys.argv:
        # a few lines, which save the imports below
        code = commands.standby.call(sys.argv[1:], serve_calls)
        if code is not None:
            sys.exit(code)
    if sys.argv[1:] == ["status", "--porcelain"] and (counts := commands.prompt.count_runs()):
        os.write(1, b"running %d\nunpushed %d\n" % counts)
        sys.exit(0)
    # only after sys.path is clean: a `types.py` of the user's would be imported otherwise
    try:
        commands.main.main()
    except SystemExit as ended:
        exit_at_once(ended.code)
        raise


def exit_at_once(code: object) -> None:
    """Ends this process, unless something waits for a usual end: another thread, or a function registered for it.

    Taking all modules and values apart takes Python a tenth of a start.
    """
    if not isinstance(code, int) or _thread._count() or atexit._ncallbacks():  # noqa: SLF001 - threading is slow to import
        return
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):  # Python reports it when it ends
        return
    os._exit(code & 0xFF)


def serve_calls(directory: str, first: _socket.socket) -> NoReturn:
    """Answers the call of a connection, and others that arrive at sockets in a directory. Ends this process."""
    # only the process that stays needs all of gitrun
    commands.standby_loop.serve(directory, first)


def forget_given_path() -> None:
    """Removes the directories of PYTHONPATH from `sys.path`, if gitrun was not started through `git-run`."""
    if python_path := os.environ.get("PYTHONPATH"):
        # an empty entry of PYTHONPATH is the current directory
        apart = {os.path.abspath(entry) for entry in python_path.split(os.pathsep)}  # noqa: PTH100 - pathlib is not loaded yet
        sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) not in apart]  # noqa: PTH100

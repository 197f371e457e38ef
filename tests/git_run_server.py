"""Forks a process for each `git run` of the tests, from one that has imported gitrun already.

A start of the interpreter and its imports take 0.1 to 0.4 s, which several thousand calls of the suite would pay.
The child is what `git run` starts, in all that a program can see: it has the same environment, working directory,
standard streams and signals. Its parent is the server, which waits as git does: a second fork, of a process between them,
would take a fifth of a short call. `python tests/git_run_server.py FD CLIENTS GIT GIT-RUN` answers calls on the socket FD,
and at the socket CLIENTS those of `git_run_client.py`, which other programs start in place of `git-run`.
"""

from __future__ import annotations

import array
import atexit
import gc
import json
import os
import pkgutil
import re
import select
import shutil
import signal
import socket
import struct
import sys
import threading
import time
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

STREAMS = 4
"""Descriptors of a call: its stdin, stdout and stderr, and the socket that its words come from and its end goes to."""
DECIDES_AT_START = ("PYTHON", "GIT_TRACE", "LD_", "MALLOC_", "GITRUN_GIVEN_")
"""Prefixes of variables that git, the loader or the interpreter heed before gitrun does."""
INHERITED = re.compile(r"^(?:Uid|Gid|Groups|Cap\w+|NoNewPrivs|Seccomp):.*|(?<=Sig(?:Blk|Ign):\t.{9}).{7}$", re.MULTILINE)
"""What a child inherits, in `/proc/PID/status`; of signals the first 28, for zsh ignores some that only the C library uses."""
ELSEWHERE = ("gitrun.__main__", "gitrun.workspace.launcher", "gitrun.source.introspect_child", "gitrun.extras")
"""Modules that act when they are imported, or that no verb imports without being asked for by name."""


def import_all() -> None:
    """Imports what any verb imports, and libgit2."""
    import gitrun

    for module in pkgutil.walk_packages(gitrun.__path__, "gitrun."):
        if not module.name.startswith(ELSEWHERE):
            import_module(module.name)
    for name in ("pygit2", "click.shell_completion", "sqlite3", "http.client", "concurrent.futures.thread", "tomli", "tomli_w"):
        import_module(name)


def import_asked(words: list[str]) -> None:
    """Imports what `git run view` needs if that is asked for: most of the tests' processes never do."""
    if words[:1] == ["view"] and find_spec("starlette") and find_spec("uvicorn"):
        import_module("gitrun.extras.view.app")
        gc.freeze()


def compile_patterns() -> None:
    """Compiles the patterns that each verb would compile when it first needs them."""
    from gitrun.lazy import LazyPattern
    from gitrun.model.secrets import compiled_shapes

    modules = [module for name, module in sys.modules.items() if name.startswith("gitrun.")]
    for pattern in {value for module in modules for value in vars(module).values() if isinstance(value, LazyPattern)}:
        re.compile(*pattern._source)
    compiled_shapes()


def main() -> None:
    """Answers calls until the tests close their socket. Returns in each child that is to be gitrun."""
    control, clients = (socket.socket(fileno=int(descriptor)) for descriptor in sys.argv[1:3])
    git, program = sys.argv[3:]
    import_all()
    compile_patterns()
    gc.collect()
    gc.freeze()
    poll, children = select.poll(), dict[int, tuple[int, int]]()
    poll.register(control, select.POLLIN)
    poll.register(clients, select.POLLIN)
    while True:
        for ready, _ in poll.poll():
            if ready in children:
                poll.unregister(ready)
                report_end(ready, *children.pop(ready))
                continue
            if ready == clients.fileno():
                client, _ = clients.accept()
                *streams, caller = *receive(client), client.detach()
                call = observe_call(caller, streams)
            elif not (descriptors := receive(control)):
                shutil.rmtree(Path(clients.getsockname()).parent)
                os._exit(0)
            else:
                *streams, caller = descriptors
                call = read_call(caller, git)
            import_asked(call.get("words", []))
            pid = fork_in(call["cwd"], caller)
            if pid == 0:
                ours = (control.detach(), clients.detach(), caller, *children, *(other for _, other in children.values()))
                become(call, program, streams, ours)
                return
            for stream in streams:
                os.close(stream)
            if pid is not None:
                children[ended := os.pidfd_open(pid)] = pid, caller
                poll.register(ended, select.POLLIN)


def receive(source: socket.socket) -> list[int]:
    """Returns the descriptors of a call."""
    _, ancillary, _, _ = source.recvmsg(1, socket.CMSG_LEN(STREAMS * array.array("i").itemsize))
    return list(array.array("i", ancillary[0][2])) if ancillary else []


def read_call(caller: int, git: str) -> dict[str, Any]:
    """Returns a call of a test, with what git adds to its environment."""
    with open(caller, "rb", closefd=False) as file:
        call: dict[str, Any] = json.loads(file.readline())
    call["environ"] |= {"GIT_EXEC_PATH": git, "PATH": f"{git}:{call['environ']['PATH']}"}
    return call


def observe_call(caller: int, streams: list[int]) -> dict[str, Any]:
    """Returns a call of a client, as the system knows it; its directory is none if the client must start gitrun itself."""
    with socket.socket(fileno=os.dup(caller)) as client:
        pid, _, _ = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    process = Path(f"/proc/{pid}")
    try:
        variables = os.fsdecode((process / "environ").read_bytes()).split("\0")[:-1]
        environ = dict(variable.partition("=")[::2] for variable in variables)
        coding = environ.get("LC_ALL") or environ.get("LC_CTYPE")
        unusual = coding != "C.UTF-8" or any(name.startswith(DECIDES_AT_START) for name in environ)
        if unusual or any(map(os.isatty, streams)) or inherited(process) != inherited(Path("/proc/self")):
            return {"cwd": ""}
        _, _, _, *words, _ = os.fsdecode((process / "cmdline").read_bytes()).split("\0")
        umask = int((process / "status").read_text().partition("Umask:")[2].split()[0], 8)
    except OSError:  # it was killed
        return {"cwd": ""}
    return {"words": words, "cwd": process / "cwd", "environ": environ, "umask": umask}


def inherited(process: Path) -> tuple[list[str], str]:
    """Returns what a child inherits beside its environment: rights, signals that are blocked or ignored, limits."""
    status = process.joinpath("status").read_text()
    return INHERITED.findall(status), process.joinpath("limits").read_text()


def fork_in(cwd: str | Path, caller: int) -> int | None:
    """Forks in this directory and tells the caller the process id; 0 in the child. None, and why, if it cannot be entered."""
    try:
        os.chdir(cwd)
    except OSError as error:
        write_line(caller, -(error.errno or 0))
        os.close(caller)
        return None
    if pid := os.fork():
        write_line(caller, pid)
    return pid


def report_end(ended: int, pid: int, caller: int) -> None:
    """Tells the caller the exit status of its child, as git reads it."""
    os.close(ended)
    _, status = os.waitpid(pid, 0)
    write_line(caller, os.waitstatus_to_exitcode(status))
    os.close(caller)


def write_line(caller: int, number: int) -> None:
    """Writes a number to a caller, who may have lost patience."""
    with suppress(BrokenPipeError):
        os.write(caller, f"{number}\n".encode())


def become(call: dict[str, Any], program: str, streams: list[int], ours: tuple[int, ...]) -> None:
    """Gives this process what git, `git-run` and the start of the interpreter give to gitrun; closes what is `ours`."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for descriptor in (*streams, *ours):
        os.close(descriptor)
    os.umask(call["umask"])
    environ = call["environ"]
    if not is_here(environ.get("PWD", "")):  # a shell keeps the name of a directory by which it came there
        environ["PWD"] = str(Path.cwd())
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    forget_home(environ.get("HOME", ""))
    sys.argv[:] = [program, *call["words"]]
    sys.path[0] = str(Path(program).parent)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def is_here(name: str) -> bool:
    """Returns whether the working directory has this absolute name."""
    try:
        return name.startswith("/") and Path(name).samefile(".")
    except OSError:
        return False


def forget_home(home: str) -> None:
    """Gives libgit2, which looked for a configuration when it was loaded, the directories that it finds now."""
    import pygit2
    from pygit2.enums import ConfigLevel

    pygit2.settings.search_path[ConfigLevel.GLOBAL] = home
    pygit2.settings.search_path[ConfigLevel.XDG] = os.environ.get("XDG_CONFIG_HOME", f"{home}/.config") + "/git"


def run_gitrun() -> None:
    """Runs gitrun and ends this process as the interpreter would, but without taking its modules apart (60 ms)."""
    from gitrun.commands.entry import main as start

    try:
        start()
    except SystemExit as ended:
        if not isinstance(ended.code, int):
            raise
        threading._shutdown()  # waits for threads, as an exit does
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code & 0xFF)


if __name__ == "__main__":
    main()
    run_gitrun()

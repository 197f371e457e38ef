"""Two ways to `git run` in a test: started as a user's is, or forked from a process that has imported gitrun."""

from __future__ import annotations

import array
import atexit
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from forms import GIVEN
from git_run_server import DECIDES_AT_START

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FORKING = sys.platform == "linux"
"""Whether calls are forked where nothing speaks against it; `pytest --exec` starts them all."""
SERVER, CLIENT = (Path(__file__).with_name(f"git_run_{side}.py") for side in ("server", "client"))
LONGEST = 100_000
"""How many bytes words and variables may have before it matters what the system says to them."""
SILENT = (signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE)
"""Signals that git does not mention when its child dies of one."""
CLIENTS: list[str] = []
"""The programs `git-run` that have the servers fork gitrun."""
lock = threading.Lock()


def call(
    words: Sequence[str], cwd: Path, environ: Mapping[str, str], given: bytes, timeout: float
) -> subprocess.CompletedProcess[bytes]:
    """The ended `git run WORDS`. Raises TimeoutExpired and what a start of a program raises."""
    if FORKING and may_fork(words, environ):
        return forked(words, cwd, environ, given, timeout)
    return subprocess.run(
        ["git", "run", *words], cwd=cwd, env=environ, input=given, capture_output=True, check=False, timeout=timeout
    )


def may_fork(words: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Returns whether a child of the server does the same as `git run`, started with this environment, would."""
    decided = any(name.startswith((*DECIDES_AT_START, "GIT_EXEC_PATH")) for name in environ)
    if decided or "--help" in words or environ.get("LC_ALL") != "C.UTF-8":
        return False
    text = "".join((*words, *environ, *environ.values()))
    if "\0" in text or len(text) >= LONGEST:
        return False
    git, program = programs(environ.get("PATH", ""))
    return program in {own_programs()[1], *CLIENTS} and git is not None and git in {own_programs()[0], named_git()}


def programs(path: str) -> tuple[str | None, str | None]:
    """Returns which git and which git-run a user with this PATH has."""
    return shutil.which("git", path=path), shutil.which("git-run", path=path)


@cache
def own_programs() -> tuple[str | None, str | None]:
    """Returns the git of this machine, and the git-run beside the interpreter of the tests."""
    return shutil.which("git"), str(Path(sys.executable).parent / "git-run")


@cache
def named_git() -> str | None:
    """Returns the git that was named to the tests, which knows reftables."""
    return shutil.which("git", path=GIVEN) if GIVEN else None


@cache
def server(git_program: str) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Starts the server of this process for those whose git this is. Returns it with the socket to call it by."""
    ours, theirs = socket.socketpair()
    git = subprocess.run([git_program, "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    program = Path(sys.executable).parent / "gitrun"
    directory = make_client()
    with theirs, socket.socket(socket.AF_UNIX) as clients:
        clients.bind(str(directory / "socket"))
        clients.listen(100)
        given = theirs.fileno(), clients.fileno()
        # streams are pipes as those of its children will be: Python looks at them when it starts
        process = subprocess.Popen(
            [sys.executable, SERVER, *map(str, given), git, program],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=given,
            start_new_session=True, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": "/"},
        )  # fmt: skip
    atexit.register(end, process, ours)
    return process, ours


def make_client() -> Path:
    """Makes a directory for PATH, whose `git-run` has its calls forked by a server that listens there. Returns it."""
    directory = Path(tempfile.mkdtemp(prefix="git-run-client-"))
    program, started = directory / "git-run", directory / "started" / "git-run"
    program.write_text(f"#!{sys._base_executable} -ISE\n{CLIENT.read_text()}")
    program.chmod(0o755)
    started.parent.mkdir()
    started.symlink_to(str(own_programs()[1]))
    CLIENTS.append(str(program))
    return directory


def with_client(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment of a program whose `git run` are forked too, unless what they are given is unusual."""
    if not FORKING:
        return dict(environ)
    server(str(shutil.which("git", path=environ["PATH"])))
    return {**environ, "PATH": os.pathsep.join([str(Path(CLIENTS[0]).parent), environ["PATH"]])}


def end(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    """Ends the server; children that are under way go on."""
    control.close()
    process.communicate()


def forked(
    words: Sequence[str], cwd: Path, environ: Mapping[str, str], given: bytes, timeout: float
) -> subprocess.CompletedProcess[bytes]:
    """The ended `git run WORDS` in a child of the server."""
    umask = os.umask(0)
    os.umask(umask)
    asked = {"words": words, "cwd": str(cwd), "environ": dict(environ), "umask": umask}
    reports, theirs = socket.socketpair()
    stdin, to_stdin = os.pipe()
    from_stdout, stdout = os.pipe()
    from_stderr, stderr = os.pipe()
    with reports, reports.makefile("r") as lines:
        with theirs, lock:
            process, control = server(str(shutil.which("git", path=environ["PATH"])))
            descriptors = array.array("i", [stdin, stdout, stderr, theirs.fileno()])
            control.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
        for descriptor in (stdin, stdout, stderr):
            os.close(descriptor)
        reports.sendall(json.dumps(asked).encode() + b"\n")
        said = lines.readline()
        assert said, f"the server has failed: {process.stderr and process.stderr.read().decode()}"
        if (pid := int(said)) < 0:
            for descriptor in (to_stdin, from_stdout, from_stderr):
                os.close(descriptor)
            raise OSError(-pid, os.strerror(-pid), str(cwd))
        try:
            out, err = exchange(to_stdin, given, (from_stdout, from_stderr), timeout)
            status = int(lines.readline())
        except BaseException:
            os.kill(pid, signal.SIGKILL)  # its programs are tied to it
            raise
    if status < 0 and -status not in SILENT:
        err += f"error: git-run died of signal {-status}\n".encode()
    return subprocess.CompletedProcess(["git", "run", *words], 128 - status if status < 0 else status, out, err)


def exchange(to_stdin: int, given: bytes, sources: tuple[int, int], timeout: float) -> tuple[bytes, bytes]:
    """Writes to a pipe and reads two others until they end. Returns what was read. Raises TimeoutExpired."""
    end, read = time.monotonic() + timeout, {source: bytearray() for source in sources}
    with selectors.DefaultSelector() as selector:
        for source in sources:
            selector.register(source, selectors.EVENT_READ)
        if given:
            os.set_blocking(to_stdin, False)
            selector.register(to_stdin, selectors.EVENT_WRITE)
        else:
            os.close(to_stdin)
        while selector.get_map():
            for key, _ in selector.select(max(0.0, end - time.monotonic())):
                if key.fd == to_stdin:
                    given = write_some(to_stdin, given)
                elif data := os.read(key.fd, 65536):
                    read[key.fd] += data
                    continue
                if key.fd != to_stdin or not given:
                    selector.unregister(key.fd)
                    os.close(key.fd)
            if time.monotonic() >= end:
                raise subprocess.TimeoutExpired(["git", "run"], timeout)
    return bytes(read[sources[0]]), bytes(read[sources[1]])


def write_some(descriptor: int, given: bytes) -> bytes:
    """Writes what the pipe takes. Returns the rest, which is nothing if nobody reads."""
    try:
        return given[os.write(descriptor, given) :]
    except BrokenPipeError:
        return b""

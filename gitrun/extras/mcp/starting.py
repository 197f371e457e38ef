"""Tools that start and stop runs, and the process that starts them.

A run of an agent goes on when the agent leaves, and a signal must be able to end it. So none runs in a thread of the server:
the server forks a process before it has threads, and that process forks one for each run, as `git run --background` does.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gitrun import process
from gitrun.errors import GitrunError, UsageError
from gitrun.extras.mcp.answers import fence
from gitrun.extras.mcp.reading import Notes, look_up_run, require_name, show_run
from gitrun.lifecycle.decide import Prompts
from gitrun.model.api_request import request_from
from gitrun.model.flags import Typed
from gitrun.model.plan import Skip
from gitrun.model.run import RUNNING, short_id
from gitrun.model.settings import parse_duration
from gitrun.process.streams import FileStream
from gitrun.project import Project

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gitrun.extras.mcp.reading import ReadingTools
    from gitrun.model.run import Run

LONGEST_WAIT = 300.0
PAUSE = 0.2
"""Seconds between two looks at whether a run has ended."""
STARTING, STOPPING = ("start_run", "restart_run"), ("stop_run",)
"""The names of the tools."""


def open_at_top() -> Project:
    """Opens the repository of the current directory at its top, where the names of operations begin. Raises NotARepository."""
    project = Project()
    return Project(project.git.worktree) if project.git.worktree else project


class Starter:
    """A process that starts runs, one request at a time. Make it before this process has threads."""

    def __init__(self, project: Project) -> None:
        directory = project.git.worktree or project.git.git_dir
        ours, theirs = socket.socketpair()
        if process.run.detach():
            ours.close()
            try:
                serve(directory, theirs)
            finally:
                # whatever has happened, this process does not go on as the server that it was forked from
                os._exit(0)
        theirs.close()
        self._connection, self._lock = ours, threading.Lock()

    def start(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Starts what the options ask for. Returns `run`, its id, `notes`, and `skipped`. Raises GitrunError."""
        with self._lock:
            self._connection.sendall(json.dumps(options).encode() + b"\n")
            reply = json.loads(read_line(self._connection) or b'{"kind": "fatal", "message": "the starter ended", "hint": ""}')
        if "kind" in reply:
            error = GitrunError(reply["message"], reply["hint"])
            error.kind = reply["kind"]
            raise error
        answer: dict[str, Any] = reply
        return answer


def read_line(connection: socket.socket) -> bytes:
    """Returns what arrives up to the end of a line; nothing if the other end is gone."""
    data = b""
    while not data.endswith(b"\n"):
        piece = connection.recv(1 << 16)
        if not piece:
            return b""
        data += piece
    return data


def serve(directory: Path, connection: socket.socket) -> None:
    """Answers requests until the server is gone."""
    while line := read_line(connection):
        with suppress(ChildProcessError):
            # runs that have ended
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        connection.sendall(json.dumps(start_one(directory, json.loads(line), connection)).encode() + b"\n")


def start_one(directory: Path, options: Mapping[str, Any], connection: socket.socket) -> dict[str, Any]:
    """Starts a run in a process of its own, in which this does not return. Returns the answer to the server."""
    notes, starter = Notes(), os.getpid()

    def detach(_: str) -> bool:
        is_run = process.run.detach()
        if is_run:
            connection.close()
            notes.is_kept = False
        return is_run

    try:
        request = request_from(options.get("operation"), {**options, "flags": read_flags(options.get("flags") or {})})
        # nobody is there to ask
        started = Project(directory, stdout=FileStream(1), stderr=notes).start(request, Prompts(lambda _: False, detach))
    except GitrunError as error:
        if os.getpid() != starter:
            os._exit(1)
        return {"kind": error.kind, "message": error.message, "hint": error.hint}
    if os.getpid() != starter:
        os._exit(0)
    if isinstance(started, Skip):
        return {"run": started.run.id, "skipped": list(started.lines), "notes": notes.lines}
    return {"run": started.run_id, "skipped": [], "notes": notes.lines}


def read_flags(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Returns flags with texts as words that are typed: `[0.1,0.01]` makes a batch, as on a command line.

    Raises UsageError for names that look like options.
    """
    return {require_name(name): Typed(value) if isinstance(value, str) else value for name, value in flags.items()}


class StartingTools:
    """Tools that start, restart and stop runs of the operations that `git run ops` lists."""

    def __init__(self, reading: ReadingTools, starter: Starter) -> None:
        self._reading, self._starter = reading, starter

    def start_run(  # noqa: PLR0913 - an agent gives them by name
        self,
        operation: str,
        flags: dict[str, object] | None = None,
        *,
        needed: bool = True,
        label: str = "",
        minimize: str = "",
        maximize: str = "",
        max_trials: int = 0,
        optimizer: str = "",
        jobs: int = 0,
        stop_after: str = "",
        wait: float = 30,
    ) -> str:
        """Starts a run of an operation of list_operations, on the uncommitted code. Returns it, or an earlier equal run.

        flags: values as typed. "[0.1,0.01]" makes a batch, "loguniform[1e-4:1]" a search, which takes minimize or maximize (a
        metric), max_trials, optimizer (random, tpe, gp, ...) and jobs (trials at a time). needed: skip what was run already.
        stop_after: such as "30m". wait: seconds to wait for the end; the run goes on, see show_run.
        """
        project, _ = self._reading.open_call()
        require_listed(project, require_name(operation))
        options: dict[str, object] = {"operation": operation, "flags": flags, "needed": needed}
        options |= {"label": label, "minimize": minimize, "maximize": maximize, "optimizer": optimizer}
        options |= {"max_trials": max_trials, "jobs": jobs, "stop_after": parse_duration(stop_after) if stop_after else None}
        return self._start({name: value for name, value in options.items() if value or name == "needed"}, wait)

    def restart_run(
        self, run: str, flags: dict[str, object] | None = None, *, needed: bool = True, max_trials: int = 0, wait: float = 30
    ) -> str:
        """Starts another attempt of a run, on its own code, with its flags and those given. A batch goes on where it ended.

        needed: skip it if the flags are the same. Runs that were not made here are refused.
        """
        project, _ = self._reading.open_call()
        chosen = look_up_run(project, run)
        require_listed(project, chosen.operation.removesuffix("+"))
        options: dict[str, object] = {"restart": chosen.id, "flags": flags, "needed": needed, "max_trials": max_trials}
        return self._start({name: value for name, value in options.items() if value or name == "needed"}, wait)

    def stop_run(self, run: str) -> str:
        """Stops a running run and waits for its end."""
        project, _ = self._reading.open_call()
        chosen = look_up_run(project, run)
        require_listed(project, chosen.operation.removesuffix("+"))
        project.stop(chosen)
        return show_run(project, project.find(chosen.id))

    def _start(self, options: Mapping[str, object], wait: float) -> str:
        """Starts a run, waits for its end, and returns what is known of it."""
        reply = self._starter.start(options)
        project, _ = self._reading.open_call()
        if reply["skipped"]:
            return fence(
                f"Nothing was run: run {short_id(reply['run'])} has these flags.", [*reply["skipped"], *reply["notes"]]
            )
        run = wait_for(project, reply["run"], min(wait, LONGEST_WAIT))
        notes: Sequence[str] = reply["notes"]
        more = ["It still runs; see show_run and read_output."] if run.status == RUNNING else []
        return show_run(project, run, [*more, *notes])


def require_listed(project: Project, operation: str) -> None:
    """Raises UsageError unless `git run ops` lists the operation: commands and other scripts are not for agents."""
    names = [offer.name for offer in project.list_operations(from_top=True)]
    if operation not in names:
        raise UsageError(f"'{operation}' is not an operation that git run ops lists", f"These are: {', '.join(names[:50])}")


def wait_for(project: Project, run_id: str, seconds: float) -> Run:
    """Returns a run when it has ended, or as it is after so many seconds."""
    deadline = time.monotonic() + seconds
    while (run := project.find(run_id)).status == RUNNING and time.monotonic() < deadline:
        time.sleep(PAUSE)
    return run

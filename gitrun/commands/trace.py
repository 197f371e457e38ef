"""Writes trace events to GIT_TRACE2_EVENT in git's own format: start, name and end of `git run`.

GIT_TRACE2 and GIT_TRACE2_PERF are left to git, which traces the start and end of `git run` by itself.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import time
from contextlib import suppress
from datetime import datetime, timezone
from hashlib import sha1
from typing import TYPE_CHECKING, Any

from gitrun.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

# https://ada:secret@example.org
PASSWORD = re.compile(r"(://[^/@:\s]*:)[^/@\s]*@")
VERSION = "3"


@dataclass(frozen=True, slots=True)
class Trace:
    """An open trace: a file descriptor, and the session id of its events."""

    target: int
    sid: str

    def tell(self, event: str, **words: Any) -> None:  # noqa: ANN401 - whatever belongs to the event
        """Writes an event as one line. Ignores errors: tracing must not fail a command."""
        line = {"event": event, "sid": self.sid, "thread": "main", "time": now().isoformat().replace("+00:00", "Z"), **words}
        # one write a line, so that O_APPEND keeps the lines of several processes apart
        with suppress(OSError):
            os.write(self.target, json.dumps(line, separators=(",", ":")).encode() + b"\n")


def run_traced(verb: str, act: Callable[[], int]) -> int:
    """Runs the verb between its trace events, and returns the exit code. Events of child gits refer to it as their parent."""
    begun = time.monotonic()
    parent, name = os.environ.get("GIT_TRACE2_PARENT_SID"), os.environ.get("GIT_TRACE2_PARENT_NAME")
    # git's session ids: time, hash of the host name, process id
    host = sha1(socket.gethostname().encode(), usedforsecurity=False).hexdigest()[:8]
    own = f"{now():%Y%m%dT%H%M%S.%f}Z-H{host}-P{os.getpid():08x}"
    trace = Trace(open_target(os.environ["GIT_TRACE2_EVENT"], own), f"{parent}/{own}" if parent else own)
    hierarchy = f"{name}/run" if name else "run"
    os.environ.update(GIT_TRACE2_PARENT_SID=trace.sid, GIT_TRACE2_PARENT_NAME=hierarchy)
    trace.tell("version", evt=VERSION, exe="gitrun")
    # git hides passwords in its traces too
    trace.tell("start", t_abs=0.0, argv=[PASSWORD.sub(r"\1<redacted>@", word) for word in ("git-run", *sys.argv[1:])])
    trace.tell("cmd_name", name="run", hierarchy=hierarchy)
    trace.tell("cmd_mode", name=verb)
    code = 1  # Python's exit code after a traceback
    try:
        code = act()
    finally:
        # git ends every process with both
        for event in ("exit", "atexit"):
            trace.tell(event, t_abs=round(time.monotonic() - begun, 6), code=code)
    return code


def open_target(text: str, own: str) -> int:
    """Opens the target of GIT_TRACE2_EVENT: a descriptor, a file, or a new file in a directory. Returns -1 for none."""
    # as in git, both mean stderr
    if text.lower() in {"1", "true"}:
        return 2
    # git accepts the descriptors 2 to 9
    if text.isdigit() and 2 <= int(text) <= 9:
        return int(text)
    path = os.path.join(text, own) if os.path.isdir(text) else text  # noqa: PTH112, PTH118 - as git reads it
    with suppress(OSError):
        # git takes absolute paths only
        if os.path.isabs(path):  # noqa: PTH117
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    return -1


def now() -> datetime:
    """Returns the current time in UTC."""
    return datetime.now(timezone.utc)

"""Runs that a worker executes on another machine, seen through their remote: follow their output, ask to stop them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gitrun.errors import GitFailed, NotRunning, UnknownRun
from gitrun.git.objects import Objects
from gitrun.model import record_files
from gitrun.model.run import PENDING, Run, short_id
from gitrun.sharing.progress import ask_to_stop, fetch_progress
from gitrun.sharing.transfer import FetchRequest, Sharing
from gitrun.store.index import Index

if TYPE_CHECKING:
    from gitrun.process.streams import Stream
    from gitrun.workspace.session import Session

PAUSE = 2.0
"""Seconds between two visits to the remote."""
MOST_FAILURES = 10
"""Consecutive visits that may fail before that is an error."""


def follow_output(session: Session, remote: str, run_id: str, stream: Stream) -> None:
    """Copies the output that a worker reports to `stream`, until the run has a result. Raises GitFailed, UnknownRun."""
    offset, failures, attempt_id = 0, 0, ""
    while True:
        try:
            run = fetch_run(session, remote, run_id)
            if run.attempt.id != attempt_id:
                offset, attempt_id = 0, run.attempt.id
            if run.attempt.result:
                break
            progress = fetch_progress(session.git, remote, run_id)
            failures = 0
        except GitFailed:
            failures += 1
            if failures > MOST_FAILURES:
                raise
        else:
            if progress and progress.attempt == attempt_id:
                # output between two reports is lost here, and is in the result
                fresh = progress.output[max(offset - progress.start, 0) :]
                stream.write(fresh)
                offset = progress.start + len(progress.output)
        time.sleep(PAUSE)
    with Objects(session.git) as objects:
        output = objects.read(f"{run.attempt.result}:{record_files.OUTPUT}", limit=1 << 25)
    recorded = (output.data or b"") if output else b""
    # a report may lie about how much was written
    stream.write(recorded[offset if offset <= len(recorded) else 0 :])


def fetch_run(session: Session, remote: str, run_id: str) -> Run:
    """Fetches a run and returns it. Raises GitFailed, UnknownRun."""
    Sharing(session.git, session.settings).fetch(remote, FetchRequest((run_id,)))
    with Index(session.git) as index:
        run = index.get(run_id)
    if not isinstance(run, Run):
        raise UnknownRun(f"run {short_id(run_id)} cannot be read")
    return run


def stop_run(session: Session, remote: str, run: Run) -> None:
    """Asks the worker that executes the run to stop it. Raises NotRunning, GitFailed."""
    run = fetch_run(session, remote, run.id)
    if run.status != PENDING or not run.attempt.worker:
        raise NotRunning(f"no worker of {remote} executes run {short_id(run.id)}")
    ask_to_stop(session.git, remote, run.id, run.attempt.id)

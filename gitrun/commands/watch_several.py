"""`git run watch` of several runs: a block of lines on a terminal, prefixed lines of output in a pipe, or JSON."""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from gitrun.commands.screen import has_unicode, print_json_line, read_palette
from gitrun.errors import NoMatch
from gitrun.model.run import BATCH, short_id
from gitrun.process.status_block import StatusBlock
from gitrun.process.streams import EscapedStream, FileStream, PrefixedStream
from gitrun.render.text import run_json
from gitrun.render.watch_text import ended_line, format_metrics, more_line, progress_json, running_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.model.run import Run
    from gitrun.project import Project
    from gitrun.views.watched import RunWatch, Watched

LOOK = 1.0
"""Seconds between two looks at the runs, and two drawings."""
READ = 0.1
"""Seconds between two looks at their output in a pipe."""
UNKNOWN = 1
"""Exit status for a run without a result: it is staged, pending or deleted."""


def watch_runs(project: Project, runs: Sequence[Run], *, everything: bool, as_json: bool = False) -> int:
    """Shows the runs until all have ended, with `as_json` as events. Returns the exit status of the worst of them.

    Trials of a batch that is watched do not count: the batch says how it ended.
    """
    watch = project.runs.watch(runs, everything=everything)
    watched = watch.look()
    if everything and not watched.running:
        raise NoMatch("no run is running on this machine", "To see the output of the newest run: git run watch")
    stream = project.stdout
    if as_json:
        ended = print_states(watch, watched)
    elif isinstance(stream, FileStream) and stream.is_terminal() and os.environ.get("TERM", "dumb") != "dumb":
        ended = show_block(project, watch, watched, StatusBlock(stream))
    else:
        ended = print_lines(project, watch, watched)
    return worst_status(ended)


def worst_status(ended: Sequence[Run]) -> int:
    """Returns the largest exit status of these runs; trials of batches among them do not count."""
    batches = {run.id for run in ended if run.attempt.kind == BATCH}
    return max((status_of(run) for run in ended if run.attempt.batch not in batches), default=UNKNOWN)


def status_of(run: Run) -> int:
    """Returns the exit status of a run as a shell has it: 128 and the number of a signal that ended it."""
    if run.exit_status is None:
        return UNKNOWN
    return run.exit_status if run.exit_status >= 0 else 128 - run.exit_status


def show_block(project: Project, watch: RunWatch, watched: Watched, block: StatusBlock) -> list[Run]:
    """Draws a line for each running run until all have ended; lines of ended ones stay above. Returns the ended runs."""
    palette, has_blocks, ended = read_palette(project), has_unicode(), list(watched.ended)
    try:
        while True:
            columns, rows = block.size
            above = [ended_line(run, columns, palette) for run in watched.ended]
            above += [f"{short_id(run_id)}  deleted" for run_id in watched.gone]
            shown = watched.running if len(watched.running) <= rows else watched.running[: rows - 1]
            states = [watch.read_progress(run) for run in shown]
            lines = running_lines(states, datetime.now(timezone.utc), columns, palette, has_blocks=has_blocks)
            if len(shown) < len(watched.running):
                lines.append(more_line(len(watched.running) - len(shown)))
            block.draw(lines, above)
            if not watched.running:
                return ended
            time.sleep(LOOK)
            watched = watch.look()
            ended += watched.ended
    finally:
        block.leave()


def print_states(watch: RunWatch, watched: Watched) -> list[Run]:
    """Prints a JSON object a line for what happens to the runs until all have ended. Returns the ended runs."""
    shown: dict[str, dict[str, Any]] = {}
    ended: list[Run] = []
    while True:
        for run in watched.running:
            if run.id not in shown:
                print_json_line({"event": "running", **run_json(run)})
            state = progress_json(watch.read_progress(run))
            # a run that prints nothing new is no news
            if shown.get(run.id) != state:
                print_json_line({"event": "progress", **state})
            shown[run.id] = state
        for run in watched.ended:
            print_json_line({"event": "ended", **run_json(run)})
        for run_id in watched.gone:
            print_json_line({"event": "deleted", "id": run_id})
        ended += watched.ended
        if not watched.running:
            return ended
        time.sleep(LOOK)
        watched = watch.look()


class OutputLines:
    """The output of a run as whole lines behind its id, escaped: what other programs print reaches terminals."""

    def __init__(self, project: Project, run: Run) -> None:
        self._project, self._run = project, run
        self._live = project.live_output(run)
        self._lines = EscapedStream(PrefixedStream(project.stdout, f"{short_id(run.id)} | "))

    def copy(self) -> None:
        """Prints the lines that are complete now."""
        while data := self._live.read():
            self._lines.write(data)

    def finish(self) -> None:
        """Prints the rest; the whole recorded output if the run ended before it could be followed."""
        if self._live.is_open:
            self.copy()
        else:
            self._lines.write(self._project.read_file(self._run, "output"))
        self._lines.close()
        self._live.close()


def print_lines(project: Project, watch: RunWatch, watched: Watched) -> list[Run]:
    """Prints the output of the runs in lines until all have ended. Returns the ended runs."""
    following: dict[str, OutputLines] = {}
    ended: list[Run] = []
    while True:
        for run in (*watched.ended, *watched.running):
            following.setdefault(run.id, OutputLines(project, run))
        for run in watched.ended:
            following.pop(run.id).finish()
            project.say(f"run {short_id(run.id)} {run.attempt.ending}{format_metrics(run)}")
        for run_id in watched.gone:
            project.say(f"run {short_id(run_id)} was deleted")
        ended += watched.ended
        if not watched.running:
            return ended
        look_at = time.monotonic() + LOOK
        while time.monotonic() < look_at:
            for lines in following.values():
                lines.copy()
            time.sleep(READ)
        watched = watch.look()

"""Runs as text for people and as JSON for programs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from gitrun.model.refs import short
from gitrun.model.run import BrokenRun, as_json, attempt_as_json
from gitrun.model.text import duration_text, safe_text, size_text, time_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitrun.model.run import Attempt, Run


def out(text: str) -> None:
    """A line on stdout."""
    sys.stdout.write(text + "\n")


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever a verb shows
    """The value as JSON on stdout, for a program; on a terminal indented."""
    out(
        json.dumps(
            value,
            indent=2 if sys.stdout.isatty() else None,
            ensure_ascii=not sys.stdout.isatty(),
            default=str,
        )
    )


def table(rows: Sequence[Sequence[str]]) -> None:
    """The rows on stdout, their cells aligned, two blanks between."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        out("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def run_row(number: int, run: Run) -> list[str]:
    """A run as a row of the list."""
    mark = "*" if run.notes.marked else ""
    label = f"[{safe_text(run.notes.label)}] " if run.notes.label else ""
    when = time_text(run.attempt.started or run.attempt.created)
    return [
        f"{number}{mark}",
        short(run.id),
        safe_text(run.operation),
        when,
        run.status,
        label + run.flags.text(),
    ]


def broken_row(run: BrokenRun) -> list[str]:
    """What does not read as a run, as a row of the list."""
    return ["?", safe_text(short(run.id)), "-", "-", "unreadable", safe_text(run.reason)]


def run_json(run: Run | BrokenRun) -> dict[str, Any]:
    """A run, or why it does not read."""
    return {"id": run.id, "error": run.reason} if isinstance(run, BrokenRun) else as_json(run)


def show_json(run: Run, attempts: Iterable[Attempt]) -> dict[str, Any]:
    """A run with its attempts and files."""
    files = [{"path": f.path, "size": f.size, "sha256": f.sha256, "stored": f.stored} for f in run.attempt.files]
    return as_json(run) | {"attempts": [attempt_as_json(attempt) for attempt in attempts], "files": files}


def summary(run: Run) -> list[tuple[str, str]]:
    """What a person wants to know about a run, a name and a text each."""
    attempt, notes = run.attempt, run.notes
    source = f"{attempt.base[:8] if attempt.base else 'no commit yet'}{' with uncommitted changes' if attempt.dirty else ''}"
    rows = [
        ("run", run.id), ("operation", attempt.operation), ("status", status_text(attempt)), ("flags", attempt.flags.text()),
        ("started", time_text(attempt.started)), ("source", source + (f", branch {attempt.branch}" if attempt.branch else "")),
        ("seed", str(attempt.params.random_seed)), ("label", notes.label or ""), ("tags", ", ".join(notes.tags)),
        ("marked", "yes" if notes.marked else ""),
        ("metrics", " ".join(f"{name}={value:g}" for name, value in attempt.metrics.items())),
        ("left out", ", ".join(f"{s.path} ({s.reason})" for s in attempt.skipped)),
    ]  # fmt: skip
    rows += [("comment", f"{comment.text} ({comment.author}, {time_text(comment.time)})") for comment in notes.comments]
    rows += [("file", f"{f.path}  {size_text(f.size)}{'' if f.stored == 'git' else ' ' + f.stored}") for f in attempt.files]
    return [(name, safe_text(value)) for name, value in rows if value]


def status_text(attempt: Attempt) -> str:
    """The status with what belongs to it."""
    if attempt.exit_status is None:
        return attempt.status
    code = f" (exit status {attempt.exit_status})" if attempt.exit_status else ""
    return f"{attempt.status}{code} in {duration_text(attempt.duration or 0.0)}"

"""The tools that look at runs. Their docstrings and the names of their parameters are what an agent reads about them."""

from __future__ import annotations

import copy
import csv
import io
from collections import deque
from datetime import datetime, timezone
from typing import TYPE_CHECKING, BinaryIO, cast

from gitrun.commands.compare import as_trials, sort_rows
from gitrun.commands.ops import NOTHING, offer_rows
from gitrun.errors import UsageError
from gitrun.extras.mcp.answers import answer_rows, answer_window, fence, safe_rows
from gitrun.model.flags import format_value
from gitrun.model.run import BATCH, RUNNING, Run, rfc3339_text, short_id
from gitrun.model.text import align_columns, count_text, exact_text, metrics_text, safe_text, size_text
from gitrun.render.palette import PLAIN
from gitrun.render.plot_text import ASCII, draw_text
from gitrun.render.run_page import run_rows
from gitrun.render.text import counts_text, status_text
from gitrun.views.compare import chosen_columns, columns_of, rows_of
from gitrun.views.contents import PARTS
from gitrun.views.diff import DiffStyle
from gitrun.views.plot_subjects import CURVES, PlotRequest
from gitrun.views.plots import PlotLook
from gitrun.views.select import Query

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gitrun.model.flags import Value
    from gitrun.project import Project

FOREIGN = "not made here"
MOST_RUNS, MOST_COLUMNS = 200, 40
"""Runs in an answer, and columns of a comparison."""
LARGEST = 10 << 20
"""Bytes of output or of a file that are read for an answer."""
COLUMNS, ROWS = 80, 16
"""Size of a drawing."""
BEGINNING = 8_000
"""Bytes in which git, too, looks for a NUL to tell a binary file."""


class Notes:
    """A stream that keeps gitrun's messages about one call."""

    def __init__(self) -> None:
        self.data, self.is_kept = b"", True

    def write(self, data: bytes) -> None:
        """Keeps the bytes, unless nobody reads them any more."""
        self.data += data if self.is_kept else b""

    def offer(self, data: bytes | memoryview) -> int:
        """Keeps the bytes."""
        self.write(bytes(data))
        return len(data)

    def descriptor(self) -> None:
        """Returns None: it is no file."""

    @property
    def lines(self) -> list[str]:
        """Returns the messages, a line each."""
        return safe_rows(self.data.decode(errors="replace"))


class BoundedFile(io.BytesIO):
    """The beginning of a file, of at most LARGEST bytes."""

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        """Keeps the bytes. Raises UsageError if there are too many."""
        if self.tell() + len(data) > LARGEST:
            raise UsageError(f"the file is larger than {size_text(LARGEST)}", "To copy it: git run checkout")
        return super().write(data)


class ReadingTools:
    """Tools that only read, of one repository."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def open_call(self) -> tuple[Project, Notes]:
        """Returns the project for one call, and its messages: calls come from several threads."""
        project, notes = copy.copy(self._project), Notes()
        project.stdout = project.stderr = notes
        return project, notes

    def list_runs(self, where: str = "", operation: str = "", sort: str = "", limit: int = 20) -> str:
        """Lists runs, newest first: id, operation, status, start, duration, flags, metrics, label, tags.

        where: a filter such as "lr<0.1 and status=completed". sort: a flag or metric; "-acc" puts the largest first.
        Look here before you start a run: somebody may have run it already. A batch is one line; its trials are in compare_runs.
        """
        project, notes = self.open_call()
        query = Query(expression=where or None, sort=sort or None, operations=(operation,) if operation else ())
        selection = project.select((), query, max(min(limit, MOST_RUNS), 1))
        runs = [run for _, run in selection.runs]
        foreign = find_foreign(project, runs)
        lines = [describe_run(run, is_foreign=run.id in foreign) for run in runs]
        head = f"{count_text(len(runs), 'run')}, {selection.more:,} more.{foreign_text(foreign)}"
        return answer_rows(head, lines, "To see fewer runs: where, or limit.", notes.lines)

    def show_run(self, run: str) -> str:
        """Shows one run: flags, metrics, source, uncommitted changes, files, the last output if it failed.

        run: an id such as "3fa2c1d8", a label, or an operation's name, which means its latest run.
        """
        project, notes = self.open_call()
        return show_run(project, look_up_run(project, run), notes.lines)

    def compare_runs(self, runs: list[str] | None = None, where: str = "", sort: str = "", columns: str = "") -> str:
        """Compares runs side by side, as CSV with the flags and metrics in which they differ. Of a batch: its trials.

        runs: ids, labels or ranges of the list such as "1:5". columns: names such as "id,lr,loss". sort: as in list_runs.
        """
        project, notes = self.open_call()
        query = sort_rows(Query(expression=where or None, sort=sort or None))
        names, query = as_trials(project, tuple(map(require_name, runs or ())), query)
        selection = project.select(names, query, MOST_RUNS if names or not query.is_plain else 20)
        selected = [run for _, run in selection.runs]
        if not selected:
            return fence("No runs match.", notes.lines)
        wanted = chosen_columns(columns, selected) if columns else columns_of(selected)
        shown = wanted[:MOST_COLUMNS]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([safe_text(column.name) for column in shown])
        writer.writerows([cell_text(value) for value in row] for row in rows_of(shown, selected))
        more = f" {len(wanted) - len(shown):,} columns are not shown; to see them: columns." if len(wanted) > len(shown) else ""
        foreign = find_foreign(project, selected)
        head = f"{count_text(len(selected), 'run')}, {selection.more:,} more.{more}{foreign_text(foreign)}"
        return answer_rows(head, text.getvalue().splitlines(), "To see fewer: runs, where or columns.", notes.lines)

    def diff_runs(self, old: str, new: str = "", part: str = "all", start: int = 1) -> str:
        """Shows how two runs differ: flags, needs, metrics, source, output. Without new: the uncommitted changes of one run.

        part: all, flags, metrics, source or output. start: the first line of a long answer.
        """
        project, _ = self.open_call()
        if part not in DIFF_PARTS:
            raise UsageError(f"part must be one of {', '.join(DIFF_PARTS)}, not '{part}'")
        before = look_up_run(project, old)
        pair = project.runs.pair_runs(before, look_up_run(project, new)) if new else project.runs.pair_with_base(before)
        lines: list[str] = []
        comparison = project.runs.compare(pair)
        for title in ("flags", "needs", "metrics"):
            values = getattr(comparison, title)
            if values and part in {"all", title}:
                lines += [title, *(f"  {safe_text(name)}: {cell_text(a)} -> {cell_text(b)}" for name, (a, b) in values.items())]
        style = DiffStyle(is_plain=True)
        if comparison.source and part in {"all", "source"}:
            lines += ["source", *decoded(project.runs.diff_source(pair, style))]
        if comparison.output and part in {"all", "output"}:
            lines += ["output", *decoded(project.runs.diff_output(pair, style))]
        foreign = find_foreign(project, pair.runs)
        if not lines:
            return f"No differences.{foreign_text(foreign)}"
        return answer_window(f"Differences.{foreign_text(foreign)}", lines, start)

    def read_output(self, run: str, start: int = -200) -> str:
        """Reads what a run printed, also while it runs. start: the first line; a negative number counts from the end."""
        project, _ = self.open_call()
        chosen = look_up_run(project, run)
        data = read_live_output(project, chosen) if chosen.status == RUNNING else project.read_file(chosen, "output")
        head = f"Output of run {short_id(chosen.id)}.{foreign_text(find_foreign(project, [chosen]))}"
        return answer_window(head, safe_rows(data.decode(errors="replace")), start)

    def list_files(self, run: str, part: str = "produced") -> str:
        """Lists the files of a run with their sizes. part: produced, source (what it started with), local (kept out of git)."""
        project, _ = self.open_call()
        if part not in PARTS:
            raise UsageError(f"part must be one of {', '.join(PARTS)}, not '{part}'")
        chosen = look_up_run(project, run)
        files = list(project.runs.list_files(chosen, [part]))
        lines = [f"{size_text(content.size or 0)}\t{safe_text(content.path)}" for content in files]
        head = f"Run {short_id(chosen.id)}: {count_text(len(files), 'file')}.{foreign_text(find_foreign(project, [chosen]))}"
        return answer_rows(head, lines, "To read one: read_file.")

    def read_file(self, run: str, path: str, start: int = 1, *, source: bool = False) -> str:
        """Reads a text file of a run: what it produced, or, with source, what it started with. start: the first line."""
        project, _ = self.open_call()
        chosen = look_up_run(project, run)
        sink = BoundedFile()
        project.copy_file(chosen, "source" if source else "output", path, cast("BinaryIO", sink))
        data = sink.getvalue()
        head = f"A file of run {short_id(chosen.id)}, {size_text(len(data))}.{foreign_text(find_foreign(project, [chosen]))}"
        if b"\0" in data[:BEGINNING]:
            return f"{head} It is binary, and not shown."
        return answer_window(head, safe_rows(data.decode(errors="replace")), start)

    def plot_metric(self, metric: str, runs: list[str] | None = None, where: str = "") -> str:
        """Draws a metric over its steps as text, of some runs or of the newest. "lr:loss" draws loss of each run by lr."""
        project, notes = self.open_call()
        words = (require_name(metric), *map(require_name, runs or ()))
        subject = project.runs.find_plotted(PlotRequest(words, Query(expression=where or None), CURVES))
        drawn = draw_text(project.runs.plot(subject, PlotLook()), COLUMNS, ROWS, ASCII, PLAIN)
        legend = align_columns([[safe_text(cell) for cell in row] for row in drawn.legend]) if drawn.legend else []
        foreign = find_foreign(project, subject.runs)
        more = f" {subject.more:,} runs are not drawn." if subject.more else ""
        lines = [*(safe_text(line) for line in drawn.lines), *legend]
        return answer_rows(f"A drawing.{more}{foreign_text(foreign)}", lines, "To draw fewer: runs.", notes.lines)

    def list_operations(self) -> str:
        """Lists what can be run here, with flags, defaults and choices. Executes nothing."""
        project, notes = self.open_call()
        offers = project.list_operations(from_top=True)
        lines = ["  ".join(filter(None, row)) for offer in offers for row in offer_rows(offer)]
        return answer_rows(
            count_text(len(offers), "operation") + ".", lines or [NOTHING], "To see all: git run ops", notes.lines
        )


DIFF_PARTS = ("all", "flags", "metrics", "source", "output")
READING = ("list_runs", "show_run", "compare_runs", "diff_runs", "read_output", "list_files", "read_file", "plot_metric",
           "list_operations")  # fmt: skip
"""The names of the tools."""


def require_name(name: str) -> str:
    """Returns a name. Raises UsageError if it looks like an option of a command, which is no name of anything here."""
    if not name or name.startswith("-"):
        raise UsageError(f"'{name}' is not a name", "Names do not begin with '-'")
    return name


def look_up_run(project: Project, name: str) -> Run:
    """Returns the run of a name. Raises UsageError, UnknownRun, BadRun."""
    return project.find(require_name(name))


def find_foreign(project: Project, runs: Iterable[Run]) -> list[str]:
    """Returns the ids of the runs that came from elsewhere and are not trusted here."""
    return [run.id for run in runs if not project.runs.is_trusted(run)]


def foreign_text(foreign: Sequence[str]) -> str:
    """Returns the words about runs from elsewhere; empty if there are none."""
    if not foreign:
        return ""
    names = ", ".join(map(short_id, foreign[:10])) + (f" and {len(foreign) - 10:,} more" if len(foreign) > 10 else "")
    return f" {FOREIGN.capitalize()}, and not trusted: {names}."


def describe_run(run: Run, *, is_foreign: bool) -> str:
    """Returns the line about a run."""
    attempt, notes = run.attempt, run.notes
    started = rfc3339_text(attempt.started or attempt.created) or ""
    parts = (
        f"{short_id(run.id)} {run.operation} {status_text(attempt)} at {started[:16]}Z",
        attempt.brief_text,
        metrics_text(run.metrics, 8),
        counts_text(attempt) if attempt.kind == BATCH else "",
        f"label: {notes.label}" if notes.label else "",
        f"tags: {', '.join(notes.tags)}" if notes.tags else "",
        "marked" if notes.marked else "",
        FOREIGN if is_foreign else "",
    )
    # the words of one run must not hide the others
    return " | ".join(safe_text(part)[:400] for part in parts if part)


def show_run(project: Project, run: Run, notes: Sequence[str] = ()) -> str:
    """Returns an answer with the rows of `git run show`."""
    rows = run_rows(project, run, project.attempts(run), datetime.now(timezone.utc))
    # its row says how to trust a run, which is for people to decide
    lines = [f"{name}: {text}" if name else f"  {text}" for name, text in rows if name != "trust"]
    foreign = foreign_text(find_foreign(project, [run]))
    return answer_rows(f"Run {short_id(run.id)}.{foreign}", lines, "To see more: read_output, list_files, diff_runs.", notes)


def read_live_output(project: Project, run: Run) -> bytes:
    """Returns the last bytes that a running run has written so far."""
    pieces: deque[bytes] = deque(maxlen=LARGEST >> 16)
    with project.live_output(run) as output:
        while piece := output.read():
            pieces.append(piece)
    return b"".join(pieces)


def decoded(lines: Iterable[bytes]) -> Iterator[str]:
    """Yields the lines of a difference, escaped."""
    for line in lines:
        yield from safe_rows(line.decode(errors="replace")) or [""]


def cell_text(value: object) -> str:
    """Formats a value of a table; empty for None."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return rfc3339_text(value) or ""
    if isinstance(value, float):
        return exact_text(value)
    return safe_text(value if isinstance(value, str) else format_value(cast("Value", value)))

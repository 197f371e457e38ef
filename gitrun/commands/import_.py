"""`git run import`: runs from a bundle, or those that another tool recorded."""

from __future__ import annotations

import shlex
from contextlib import suppress
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitrun.commands import declared
from gitrun.commands.screen import print_json
from gitrun.commands.selecting import MOST, add_filters, build_query, open_project
from gitrun.commands.sharing import FOR, QUIET, receive_with_trials, report_received, request_fetch
from gitrun.errors import UsageError
from gitrun.model.run import short_id
from gitrun.model.text import count_text, safe_text, size_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    from gitrun.project import Project

    class ImportReport(Protocol):
        """The report of an import, as the extra makes it."""

        new: Sequence[str]
        same: int
        deleted: int
        large: int
        refused: Mapping[str, str]
        restartable: str

        def reasons(self) -> Mapping[str, Sequence[str]]:
            """Returns the keys of runs, or of their parts, that were left out for each reason."""
            ...

        def as_json(self) -> Mapping[str, Any]:
            """Returns the report as a JSON object."""
            ...


IMPORTERS = "gitrun.extras.importers"
BUNDLE = b"# v"
"""The first bytes of a bundle: `# v2 git bundle` or `# v3 git bundle`."""
FEW = 3
"""Runs that are named for each reason."""
ONLY_TOOLS = {"dry_run": "dry-run", "with_authors": "authors", "as_json": "json"}


@declared.command(add_help_option=False)
@declared.argument("file", metavar="FILE | KIND")
@declared.argument("runs", nargs=-1, metavar="[RUN]... | [SOURCE]")
@add_filters
@FOR
@declared.option("--dry-run", "-n", is_flag=True, help="Only say what would be imported from another tool.")
@declared.option("--authors", "with_authors", is_flag=True, help="Record user and host of the runs of another tool.")
@declared.option("--json", "as_json", is_flag=True, help="Print JSON about the import from another tool.")
@QUIET
def command(file: str, runs: tuple[str, ...], **options: Any) -> int:  # noqa: ANN401 - a filter each
    r"""Reads runs from FILE, a bundle written by git run export (default: all), and merges them as git run pull does.

    Trials of a batch come with it.

    With the KIND of another tool, imports the runs that it recorded in SOURCE (default: where the tool keeps them). gitrun
    executes nothing of them; to restart one, trust it first. A second import adds only what is new. For a file of that name,
    type ./FILE.

    \b
      git run import run.bundle
      git run import guild
      git run import guild ~/.guild --dry-run
      git run import dvc
      git run import mlflow sqlite:mlflow.db
      git run import csv runs.csv
    """
    project = open_project()
    options["query"] = build_query(options)
    if file in list_kinds():
        return import_from_tool(project, file, runs, options)
    if given := [name for name in ONLY_TOOLS if options[name]]:
        raise UsageError(f"--{ONLY_TOOLS[given[0]]} needs the kind of another tool", f"Kinds: {', '.join(list_kinds())}")
    if not Path(file).exists() and (near := get_close_matches(file, list_kinds(), 1)):
        raise UsageError(f"no file '{safe_text(file)}'", f"Did you mean the kind of another tool? git run import {near[0]}")
    refuse_foreign_file(file)
    receive = partial(project.sharing.import_, Path(file))
    received = receive_with_trials(project, receive, request_fetch(project, runs, options, merge=True))
    return report_received(project, received, file, quiet=options["quiet"])


def refuse_foreign_file(file: str) -> None:
    """Raises UsageError for a directory, or for a file that is no bundle. A file that cannot be read is left to git."""
    path = Path(file)
    with suppress(OSError):
        if path.is_dir() or (path.is_file() and not read_start(path).startswith(BUNDLE)):
            hint = f"To import runs of another tool: git run import KIND {shlex.quote(file)}. Kinds: {', '.join(list_kinds())}"
            raise UsageError(f"'{safe_text(file)}' is not a bundle", safe_text(hint))


def read_start(path: Path) -> bytes:
    """Returns the first bytes of a file, as many as BUNDLE has."""
    with path.open("rb") as file:
        return file.read(len(BUNDLE))


def list_kinds() -> list[str]:
    """Returns the kinds of tools that runs can be imported from: the modules among the extras."""
    (directory,) = import_module(f"{IMPORTERS}.kinds").__path__
    return sorted(path.stem for path in Path(directory).glob("[a-z]*.py"))


def import_from_tool(project: Project, kind: str, words: tuple[str, ...], options: dict[str, Any]) -> int:
    """Imports runs of another tool. Returns the exit code. Raises GitrunError."""
    if len(words) > 1 or not options["query"].is_plain or options["revisions"] is not None:
        raise UsageError(f"git run import {kind} takes one source and no filters", f"For example: git run import {kind} DIR")
    importing = import_module(f"{IMPORTERS}.importing")
    report: ImportReport = importing.import_from(
        project, kind, words[0] if words else "", dry_run=options["dry_run"], with_authors=options["with_authors"]
    )
    if options["as_json"]:
        print_json(report.as_json())
    report_imported(project, kind, report, dry_run=options["dry_run"], quiet=options["quiet"])
    return 1 if report.refused else 0


def report_imported(project: Project, kind: str, report: ImportReport, *, dry_run: bool, quiet: bool) -> None:
    """Reports an import: one line about the runs, then what was refused or left out, by reason."""
    for key, reason in list(report.refused.items())[:MOST]:
        project.say(f"error: {kind} run {safe_text(key)} is refused: {safe_text(reason)}")
    if len(report.refused) > MOST:
        project.say(f"and {len(report.refused) - MOST:,} more")
    if quiet:
        return
    facts = [f"{'would import' if dry_run else 'imported'} {count_text(len(report.new), 'run')} from {kind}"]
    facts += [f"{report.same:,} already here"] if report.same else []
    facts += [f"{report.deleted:,} deleted here (to bring one back: git run restore)"] if report.deleted else []
    facts += [f"{size_text(report.large)} of large files beside git"] if report.large else []
    project.say("; ".join(facts))
    reasons = sorted(report.reasons().items(), key=lambda pair: -len(pair[1]))
    for reason, keys in reasons[:MOST]:
        some = ", ".join(safe_text(key[:16]) for key in keys[:FEW]) + (", …" if len(keys) > FEW else "")
        project.say(f"note: left out of {count_text(len(keys), 'run')} ({some}): {safe_text(reason)}")
    if len(reasons) > MOST:
        project.say(f"note: and {len(reasons) - MOST:,} more reasons. To list all: --json")
    if report.restartable:
        run_id = short_id(report.restartable)
        project.say(
            f"note: these runs are not trusted yet. To restart one: git run trust {run_id} && git run --restart {run_id}"
        )

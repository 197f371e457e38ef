"""`git run cat`: a file of a run, byte for byte."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gitrun.commands import declared
from gitrun.commands.screen import print_line
from gitrun.commands.selecting import open_project
from gitrun.errors import UnknownRun, UsageError
from gitrun.model.run_names import LATEST
from gitrun.model.text import safe_lines

if TYPE_CHECKING:
    from gitrun.model.run import Run
    from gitrun.project import Project


@declared.command(add_help_option=False)
@declared.argument("word", default=LATEST, metavar="[RUN[:PATH]]")
@declared.argument("file", required=False, metavar="[PATH]")
@declared.option(
    "--output",
    "what",
    flag_value="output",
    default=True,
    help="Print what the program wrote (the default).",
)
@declared.option("--flags", "what", flag_value="flags", help="Print the flags as TOML.")
@declared.option("--sourcecode", "what", flag_value="source", help="With -p: print the file as it was when the run started.")
@declared.option("-p", "--path", metavar="PATH", help="Print this file of the result, or of the source if the result lacks it.")
def command(word: str, file: str | None, what: str, path: str | None) -> None:
    r"""Prints a file of a run (default: your newest). A pipe gets its exact bytes; a terminal gets control characters escaped.

    \b
      git run cat 3fa2c1d8
      git run cat 3fa2c1d8 report.txt
      git run cat 3fa2c1d8:report.txt
      git run cat --sourcecode -p train.py 3fa2c1d8
      git run cat -p model.pkl 3fa2c1d8 > model.pkl
    """
    if file is not None and path is not None:
        raise UsageError(f"'{path}' and '{file}' cannot be combined", "Give one file")
    project = open_project()
    run_name, inside = split_run_and_path(project, word, file if file is not None else path)
    path = inside
    if what == "source" and path is None:
        raise UsageError("--sourcecode needs a file", "To name it: -p PATH")
    # paths are stored from the top of the repository; in a subdirectory, a path as typed there comes first
    here = path and project.path_from_top(path)
    try:
        print_file(project, run_name, what, here)
    except UnknownRun:
        # at the top there is no second meaning to try
        if here == path:
            raise
        print_file(project, run_name, what, path)


def split_run_and_path(project: Project, name: str, path: str | None) -> tuple[Run, str | None]:
    """Splits the words into run and path; `RUN:PATH` names both. Raises UnknownRun."""
    head, colon, tail = name.partition(":")
    if path is not None or not colon or not tail:
        return project.find(name), path
    try:
        return project.find(name), None
    except UnknownRun:  # a label may contain a colon and wins over RUN:PATH
        # `:report.txt` is a file of the newest run
        return project.find(head or LATEST), tail


def print_file(project: Project, run: Run, what: str, path: str | None) -> None:
    """Writes the run's file to stdout. Raises UnknownRun before any output if there is no such file."""
    if not sys.stdout.isatty():
        # the bytes go around the text layer, whose buffer must be empty first
        sys.stdout.flush()
        project.copy_file(run, what, path, sys.stdout.buffer)
        return
    # the file may hold escape sequences, which a terminal would obey
    for line in safe_lines(project.read_file(run, what, path).decode(errors="replace")):
        print_line(line)

"""`git run ls`: the files of a run."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from gitrun.commands import declared
from gitrun.commands.screen import print_json, print_line, read_palette
from gitrun.commands.selecting import open_project
from gitrun.dataclass import asdict
from gitrun.model.run_names import LATEST
from gitrun.model.text import encode_path, safe_text, size_text
from gitrun.render.text import GAP
from gitrun.views.contents import LOCAL, PARTS, PRODUCED

if TYPE_CHECKING:
    from gitrun.render.palette import Palette
    from gitrun.views.contents import Content


@declared.command(add_help_option=False)
@declared.argument("run_name", default=LATEST, metavar="[RUN]")
@declared.option("--source", is_flag=True, help="List the files that it started with; can be combined.")
@declared.option("--produced", is_flag=True, help="List the files that it produced, also those kept out of git.")
@declared.option("--local", is_flag=True, help="Of the produced files, list those that are kept out of git.")
@declared.option("-z", "zero", is_flag=True, help="Print only paths, byte for byte, each followed by NUL.")
@declared.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def command(run_name: str, *, zero: bool, as_json: bool, **parts: bool) -> None:
    r"""Lists the files of a run with their sizes: source, produced, local (default: all, of your newest run).

    \b
      git run ls
      git run ls 3fa2c1d8 --produced
    """
    project = open_project()
    parts[LOCAL] |= parts[PRODUCED]
    files = project.runs.list_files(project.find(run_name), [part for part in PARTS if parts[part]] or PARTS)
    if as_json:
        # JSON is text, and paths are bytes
        print_json([asdict(content) | {"path": encode_path(content.path)} for content in files])
    elif zero:
        sys.stdout.flush()
        sys.stdout.buffer.writelines(os.fsencode(content.path) + b"\0" for content in files)
        sys.stdout.buffer.flush()
    else:
        colours = read_palette(project)
        for content in files:
            print_line(file_line(content, colours))


def file_line(content: Content, colours: Palette) -> str:
    """Formats a file for people: part, size, path."""
    # a submodule has no size
    size = "-" if content.size is None else size_text(content.size)
    away = "" if content.here else "  (not on this machine)"
    return GAP.join((colours.paint("heading", f"{content.part:<8}"), f"{size:>7}", safe_text(content.path) + away))

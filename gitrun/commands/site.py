"""`git run site`: runs as a static site."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitrun import render
from gitrun.commands import declared
from gitrun.commands.screen import print_json
from gitrun.commands.selecting import add_filters, build_query, explain_no_match, open_project, show_progress
from gitrun.errors import CannotRun, NoMatch, UsageError
from gitrun.model.text import count_text, size_text
from gitrun.workspace.checkout import read_umask

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitrun.model.run import Run
    from gitrun.project import Project
    from gitrun.views.select import Query

MARKER = ".gitrun-site"
"""The file by which a directory is known as one that this verb wrote."""
FILES = ("none", "images", "all")
FEW = 200
"""Runs that are written without a bar of progress."""
IN_ONE_FILE = 200
"""Runs whose details are compressed together in a site of one file."""


@declared.command(add_help_option=False)
@declared.argument("runs", nargs=-1)
@add_filters
@declared.option(
    "--out", type=declared.path(path_type=Path), metavar="DIR", help="Write files for a host of static pages into DIR."
)
@declared.option(
    "--single-file", "file", type=declared.path(path_type=Path), metavar="FILE", help="Write one file that needs no host."
)
@declared.option("--limit", type=declared.int_range(min=1), default=10_000, metavar="N", help="Show at most N runs (10,000).")
@declared.option(
    "--files",
    type=declared.choice(FILES),
    default="images",
    help="Include files that runs produced, up to 1 MiB each (images).",
)
@declared.option("--source", is_flag=True, help="Include how the code of each run differs from its commit and the run before.")
@declared.option("--authors", "has_authors", is_flag=True, help="Include the names of people.")
@declared.option("--json", "as_json", is_flag=True, help="Print what was written as a JSON object.")
def command(runs: tuple[str, ...], *, out: Path | None, file: Path | None, limit: int, **options: Any) -> None:  # noqa: ANN401
    r"""Writes runs as a static site: the pages of git run view, without a server.

    The same runs give the same bytes. The site names no machine, no directory of it, and no people unless asked.

    \b
      git run site --out public
      git run site --single-file runs.html --where 'loss<0.1'
    """
    if (out is None) == (file is None):
        raise UsageError("give either --out or --single-file", "For example: git run site --out public")
    parts = {name: options.pop(name) for name in ("files", "source", "has_authors", "as_json")}
    project = open_project()
    if out:
        require_own_directory(out)
    chosen, more = select_for_site(project, runs, build_query(options), limit)
    choice = render.site_answers.SiteOptions(parts["files"], parts["source"], parts["has_authors"])
    on_progress = partial(show_progress, act="writing", least=FEW) if sys.stderr.isatty() else None
    if file:
        answers = render.site_answers.SiteAnswers(project, chosen, choice, size=IN_ONE_FILE, on_progress=on_progress)
        size = write_file(file, render.site.render_file(answers))
    else:
        answers = render.site_answers.SiteAnswers(project, chosen, choice, on_progress=on_progress)
        size = write_directory(out or Path(), render.site.render_directory(answers))
    broken = [] if runs else project.broken()
    counts = {"older run": more, "unreadable run": len(broken)}
    left_out = [*answers.left_out, *(count_text(count, noun) for noun, count in counts.items() if count)]
    if parts["as_json"]:
        print_json({"path": str(out or file), "runs": len(answers.runs), "size": size, "left_out": left_out})
        return
    project.say(f"wrote {out or file}: {count_text(len(answers.runs), 'run')}, {size_text(size)}")
    if left_out:
        project.say(f"not in it: {', '.join(left_out)}")


def select_for_site(project: Project, names: tuple[str, ...], query: Query, limit: int) -> tuple[list[Run], int]:
    """Returns the runs of a site, newest first, and the number of those beyond the limit. Raises NoMatch, UnknownRun."""
    selection = project.select(names, query, limit)
    selected = [run for _, run in selection.runs]
    if not selected and (names or not query.is_plain):
        raise NoMatch(explain_no_match(project, query), "To list all runs: git run list --all")
    # a batch comes with its trials
    chosen = {run.id: run for run in (*selected, *project.trials_of(selected))}
    ordered = sorted(chosen.values(), key=lambda run: (run.attempt.created, run.id), reverse=True)
    return ordered[:limit], selection.more + max(len(ordered) - limit, 0)


def require_own_directory(path: Path) -> None:
    """Raises CannotRun if the path is there and is neither empty nor a directory that this verb wrote."""
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise CannotRun(f"{path} is no directory", "To write one: git run site --out DIR")
    if path.is_dir() and any(path.iterdir()) and not (path / MARKER).is_file():
        raise CannotRun(f"{path} has files that git run site did not write", "To write elsewhere: git run site --out DIR")


def write_file(path: Path, data: bytes) -> int:
    """Writes a file whole or not at all. Returns its size."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as target:
        try:
            target.write(data)
            target.flush()
            # as if open() had made it
            os.chmod(target.name, 0o666 & ~read_umask())  # noqa: PTH101 - a name
            os.replace(target.name, path)  # noqa: PTH105 - a name
        except BaseException:
            os.unlink(target.name)  # noqa: PTH108 - a name
            raise
    return len(data)


def write_directory(path: Path, files: Iterable[tuple[str, bytes]]) -> int:
    """Writes a directory whole or not at all, in place of one that this verb wrote. Returns the size of its files."""
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as scratch:
        fresh, old = Path(scratch, "new"), Path(scratch, "old")
        fresh.mkdir()
        for name, data in (*files, (MARKER, b"")):
            target = fresh / name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(data)
            size += len(data)
        if path.exists():
            path.rename(old)
        try:
            fresh.rename(path)
        except OSError:
            shutil.move(old, path)
            raise
    return size

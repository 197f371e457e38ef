"""The project that a verb is about, opened with manners for a terminal."""

from __future__ import annotations

import sys

from gitrun.project import Project

WIDTH = 30
"""Columns of the bar."""
MANY = 2_000
"""Runs whose reading takes so long that a person wants to see it go on."""


def open_project() -> Project:
    """The project of the current directory; on a terminal a bar shows how the index of very many runs is built."""
    project = Project()
    if sys.stderr.isatty():
        project.told = show_progress
    return project


def show_progress(done: int, total: int) -> None:
    """Draws the bar anew in its line on stderr, and takes it away at the end."""
    if total <= MANY:
        return
    filled = WIDTH * done // total
    line = f"gitrun: reading runs [{'#' * filled}{'.' * (WIDTH - filled)}] {done:,} of {total:,}"
    sys.stderr.write(f"\r{line}" if done < total else f"\r{' ' * len(line)}\r")
    sys.stderr.flush()

"""Opens the project for a verb, with a progress bar on a terminal."""

from __future__ import annotations

import sys

from gitrun.project import Project

WIDTH = 30
"""Characters of the bar."""
MANY = 2_000
"""Runs from which reading takes long enough for a bar."""


def open_project() -> Project:
    """Opens the project of the current directory. A bar shows progress while a large index is built."""
    project = Project()
    if sys.stderr.isatty():
        project.told = show_progress
    return project


def show_progress(done: int, total: int) -> None:
    """Redraws the bar in its line on stderr, and erases it at the end."""
    if total <= MANY:
        return
    filled = WIDTH * done // total
    line = f"gitrun: reading runs [{'#' * filled}{'.' * (WIDTH - filled)}] {done:,} of {total:,}"
    sys.stderr.write(f"\r{line}" if done < total else f"\r{' ' * len(line)}\r")
    sys.stderr.flush()

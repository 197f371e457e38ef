"""Lists of runs that a notebook shows as tables."""

from __future__ import annotations

from typing import SupportsIndex, overload

from gitrun.model.html_table import render_table
from gitrun.model.run import Run, brief_texts

MOST_ROWS = 20
"""Runs that a table shows."""


class Runs(list[Run]):
    """A list of runs that a notebook shows as a table of its first runs."""

    @overload
    def __getitem__(self, at: SupportsIndex) -> Run: ...

    @overload
    def __getitem__(self, at: slice) -> Runs: ...

    def __getitem__(self, at: SupportsIndex | slice) -> Run | Runs:
        """Returns a run, or a part of the list, which is shown as a table too."""
        return Runs(list(self)[at]) if isinstance(at, slice) else super().__getitem__(at)

    def _repr_html_(self) -> str:
        """Returns the table for a notebook."""
        rows = [brief_texts(run) for run in self[:MOST_ROWS]]
        more = f"{len(self) - MOST_ROWS:,} more" if len(self) > MOST_ROWS else ""
        return render_table(rows[0] if rows else (), [tuple(row.values()) for row in rows], more or ("" if rows else "no runs"))

"""Rebuilds and deletes the notes that show runs in `git log`: the class of `project.notes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun import store

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitrun.git.exe import Git
    from gitrun.store.index import Index


class RunNotes:
    """`project.notes`: runs in `git log --notes=runs`."""

    def __init__(self, repository: Git, index: Callable[[], Index]) -> None:
        self._git, self._index = repository, index

    def rebuild(self) -> int:
        """Rebuilds `refs/notes/runs`. Returns how many commits have a note."""
        with self._index() as index:
            return store.notes.rebuild_notes(self._git, index)

    def drop(self) -> bool:
        """Deletes `refs/notes/runs`. Returns whether it existed."""
        return store.notes.delete_notes(self._git)

    def exist(self) -> bool:
        """Returns whether `refs/notes/runs` exists."""
        return store.notes.notes_exist(self._git)

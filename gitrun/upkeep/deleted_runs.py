"""Deletes runs, restores and purges them: the class of `project.trash`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gitrun import store, upkeep, views

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from gitrun.git.exe import Git
    from gitrun.model.run import BrokenRun, Run
    from gitrun.store.trash import Restored
    from gitrun.views.select import Query


class DeletedRuns:
    """`project.trash`: deletes runs, restores and purges them."""

    def __init__(self, repository: Git) -> None:
        self._git = repository

    def remove(self, selected: Iterable[Run | BrokenRun]) -> frozenset[str]:
        """Moves the runs to the trash, all or none. Returns the ids of runs that had nothing but a ref.

        Raises RunIsRunning, StaleRun.
        """
        runs = {run.id: run.tip for run in selected}
        # first what a killed deletion left half done
        upkeep.gc.retry_with_room(self._git, lambda: store.trash.finish_interrupted_moves(self._git))
        return upkeep.gc.retry_with_room(self._git, lambda: store.trash.delete_runs(self._git, runs))

    def list_runs(self) -> list[Run | BrokenRun]:
        """Returns the runs in the trash, newest attempt first, followed by broken ones."""
        return store.trash.deleted_runs(self._git)

    def list_ids(self) -> Collection[str]:
        """Returns the ids of the runs in the trash, without reading them."""
        return store.trash.deleted_tips(self._git).keys()

    def list_last(self) -> list[Run | BrokenRun]:
        """Returns the runs that the last deletion moved to the trash, newest attempt first."""
        ids = store.trash.last_deletion(self._git)
        return [run for run in self.list_runs() if run.id in ids]

    def find(
        self, names: Sequence[str] = (), query: Query | None = None, older_than: str | None = None
    ) -> list[Run | BrokenRun]:
        """Returns the deleted runs that match as for `select`; only those deleted before `older_than` if given.

        Raises UnknownRun, UsageError.
        """
        runs = views.select.select_deleted(self._git, self.list_runs(), names, query or views.select.Query())
        if older_than is None:
            return runs
        old = upkeep.gc.expired_runs(self._git, views.select.parse_time(self._git, older_than), time.time())
        return [run for run in runs if run.id in old]

    def restore(self, runs: Iterable[Run | BrokenRun]) -> Restored:
        """Restores deleted runs; skips a run whose ref exists again without the deleted commits. Raises StaleRun."""
        return store.trash.restore_runs(self._git, {run.id: run.tip for run in runs})

    def purge(self, selected: Iterable[Run | BrokenRun]) -> None:
        """Deletes runs in the trash for good, with their files outside git. Raises StaleRun."""
        runs = {run.id: run.tip for run in selected}
        upkeep.gc.retry_with_room(self._git, lambda: upkeep.gc.purge_runs(self._git, runs))

"""Cleans up and repairs a repository: the class of `project.upkeep`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gitrun import upkeep, views

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gitrun.model.run import Run
    from gitrun.upkeep.doctor import Report
    from gitrun.upkeep.gc import GcPlan, GcRules
    from gitrun.workspace.session import Session


class Maintenance:
    """`project.upkeep`: finds and removes what no run needs, and finds and repairs problems."""

    def __init__(
        self, session: Callable[[], Session], recover: Callable[[], None], list_runs: Callable[[], Sequence[Run]]
    ) -> None:
        self._session, self._recover, self._list_runs = session, recover, list_runs

    def parse_time(self, text: str) -> int:
        """Returns the time that git reads in the text, in seconds since 1970. Raises UsageError."""
        return views.select.parse_time(self._session().git, text)

    def trash_expiry(self) -> int | None:
        """Returns a time; runs deleted before it are due to be purged. None if they are never purged."""
        expire = self._session().settings.trash_expire
        return None if expire == "never" else self.parse_time(expire)

    def survey(self, rules: GcRules) -> GcPlan:
        """Returns the runs and files that are no longer needed; writes nothing."""
        self._recover()
        repository = self._session().git
        is_asked = not rules.retention.keeps_all or upkeep.archiving.is_due(repository, rules.archive)
        return upkeep.gc.find_garbage(repository, self._list_runs() if is_asked else (), rules, time.time())

    def has_archive(self) -> bool:
        """Returns whether runs have been archived in this repository."""
        return upkeep.archiving.has_archive(self._session().git)

    def sweep(self, plan: GcPlan) -> None:
        """Removes what `survey` found. Raises GitrunError."""
        upkeep.gc.collect_garbage(self._session().git, plan)

    def examine(
        self, expire: float | None = None, remote: str | None = None, *, fix: bool = False, is_full: bool = False
    ) -> Report:
        """Returns the problems of this repository or of a remote. With `fix`, repairs what it can first.

        Unless `is_full` is set, archived runs that the index holds as readable are not read again. See `upkeep.doctor`.
        """
        act = upkeep.doctor.repair if fix else upkeep.doctor.examine
        return act(self._session(), expire, remote, is_full=is_full)

"""Upkeep of a repository through `project.upkeep`."""

from __future__ import annotations

from gitrun import Project


def test_trash_expires_as_the_setting_says(repo) -> None:
    repo.git("config", "gitrun.trashExpire", "2026-01-01 00:00 +0000")
    assert Project(repo.path).upkeep.trash_expiry() == Project(repo.path).upkeep.parse_time("2026-01-01 00:00 +0000")
    repo.git("config", "gitrun.trashExpire", "never")
    assert Project(repo.path).upkeep.trash_expiry() is None

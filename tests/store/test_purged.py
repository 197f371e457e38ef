"""Ids of purged runs are remembered, also after a line that was cut short."""

from __future__ import annotations

from gitrun import Project
from gitrun.store.purged import purged_ids, record_purged


def test_purged_ids_are_added_up(repo) -> None:
    git = Project(repo.path).git
    assert purged_ids(git) == frozenset()
    git.state.mkdir(parents=True, exist_ok=True)
    record_purged(git, ["a" * 40])
    (git.state / "purged").write_text(f"{'a' * 40}\nbbbb\n")
    record_purged(git, ["c" * 40])
    assert purged_ids(git) == {"a" * 40, "c" * 40}

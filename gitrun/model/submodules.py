"""Submodules as a source records them: paths below the top, each with its commit."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def outermost_modules(modules: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Returns the submodules that are not inside another one: path -> commit."""
    commits = dict(modules)
    # a nested submodule is an entry of its parent's tree, not of this one
    return {path: commit for path, commit in commits.items() if commits.keys().isdisjoint(parent_directories(path))}


def parent_directories(path: str) -> list[str]:
    """Returns the directories above a path."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]

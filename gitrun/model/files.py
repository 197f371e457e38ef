"""Files that a run names: what it produced, and what its snapshot left out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class File:
    """A produced file: path below the root, size in bytes, sha256 in hex, and where it is kept (git, lfs or local)."""

    path: str
    size: int
    sha256: str
    stored: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file left out of a snapshot: path below the root, size in bytes, and why."""

    path: str
    size: int
    reason: str

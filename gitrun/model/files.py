"""Files that a run names: what it produced, and what its snapshot left out."""

from __future__ import annotations

from dataclasses import dataclass

from gitrun.model.record import DIRECTORY

UP = "../"


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


def kept_name(path: str) -> str:
    """Returns where the file at `path` is, below the directory of what an attempt keeps.

    What a run wrote beside the repository (`../x`, `../../x`) has a place of its own there.
    """
    level = 2 if path.startswith(UP * 2) else 1 if path.startswith(UP) else 0
    inside = path[len(UP) * level :]
    return f"{DIRECTORY}/beside/{level}/{inside}" if level and is_safe(f"x/{inside}") else path


def is_safe(path: str) -> bool:
    """Whether a path that a run names stays where it is to go and out of what is git's and ours."""
    parts = path.split("/")
    if not path.isascii():
        import unicodedata

        parts = ["".join(char for char in part if unicodedata.category(char) != "Cf") for part in parts]
    plain = [part.lower() for part in parts]
    return not {"", ".", "..", ".git", "git~1"} & set(plain) and plain[0] != DIRECTORY

"""Files that a run names: those it produced, and those its snapshot left out."""

from __future__ import annotations

from dataclasses import dataclass

from gitrun.model.record import DIRECTORY

UP = "../"


@dataclass(frozen=True, slots=True)
class File:
    """A produced file: path below the root, size in bytes, sha256 in hex, and storage (git, lfs or local)."""

    path: str
    size: int
    sha256: str
    stored: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file left out of a snapshot: path below the root, size in bytes, and the reason."""

    path: str
    size: int
    reason: str


def kept_name(path: str) -> str:
    """Returns the path of a kept file below the directory of an attempt's files.

    Files that a run wrote beside the repository (`../x`, `../../x`) have their own directory there.
    """
    level = 2 if path.startswith(UP * 2) else 1 if path.startswith(UP) else 0
    inside = path[len(UP) * level :]
    return f"{DIRECTORY}/beside/{level}/{inside}" if level and is_safe(f"x/{inside}") else path


def is_safe(path: str) -> bool:
    """Returns whether a path from a run stays below its root and out of `.git` and `.gitrun`."""
    parts = path.split("/")
    if not path.isascii():
        import unicodedata

        # HFS+ ignores format characters in names: `.g<U+200C>it` opens `.git`
        parts = ["".join(char for char in part if unicodedata.category(char) != "Cf") for part in parts]
    plain = [part.lower() for part in parts]
    return not {"", ".", "..", ".git", "git~1"} & set(plain) and plain[0] != DIRECTORY

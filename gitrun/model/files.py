"""Files that a run names: those it produced, and those its snapshot left out."""

from __future__ import annotations

from dataclasses import dataclass

from gitrun.model.encode import DIRECTORY

UP = "../"
DEEPEST = 100
"""The most directories above a file in a tree; a deeper file is kept beside the repository."""


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
    """Returns where the file at `path` is, below the directory of what an attempt keeps.

    What a run wrote beside the repository (`../x`, `../../x`) has a place of its own there. A path of a run from
    elsewhere that leads out of all of these gets a name at which nothing is ever kept.
    """
    level = 2 if path.startswith(UP * 2) else 1 if path.startswith(UP) else 0
    inside = path[len(UP) * level :]
    if "\0" in inside or {"", ".", ".."} & set(inside.split("/")):
        return f"{DIRECTORY}/nowhere"
    return f"{DIRECTORY}/beside/{level}/{inside}" if level else inside


def is_safe(path: str) -> bool:
    """Returns whether a path from a run stays below its root and out of `.git` and `.gitrun`."""
    parts = path.split("/")
    if not path.isascii():
        import unicodedata

        # HFS+ ignores format characters in names: `.g<U+200C>it` opens `.git`
        parts = ["".join(char for char in part if unicodedata.category(char) != "Cf") for part in parts]
    plain = [part.lower() for part in parts]
    return not {"", ".", "..", ".git", "git~1"} & set(plain) and plain[0] != DIRECTORY

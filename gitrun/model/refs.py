"""Where runs have their names in a repository: ids, short forms, ref names."""

from __future__ import annotations

import re

RUNS = "refs/runs/"
TRASH = "refs/gitrun/trash/"
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git's own name for a tree without entries
ID = re.compile(r"[0-9a-f]{40}")
PREFIX = re.compile(r"[0-9a-fA-F]{4,40}")
INDEX = re.compile(r"[1-9][0-9]*")


def run_ref(run: str) -> str:
    """The ref of the run with this full id."""
    return RUNS + run


def is_id(text: str) -> bool:
    """Whether `text` is a full object id."""
    return ID.fullmatch(text) is not None


def short(run: str) -> str:
    """The form of an id for people: its first eight digits."""
    return run[:8]

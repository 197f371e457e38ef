"""Ref names and ids of runs."""

from __future__ import annotations

import re

RUNS = "refs/runs/"
TRASH = "refs/gitrun/trash/"
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # the SHA-1 of the empty tree, which git knows without an object
ID = re.compile(r"[0-9a-f]{40}")
PREFIX = re.compile(r"[0-9a-fA-F]{4,40}")
INDEX = re.compile(r"[1-9][0-9]*")


def run_ref(run: str) -> str:
    """Returns the ref of the run with this full id."""
    return RUNS + run


def is_id(text: str) -> bool:
    """Returns whether `text` is a full object id."""
    return ID.fullmatch(text) is not None


def short(run: str) -> str:
    """Returns the short form of an id: its first eight digits."""
    return run[:8]

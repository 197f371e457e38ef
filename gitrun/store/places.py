"""Directories of gitrun's local state: for their owner alone, and common to others where those may write the repository."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_private(place: Path) -> None:
    """Makes a directory that is its owner's alone; those above it are as `make_common` makes them."""
    make_common(place.parent)
    place.mkdir(mode=0o700, exist_ok=True)


def make_common(place: Path) -> None:
    """Makes a directory and those above it: each others' too only if the one that it lies in is (`core.sharedRepository`)."""
    if place.is_dir():
        return
    make_common(place.parent)
    is_shared = place.parent.stat().st_mode & stat.S_IWGRP
    place.mkdir(mode=0o777 if is_shared else 0o700, exist_ok=True)

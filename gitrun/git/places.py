"""Directories of gitrun's local state: private to their owner, or shared like the repository."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_private(place: Path) -> None:
    """Makes a directory with mode 0700. Its parents follow `make_common`."""
    make_common(place.parent)
    place.mkdir(mode=0o700, exist_ok=True)


def make_common(place: Path) -> None:
    """Makes a directory and its parents, writable for the group if the directory above is (`core.sharedRepository`)."""
    if place.is_dir():
        return
    make_common(place.parent)
    is_shared = place.parent.stat().st_mode & stat.S_IWGRP
    place.mkdir(mode=0o777 if is_shared else 0o700, exist_ok=True)

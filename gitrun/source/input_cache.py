"""The files of inputs that were downloaded or fetched, kept by their SHA-256."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gitrun.git.locks import make_private_directory

if TYPE_CHECKING:
    from pathlib import Path

    from gitrun.git.exe import Git


def cached_input(git: Git, sha256: str) -> Path:
    """Returns the path of the download with this SHA-256, whether it is there or not."""
    return git.state / "inputs" / sha256


def keep_input(git: Git, sha256: str, data: bytes) -> None:
    """Keeps the content with this SHA-256 as a read-only file. Raises OSError."""
    target = cached_input(git, sha256)
    make_private_directory(target.parent)
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        fresh.write_bytes(data)
        # many runs share this file, so no program may write to it
        fresh.chmod(0o444)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)

"""The files of inputs that were downloaded, kept by their SHA-256."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from gitrun.git.exe import Git


def cached_input(git: Git, sha256: str) -> Path:
    """Returns the path of the download with this SHA-256, whether it is there or not."""
    return git.state / "inputs" / sha256

"""Runs that were purged here: the file `purged` has the id of each. A fetch does not bring them back, nor does an archive."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun.model.run import is_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitrun.git.exe import Git


def purged_ids(git: Git) -> frozenset[str]:
    """Returns the ids of runs purged here, which a fetch does not bring back."""
    with suppress(OSError):
        return frozenset(filter(is_id, (git.state / "purged").read_text(errors="replace").split()))
    return frozenset()


def record_purged(git: Git, runs: Iterable[str]) -> None:
    """Records these runs as purged. Appends them in one write."""
    with suppress(OSError), (git.state / "purged").open("a") as file:
        file.write("".join(f"{run_id}\n" for run_id in runs))

"""Deals the GPUs of this machine out to the trials of batches.

A GPU in use is a lock file that the kernel releases when its holder dies. The files are in the user's state directory, so
that batches in several repositories share a machine. Single runs lock nothing.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from gitrun.dataclass import dataclass
from gitrun.errors import BadValue, CannotRun, UsageError
from gitrun.git.locks import acquire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitrun.model.run import Params


@dataclass(frozen=True, slots=True)
class GpuPool:
    """The GPUs of one batch, `per_trial` of them for each trial, with the directory of their lock files."""

    names: tuple[str, ...]
    per_trial: int
    directory: Path

    @property
    def most_trials(self) -> int:
        """Returns the number of trials that can have their GPUs at the same time."""
        return len(self.names) // self.per_trial

    def acquire(self, stack: ExitStack) -> str | None:
        """Locks the GPUs of a trial until the stack is closed. Returns them, joined by commas; None if too few are free.

        Raises CannotRun.
        """
        gpus: list[str] = []
        with ExitStack() as locks:
            for name in self.names:
                try:
                    lock = acquire(self.directory / quote(name, safe=""), wait=0)
                except OSError as error:
                    hint = "To use another directory: set XDG_STATE_HOME"
                    raise CannotRun(f"cannot lock GPU {name} in {self.directory}: {error.strerror}", hint) from error
                if lock:
                    locks.enter_context(lock)
                    gpus.append(name)
                if len(gpus) == self.per_trial:
                    stack.enter_context(locks.pop_all())
                    return ",".join(gpus)
        return None


def make_pool(params: Params, per_trial: int | None, jobs: int, environ: Mapping[str, str]) -> GpuPool | None:
    """Returns the pool of a batch's GPUs; None if it lists none. One job gets all of them by default, and several one each."""
    names = list_gpus(params)
    if not names:
        return None
    return GpuPool(names, per_trial or (1 if jobs > 1 else len(names)), lock_directory(environ))


def list_gpus(params: Params) -> tuple[str, ...]:
    """Returns the GPUs that the parameters list."""
    return split_list(params.gpus)


def split_list(text: str | None) -> tuple[str, ...]:
    """Returns the GPUs of a list such as `0,1`, each once."""
    names = (name.strip() for name in (text or "").split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def check_gpus(params: Params, per_trial: int | None) -> None:
    """Raises UsageError or BadValue if a trial cannot have this number of GPUs."""
    if per_trial is None:
        return
    names = list_gpus(params)
    if not names:
        raise UsageError("--gpus-per-trial needs a list of GPUs", "For example: --gpus 0,1,2,3 --gpus-per-trial 2 --jobs 2")
    if per_trial > len(names):
        raise BadValue(f"--gpus-per-trial {per_trial} is more than --gpus lists: {','.join(names)}")


def lock_directory(environ: Mapping[str, str]) -> Path:
    """Returns the directory of this machine's lock files, which several machines with one home do not share."""
    directory = environ.get("XDG_STATE_HOME", "")
    # the XDG specification ignores relative paths
    state = Path(directory) if os.path.isabs(directory) else Path(environ.get("HOME") or "/tmp", ".local", "state")  # noqa: S108
    return state / "gitrun" / "gpus" / os.uname().nodename


def describe_limit(pool: GpuPool, jobs: int) -> str:
    """Returns what to tell the user if there are fewer GPUs than jobs; empty if there are enough."""
    if pool.most_trials >= jobs:
        return ""
    return f"note: --gpus {','.join(pool.names)} is enough for {pool.most_trials} at a time, not {jobs}"

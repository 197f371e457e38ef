"""Run parameters as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Params:
    """Run parameters: what of a start is not a flag and is used again by a restart."""

    force_flags: bool = False
    gpus: str | None = None
    max_trials: int | None = None
    maximize: str | None = None
    minimize: str | None = None
    no_gpus: bool = False
    opt_flags: tuple[str, ...] = ()
    optimizer: str | None = None
    random_seed: int | None = None

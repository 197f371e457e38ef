"""Counts of the trials of a batch, and the best one."""

from __future__ import annotations

from gitrun.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class BestTrial:
    """The best trial of a batch: its number, its run, and its value of the one objective."""

    number: int
    run_id: str
    value: float


@dataclass(frozen=True, slots=True)
class TrialCounts:
    """Numbers of trials of a batch by their end; `pending` have not ended. `total` is the number that it is to have.

    `best` is None if no trial has a value, or if the batch has several objectives.
    """

    total: int
    completed: int = 0
    pruned: int = 0
    error: int = 0
    terminated: int = 0
    pending: int = 0
    best: BestTrial | None = None

"""The words of the lines that tell how far a batch is, and how it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.model.batch import count_trials
from gitrun.model.repeats import has_repeats
from gitrun.model.run import RUNNING
from gitrun.model.text import count_text, duration_text, number_text, safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.model.batch import BatchDefinition, Objective, Trial
    from gitrun.model.trial_counts import TrialCounts


class Pace:
    """The rate at which trials of a batch end, measured from the moment `now` on, in seconds."""

    def __init__(self, now: float) -> None:
        self._begun = self._last = now
        self._count = 0

    def note_end(self, now: float) -> None:
        """Notes that a trial has ended."""
        self._count += 1
        self._last = now

    def time_left(self, count: int, now: float) -> float | None:
        """Returns the time that `count` more trials take at this pace; None if none has ended."""
        if not self._count:
            return None
        return max((self._last - self._begun) / self._count * count - (now - self._last), 0.0)


def progress_parts(trials: Sequence[Trial], total: int, objectives: Sequence[Objective], pace: Pace, now: float) -> list[str]:
    """Returns the parts of the line, the most important first: ended, running, failed, best, time left."""
    counts = count_trials(trials, total, objectives)
    running = sum(trial.status == RUNNING for trial in trials)
    ended = counts.total - counts.pending
    parts = [f"gitrun: {ended:,} of {count_text(total, 'trial')}"]
    parts += [f"{running} running"] if running else []
    parts += [f"{counts.error} failed"] if counts.error else []
    if best := counts.best:
        parts.append(safe_text(f"best #{best.number} {objectives[0].metric}={number_text(best.value)}"))
    if (seconds_left := pace.time_left(counts.pending, now)) is not None and counts.pending:
        parts.append(f"{round(seconds_left)}s left" if seconds_left < 59.5 else f"{duration_text(seconds_left)} left")
    return parts


def describe_end(counts: TrialCounts, definition: BatchDefinition) -> str:
    """Returns the line about the trials of a batch that has ended."""
    best = counts.best
    words = f"{counts.completed} of {count_text(counts.total, 'trial')} completed"
    words += "".join(f", {count} {how}" for count, how in ((counts.pruned, "pruned"), (counts.error, "failed")) if count)
    words += f"; best: #{best.number} {definition.objectives[0].metric}={number_text(best.value)}" if best else ""
    if best and has_repeats(definition):
        words += f" (median of {definition.repeat if definition.repeat > 1 else 'its point'})"
    return words

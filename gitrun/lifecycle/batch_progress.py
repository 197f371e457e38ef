"""The words of the lines that tell how far a batch is, and how it and its trials have ended."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from gitrun.model.batch import count_trials
from gitrun.model.repeats import has_repeats
from gitrun.model.run import ERROR, RUNNING, short_id
from gitrun.model.text import count_text, duration_text, ending_text, number_text, safe_text
from gitrun.model.values import format_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.lifecycle.trial_states import EndedTrial
    from gitrun.model.batch import BatchDefinition, Objective, Trial
    from gitrun.model.plan import Outcome
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


def describe_trial(trial: Trial, ended: EndedTrial, outcome: Outcome, definition: BatchDefinition, names: Sequence[str]) -> str:
    """Returns the line about a trial that has `ended`. `names` are the flags that vary."""
    commit, host = ended.task.point.commit, ended.host
    space = " ".join(f"{name}={format_value(trial.flags[name])}" for name in names if name in trial.flags)
    metrics = [objective.metric for objective in definition.objectives] or ["loss"]
    numbers = [f"{name}={number_text(value)}" for name in metrics if (value := outcome.metrics.ask(name)) is not None]
    words = [f"#{trial.number}", short_id(trial.run_id), f"commit {short_id(commit.commit)}" if commit else "", space]
    is_pruned = outcome.pruned is not None
    status, code = (outcome.reason, None) if is_pruned else (outcome.status, outcome.exit_status)
    words += [ending_text(status, code, outcome.duration) + (f" on {host}" if host else ""), *numbers]
    hint = f". To read its output: git run cat {short_id(trial.run_id)}" if outcome.status == ERROR else ""
    return "  ".join(filter(None, words)) + hint


def explain_no_value(number: int, outcome: Outcome, objectives: Sequence[Objective], batch_id: str) -> tuple[list[str], str]:
    """Returns why a completed trial has no value, in lines for the user, and the fault that ends the batch, or an empty text.

    `batch_id` is that of the batch if this trial is its first one, whose metric must be there; empty for the others.
    """
    metrics = [objective.metric for objective in objectives]
    values = {name: outcome.metrics.ask(name) for name in metrics}
    missing = next((name for name in metrics if values[name] is None), "")
    if not missing:
        odd = next((f"{name} is {value}" for name, value in values.items() if value is not None and not isfinite(value)), "")
        return ([f"note: trial {number} counts as failed in the search: {odd}"] if odd else []), ""
    if not batch_id:
        return [f"note: trial {number} counts as failed in the search: it has no metric '{missing}'"], ""
    there, fault = ", ".join(sorted(outcome.metrics)[:10]), f"the first trial has no metric '{missing}'"
    what = (
        f"It has: {there}. To use one: git run --restart {short_id(batch_id)} --minimize NAME" if there
        else "It has no metrics at all. To read about metrics: git run help metrics"
    )  # fmt: skip
    return [f"error: {fault}. {what}"], fault

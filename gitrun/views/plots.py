"""Plots as values: what is drawn of which runs, for every form in which it can be rendered."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.errors import UsageError
from gitrun.model.filters import look_up_value
from gitrun.model.flags import format_value
from gitrun.views.compare import differing_names
from gitrun.views.curves import MOST_POINTS, read_curves
from gitrun.views.plot_subjects import CURVES, HISTORY, y_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.git.exe import Git
    from gitrun.model.run import Run
    from gitrun.views.plot_subjects import PlotSubject

LOGARITHMIC = 100
"""The ratio of the largest to the smallest x of a scatter from which on its axis is logarithmic."""
LARGEST = 1e308
"""Numbers beyond this have no position on an axis: their differences are infinite."""
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class PlotLook:
    """Options of a plot. `maximize` is for the best run so far; None means as the batch does, else False."""

    log_y: bool = False
    smoothing: float = 0.0
    maximize: bool | None = None
    points: int = MOST_POINTS


def why_not_drawn(value: float, *, log_y: bool) -> str:
    """Returns why a value is not drawn: `nan`, `inf`, `-inf`, `too large`, `not above 0`; empty if it has a position."""
    if not math.isfinite(value):
        return repr(value)
    if abs(value) >= LARGEST:
        return "too large"
    return "not above 0" if log_y and value <= 0 else ""


@dataclass(frozen=True, slots=True)
class PlottedRun:
    """A run with the letters that mark it, and the flags in which it differs from the others."""

    key: str
    run: Run
    flags: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """The part of a panel for the run at this index of the plot. Values of `ys` may be nan or infinite; `xs` may be texts."""

    index: int
    xs: Sequence[float | str]
    ys: Sequence[float]

    def undrawn_counts(self, *, log_y: bool) -> dict[str, int]:
        """Returns the numbers of values without a position on the axis: `{"nan": 2, "inf": 1, "not above 0": 3}`."""
        return dict(Counter(filter(None, (why_not_drawn(value, log_y=log_y) for value in self.ys))))


@dataclass(frozen=True, slots=True)
class Panel:
    """A metric with its traces. `best` has the best value up to each run, and the index of the best run of all."""

    metric: str
    traces: tuple[Trace, ...]
    best: Trace | None = None
    is_largest: bool = False
    """The largest value is the best; else the smallest."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot: panels one below the other, with one axis of x for all of them."""

    form: str
    x_name: str
    panels: tuple[Panel, ...]
    runs: tuple[PlottedRun, ...]
    look: PlotLook
    log_x: bool = False

    @property
    def xs(self) -> list[float | str]:
        """Returns every x of the plot once, sorted."""
        return sorted({x for panel in self.panels for trace in panel.traces for x in trace.xs})


def build_plot(git: Git, subject: PlotSubject, look: PlotLook) -> Plot:
    """Returns what is drawn of the subject. Raises UsageError if nothing is."""
    runs = order_runs(subject)
    names = differing_names([run.flags for run in runs], equal=False)
    plotted = tuple(
        PlottedRun(letters_of(index), run, tuple((name, format_value(run.flags[name])) for name in names if name in run.flags))
        for index, run in enumerate(runs)
    )
    if subject.form == CURVES:
        return Plot(CURVES, "step", curve_panels(git, runs, subject.metrics, look), plotted, look)
    metric = subject.metrics[0]
    ys = [y_value(run, metric) or 0.0 for run in runs]
    if subject.form == HISTORY:
        is_trial = are_trials(runs)
        xs: list[float | str] = [run.attempt.trial or 0 if is_trial else index for index, run in enumerate(runs, 1)]
        is_largest = look.maximize if look.maximize is not None else subject.minimize is False
        panel = Panel(metric, point_traces(xs, ys), best_so_far(xs, ys, is_largest=is_largest), is_largest)
        return Plot(HISTORY, "trial" if is_trial else "run", (panel,), plotted, look)
    xs = axis_values([look_up_value(run, subject.x) for run in runs])
    numbers = [x for x in xs if isinstance(x, float)]
    log_x = len(numbers) == len(xs) > 0 and min(numbers) > 0 and max(numbers) / LOGARITHMIC >= min(numbers)
    return Plot(subject.form, subject.x, (Panel(metric, point_traces(xs, ys)),), plotted, look, log_x=log_x)


def order_runs(subject: PlotSubject) -> tuple[Run, ...]:
    """Returns the runs of a history oldest first, others as they are. Raises UsageError without any."""
    if not subject.runs:
        raise UsageError("no completed run has these values", "To list runs: git run list --status completed")
    if subject.form != HISTORY:
        return subject.runs
    is_trial = are_trials(subject.runs)
    return tuple(sorted(subject.runs, key=lambda run: (run.attempt.trial or 0 if is_trial else 0, run.attempt.created, run.id)))


def are_trials(runs: Sequence[Run]) -> bool:
    """Returns whether all runs are trials of one batch."""
    return all(run.attempt.batch for run in runs) and len({run.attempt.batch for run in runs}) == 1


def letters_of(index: int) -> str:
    """Returns the letters of an index: a, b, …, z, aa, ab."""
    rest, last = divmod(index, len(LETTERS))
    return (letters_of(rest - 1) if rest else "") + LETTERS[last]


def curve_panels(git: Git, runs: Sequence[Run], metrics: Sequence[str], look: PlotLook) -> tuple[Panel, ...]:
    """Returns a panel for each metric. Raises UsageError if no step of any of them is recorded."""
    indexes = {run.id: index for index, run in enumerate(runs)}
    curves = read_curves(git, runs, metrics, look.points, smoothing=look.smoothing)
    if not curves:
        raise UsageError(f"no steps of {' or '.join(metrics)} are recorded", "To read about metrics: git run help metrics")
    return tuple(
        Panel(
            name,
            tuple(Trace(indexes[curve.run_id], curve.steps, curve.values) for curve in curves if curve.metric == name),
        )
        for name in metrics
    )


def point_traces(xs: Sequence[float | str], ys: Sequence[float]) -> tuple[Trace, ...]:
    """Returns a trace of one point for each run."""
    return tuple(Trace(index, (x,), (y,)) for index, (x, y) in enumerate(zip(xs, ys, strict=True)))


def axis_values(values: Sequence[object]) -> list[float | str]:
    """Returns the values for one axis: all as numbers, or all as texts if one of them is none."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST for value in values):
        return [float(value) for value in values]  # type: ignore[arg-type]
    return [value if isinstance(value, str) else format_value(value) for value in values]  # type: ignore[arg-type]


def best_so_far(xs: Sequence[float | str], ys: Sequence[float], *, is_largest: bool) -> Trace:
    """Returns the best value up to each run. `index` is the index of the best run of all."""
    better, best, winner, line = (max if is_largest else min), ys[0], 0, list[float]()
    for index, y in enumerate(ys):
        if better(best, y) != best:
            best, winner = y, index
        line.append(best)
    return Trace(winner, tuple(xs), tuple(line))

"""Subjects of plots: the metrics and the runs that the words of a command mean."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.errors import NoMatch, UnknownRun, UsageError
from gitrun.model.filters import look_up_value
from gitrun.model.metrics import ASPECTS
from gitrun.model.run import BATCH, COMPLETED, short_id
from gitrun.model.text import safe_text
from gitrun.views.batches import best_first, read_definition
from gitrun.views.select import RANGE, newest_first, number_named, select_runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitrun.git.exe import Git
    from gitrun.model.batch import Objective
    from gitrun.model.run import Run
    from gitrun.store.index import Index
    from gitrun.views.select import Query

CURVES, SCATTER, HISTORY = "curves", "scatter", "history"
"""Forms of plots: metrics over steps, one value of each run by another, and one value of each run in their order."""
MOST_CURVES = 26
"""Curves that are drawn unless another number is asked for."""
NEWEST = 5
"""Runs whose curves are drawn unless runs are named or filtered, besides the marked ones."""
WINDOW = 200
"""The newest runs, in which nearly every plot finds what it needs; further ones are read only if it does not."""
NAMED = 20
"""Metrics that an error names."""


@dataclass(frozen=True, slots=True)
class PlotRequest:
    """The words of a plot, the filters of its runs, its form unless a word is `x:y`, and the most runs.

    Without a limit, 26 curves are drawn, and any number of single values.
    """

    words: tuple[str, ...]
    query: Query
    form: str
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class PlotSubject:
    """Metrics and runs of a plot. `x` is what a scatter has below. `more` counts runs beyond the limit.

    `minimize` is the direction of a batch's objective; None if the runs are of no batch, or its objective is another.
    """

    form: str
    metrics: tuple[str, ...]
    runs: tuple[Run, ...]
    x: str = ""
    more: int = 0
    minimize: bool | None = None
    notes: tuple[str, ...] = ()


def find_subject(git: Git, index: Index, request: PlotRequest) -> PlotSubject:
    """Returns the subject that the words mean: metrics, or `x:y` alone, then runs. Raises UsageError, UnknownRun, NoMatch."""
    words, query, form = request.words, request.query, request.form
    recent = index.readable_runs(WINDOW)
    if not recent:
        raise NoMatch("no runs here yet", "To make one: git run <script>")
    count = next((at for at, word in enumerate(words) if at and not is_measured(recent, word)), len(words))
    metrics, names = tuple(dict.fromkeys(words[:count])), words[count:]
    runs, objective = choose_runs(git, index, names, query, metrics) if names or not query.is_plain else (None, None)
    x, y = split_pair(runs or recent, metrics[0]) or ("", "")
    if x and (len(metrics) > 1 or form == HISTORY):
        others = "--best" if form == HISTORY else "other metrics"
        raise UsageError(f"'{metrics[0]}' and {others} cannot be combined", f"To draw {y}: git run plot {y}")
    form = SCATTER if x else form
    metrics = (y,) if x else metrics
    if runs is None:
        runs = default_runs(index, metrics) if form == CURVES else runs_of_operation(index, x, y or metrics[0])
    for name in metrics:
        require_metric(runs or recent, name, is_curve=form == CURVES)
    measured, notes = keep_measured(runs, metrics, x, form=form)
    limit = request.limit or (MOST_CURVES if form == CURVES else len(measured))
    # the notes are about runs that the user named
    return PlotSubject(
        form, metrics, tuple(measured[:limit]), x, max(len(measured) - limit, 0),
        objective.minimize if objective and objective.metric == metrics[0] else None, notes if names else (),
    )  # fmt: skip


def is_measured(runs: Sequence[Run], word: str) -> bool:
    """Returns whether a word after the first one means a metric, or a pair of values, of these runs."""
    # 2:5 is a range of runs, also if metrics are called 2 and 5
    return not RANGE.fullmatch(word) and (
        any(run.metrics.ask(word) is not None for run in runs) or split_pair(runs, word) is not None
    )


def split_pair(runs: Sequence[Run], word: str) -> tuple[str, str] | None:
    """Returns the two names in `x:y`; None if the word is a metric, or if no run has two such values.

    Each name may contain colons itself: `flag:lr:loss:min`.
    """
    if ":" not in word or any(word in run.metrics for run in runs):
        return None
    colons = [at for at, char in enumerate(word) if char == ":"]
    pairs = ((word[:at], word[at + 1 :]) for at in colons if 0 < at < len(word) - 1)
    return next((pair for pair in pairs if any(has_pair(run, *pair) for run in runs)), None)


def has_pair(run: Run, x: str, y: str) -> bool:
    """Returns whether a run has a number or text for one side of a scatter, and a number for the other."""
    return isinstance(look_up_value(run, x), int | float | str) and y_value(run, y) is not None


def is_point(run: Run, x: str, y: str) -> bool:
    """Returns whether a run is drawn as a point: it has completed and has its values, that of `x` if there is an x."""
    return run.status == COMPLETED and (has_pair(run, x, y) if x else y_value(run, y) is not None)


def y_value(run: Run, name: str) -> float | None:
    """Returns the value of a metric, or of one of its aspects, or else of a flag or property; None if it is no number."""
    value = look_up_value(run, number_named((run,), name))
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e308 else None


def choose_runs(
    git: Git, index: Index, names: Sequence[str], query: Query, metrics: Sequence[str]
) -> tuple[Sequence[Run], Objective | None]:
    """Returns the runs of names and filters; of a batch alone its trials, best first, with its objective. Raises UnknownRun."""
    try:
        runs = [run for _, run in select_runs(index, git, names, query).runs]
    except UnknownRun as error:
        if type(error) is not UnknownRun or not names:
            raise
        # a number can only be meant as that of a run
        message = error.message.replace("no run '", "no run or metric '", 1)
        raise UnknownRun(message, f"{error.hint}. {naming(index.readable_runs(WINDOW))}") from error
    if not runs:
        raise NoMatch("no runs match", "To list all runs: git run list --all")
    if len(runs) == 1 and runs[0].attempt.kind == BATCH:
        trials = index.trials_of(runs[0].id)
        objectives = read_definition(git, runs[0]).objectives
        objective = objectives[0] if len(objectives) == 1 else None
        best = best_first(trials, objective) if objective and objective.metric == metrics[0] else []
        ids = {run.id for run in best}
        return [*best, *(run for run in trials if run.id not in ids)], objective
    return runs, None


def default_runs(index: Index, metrics: Sequence[str]) -> list[Run]:
    """Returns the marked and the newest runs of the newest operation that has one of these metrics. Raises UsageError."""
    operation, newest = "", []
    for run in newest_first(index):
        if has_curve(run, metrics) and run.operation == (operation := operation or run.operation):
            newest.append(run)
        if len(newest) == NEWEST:
            break
    marked = [run for run in index.marked(operation) if has_curve(run, metrics)] if operation else []
    return list({run.id: run for run in (*marked, *newest)}.values())


def runs_of_operation(index: Index, x: str, y: str) -> list[Run]:
    """Returns all runs of the operation of the newest run that can be a point; none without such a run."""
    first = next((run for run in newest_first(index) if is_point(run, x, y)), None)
    return index.of_operation(first.operation) if first else []


def has_curve(run: Run, metrics: Iterable[str]) -> bool:
    """Returns whether the run has one of the metrics."""
    return any(name in run.metrics for name in metrics)


def keep_measured(runs: Sequence[Run], metrics: Sequence[str], x: str, *, form: str) -> tuple[list[Run], tuple[str, ...]]:
    """Returns the runs with something to draw, and notes on others."""
    if form == CURVES:
        measured = [run for run in runs if has_curve(run, metrics)]
    else:
        measured = [run for run in runs if is_point(run, x, metrics[0])]
    ids = {run.id for run in measured}
    rest = [run for run in runs if run.id not in ids]
    why = "has no metric to draw" if form == CURVES else "has not completed with these values"
    notes = [f"note: run {short_id(run.id)} {why}" for run in islice(rest, NEWEST)]
    return measured, (*notes, *([f"note: nor have {len(rest) - NEWEST:,} others"] if len(rest) > NEWEST else []))


def require_metric(runs: Sequence[Run], name: str, *, is_curve: bool) -> None:
    """Raises UsageError unless one of the runs has the metric; for a curve, a number such as `loss:min` is none."""
    if any(name in run.metrics if is_curve else y_value(run, name) is not None for run in runs):
        return
    metric, _, aspect = name.rpartition(":")
    if is_curve and aspect in ASPECTS and any(metric in run.metrics for run in runs):
        raise UsageError(
            f"'{name}' is one number of each run, and no curve",
            f"To draw the curve: git run plot {metric}. To draw the number run by run: git run plot --best {name}",
        )
    raise UsageError(f"no run has a metric '{name}'", naming(runs))


def naming(runs: Iterable[Run]) -> str:
    """Returns a sentence with the metrics of these runs."""
    names = sorted({name for run in runs for name in run.metrics})
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return (
        f"Metrics: {', '.join(map(safe_text, names[:NAMED]))}{more}" if names else "To read about metrics: git run help metrics"
    )

"""The rows of `git run show`: what was run, from which source, its result, and how to run it again."""

from __future__ import annotations

import shlex
import sys
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from gitrun import model, views
from gitrun.errors import BadRun
from gitrun.model.run import BATCH, ERROR, RUNNING, STAGED, TERMINATED, VALUE, short_id
from gitrun.model.text import (
    amount_text,
    count_columns,
    count_text,
    label_text,
    number_text,
    relative_text,
    safe_lines,
    safe_text,
    shorten,
    size_text,
)
from gitrun.render.text import (
    GAP,
    LINE,
    basis_rows,
    counts_text,
    fold_words,
    join_cells,
    label_first,
    sparkline,
    status_text,
    when_text,
)
from gitrun.views.contents import ADDED, CHANGED, DELETED, LOCAL, PRODUCED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from typing import TypeAlias

    from gitrun.model.batch import BatchDefinition
    from gitrun.model.run import Attempt, Run
    from gitrun.project import Project
    from gitrun.views.batches import RepeatedPoint
    from gitrun.views.contents import Content

    Rows: TypeAlias = Iterator[tuple[str, str]]

MANY = 10
"""Paths of a kind that are listed; further ones are counted."""
LEAST_CURVE, MOST_CURVE = 8, 24
"""Columns of a curve of blocks."""
LONGEST = 72
TOP = 5
"""Best trials of a batch that are shown."""
LAST = 5
"""Lines of output shown of a run that did not complete."""


def run_rows(project: Project, run: Run, attempts: Sequence[Attempt], now: datetime) -> list[tuple[str, str]]:
    """Returns the rows about a run, as pairs of name and text that are safe on a terminal."""
    run_name = short_id(run.id)
    rows = [
        *head_rows(project, run, now),
        *origin_rows(project, run),
        *describe_origin(project, run),
        *link_rows(project, run),
        *lent_rows(project, run),
        *annotation_rows(run, now),
        *file_rows(project, run),
        *output_rows(run),
        *machine_rows(project, run),
        ("attempts", f"{len(attempts)} (git run log {run_name})" if len(attempts) > 1 else ""),
        *next_command_rows(run),
    ]
    # an empty text means that there is no row
    return [("run", run.id), *((name, safe_text(text)) for name, text in rows if text)]


def head_rows(project: Project, run: Run, now: datetime) -> Rows:
    """Yields the rows about operation, author and outcome."""
    attempt = run.attempt
    yield "operation", attempt.operation
    yield "status", status_text(attempt, now)
    if attempt.kind == VALUE:
        yield "value", "computed by the program that asked for the trial; gitrun ran nothing"
    yield from label_first("flags", fold_words(attempt.flags.words(attempt.given)))
    yield "words", shlex.join(attempt.words_behind)
    yield "options", shlex.join(attempt.params.words())
    yield from batch_rows(project, run)
    metrics = [f"{name}={number_text(value)}" for name, value in attempt.metrics.items()]
    yield from label_first("metrics", fold_words(metrics, GAP))
    yield from (("", line) for line in metric_rows(project, run))
    yield "started", when_text(attempt.started, now) if attempt.started else ""
    yield "author", project.runs.read_author(attempt)
    yield "seed", "" if attempt.params.random_seed is None else str(attempt.params.random_seed)


def batch_rows(project: Project, run: Run) -> Rows:
    """Yields the rows about a trial's batch and number, or about what a batch searches for and its best trials."""
    attempt = run.attempt
    if attempt.batch:
        yield "batch", f"{short_id(attempt.batch)} #{attempt.trial}"
    if attempt.kind != BATCH:
        return
    yield "trials", counts_text(attempt)
    try:
        definition = project.runs.read_definition(run)
    except BadRun as error:
        yield "sampler", f"unreadable: {error.message}"
        return
    yield "sampler", sampler_text(definition)
    space = [f"{name}={model.space.format_domain(domain)}" for name, domain in sorted(definition.space.items())]
    yield from label_first("space", (shorten(line, LONGEST) for line in space[:MANY]))
    yield "points", count_text(len(definition.points), "row") if definition.points else ""
    yield "commits", commits_text(definition)
    yield from label_first("not run", (shorten(line, LONGEST) for line in refused_texts(project, run)[:MANY]))
    if definition.repeat > 1:
        yield "repeat", f"each point {definition.repeat} times, with other seeds; its value is the median"
    if len(definition.objectives) == 1 and model.repeats.has_repeats(definition):
        points = views.batches.rank_points(definition, project.runs.shown_trials(run))[:TOP]
        yield from label_first("best", (describe_point(point, definition) for point in points))
    elif len(definition.objectives) == 1:
        best = views.batches.best_first(project.runs.shown_trials(run), definition.objectives[0])[:TOP]
        yield from label_first("best", (describe_trial(one, definition.objectives[0].metric) for one in best))


def commits_text(definition: BatchDefinition) -> str:
    """Returns the number of the commits that are the sources of the trials, with the oldest and the newest."""
    if not definition.commits:
        return ""
    first, last = definition.commits[0].commit, definition.commits[-1].commit
    return f"{len(definition.commits):,}, from {short_id(first)} to {short_id(last)}"


def refused_texts(project: Project, run: Run) -> list[str]:
    """Returns a line for each reason for which trials of a batch have no run, with their numbers."""
    reasons: dict[str, list[str]] = {}
    with suppress(BadRun):
        for trial in project.runs.read_trials(run):
            if trial.reason:
                reasons.setdefault(trial.reason, []).append(f"#{trial.number}")
    return [f"{' '.join(numbers)}: {reason}" for reason, numbers in reasons.items()]


def describe_trial(run: Run, metric: str) -> str:
    """Returns the line about one of the best trials: number, id, value, flags."""
    value = run.metrics.ask(metric)
    value_text = f"{metric}={number_text(value)}" if value is not None else ""
    return GAP.join((f"#{run.attempt.trial}", short_id(run.id), value_text, run.attempt.brief_flags_text))


def describe_point(point: RepeatedPoint, definition: BatchDefinition) -> str:
    """Returns the line about one of the best points of a batch that repeats them: median, trials, flags."""
    first = point.trials[0]
    value_text = f"{definition.objectives[0].metric}={number_text(point.median)}"
    spread = f" ± {number_text(point.deviation)}" if point.deviation is not None else ""
    mean = f"mean {number_text(point.mean)}{spread}"
    return GAP.join((value_text, f"median of {shorten(point.numbers, MANY * 5)}", mean, first.attempt.brief_flags_text))


def sampler_text(definition: BatchDefinition) -> str:
    """Describes how a batch chooses its trials: `tpe (optuna 5.0.0), minimize loss, at most 50 trials, prune median`."""
    engine = f" ({definition.engine})" if definition.engine else ""
    objectives = (f"{'minimize' if one.minimize else 'maximize'} {one.metric}" for one in definition.objectives)
    limit = f"at most {count_text(definition.max_trials, 'trial')}" if definition.max_trials else ""
    prune = f"prune {definition.prune}" if definition.prune else ""
    return ", ".join(filter(None, (f"{definition.sampler}{engine}", *objectives, limit, prune)))


def next_command_rows(run: Run) -> Rows:
    """Yields the commands that make sense next for the run."""
    run_name = short_id(run.id)
    if run.status == RUNNING:
        yield "watch", f"git run watch {run_name}"
        yield "stop", f"git run stop {run_name}"
    elif run.status == STAGED:
        yield "start", f"git run --start {run_name}"
    elif run.attempt.kind != VALUE:
        yield "restart", f"git run --restart {run_name}"


def metric_rows(project: Project, run: Run) -> list[str]:
    """Returns a line for each metric with more than one value."""
    varied = {name: summary for name, summary in run.metrics.summaries.items() if summary.count > 1}
    first = dict(islice(varied.items(), MANY))
    # two values make no curve
    names = [name for name, known in first.items() if known.count > 2]
    drawn = {curve.metric: curve.values for curve in project.runs.read_curves([run], names)}
    cells = [
        (
            name,
            f"min {number_text(summary.least)}",
            f"max {number_text(summary.most)}",
            f"{summary.count:,} values",
        )
        for name, summary in first.items()
    ]
    widths = [max(map(count_columns, column)) for column in zip(*cells, strict=True)]
    # lines of usual names fit into a terminal of 80 columns
    room = LINE - sum(widths) - len(GAP) * len(widths)
    curves = [sparkline(drawn.get(name, ()), min(max(room, LEAST_CURVE), MOST_CURVE)) for name in first]
    lines = [join_cells((*row, curve), [*widths, 0], sys.maxsize) for row, curve in zip(cells, curves, strict=True)]
    return lines + ([f"and {len(varied) - MANY:,} more (git run show --json {short_id(run.id)})"] if len(varied) > MANY else [])


def origin_rows(project: Project, run: Run) -> Rows:
    """Yields the rows about signature and trust: of foreign or signed runs, and if `gitrun.sign` is configured."""
    trusted, signed = project.runs.is_trusted(run), project.runs.read_signature(run.attempt)
    if signed or not trusted or "gitrun.sign" in project.config:
        yield "signature", signed.words if signed else "unsigned"
    yield "trust", "" if trusted else f"not made here. To trust it: git run trust {short_id(run.id)}"


def describe_origin(project: Project, run: Run) -> Rows:
    """Yields the rows about the source: base commit and uncommitted changes."""
    attempt = run.attempt
    subject = project.runs.read_subject(attempt.base) if attempt.base else ""
    subject = subject if len(subject) <= LONGEST else subject[: LONGEST - 1] + "…"
    words = [
        f"{short_id(attempt.base)} {subject}".rstrip() if attempt.base else "no commit yet",
        f"branch {attempt.branch}" if attempt.branch else "",
        "with uncommitted changes" if attempt.dirty else "",
    ]
    yield "source", ", ".join(filter(None, words))
    # a clean source has the files of its commit, so nothing is compared
    changes = project.runs.uncommitted_changes(attempt) if attempt.dirty else []
    for what in (CHANGED, ADDED, DELETED):
        yield what, join_paths([change.path for change in changes if change.what == what], run)
    yield "left out", ", ".join(f"{skipped.path} ({skipped.reason})" for skipped in attempt.skipped)


def link_rows(project: Project, run: Run) -> Rows:
    """Yields the rows about needed runs, steps, and the run that it is a step of."""
    # a record that cannot be read must not hide the rest of the page
    with suppress(BadRun):
        basis, steps = project.runs.read_family(run)
        yield from basis_rows(basis)
        if basis and basis.not_isolated:
            yield "isolation", f"uses {', '.join(basis.not_isolated)} of the working tree"
        # only pipelines pay for reading all refs
        here = project.runs.existing_ids() if steps else ()
        for step in steps:
            where = "" if step.run_id in here else ", not here"
            yield "step", f"{step.operation} {short_id(step.run_id)}{GAP}{step.status}{where}"
        yield "part of", short_id(basis.parent) if basis and basis.parent else ""


def lent_rows(project: Project, run: Run) -> Rows:
    """Yields the rows about lent ignored files, and which of them have changed since."""
    entries, changed = project.lent(run)
    yield (
        "lent",
        ", ".join(map(model.lent.describe_lent, entries[:MANY]))
        + (
            f" and {len(entries) - MANY:,} more (git run cat -p .gitrun/lent.toml {short_id(run.id)})"
            if len(entries) > MANY
            else ""
        ),
    )
    yield from (("changed", words) for words in changed[:MANY])


def join_paths(paths: Sequence[str], run: Run) -> str:
    """Joins the first MANY paths, and counts the others."""
    more = len(paths) - MANY
    return ", ".join(paths[:MANY]) + (f" and {more:,} more (git run diff {short_id(run.id)} --stat)" if more > 0 else "")


def annotation_rows(run: Run, now: datetime) -> Rows:
    """Yields the rows about annotations."""
    yield "notes", run.notes.unreadable
    yield "label", label_text(run.notes.label or "")
    yield "tags", ", ".join(map(label_text, run.notes.tags))
    yield "marked", "yes" if run.notes.marked else ""
    for comment in run.notes.comments:
        when = relative_text(comment.time, now) if comment.time else ""
        # an empty comment has no lines
        first, *further = comment.text.splitlines() or [""]
        yield "comment", f"{first} ({', '.join(filter(None, (comment.author, when)))})"
        yield from (("", line) for line in further)


def file_rows(project: Project, run: Run) -> Rows:
    """Yields the rows about produced files: path, size, and where each is kept."""
    files = project.runs.list_files(run, (PRODUCED, LOCAL))
    yield from (("file", file_text(content)) for content in islice(files, MANY))
    # islice left the others in the iterator
    more = sum(1 for _ in files)
    yield "", f"{count_text(more, 'file')} more (git run ls {short_id(run.id)})" if more else ""


def output_rows(run: Run) -> Rows:
    """Yields the last lines of output if the run went wrong, else its size."""
    lines = run.output.splitlines()
    more = f"{amount_text(run.output, len(lines))} (git run cat {short_id(run.id)})"
    if run.status not in {ERROR, TERMINATED}:
        yield "output", more if lines else ""
        return
    name = "output"
    for line in safe_lines("\n".join(lines[-LAST:])):
        # a row without text would be dropped
        yield name, line or " "
        name = ""
    yield "", more if len(lines) > LAST else ""


def file_text(content: Content) -> str:
    """Formats a produced file."""
    where = {"git": "", "local": " local" if content.here else " local, not on this machine"}
    return f"{content.path}{GAP}{size_text(content.size or 0)}{where.get(content.stored, f' {content.stored}')}"


def machine_rows(project: Project, run: Run) -> Rows:
    """Yields the rows about the environment, as far as it was recorded."""
    with suppress(BadRun):
        environment = project.environment(run)
        yield "python", value_rows(environment, "python", ("version", "implementation"))
        yield "machine", value_rows(environment, "platform", ("system", "release", "machine"))


def value_rows(environment: Mapping[str, Any], table: str, names: Iterable[str]) -> str:
    """Returns the texts at these keys of a table that may come from anybody."""
    inside = environment.get(table)
    texts = [inside.get(name) for name in names] if isinstance(inside, dict) else []
    return " ".join(text for text in texts if isinstance(text, str))

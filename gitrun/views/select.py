"""Selection of runs by filters, order and limit."""

from __future__ import annotations

import math
import re
from contextlib import suppress

from gitrun import model, store, views
from gitrun.dataclass import dataclass, replace
from gitrun.errors import BadRun, UnknownRun, UsageError
from gitrun.model.run import RUNNING
from gitrun.model.settings import require_date
from gitrun.store.index_rows import FLAG, METRIC

KEYS = ("file", "blob")
"""Keys of `mailmap.*` in git's configuration, for a mailmap outside of the working tree."""
# 2:5, :3 or 7:; longer numbers are no positions
RANGE = re.compile(r"([0-9]{0,9}):([0-9]{0,9})")

AT_ONCE = (100, 10_000, -1)
"""Runs read at a time by a search that nearly always ends among the newest."""

MOST_VALUES = 500
"""Values of a list in one statement of sqlite, which takes no more than 999 in all before version 3.32."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from gitrun.git.exe import Git
    from gitrun.model.run import BrokenRun, Run
    from gitrun.store.filter_sql import Prefilter
    from gitrun.store.index import Index


@dataclass(frozen=True, slots=True)
class Query:
    """Conditions on runs, all of which must hold. `sort` is a name, with `-` before it for descending order.

    `least` and `most` are names of metrics or flags: they pick the one run with the smallest or largest value.
    """

    operations: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    batch: str | None = None
    reused: frozenset[str] = frozenset()
    """Ids of earlier runs that count as trials of the batch; `select_runs` finds them."""
    since: str | None = None
    until: str | None = None
    expression: str | None = None
    sort: str | None = None
    least: str | None = None
    most: str | None = None
    order: str = "--sort"
    """The option that set `sort`, for notes."""
    flat: bool = False
    """Also lists trials of batches that are here, which only filters find otherwise."""

    @property
    def is_ordered(self) -> bool:
        """Returns whether it asks for another order than the usual one, or for one extreme run."""
        return bool(self.sort or self.least or self.most)

    @property
    def is_plain(self) -> bool:
        """Returns whether it asks for all runs in their usual order."""
        return self == Query()


@dataclass(frozen=True, slots=True)
class Selection:
    """The selected runs with their numbers in the list, and the number of runs beyond the limit."""

    runs: tuple[tuple[int, Run], ...]
    more: int = 0
    notes: tuple[str, ...] = ()
    """Notes to the user about names that are both a metric and a flag."""


def select_runs(index: Index, git: Git, names: Sequence[str], query: Query, limit: int = -1) -> Selection:
    """Returns the runs of these names (all runs without names) that match the query, in its order.

    A name may be a range of numbers in the list: `2:5`, `:3` or `7:`. Names and filters find trials of batches too; without
    any, trials are left out. A trial has the number 0. Raises UsageError, UnknownRun.
    """
    # the index can read only as many runs as are shown
    if not names and query.is_plain:
        runs = index.visible_runs(limit)
        return Selection(tuple(enumerate(runs, 1)), index.count_visible() - len(runs))
    query = resolve_batch(git, index, query)
    if names:
        numbered = select_by_name(index, git, names)
        ordered = choose_runs(git, numbered, query)
        notes = ambiguity_notes(query, lambda name: is_flag_and_metric([run for _, run in numbered], name))
        runs_shown = ordered if limit < 0 else ordered[:limit]
        return Selection(tuple(runs_shown), len(ordered) - len(runs_shown), notes)
    notes = ambiguity_notes(query, lambda name: is_both_in_index(index, name))
    ids = matching_ids(index, git, query)
    more = 0 if limit < 0 else max(len(ids) - limit, 0)
    if not query.is_ordered:
        return Selection(with_numbers(index, index.get_many(ids[: len(ids) - more])), more, notes)
    matches = [run for _, run in in_order(((0, run) for run in index.get_many(ids)), query)]
    listed = matches if limit < 0 else matches[:limit]
    return Selection(with_numbers(index, listed), len(matches) - len(listed), notes)


def matching_ids(index: Index, git: Git, query: Query) -> list[str]:
    """Returns the ids of all runs that match the query, newest first. Reads only those that sqlite cannot judge."""
    tests = conditions_of(git, query)
    pairs = index.matching(prefilter_of(query))
    unsure = index.get_many([run_id for run_id, is_sure in pairs if not is_sure])
    matches = {run.id for run in unsure if all(test(run) for test in tests)}
    return [run_id for run_id, is_sure in pairs if is_sure or run_id in matches]


def prefilter_of(query: Query) -> Prefilter:
    """Returns what sqlite can answer about the query, without its order."""
    only_python = (query.tags, query.branches, query.authors, query.since, query.until)
    parts = [store.filter_sql.UNKNOWN] if any(only_python) else []
    if query.operations:
        parts.append(store.filter_sql.one_of("operation", query.operations))
    if query.labels:
        parts.append(store.filter_sql.one_of("label", query.labels))
    if query.statuses:
        parts.append(store.filter_sql.one_of(store.filter_sql.STATUS, query.statuses))
    if query.batch:
        parts.append(prefilter_batch(query.batch, query.reused))
    if query.expression:
        parts.append(store.filter_sql.prefilter(model.filters.parse_condition(query.expression)))
    return store.filter_sql.all_of(parts)


def prefilter_batch(batch_id: str, reused: frozenset[str]) -> Prefilter:
    """Returns the bounds of the trials of a batch, and of these earlier runs."""
    if len(reused) > MOST_VALUES:
        return store.filter_sql.UNKNOWN
    own = store.filter_sql.one_of("batch", (batch_id,))
    return store.filter_sql.any_of((own, store.filter_sql.one_of("id", sorted(reused)))) if reused else own


def with_numbers(index: Index, runs: Sequence[Run]) -> tuple[tuple[int, Run], ...]:
    """Returns the runs with their numbers in the list; trials of batches have 0."""
    numbers = index.numbers([run.id for run in runs])
    return tuple((numbers[run.id], run) for run in runs)


def resolve_batch(git: Git, index: Index, query: Query) -> Query:
    """Returns the query with the full id of its batch, and the earlier runs that count as its trials.

    A batch that is not here keeps its name.
    """
    if not query.batch:
        return query
    try:
        batch = store.resolve.find_run(index, query.batch)
    except UnknownRun:
        return query
    reused = frozenset[str]()
    with suppress(BadRun):  # an unreadable result names no trials
        reused = frozenset(run.id for run in views.batches.read_reused(git, index, batch).values())
    return replace(query, batch=batch.id, reused=reused)


def ambiguity_notes(query: Query, is_both: Callable[[str], bool]) -> tuple[str, ...]:
    """Returns notes to the user about names in the query that are both a metric and a flag, as `is_both` knows."""
    orders = {"--min": query.least, "--max": query.most, query.order: (query.sort or "").removeprefix("-")}
    notes = [
        f"note: {name!r} is a metric and a flag; {option} uses the metric. To use the flag: {option} flag:{name}"
        for option, name in orders.items()
        if name and is_both(name)
    ]
    names = model.filters.names_in_filter(query.expression) if query.expression else ()
    notes += [
        f"note: {name!r} is a flag and a metric; --where uses the flag. To use the metric: metric:{name}"
        for name in dict.fromkeys(names)
        if is_both(name)
    ]
    return tuple(notes)


def is_flag_and_metric(runs: Iterable[Run], name: str) -> bool:
    """Returns whether a name without prefix is both a flag and a metric of these runs."""
    if name in model.filters.PROPERTIES or name.startswith(("flag:", "metric:")):
        return False
    has_flag = has_metric = False
    for run in runs:
        has_flag = has_flag or name in run.flags
        has_metric = has_metric or run.metrics.ask(name) is not None
        if has_flag and has_metric:
            return True
    return False


def is_both_in_index(index: Index, name: str) -> bool:
    """Returns whether a name without prefix is both a flag and a metric of runs in the index."""
    metric = name.rpartition(":")[0]
    may_be_both = index.may_have(FLAG, name) and any(index.may_have(METRIC, one) for one in (name, metric) if one)
    return may_be_both and is_flag_and_metric(newest_first(index), name)


def newest_first(index: Index) -> Iterator[Run]:
    """Yields all readable runs, newest first; reads more of them only when they are asked for."""
    start = 0
    for limit in AT_ONCE:
        runs = index.readable_runs(limit, start)
        yield from runs
        start += len(runs)


def number_named(runs: Iterable[Run], name: str) -> str:
    """Returns the name for a comparison of numbers: `metric:NAME` if one of the runs has that metric, else as it is."""
    if name in model.filters.PROPERTIES or name.startswith(("flag:", "metric:")):
        return name
    return f"metric:{name}" if any(run.metrics.ask(name) is not None for run in runs) else name


def select_by_name(index: Index, git: Git, names: Sequence[str]) -> list[tuple[int, Run]]:
    """Returns the runs of these names, each once, in the order of the names. Raises UnknownRun."""
    runs_by_id: dict[str, tuple[int, Run]] = {}
    for name in names:
        match = RANGE.fullmatch(name)
        if match and name != ":":
            first, last = int(match[1] or 1), int(match[2] or index.count_visible())
            runs = index.visible_runs(max(0, last - first + 1), max(0, first - 1))
            runs_by_id |= {run.id: (number, run) for number, run in enumerate(runs, first) if run.id not in runs_by_id}
            if first < 1 or not runs:
                raise UnknownRun(f"no runs {name} in the list", "To list all runs: git run list --all")
        else:
            run = store.resolve.find_run(index, name, git.prefix)
            runs_by_id.setdefault(run.id, (index.number(run), run))
    return list(runs_by_id.values())


def select_deleted(git: Git, there: Sequence[Run | BrokenRun], names: Sequence[str], query: Query) -> list[Run | BrokenRun]:
    """Returns the deleted runs of these names or ranges (all without names) that match the query. `there` is newest first.

    Raises UsageError, UnknownRun.
    """
    sound = [run for run in there if isinstance(run, model.run.Run)]
    deleted: dict[str, model.run.Run | BrokenRun] = {}
    for name in names:
        match = RANGE.fullmatch(name)
        if match and name != ":":
            first, last = int(match[1] or 1), int(match[2] or len(sound))
            deleted |= {run.id: run for run in sound[max(0, first - 1) : last]}
            if first < 1 or not sound[first - 1 : last]:
                raise UnknownRun(f"no deleted runs {name}", "To list deleted runs: git run list --deleted")
        else:
            run = store.trash.find_deleted(there, name)
            deleted.setdefault(run.id, run)
    runs = list(deleted.values()) if names else list(there)
    if query.is_plain:
        return runs
    return [run for _, run in choose_runs(git, ((0, run) for run in runs if isinstance(run, model.run.Run)), query)]


def choose_runs(git: Git, runs: Iterable[tuple[int, Run]], query: Query) -> list[tuple[int, Run]]:
    """Returns the numbered runs that match the query, in its order. Raises UsageError, UnknownRun."""
    tests = conditions_of(git, query)
    return in_order(((number, run) for number, run in runs if all(test(run) for test in tests)), query)


def in_order(runs: Iterable[tuple[int, Run]], query: Query) -> list[tuple[int, Run]]:
    """Returns matching runs in the order of the query, or its one extreme. Raises UsageError, UnknownRun."""
    matches = list(runs)
    if query.least or query.most:
        column = query.least or query.most or ""
        name = number_named((run for _, run in matches), column)
        # the metrics of a running run can still change
        still = [RUNNING] if RUNNING not in query.statuses else []
        worth = [
            (number, run)
            for number, run in matches
            if run.status not in still and can_be_extreme(model.filters.look_up_value(run, name))
        ]
        require_known(matches, name)
        if matches and not worth:
            raise UnknownRun(
                f"'{column}' is not a number in any of these runs", f"To see what they have: git run list --columns id,{column}"
            )
        return (
            [(min if query.least else max)(worth, key=lambda pair: model.filters.look_up_value(pair[1], name))] if worth else []
        )
    return sort_runs(matches, query.sort) if query.sort else matches


def conditions_of(git: Git, query: Query) -> list[Callable[[Run], bool]]:
    """Returns the conditions of the query as functions. Raises UsageError."""
    tests: list[Callable[[Run], bool]] = []
    if query.operations:
        tests.append(lambda run: run.operation in query.operations)
    if query.labels:
        tests.append(lambda run: run.notes.label in query.labels)
    if query.tags:
        tests.append(lambda run: set(query.tags) <= set(run.notes.tags))
    if query.statuses:
        tests.append(lambda run: run.attempt.shown_status in query.statuses)
    if query.branches:
        tests.append(lambda run: run.attempt.branch in query.branches)
    if query.authors:
        names = Mailmap(git)
        tests.append(lambda run: any(text.lower() in names.proper(run.attempt.author).lower() for text in query.authors))
    if query.batch:
        tests.append(lambda run: run.attempt.batch == query.batch or run.id in query.reused)
    if query.expression:
        tests.append(model.filters.parse_filter(query.expression))
    return tests + time_conditions(git, query)


def time_conditions(git: Git, query: Query) -> list[Callable[[Run], bool]]:
    """Returns the conditions on the start time. Raises UsageError."""
    tests: list[Callable[[Run], bool]] = []
    if query.since:
        first = parse_time(git, query.since)
        tests.append(lambda run: (run.attempt.started or run.attempt.created).timestamp() >= first)
    if query.until:
        last = parse_time(git, query.until)
        tests.append(lambda run: (run.attempt.started or run.attempt.created).timestamp() <= last)
    return tests


def parse_time(git: Git, text: str) -> int:
    """Returns the time that git reads in the text, in seconds since 1970. Raises UsageError."""
    # git turns --since=DATE into --max-age=SECONDS
    answer = git.run("rev-parse", f"--since={require_date(text)}").decode().strip()
    return int(answer.removeprefix("--max-age="))


class Mailmap:
    """The proper names of authors by `.mailmap`. git is asked once for each author."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._known: dict[str, str] = {}
        # in a bare repository git reads HEAD:.mailmap
        sources = (
            git.worktree is None or (git.worktree / ".mailmap").exists(),
            *(f"mailmap.{key}" in git.config for key in KEYS),
        )
        self._is_there = any(sources)

    def proper(self, author: str) -> str:
        """Returns the proper name and address for `Name <address>`."""
        if not self._is_there:
            return author
        if author not in self._known:
            result = self._git.attempt("check-mailmap", author)
            self._known[author] = result.stdout.decode(errors="replace").strip() or author
        return self._known[author]


def sort_runs(runs: Sequence[tuple[int, Run]], name: str) -> list[tuple[int, Run]]:
    """Returns the runs sorted by their values under the name, runs without a value last. Raises UsageError."""
    down, key = name.startswith("-"), name.removeprefix("-")
    if not key:
        raise UsageError("--sort needs a name", "For example: --sort=-acc, --sort=started")
    require_known(runs, key)
    key = number_named((run for _, run in runs), key)
    have = [(number, run) for number, run in runs if is_sortable(model.filters.look_up_value(run, key))]
    rest = [(number, run) for number, run in runs if not is_sortable(model.filters.look_up_value(run, key))]
    # also with reverse, Python keeps the order of equal values
    return sorted(have, key=lambda pair: sort_rank(model.filters.look_up_value(pair[1], key)), reverse=down) + rest


def require_known(runs: Sequence[tuple[int, Run]], name: str) -> None:
    """Raises UsageError if the name is not a property and none of the runs has a value for it."""
    if runs and name not in model.filters.PROPERTIES and not any(has_value(run, name) for _, run in runs):
        raise UsageError(f"no run has '{name}'", "To sort: a property, a flag or a metric")


def unknown_name(index: Index, query: Query) -> str:
    """Returns the first name in the query's expression for which no run has a value; "" if there is none."""
    names = model.filters.names_in_filter(query.expression) if index.readable() and query.expression else []
    return next((name for name in names if name not in model.filters.PROPERTIES and not has_value_in_index(index, name)), "")


def has_value_in_index(index: Index, name: str) -> bool:
    """Returns whether a run in the index has a value for the name, which is no property."""
    sort, _, rest = name.partition(":")
    asked = {FLAG: [(FLAG, rest)], METRIC: [(METRIC, rest), (METRIC, rest.rpartition(":")[0])]} if rest else {}
    usual = [(FLAG, name), (METRIC, name), (METRIC, name.rpartition(":")[0])]
    may_have = any(index.may_have(kind, one) for kind, one in asked.get(sort, usual) if one)
    return may_have and any(has_value(run, name) for run in newest_first(index))


def has_value(run: Run, name: str) -> bool:
    """Returns whether the run has a value for the name."""
    return model.filters.look_up_value(run, name) is not None


def is_sortable(value: object) -> bool:
    """Returns whether a value can be sorted: it is neither None nor nan."""
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def can_be_extreme(value: object) -> bool:
    """Returns whether a value can be the smallest or largest."""
    # a bool is an int in Python
    return isinstance(value, int | float) and not isinstance(value, bool) and is_sortable(value)


def sort_rank(value: object) -> tuple[int, float, str]:
    """Returns a sort key that puts numbers by size before everything else by its text."""
    # no float(): an int may be too large for it, and Python compares int and float exactly
    return (0, value, "") if isinstance(value, int | float) else (1, 0.0, str(value))

"""Columns: any number of runs as one JSON-able value, read from the index without making a `Run` of each.

`read_snapshot` fixes which runs there are and in which order; `read_columns` returns a part of them; `read_changes` what is
different between two snapshots. A server keeps the snapshots whose stamps its pages know. An answer of `read_columns`:

| key | value |
|---|---|
| `version` | 1: the form described here |
| `stamp` | names the snapshot; equal stamps have equal runs in the same order |
| `total` | number of readable runs in the snapshot, trials of batches included |
| `start`, `n` | the rows are runs `start` to `start + n - 1` of the snapshot, newest attempt first |
| `digits` | hex digits of all ids here: 12, or as many as tell the runs of the snapshot apart |
| `id` | list of ids, cut to `digits` |
| `created` | list of times of the last attempts: milliseconds since 1970 in the first row, then before the row above |
| `operation`, `status`, `branch`, `duration`, `batch`, `trial` | columns (below); the status is the shown one |
| `batches` | ids of all batches of the snapshot; lists show their trials only below them, here they are rows |
| `label`, `tags` | objects by row number, as text, of the rows that have them: texts, lists of texts |
| `trials` | the same for batches: the counts that `show --json` has under this key |
| `marked` | list of row numbers |
| `flags`, `metrics` | objects of columns by name; metrics are last values |
| `left_out` | `{"flags": […], "metrics": […]}`: names that rows here have beyond the 64 most frequent; ask for them by name |
| `broken` | with the last rows: list of `{"id", "reason"}` of refs that are no readable runs; they have no rows |

With `columns` (names as in filters: `flag:lr`, `metric:loss:min`, `started`), the answer has `version` to `id` and `columns`,
an object of columns by these names. `started` and `stopped` are microseconds since 1970; all else is as filters see it.

A column is `{"v": [value of each row]}` or `{"d": [different values], "i": [index into d of each row]}`. No value is null.
A number that JSON or JavaScript cannot hold exactly (nan, inf, an integer of 2^53 or more) is `{"number": "nan"}`, with the
number as gitrun prints it. JavaScript cannot tell 1.0 from 1, which gitrun prints apart: in columns of flags, `"floats"` has
the positions in `v` or `d` of floats without a fraction. Metrics and durations are floats, rounded to 6 digits; a
column from which rounding took something has `"rounded": true`. Compare its exact values (17 `digits`) where rounded ones
are equal.

`read_changes` returns `version`, `stamp`, `since`, `total`, `batches` and `broken` as above, and `removed` (ids), `position`
(of each row here in the new order, ascending) and `rows`, an answer of `read_columns` of the runs that are new or changed. To
apply it, take out the removed and the changed rows, then insert each row at its position, in this order. If more than 5,000
runs changed, it is `{"version", "stamp", "reload": true}`.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect
from collections import Counter
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING, Any

from gitrun.dataclass import dataclass
from gitrun.model.metrics import Metrics
from gitrun.model.run import PRUNED, TERMINATED, counts_as_json
from gitrun.store.index import garbage_collector_off
from gitrun.store.index_rows import FIELDS, LISTED, decode_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import TypeAlias

    from gitrun.store.index import Index

    Fields: TypeAlias = Mapping[str, Sequence[Any]]
    """The values of all rows by the name of their field."""

VERSION = 1
DIGITS = 12
"""Hex digits of an id, unless two runs have them in common."""
MOST_COLUMNS = 64
"""Columns of flags and metrics in an answer that did not ask for columns by name."""
BLOCK = 5_000
"""Rows of a block, and changed rows after which reading all of them again is cheaper."""
SIGNIFICANT = 6
"""Digits of metrics and durations, unless asked otherwise."""
SAMPLE = 500
"""Rows that decide whether a column is worth a list of its different values."""
LARGEST = 2**53
"""First integer that JavaScript cannot tell from its neighbour."""
NAMED = {
    "operation": "operation", "op": "operation", "status": "status", "label": "label", "tag": "tags", "tags": "tags",
    "marked": "marked", "branch": "branch", "base": "base", "batch": "batch", "trial": "trial", "started": "started",
    "stopped": "stopped", "duration": "duration", "exit_status": "exit_status",
}  # fmt: skip
"""Properties of filters, except the id, and the fields of rows that hold them."""
UNLISTED = frozenset(NAMED.values()) - frozenset(LISTED)
"""Fields that no list shows, and only whole records have."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The runs of a repository: the state of each by id, newest first, and the unreadable ones with their reasons.

    A state is a text that differs whenever the row of the run does.
    """

    stamp: str
    states: Mapping[str, str]
    broken: tuple[tuple[str, str], ...] = ()
    batches: tuple[str, ...] = ()
    digits: int = DIGITS

    def cut(self, run_id: str) -> str:
        """Returns an id with as many digits as ids have in answers about this snapshot."""
        return run_id[: self.digits]

    def head(self) -> dict[str, Any]:
        """Returns what answers about this snapshot begin with."""
        return {
            "version": VERSION, "stamp": self.stamp, "total": len(self.states), "digits": self.digits,
            "batches": list(map(self.cut, self.batches)),
        }  # fmt: skip

    def unreadable(self) -> list[dict[str, str]]:
        """Returns the unreadable runs for JSON."""
        return [{"id": self.cut(run_id), "reason": reason} for run_id, reason in self.broken]


def read_snapshot(index: Index) -> Snapshot:
    """Returns the runs of the index as of when it was opened."""
    with garbage_collector_off():
        rows = index.tips()
    # unreadable ones come last
    first_broken = bisect(rows, 0, key=lambda row: row[2] is not None)
    broken = tuple((run_id, reason or "") for run_id, _, reason in rows[first_broken:])
    # a run that is running, and a batch whose trials come in, change without a new tip
    states = {run_id: tip for run_id, tip, _ in islice(rows, first_broken)}
    states |= {run_id: f"{states[run_id]} {detail}" for run_id, detail in index.unsettled().items() if run_id in states}
    batches = tuple(index.batches())
    words = chain(states, states.values(), chain.from_iterable(broken))
    stamp = hashlib.sha256("\n".join(words).encode(errors="surrogateescape")).hexdigest()[:16]
    is_unique = len({run_id[:DIGITS] for run_id in states}) == len(states)
    return Snapshot(stamp, states, broken, batches, DIGITS if is_unique else len(next(iter(states))))


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a snapshot: at most `limit` runs (-1: all) from offset `start` on.

    `columns` are names as in filters; without any, an answer has the usual columns. Metrics and durations have `digits`.
    """

    start: int = 0
    limit: int = -1
    columns: tuple[str, ...] = ()
    digits: int = SIGNIFICANT


ALL = Part()


def read_columns(index: Index, snapshot: Snapshot, part: Part = ALL) -> dict[str, Any]:
    """Returns a part of the snapshot as columns. A run that was deleted since the snapshot is left out."""
    stop = None if part.limit < 0 else part.start + part.limit
    ids = islice(snapshot.states, part.start, stop)
    answer = snapshot.head() | {"start": part.start} | read_rows(index, snapshot, ids, part)
    is_last = stop is None or stop >= len(snapshot.states)
    return answer | {"broken": snapshot.unreadable()} if is_last and not part.columns else answer


def read_changes(index: Index, before: Snapshot, after: Snapshot) -> dict[str, Any]:
    """Returns what has changed between two snapshots; `after` is that of the index."""
    position = [number for number, (run_id, state) in enumerate(after.states.items()) if before.states.get(run_id) != state]
    if len(position) > BLOCK or before.digits != after.digits:
        return {"version": VERSION, "stamp": after.stamp, "reload": True}
    changed = set(position)
    ids = [run_id for number, run_id in enumerate(after.states) if number in changed]
    rows = after.head() | {"start": 0} | read_rows(index, after, ids, ALL)
    removed = [after.cut(run_id) for run_id in before.states if run_id not in after.states]
    return after.head() | {
        "since": before.stamp, "removed": removed, "position": position, "rows": rows, "broken": after.unreadable(),
    }  # fmt: skip


def read_rows(index: Index, snapshot: Snapshot, ids: Iterable[str], part: Part) -> dict[str, Any]:
    """Returns the runs with these ids as the columns of the part."""
    with garbage_collector_off():
        asked = LISTED if {NAMED.get(name, name) for name in part.columns}.isdisjoint(UNLISTED) else FIELDS
        names, rows = index.fields(list(ids), asked)
        # one pass: a pass for each field would read all rows from memory again each time
        columns = zip(*rows, strict=True) if rows else ((),) * len(asked)
        fields: Fields = dict(zip(asked, columns, strict=True))
        answer: dict[str, Any] = {"n": len(names), "id": list(map(snapshot.cut, names))}
        if part.columns:
            return answer | {"columns": {name: named_column(name, names, fields, part.digits) for name in part.columns}}
        return answer | usual_columns(snapshot, fields, part.digits)


def usual_columns(snapshot: Snapshot, fields: Fields, digits: int) -> dict[str, Any]:
    """Returns the columns that a list of runs shows."""
    created = [when // 1000 for when in fields["created"]]
    batch = [snapshot.cut(name) if name else None for name in fields["batch"]]
    flags, metrics = fields["flags"], fields["metrics"]
    named, left_out = most_frequent({"flags": flags, "metrics": metrics})
    return {
        "created": created[:1] + [earlier - when for earlier, when in pairwise(created)],
        "operation": column(fields["operation"]),
        "status": column(shown_statuses(fields)),
        "branch": column(fields["branch"]),
        "duration": rounded_column(fields["duration"], digits),
        "batch": column(batch),
        "trial": column(fields["trial"]),
        "label": by_row(fields["label"]),
        "tags": by_row(fields["tags"]),
        "marked": [number for number, marked in enumerate(fields["marked"]) if marked],
        "trials": by_row(fields["counts"], lambda counts: counts_as_json(decode_counts(counts))),
        "flags": {name: column([row.get(name) for row in flags], is_exact=True) for name in named["flags"]},
        "metrics": {
            name: rounded_column([row[name][0] if name in row else None for row in metrics], digits)
            for name in named["metrics"]
        },
        "left_out": left_out,
    }


def shown_statuses(fields: Fields) -> list[str]:
    """Returns the status of each row as people see it."""
    pairs = zip(fields["status"], fields["pruned"], strict=True)
    return [PRUNED if pruned is not None and status == TERMINATED else status for status, pruned in pairs]


def by_row(values: Sequence[Any], show: Callable[[Any], Any] = lambda value: value) -> dict[str, Any]:
    """Returns the values that are not empty by row number; JSON has only texts as names."""
    return {str(number): show(value) for number, value in enumerate(values) if value}


def most_frequent(values: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Returns the names of the most frequent values of each sort, and the names that are left out."""
    counts = Counter[tuple[str, str]]()
    for sort, rows in values.items():
        counts.update({(sort, name): count for name, count in Counter(chain.from_iterable(rows)).items()})
    # equally frequent ones keep their order: flags before metrics
    ranked = [pair for pair, _ in counts.most_common()]
    shown, rest = ranked[:MOST_COLUMNS], ranked[MOST_COLUMNS:]
    return ({sort: [name for one, name in pairs if one == sort] for sort in values} for pairs in (shown, rest))  # type: ignore[return-value]


def named_column(name: str, ids: Sequence[str], fields: Fields, digits: int) -> dict[str, Any]:
    """Returns the column of what `name` means in a filter."""
    sort, _, rest = name.partition(":")
    flags, metrics = fields["flags"], fields["metrics"]
    if sort == "metric" and rest:
        return rounded_column([Metrics.unpack(row).ask(rest) for row in metrics], digits)
    if sort == "flag" and rest:
        return column([row.get(rest) for row in flags], is_exact=True)
    if name == "id":
        return {"v": list(ids)}
    if name == "status":
        return column(shown_statuses(fields))
    if name == "duration":
        return rounded_column(fields["duration"], digits)
    if name in NAMED:
        return column(fields[NAMED[name]])
    pairs = zip(flags, metrics, strict=True)
    return column([row[name] if name in row else Metrics.unpack(other).ask(name) for row, other in pairs], is_exact=True)


def rounded_column(values: Sequence[float | None], digits: int) -> dict[str, Any]:
    """Returns a column of floats, rounded to these significant digits."""
    form = f"%.{digits}g"
    distinct = set(values) - {None}
    if len(distinct) * 2 <= len(values):  # often durations, and rounding takes longer than finding
        rounded = {value: float(form % value) for value in distinct}
        short = list(map(rounded.get, values))
    else:
        short = [None if value is None else float(form % value) for value in values]
    # nan equals no number, itself neither
    is_same = short == list(values) or all(repr(one) == repr(other) for one, other in zip(short, values, strict=True))
    return column(short) | ({} if is_same else {"rounded": True})


def column(values: Sequence[Any], *, is_exact: bool = False) -> dict[str, Any]:
    """Returns a column of values of any kind. With `is_exact`, it tells floats without a fraction from integers."""
    # repr tells 1, 1.0, True and '1' apart, and nan equals nan
    if len(values) > 1 and len(set(map(repr, values[:SAMPLE]))) * 2 <= min(len(values), SAMPLE):
        keys = list(values) if set(map(type, values)) <= {str, type(None)} else list(map(repr, values))
        order = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        indices = list(map(order.__getitem__, keys))
        if len(order) * 2 <= len(values):
            value_of = dict(zip(keys, values, strict=True))
            entries = list(map(value_of.__getitem__, order))
            return {"d": list(map(plain, entries)), "i": indices} | floats(entries, is_exact=is_exact)
    return {"v": list(values) if is_plain(values) else list(map(plain, values))} | floats(values, is_exact=is_exact)


def floats(values: Sequence[Any], *, is_exact: bool) -> dict[str, Any]:
    """Returns where the floats without a fraction are, if that is asked for and there are any."""
    if not is_exact:
        return {}
    whole = [number for number, value in enumerate(values) if isinstance(value, float) and value.is_integer()]
    return {"floats": whole} if whole else {}


def is_plain(values: Sequence[Any]) -> bool:
    """Returns whether all of the values are finite floats, which JSON holds as they are."""
    # a sum is finite only if all its parts are
    return set(map(type, values)) == {float} and math.isfinite(sum(values))


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever a run has
    """Returns the value for JSON: numbers that JSON or JavaScript cannot hold exactly are objects."""
    if isinstance(value, float):
        return value if math.isfinite(value) else {"number": repr(value)}
    if isinstance(value, int):
        return value if -LARGEST < value < LARGEST else {"number": str(value)}
    return list(map(plain, value)) if isinstance(value, list) else value

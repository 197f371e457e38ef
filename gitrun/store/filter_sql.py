"""Conditions of a filter in SQL, so that a search over very many runs reads only those that may match.

SQL is not trusted with the whole truth. It answers `maybe` (no run that matches is missing) and `sure` (every run in it
matches). A run that is maybe and not sure is read and tested in Python. Two things keep these bounds right:

- Equality compares texts: row and SQL hold values as `json.dumps` writes them.
- sqlite reads floats with errors in the last digits, so numbers near the wanted one, that are not equal as text, are unsure.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.model.filters import AND, NOT, PROPERTIES, Comparison
from gitrun.model.run import PRUNED, TERMINATED
from gitrun.model.text import is_text
from gitrun.store.index_rows import LISTED, whole_floats_as_integers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.model.filters import Condition

# other names have characters that JSON escapes, whose comparison differs between versions of sqlite
NAME = re.compile(r"[A-Za-z0-9_./-]+")
STATUS = f"(CASE WHEN pruned IS NOT NULL AND status = '{TERMINATED}' THEN '{PRUNED}' ELSE status END)"
"""The status as it is shown."""
TEXT_COLUMNS = {"operation": "operation", "op": "operation", "label": "label", "batch": "batch", "status": STATUS}
"""Properties that are columns of the index, as text."""
MOST_VALUES = 300
"""Values in the SQL of one filter; sqlite has limits on values and depth. A longer filter is tested in Python alone."""
NEAR = 1e-9
"""Relative distance below which sqlite's floats are not trusted."""
LARGEST = 2**53
EQUAL, UNEQUAL = "=", "!="
ORDERS = {"<": ("<", False), "<=": ("<", True), ">": (">", False), ">=": (">", True)}
"""Operators of numbers, as a strict one and whether equality counts."""


@dataclass(frozen=True, slots=True)
class Bound:
    """An SQL condition that is never null, with its values."""

    sql: str
    values: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Prefilter:
    """Bounds of a condition: runs outside of `maybe` do not match it, runs in `sure` do."""

    maybe: Bound
    sure: Bound


ALWAYS, NEVER = Bound("1"), Bound("0")
UNKNOWN = Prefilter(ALWAYS, NEVER)


def prefilter(condition: Condition) -> Prefilter:
    """Returns the bounds of a condition."""
    found = bounds(condition)
    is_small = all(len(bound.values) <= MOST_VALUES for bound in (found.maybe, found.sure))
    return found if is_small else UNKNOWN


def bounds(condition: Condition) -> Prefilter:
    """Returns the bounds of a condition of any size."""
    if isinstance(condition, Comparison):
        return compare(condition)
    parts = list(map(bounds, condition.parts))
    if condition.operator == NOT:
        return Prefilter(negated(parts[0].sure), negated(parts[0].maybe))
    word = "AND" if condition.operator == AND else "OR"
    return Prefilter(joined(word, [part.maybe for part in parts]), joined(word, [part.sure for part in parts]))


def all_of(parts: Sequence[Prefilter]) -> Prefilter:
    """Returns the bounds of all these conditions together."""
    maybe, sure = [part.maybe for part in parts], [part.sure for part in parts]
    return Prefilter(joined("AND", maybe), joined("AND", sure)) if parts else Prefilter(ALWAYS, ALWAYS)


def one_of(column: str, texts: Sequence[str]) -> Prefilter:
    """Returns the bounds of a text column that must be one of these texts."""
    known = [text for text in texts if is_text(text)]
    bound = Bound(f"IFNULL({column} IN ({', '.join('?' * len(known))}), 0)", tuple(known))
    return Prefilter(bound, bound)


def any_of(parts: Sequence[Prefilter]) -> Prefilter:
    """Returns the bounds of what one of the parts holds for."""
    return Prefilter(joined("OR", [part.maybe for part in parts]), joined("OR", [part.sure for part in parts]))


def negated(bound: Bound) -> Bound:
    """Returns the opposite of a bound."""
    return Bound(f"NOT ({bound.sql})", bound.values)


def joined(word: str, parts: Sequence[Bound]) -> Bound:
    """Returns the bounds joined by AND or OR."""
    return Bound(f"({f' {word} '.join(part.sql for part in parts)})", tuple(value for part in parts for value in part.values))


def compare(asked: Comparison) -> Prefilter:
    """Returns the bounds of one comparison, as `look_up_value` finds its name."""
    if asked.operator == "in" and isinstance(asked.wanted, list) and asked.wanted:
        return any_of([compare(Comparison(asked.name, EQUAL, one)) for one in asked.wanted])
    if asked.operator not in {EQUAL, UNEQUAL, *ORDERS}:
        return UNKNOWN
    sort, _, rest = asked.name.partition(":")
    name = rest if sort in {"flag", "metric"} and rest else asked.name
    if name == asked.name and name in PROPERTIES:
        is_known = name in TEXT_COLUMNS and asked.operator == EQUAL and isinstance(asked.wanted, str)
        return one_of(TEXT_COLUMNS[name], [asked.wanted]) if is_known else UNKNOWN
    if not NAME.fullmatch(name):
        return UNKNOWN
    flag, metric = flag_value(name, asked.wanted), metric_value(name, asked.wanted)
    if name != asked.name:
        return value_bounds(flag if sort == "flag" else metric, asked)
    # only the name of a flag is followed by a colon, so the text tells; that takes a fifth of the time of json_type
    there = Bound("instr(flags, ?)", (f'"{name}": ',))
    either = value_bounds(flag, asked), value_bounds(metric, asked)
    return Prefilter(
        chosen(there, either[0].maybe, either[1].maybe),
        chosen(there, either[0].sure, either[1].sure),
    )


def chosen(there: Bound, flag: Bound, metric: Bound) -> Bound:
    """Returns the bound of the flag where the run has that flag, else of the metric."""
    sql = f"(CASE WHEN {there.sql} THEN {flag.sql} ELSE {metric.sql} END)"
    return Bound(sql, (*there.values, *flag.values, *metric.values))


@dataclass(frozen=True, slots=True)
class StoredValue:
    """A value in a column of JSON: where it is, and the wanted value as that column would hold it."""

    column: str
    path: str
    wanted: str

    @property
    def is_readable(self) -> str:
        """Returns the SQL condition that sqlite can read the column: it refuses nan and infinity."""
        return f"json_valid({self.column})"

    def bound(self, condition: str, *values: object, unreadable: int) -> Bound:
        """Returns a condition on `TYPE`, `NUMBER` and `SAME`; where sqlite cannot read the column, it is `unreadable`."""
        sql, given = "", list(values)
        found: list[object] = []
        for piece in re.split(r"(TYPE|NUMBER|SAME|\?)", condition):
            if piece == "TYPE":
                sql, found = f"{sql}json_type({self.column}, ?)", [*found, self.path]
            elif piece == "NUMBER":
                sql, found = f"{sql}json_extract({self.column}, ?)", [*found, self.path]
            elif piece == "SAME":
                # of two paths, json_extract returns an array, in which the values are as they were written
                sql = f"{sql}json_extract({self.column}, ?, ?) = ?"
                found = [*found, self.path, self.path, f"[{self.wanted},{self.wanted}]"]
            else:
                found = [*found, given.pop(0)] if piece == "?" else found
                sql += piece
        # sqlite evaluates both sides of an AND, except in a condition of CASE
        known = f"CASE WHEN {sql} THEN 1 ELSE 0 END"
        return Bound(f"(CASE WHEN {self.is_readable} THEN {known} ELSE {unreadable} END)", tuple(found))


def flag_value(name: str, wanted: object) -> StoredValue:
    """Returns where the flag of this name is stored."""
    return StoredValue("flags", f'$."{name}"', json.dumps(whole_floats_as_integers(wanted), separators=(",", ":")))


def metric_value(name: str, wanted: object) -> StoredValue:
    """Returns where the last value of the metric of this name is stored."""
    is_number = isinstance(wanted, int | float) and not isinstance(wanted, bool) and abs(wanted) < LARGEST
    number = json.dumps(float(wanted) if is_number else wanted)  # type: ignore[arg-type]
    return StoredValue("listed", f'$[{LISTED.index("metrics")}]."{name}"[0]', number)


def value_bounds(value: StoredValue, asked: Comparison) -> Prefilter:
    """Returns the bounds of a comparison with a value of a run."""
    wanted = asked.wanted
    if isinstance(wanted, bool | str):
        return word_bounds(value, asked)
    # an int may be too large for isfinite
    if not isinstance(wanted, int | float) or abs(wanted) >= LARGEST or not math.isfinite(wanted):
        return UNKNOWN
    return number_bounds(value, asked.operator, wanted)


def word_bounds(value: StoredValue, asked: Comparison) -> Prefilter:
    """Returns the bounds of a comparison with a text or a truth value. A list may contain it."""
    if asked.operator == EQUAL:
        maybe, sure = "TYPE = 'array' OR SAME", "SAME"
    elif asked.operator == UNEQUAL:
        maybe, sure = "TYPE = 'array' OR NOT SAME", "TYPE != 'array' AND NOT SAME"
    else:
        # the order of texts is Python's; truth values have none
        maybe, sure = ("TYPE = 'text'" if isinstance(asked.wanted, str) else "0"), "0"
    return Prefilter(value.bound(maybe, unreadable=1), value.bound(sure, unreadable=0))


def number_bounds(value: StoredValue, operator: str, wanted: float) -> Prefilter:
    """Returns the bounds of a comparison with a number."""
    gap = abs(wanted) * NEAR + 1e-300
    low, high = wanted - gap, wanted + gap
    # behind the comparison, which leaves little to ask for
    is_number = "TYPE IN ('integer', 'real')"
    if operator in {EQUAL, UNEQUAL}:
        near, beyond = "NUMBER BETWEEN ? AND ?", "NUMBER NOT BETWEEN ? AND ?"
        if operator == EQUAL:
            maybe = value.bound(f"TYPE = 'array' OR ({near} AND {is_number})", low, high, unreadable=1)
            return Prefilter(maybe, value.bound("SAME", unreadable=0))
        sure = f"TYPE != 'array' AND (NOT ({is_number}) OR {beyond})"
        return Prefilter(value.bound("TYPE = 'array' OR NOT SAME", unreadable=1), value.bound(sure, low, high, unreadable=0))
    strict, with_equal = ORDERS[operator]
    near_end, far_end = (high, low) if strict == "<" else (low, high)
    same = "" if with_equal else " AND NOT SAME"
    equal = "SAME OR " if with_equal else ""
    maybe = value.bound(f"NUMBER {strict} ? AND {is_number}{same}", near_end, unreadable=1)
    return Prefilter(maybe, value.bound(f"{equal}(NUMBER {strict} ? AND {is_number})", far_end, unreadable=0))

"""Filters: expressions over runs such as `lr<0.1 and status=completed`, read once, asked of many.

    expression  either ("or" either)*
    either      part ("and" part)*
    part        "not" part | "(" expression ")" | name | name operator value
    operator    = == != < <= > >= in "not in" contains "not contains"

A name is a property of the run, else one of its flags, else one of its metrics; `flag:lr` and `metric:loss` say which.
A metric is its last value; `loss:min`, `:max`, `:first`, `:last` and `:count` are known of all that it had.
Values are written as flags are; what is compared with a text, such as a label or a tag, is the word as it stands.
Times are compared with dates in ISO form. What a run does not have matches nothing, not even `!=`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, NamedTuple, TypeAlias

from gitrun.errors import UsageError
from gitrun.model.run import Run
from gitrun.model.text import columns, safe_text
from gitrun.model.values import list_end, parse_value, same_value

Test: TypeAlias = Callable[[Run], bool]

TOKEN = re.compile(
    r"""\s*(?:(?P<sign><=|>=|!=|==|=|<|>)|(?P<bracket>[()])|(?P<value>\[[^\]]*\](?:\*\d+)?|'(?:[^']|'')*'|"(?:[^"\\]|\\.)*")"""
    r"""|(?P<word>[^\s()<>=!'"\[\],]+))"""
)
ITEM = re.compile(r"""\s*('(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|[^,\[\]]+)""")
TIME = re.compile(r"[0-9]{4}(?:-[-+.:T0-9 ]*)?Z?")
"""A time, or its beginning."""
DEEPEST = 100
EXAMPLE = "for example: lr<0.1 and status=completed"
DATES = "write 2026-11-01 or 2026-11-01T12:00:00Z; yesterday is for --since and --until"
PROPERTIES: dict[str, Callable[[Run], Any]] = {
    "id": lambda run: run.id,
    "operation": lambda run: run.operation,
    "op": lambda run: run.operation,
    "status": lambda run: run.status,
    "label": lambda run: run.notes.label,
    "tag": lambda run: list(run.notes.tags),
    "tags": lambda run: list(run.notes.tags),
    "marked": lambda run: run.notes.marked,
    "branch": lambda run: run.attempt.branch,
    "base": lambda run: run.attempt.base,
    "batch": lambda run: run.attempt.batch,
    "started": lambda run: run.attempt.started,
    "stopped": lambda run: run.attempt.stopped,
    "duration": lambda run: run.attempt.duration,
    "exit_status": lambda run: run.attempt.exit_status,
}
TEXTS = frozenset({"id", "operation", "op", "status", "label", "tag", "tags", "branch", "base", "batch"})
TIMES = frozenset({"started", "stopped"})


class FilterError(UsageError):
    """The expression does not read; `detail` shows where."""

    kind = "bad-filter"

    def __init__(self, words: str, text: str, place: int, hint: str = EXAMPLE) -> None:
        super().__init__(f"cannot read the filter: {words}", hint)
        self.detail = f"  {safe_text(text)}\n  {' ' * columns(safe_text(text[:place]))}^"


class Token(NamedTuple):
    """A word of an expression and where it stands."""

    sort: str
    text: str
    place: int


def read_filter(text: str) -> Test:
    """The expression as a test of runs. Raises FilterError."""
    reader = Reader(text)
    test = reader.expression(0)
    if reader.peek().sort != "end":
        raise FilterError(f"'{reader.peek().text}' is one word too many", text, reader.peek().place)
    return test


def names_in(text: str) -> list[str]:
    """The names that stand in the expression, which reads."""
    reader = Reader(text)
    reader.expression(0)
    return reader.names


class Reader:
    """Reads one expression from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(tokens(text))
        self.at = 0
        self.names: list[str] = []

    def peek(self) -> Token:
        """The next token."""
        return self.tokens[self.at]

    def take(self) -> Token:
        """The next token, which is then behind us."""
        found = self.tokens[self.at]
        self.at += found.sort != "end"
        return found

    def is_word(self, *words: str) -> bool:
        """Whether the next token is one of these words."""
        return self.peek().sort == "word" and self.peek().text in words

    def expression(self, depth: int) -> Test:
        """Parts joined by `or`."""
        if depth > DEEPEST:
            raise FilterError("it is nested too deeply", self.text, self.peek().place)
        parts = [self.either(depth)]
        while self.is_word("or"):
            self.take()
            parts.append(self.either(depth))
        return parts[0] if len(parts) == 1 else lambda run: any(part(run) for part in parts)

    def either(self, depth: int) -> Test:
        """Parts joined by `and`."""
        parts = [self.part(depth)]
        while self.is_word("and"):
            self.take()
            parts.append(self.part(depth))
        return parts[0] if len(parts) == 1 else lambda run: all(part(run) for part in parts)

    def part(self, depth: int) -> Test:
        """A comparison, perhaps negated or in parentheses."""
        token = self.peek()
        if self.is_word("not"):
            self.take()
            inner = self.part(depth + 1) if depth < DEEPEST else self.expression(depth + 1)
            return lambda run: not inner(run)
        if token.text == "(" and token.sort == "bracket":
            self.take()
            inside = self.expression(depth + 1)
            if self.take().text != ")":
                raise FilterError("this parenthesis is not closed", self.text, token.place)
            return inside
        return self.comparison()

    def comparison(self) -> Test:
        """A name, and what it is compared with."""
        name = self.take()
        if name.sort != "word":
            what = f"not '{name.text}'" if name.text else "but it ends here"
            raise FilterError(f"a name is expected, {what}", self.text, name.place)
        self.names.append(name.text)
        operator = self.operator()
        if not operator:
            return lambda run: bool(look_up(run, name.text))
        value = self.take()
        if value.sort not in {"word", "value"}:
            raise FilterError(f"a value is expected after '{operator}'", self.text, value.place)
        wanted = as_typed(value.text) if name.text in TEXTS | TIMES else parse_value(value.text)
        if name.text in TIMES:
            self.require_times(wanted, operator, value)
        return compare(name.text, operator, wanted)

    def require_times(self, wanted: Any, operator: str, value: Token) -> None:  # noqa: ANN401
        """Raises FilterError if a time cannot be compared so with what is wanted."""
        for one in wanted if isinstance(wanted, list) else [wanted]:
            known = TIME.fullmatch(one) if operator in {"=", "!=", "in", "not in"} else time_of(one)
            if not known:
                raise FilterError(f"'{one}' is no date", self.text, value.place, DATES)

    def operator(self) -> str:
        """The operator that comes next; empty if there is none."""
        if self.peek().sort == "sign":
            return self.take().text.replace("==", "=")
        if self.is_word("in", "contains"):
            return self.take().text
        if self.is_word("not") and self.tokens[self.at + 1].text in {"in", "contains"}:
            self.take()
            return "not " + self.take().text
        return ""


def tokens(text: str) -> list[Token]:
    """The words of an expression, and its end. Raises FilterError."""
    found, at = [], 0
    while text[at:].strip():
        place = at + len(text[at:]) - len(text[at:].lstrip())
        if (end := list_end(text, place)) > place:
            found.append(Token("value", text[place:end], place))
            at = end
            continue
        match = TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise FilterError(f"'{text[place]}' has no meaning here", text, place)
        found.append(Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        at = match.end()
    return [*found, Token("end", "", len(text))]


def as_typed(text: str) -> Any:  # noqa: ANN401 - a text, or a list of texts
    """The value with its words as they stand, also those that are numbers elsewhere; in quotes, what the quotes mean."""
    if text.startswith("["):
        return [as_typed(item.strip()) for item in ITEM.findall(text[1 : text.rindex("]")])]
    return str(parse_value(text)) if text.startswith(("'", '"')) else text


def look_up(run: Run, name: str) -> Any:  # noqa: ANN401 - whatever a run has
    """What the run has under the name; None if it has nothing."""
    sort, _, rest = name.partition(":")
    if sort == "flag" and rest:
        return run.flags.get(rest)
    if sort == "metric" and rest:
        return run.metrics.ask(rest)
    if name in PROPERTIES:
        return PROPERTIES[name](run)
    return run.flags[name] if name in run.flags else run.metrics.ask(name)


def compare(name: str, operator: str, wanted: Any) -> Test:  # noqa: ANN401 - a value as flags have
    """The test that compares what a run has under `name` with `wanted`."""
    negated = operator.startswith("not ")
    test = COMPARISONS[operator.removeprefix("not ")]

    def is_so(run: Run) -> bool:
        found = look_up(run, name)
        return found is not None and test(found, wanted) != negated

    return is_so


def is_equal(found: Any, wanted: Any) -> bool:  # noqa: ANN401
    """Whether the two are equal by value; a list of tags is equal to any of them, a time to its beginning as written."""
    if isinstance(found, datetime):
        text = str(wanted).replace(" ", "T")
        return found.isoformat(timespec="microseconds").startswith(text) or time_of(text) == found
    if isinstance(found, list) and not isinstance(wanted, list):
        return any(same_value(item, wanted) for item in found)
    return same_value(found, wanted)


def order(found: Any, wanted: Any) -> int | None:  # noqa: ANN401
    """Less than 0, 0 or more as the two stand to each other; None if they have no order."""
    if isinstance(found, datetime):
        return order_times(found, wanted)
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (found, wanted))
    if numbers or (isinstance(found, str) and isinstance(wanted, str)):
        return (found > wanted) - (found < wanted) if found == found and wanted == wanted else None  # noqa: PLR0124 - nan
    return None


def order_times(found: datetime, wanted: Any) -> int | None:  # noqa: ANN401
    """As `order`, of a time and a date or time as text (UTC unless it says otherwise)."""
    moment = time_of(str(wanted))
    return (found > moment) - (found < moment) if moment else None


def time_of(text: str) -> datetime | None:
    """The time that a text in ISO form is; None if it is none."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def is_ordered(*wanted: int) -> Callable[[Any, Any], bool]:
    """The test whether two values stand to each other in one of these ways."""
    return lambda found, value: order(found, value) in wanted


def contains(found: Any, wanted: Any) -> bool:  # noqa: ANN401
    """Whether a list has the value, or a text the text."""
    if isinstance(found, list):
        return any(same_value(item, wanted) for item in found)
    return isinstance(found, str) and str(wanted) in found


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": is_equal,
    "!=": lambda found, wanted: not is_equal(found, wanted),
    "<": is_ordered(-1),
    "<=": is_ordered(-1, 0),
    ">": is_ordered(1),
    ">=": is_ordered(0, 1),
    "in": lambda found, wanted: isinstance(wanted, list) and any(is_equal(found, item) for item in wanted),
    "contains": contains,
}

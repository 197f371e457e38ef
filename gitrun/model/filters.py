"""Filters: expressions over runs such as `lr<0.1 and status=completed`, parsed once and applied to many runs.

    expression  either ("or" either)*
    either      part ("and" part)*
    part        "not" part | "(" expression ")" | name | name operator value
    operator    = == != < <= > >= in "not in" contains "not contains"

A name is a property of the run, else one of its flags, else one of its metrics; `flag:lr` and `metric:loss` are explicit. A
metric means its last value; `loss:min`, `:max`, `:first`, `:last` and `:count` read the whole series. Values are written as
flags are. For text properties, such as a label or a tag, the word counts as typed. Times compare with dates in ISO form. A
property that the run lacks matches nothing, not even `!=`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, NamedTuple, TypeAlias

from gitrun.dataclass import dataclass
from gitrun.errors import FilterError
from gitrun.model.run import Run
from gitrun.model.text import count_columns, safe_text
from gitrun.model.values import list_end, parse_value, same_value

RunTest: TypeAlias = Callable[[Run], bool]
AND, OR, NOT = "and", "or", "not"

# <= stands before <, because the first alternative that matches wins
TOKEN = re.compile(
    r"""\s*(?:(?P<sign><=|>=|!=|==|=|<|>)|(?P<bracket>[()])|(?P<value>\[[^\]]*\](?:\*\d+)?|'(?:[^']|'')*'|"(?:[^"\\]|\\.)*")"""
    r"""|(?P<word>[^\s()<>=!'"\[\],]+))"""
)
# an item of a list: 'it''s', "a, b", or text up to the next comma
ITEM = re.compile(r"""\s*('(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|[^,\[\]]+)""")
TIME = re.compile(r"[0-9]{4}(?:-[-+.:T0-9 ]*)?Z?")
"""A time in ISO form, or the beginning of one."""
# the parser uses three frames a level, and Python allows 1,000
MAX_DEPTH = 100
EXAMPLE = "For example: lr<0.1 and status=completed"
DATES = "Write 2026-11-01 or 2026-11-01T12:00:00Z; words such as yesterday are for --since and --until"
PROPERTIES: dict[str, Callable[[Run], Any]] = {
    "id": lambda run: run.id,
    "operation": lambda run: run.operation,
    "op": lambda run: run.operation,
    "status": lambda run: run.attempt.shown_status,
    "label": lambda run: run.notes.label,
    "tag": lambda run: list(run.notes.tags),
    "tags": lambda run: list(run.notes.tags),
    "marked": lambda run: run.notes.marked,
    "branch": lambda run: run.attempt.branch,
    "base": lambda run: run.attempt.base,
    "batch": lambda run: run.attempt.batch,
    "trial": lambda run: run.attempt.trial,
    "started": lambda run: run.attempt.started,
    "stopped": lambda run: run.attempt.stopped,
    "duration": lambda run: run.attempt.duration,
    "exit_status": lambda run: run.attempt.exit_status,
}
TEXT_PROPERTIES = frozenset({"id", "operation", "op", "status", "label", "tag", "tags", "branch", "base", "batch"})
TIME_PROPERTIES = frozenset({"started", "stopped"})


def unreadable_filter(words: str, text: str, position: int, hint: str = EXAMPLE) -> FilterError:
    """Makes the error for an expression that does not parse; its detail marks the position."""
    error = FilterError(f"cannot read the filter: {words}", hint)
    error.detail = f"  {safe_text(text)}\n  {' ' * count_columns(safe_text(text[:position]))}^"
    return error


class Token(NamedTuple):
    """A token of an expression: its sort, its text, and its offset in the expression."""

    sort: str
    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of what runs have under `name`. Without an operator, the value must be true, not 0, and not empty."""

    name: str
    operator: str = ""
    wanted: Any = None


@dataclass(frozen=True, slots=True)
class Junction:
    """Parts of a condition, joined by AND or OR, or the one part of a NOT."""

    operator: str
    parts: tuple[Condition, ...]


Condition: TypeAlias = "Comparison | Junction"


def parse_filter(text: str) -> RunTest:
    """Parses the expression into a test of runs. Raises FilterError."""
    return make_test(parse_condition(text))


def parse_condition(text: str) -> Condition:
    """Parses the expression into a condition. Raises FilterError."""
    reader = FilterParser(text)
    condition = reader.expression(0)
    # `lr<0.1 status=completed` lacks an `and`: the parser stops after the first comparison
    if reader.peek().sort != "end":
        raise unreadable_filter(f"unexpected '{reader.peek().text}'", text, reader.peek().position)
    return condition


def names_in_filter(text: str) -> list[str]:
    """Returns the names in a valid expression, in their order."""
    reader = FilterParser(text)
    reader.expression(0)
    return reader.names


def make_test(condition: Condition) -> RunTest:
    """Returns the test of runs that the condition describes."""
    if isinstance(condition, Comparison):
        name = condition.name
        if not condition.operator:
            return lambda run: bool(look_up_value(run, name))
        return make_comparison(name, condition.operator, condition.wanted)
    tests = list(map(make_test, condition.parts))
    if condition.operator == NOT:
        return lambda run: not tests[0](run)
    if condition.operator == AND:
        return lambda run: all(test(run) for test in tests)
    return lambda run: any(test(run) for test in tests)


class FilterParser:
    """A recursive-descent parser of one expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(split_tokens(text))
        self.at = 0
        self.names: list[str] = []

    def peek(self) -> Token:
        """Returns the next token without consuming it."""
        return self.tokens[self.at]

    def consume(self) -> Token:
        """Consumes the next token and returns it; the end is never consumed."""
        token = self.tokens[self.at]
        self.at += token.sort != "end"
        return token

    def is_word(self, *words: str) -> bool:
        """Returns whether the next token is one of these words."""
        return self.peek().sort == "word" and self.peek().text in words

    def expression(self, depth: int) -> Condition:
        """Parses parts joined by `or`."""
        if depth > MAX_DEPTH:
            raise unreadable_filter("it is nested too deeply", self.text, self.peek().position)
        parts = [self.either(depth)]
        while self.is_word("or"):
            self.consume()
            parts.append(self.either(depth))
        return parts[0] if len(parts) == 1 else Junction(OR, tuple(parts))

    def either(self, depth: int) -> Condition:
        """Parses parts joined by `and`."""
        parts = [self.part(depth)]
        while self.is_word("and"):
            self.consume()
            parts.append(self.part(depth))
        return parts[0] if len(parts) == 1 else Junction(AND, tuple(parts))

    def part(self, depth: int) -> Condition:
        """Parses a comparison, perhaps negated or in parentheses."""
        token = self.peek()
        if self.is_word("not"):
            self.consume()
            # `not not not` nests without parentheses; expression refuses what is too deep
            inner = self.part(depth + 1) if depth < MAX_DEPTH else self.expression(depth + 1)
            return Junction(NOT, (inner,))
        if token.text == "(" and token.sort == "bracket":
            self.consume()
            inside = self.expression(depth + 1)
            if self.consume().text != ")":
                raise unreadable_filter("this parenthesis is not closed", self.text, token.position)
            return inside
        return self.comparison()

    def comparison(self) -> Condition:
        """Parses a name, and an operator with its value if there is one."""
        name = self.consume()
        if name.sort != "word":
            what = f"not '{name.text}'" if name.text else "but it ends here"
            raise unreadable_filter(f"expected a name, {what}", self.text, name.position)
        self.names.append(name.text)
        operator = self.operator()
        if not operator:
            return Comparison(name.text)
        value = self.consume()
        if value.sort not in {"word", "value"}:
            raise unreadable_filter(f"expected a value after '{operator}'", self.text, value.position)
        # a label `1.10` must not become the number 1.1
        wanted_value = parse_as_text(value.text) if name.text in TEXT_PROPERTIES | TIME_PROPERTIES else parse_value(value.text)
        if name.text in TIME_PROPERTIES:
            self.require_times(wanted_value, operator, value)
        return Comparison(name.text, operator, wanted_value)

    def require_times(self, wanted_value: Any, operator: str, value: Token) -> None:  # noqa: ANN401
        """Raises FilterError unless each wanted value is a date that the operator can compare with."""
        for one in wanted_value if isinstance(wanted_value, list) else [wanted_value]:
            # equality takes the beginning of a date, 2026-11, but an order needs a whole one
            time = TIME.fullmatch(one) if operator in {"=", "!=", "in", "not in"} else parse_iso_time(one)
            if not time:
                raise unreadable_filter(f"'{one}' is not a date", self.text, value.position, DATES)

    def operator(self) -> str:
        """Consumes and returns the next operator; empty if there is none."""
        if self.peek().sort == "sign":
            return self.consume().text.replace("==", "=")
        if self.is_word("in", "contains"):
            return self.consume().text
        # there is a next token, because the last one has the sort `end`
        if self.is_word("not") and self.tokens[self.at + 1].text in {"in", "contains"}:
            self.consume()
            return "not " + self.consume().text
        return ""


def split_tokens(text: str) -> list[Token]:
    """Splits an expression into tokens, followed by one of sort `end`. Raises FilterError."""
    tokens, at = [], 0
    while text[at:].strip():
        start = at + len(text[at:]) - len(text[at:].lstrip())
        # lists nest, as in [a, [1]*3], which a regular expression cannot follow
        if (end := list_end(text, start)) > start:
            tokens.append(Token("value", text[start:end], start))
            at = end
            continue
        match = TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise unreadable_filter(f"unexpected '{text[start]}'", text, start)
        tokens.append(Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        at = match.end()
    return [*tokens, Token("end", "", len(text))]


def parse_as_text(text: str) -> Any:  # noqa: ANN401 - a text, or a list of texts
    """Returns words as typed, even if they look like numbers; quoted words lose their quotes."""
    if text.startswith("["):
        return [parse_as_text(item.strip()) for item in ITEM.findall(text[1 : text.rindex("]")])]
    return str(parse_value(text)) if text.startswith(("'", '"')) else text


def look_up_value(run: Run, name: str) -> Any:  # noqa: ANN401 - whatever a run has
    """Returns the run's property, flag or metric of this name; None if it has none."""
    sort, _, rest = name.partition(":")
    if sort == "flag" and rest:
        return run.flags.get(rest)
    if sort == "metric" and rest:
        return run.metrics.ask(rest)
    # a property hides a flag of the same name, which flag:status still reaches
    if name in PROPERTIES:
        return PROPERTIES[name](run)
    return run.flags[name] if name in run.flags else run.metrics.ask(name)


def make_comparison(name: str, operator: str, operand: Any) -> RunTest:  # noqa: ANN401 - a value as flags have
    """Returns the test that compares a run's value under `name` with `operand`."""
    negated = operator.startswith("not ")
    test = COMPARISONS[operator.removeprefix("not ")]

    def is_so(run: Run) -> bool:
        value = look_up_value(run, name)
        # without a value nothing matches, not even a negated test
        return value is not None and test(value, operand) != negated

    return is_so


def is_equal(value: Any, operand: Any) -> bool:  # noqa: ANN401
    """Returns whether two values are equal.

    A list of tags equals any of its tags. A time equals any prefix of its ISO form.
    """
    if isinstance(value, datetime):
        # a date without a time means the whole day
        text = str(operand).replace(" ", "T")
        return value.isoformat(timespec="microseconds").startswith(text) or parse_iso_time(text) == value
    if isinstance(value, list) and not isinstance(operand, list):
        return any(same_value(item, operand) for item in value)
    return same_value(value, operand)


def order_values(value: Any, operand: Any) -> int | None:  # noqa: ANN401
    """Returns less than 0, 0 or more than 0 as `value` is before, equal to or after `operand`; None if not comparable."""
    if isinstance(value, datetime):
        return order_times(value, operand)
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (value, operand))
    if numbers or (isinstance(value, str) and isinstance(operand, str)):
        return (value > operand) - (value < operand) if value == value and operand == operand else None  # noqa: PLR0124 - nan
    return None


def order_times(time: datetime, operand: Any) -> int | None:  # noqa: ANN401
    """Compares a time with a date or time as text, as `order_values` does. Text without a zone is in UTC."""
    moment = parse_iso_time(str(operand))
    return (time > moment) - (time < moment) if moment else None


def parse_iso_time(text: str) -> datetime | None:
    """Parses an ISO date or time, in UTC if it names no zone; None if it is neither."""
    try:
        # Python 3.10 does not read a Z for UTC
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def make_order_test(*order: int) -> Callable[[Any, Any], bool]:
    """Returns a test: whether the order of two values (see `order_values`) is one of these."""
    return lambda sign, value: order_values(sign, value) in order


def contains_value(value: Any, operand: Any) -> bool:  # noqa: ANN401
    """Returns whether a list contains the value, or a text the text."""
    if isinstance(value, list):
        return any(same_value(item, operand) for item in value)
    return isinstance(value, str) and str(operand) in value


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": is_equal,
    "!=": lambda value, operand: not is_equal(value, operand),
    "<": make_order_test(-1),
    "<=": make_order_test(-1, 0),
    ">": make_order_test(1),
    ">=": make_order_test(0, 1),
    "in": lambda value, operand: isinstance(operand, list) and any(is_equal(value, item) for item in operand),
    "contains": contains_value,
}

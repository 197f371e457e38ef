"""Gates: limits on the metrics of a run, such as `loss<=base*1.02`, read once and never evaluated as code.

    gate     metric sign sum
    sum      product (("+" | "-") product)*
    product  factor (("*" | "/") factor)*
    factor   number | "base" | "base:" metric | metric | "'" any metric "'" | "-" factor | "(" sum ")"

Left of the sign stands a metric as filters name it (`val/loss`, `loss:min`); right of it `base` is the same metric of the
run that is compared with, `base:acc` another one of it, a name a metric of the run itself.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from gitrun.errors import UnknownRun, UsageError

if TYPE_CHECKING:
    from gitrun.model.metrics import Metrics

HEAD = re.compile(r"\s*([^<>=!]+?)\s*(<=|>=|==|=|!=|<|>)")
TOKEN = re.compile(
    r"""\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<name>[A-Za-z_][\w.:]*)|'(?P<quoted>[^']+)'|(?P<sign>[-+*/()]))"""
)
SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "!=": operator.ne,
}  # fmt: skip
BASE, NAN = "base", "nan"
DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Sides:
    """What a gate is asked of: the metrics of a run, and those of the run that it is compared with (None: there is none)."""

    run: Metrics
    base: Metrics | None = None


Term: TypeAlias = Callable[[Sides], float]


class GateError(UsageError):
    """The gate does not read; `detail` shows where."""

    kind = "bad-gate"

    def __init__(self, words: str, text: str, place: int) -> None:
        super().__init__(f"cannot read the gate: {words}", "for example: --metric 'loss<=base*1.02'")
        self.detail = f"  {text}\n  {' ' * place}^"


@dataclass(frozen=True, slots=True)
class Gate:
    """A limit: the words, the metric, the sign, what the metric is compared with, and whether that needs a base."""

    text: str
    metric: str
    sign: str
    limit: Term
    needs_base: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """What a gate says of a run: the metric's value, the limit, and the value of the base (None: it was not asked for)."""

    text: str
    metric: str
    value: float
    limit: float
    base: float | None
    passed: bool


def judge(gate: Gate, sides: Sides) -> Judged:
    """Whether the run passes; nan passes nothing. Raises UnknownRun if a metric is not there."""
    value, limit = ask(sides.run, gate.metric, "the run"), gate.limit(sides)
    base = sides.base.ask(gate.metric.removeprefix("metric:")) if gate.needs_base and sides.base is not None else None
    passed = SIGNS[gate.sign](value, limit) and not math.isnan(value) and not math.isnan(limit)
    return Judged(gate.text, gate.metric, value, limit, base, passed)


def ask(metrics: Metrics | None, name: str, whose: str) -> float:
    """The metric. Raises UnknownRun if it is not there."""
    name = name.removeprefix("metric:")
    if name.startswith("flag:"):
        raise UsageError(f"'{name}' is a flag; a gate holds metrics against limits", "name a metric")
    found = metrics.ask(name) if metrics is not None else None
    if found is None:
        known = ", ".join(metrics or ())
        raise UnknownRun(f"{whose} has no metric '{name}'", f"it has {known[:200]}" if known else "it has none")
    return found


def nan_of(metrics: Metrics) -> float:
    """The metric of that name. Raises UsageError if there is none, for then no metric was meant."""
    if NAN not in metrics:
        raise UsageError("nan is no limit", "a metric that is nan passes no gate")
    return ask(metrics, NAN, "the run")


def read_gate(text: str) -> Gate:
    """The gate that the words say. Raises GateError."""
    head = HEAD.match(text)
    if not head:
        raise GateError("a metric, a sign and a limit are expected", text, 0)
    reader = Reader(text, head.end(), head[1])
    limit = reader.sum(0)
    if reader.word:
        raise GateError(f"'{reader.word}' has no meaning here", text, reader.start)
    return Gate(text.strip(), head[1], head[2].replace("==", "="), limit, reader.needs_base)


class Reader:
    """Reads the limit of a gate on `metric`."""

    def __init__(self, text: str, place: int, metric: str) -> None:
        self.text, self.place, self.start, self.metric = text, place, place, metric
        self.kind, self.word = "", ""
        self.needs_base = False
        self.next()

    def next(self) -> str:
        """The token that is then behind us; the next one is read."""
        taken = self.word
        found = TOKEN.match(self.text, self.place)
        self.start = found.start(found.lastgroup or 0) if found else self.place
        if not found and self.text[self.place :].strip():
            raise GateError(f"'{self.text[self.place :].strip()[0]}' has no meaning here", self.text, self.place)
        self.kind, self.word = (found.lastgroup or "", found[found.lastgroup or 0]) if found else ("", "")
        self.place = found.end() if found else len(self.text)
        return taken

    def sum(self, depth: int) -> Term:
        """Products that are added or subtracted."""
        return self.chain(depth, {"+": operator.add, "-": operator.sub}, self.product)

    def product(self, depth: int) -> Term:
        """Factors that are multiplied or divided."""
        return self.chain(depth, {"*": operator.mul, "/": divided}, self.factor)

    def chain(self, depth: int, signs: dict[str, Callable[[float, float], float]], part: Callable[[int], Term]) -> Term:
        """Parts joined by some of the signs, from left to right."""
        first, rest = part(depth), []
        while self.kind == "sign" and self.word in signs:
            sign = signs[self.next()]
            rest.append((sign, part(depth)))

        def value(sides: Sides) -> float:
            found = first(sides)
            for sign, term in rest:
                found = sign(found, term(sides))
            return found

        return value

    def factor(self, depth: int) -> Term:
        """A number, a metric, or a sum in parentheses."""
        if depth > DEEPEST:
            raise GateError("it is nested too deeply", self.text, self.start)
        kind, start, word = self.kind, self.start, self.next()
        if kind == "number":
            return lambda _: float(word)
        if kind in {"name", "quoted"}:
            return self.named(word, quoted=kind == "quoted")
        if word == "-":
            inner = self.factor(depth + 1)
            return lambda sides: -inner(sides)
        if word == "(":
            found = self.sum(depth + 1)
            if self.word != ")":
                raise GateError("this parenthesis is not closed", self.text, start)
            self.next()
            return found
        raise GateError(f"a number or a name is expected{f', not {word!r}' if word else ''}", self.text, start)

    def named(self, name: str, *, quoted: bool) -> Term:
        """A metric of the run or of the base."""
        first, colon, rest = name.partition(":")
        if name == NAN and not quoted:
            return lambda sides: nan_of(sides.run)
        if quoted or first != BASE:
            return lambda sides: ask(sides.run, name, "the run")
        self.needs_base = True
        return lambda sides: ask(sides.base, rest if colon else self.metric, "the base")


def divided(value: float, by: float) -> float:
    """The quotient; nan if that is none."""
    return value / by if by else math.nan

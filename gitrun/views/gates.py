"""Checks a run against gates: finds the run and the run to compare it with, and judges each gate."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from gitrun.dataclass import dataclass
from gitrun.errors import GateError, NoMatch, UnknownRun, UsageError
from gitrun.model.run import COMPLETED, short_id
from gitrun.store.resolve import find_run
from gitrun.views.history import resolve_commit, tree_of_commit, usual_base

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitrun.git.exe import Git
    from gitrun.model.metrics import Metrics
    from gitrun.model.run import Run
    from gitrun.store.index import Index


# loss<=base*1.02: the name ends at the first sign, so it may contain blanks
HEAD = re.compile(r"\s*([^<>=!]+?)\s*(<=|>=|==|=|!=|<|>)")
# 1.02, .5, 2e-3, val.loss, base:acc, 'a name with blanks', or one of the signs
TOKEN = re.compile(
    r"""\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<name>[A-Za-z_][\w.:]*)|'(?P<quoted>[^']+)'|(?P<sign>[-+*/()]))"""
)
SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "!=": operator.ne,
}  # fmt: skip
BASE, NAN = "base", "nan"
DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Checked:
    """A run, the run that it was compared with (None if no gate needs one), and the gates' verdicts."""

    run: Run
    base: Run | None
    gates: tuple[GateResult, ...]

    @property
    def passed(self) -> bool:
        """Returns whether the run is completed and passes every gate."""
        return self.run.status == COMPLETED and all(gate.passed for gate in self.gates)


def check_run(git: Git, index: Index, gates: Sequence[Gate], name: str | None, base: str | None) -> Checked:
    """Checks the run `name`, or HEAD's latest run if there is no name. Raises UnknownRun if there is nothing to compare."""
    run = find_run(index, name, git.prefix) if name else run_of_head(git, index, gates)
    return judge_run(git, index, run, gates, base)


def judge_run(git: Git, index: Index, run: Run, gates: Sequence[Gate], base: str | None) -> Checked:
    """Checks the run against the gates. Raises UnknownRun if there is nothing to compare, or a metric is missing."""
    before = comparison_run(git, index, run, base) if any(gate.needs_base for gate in gates) else None
    if run.status != COMPLETED:  # its metrics may be those of an unfinished run
        return Checked(run, before, ())
    sides = Sides(run.metrics, before.metrics if before else None)
    return Checked(run, before, tuple(judge_gate(gate, sides) for gate in gates))


def usual_operation(git: Git, index: Index, gates: Sequence[Gate]) -> str:
    """Returns the operation for which a commit is judged by default: that of HEAD's latest run, else of the newest run.

    Only runs that have the metrics of all gates count. Raises UnknownRun if there is none.
    """
    try:
        return run_of_head(git, index, gates).operation
    except UnknownRun:
        for run in index.readable_runs():
            if has_metrics(run, gates):
                return run.operation
        raise


def run_of_head(git: Git, index: Index, gates: Sequence[Gate]) -> Run:
    """Returns the latest run of HEAD's tree, or of HEAD with changes. Raises UnknownRun if there is none.

    Prefers the operation whose runs have the metrics of all gates.
    """
    head = resolve_commit(git, "HEAD")
    if head is None:
        raise UnknownRun("no commits yet")
    runs = {run.id: run for run in (*index.made_of(tree_of_commit(git, head)), *index.made_from(head))}
    latest = sorted(runs.values(), key=lambda run: (run.attempt.created, run.id), reverse=True)
    if not latest:
        raise NoMatch(f"no run was made from commit {short_id(head)}", "To check another run: git run check RUN")
    # runs of a helper operation, without the metrics, do not hide the one that has them
    operation = next((run for run in latest if has_metrics(run, gates)), latest[0]).operation
    return next(run for run in latest if run.operation == operation)


def has_metrics(run: Run, gates: Iterable[Gate]) -> bool:
    """Returns whether the run has the metrics of all gates."""
    return all(run.metrics.ask(gate.metric.removeprefix("metric:")) is not None for gate in gates)


def comparison_run(git: Git, index: Index, run: Run, name: str | None) -> Run:
    """Returns the run to compare with: `name`, or the latest completed run of the same operation of the commit `name`.

    Without a name the commit is the one where HEAD left the main branch. Raises UnknownRun.
    """
    if name is not None:
        try:
            # a name that is a run and a commit means the run
            return find_run(index, name, git.prefix)
        except UnknownRun:
            if resolve_commit(git, name) is None:
                raise
    commit = resolve_commit(git, name) if name is not None else usual_base(git, resolve_commit(git, "HEAD") or "")
    if commit is None:
        raise UnknownRun("no commit to compare with", "To name one, or a run: --base")
    base = latest_completed(index, tree_of_commit(git, commit), run)
    if base is None:
        raise NoMatch(
            f"no other completed run of {run.operation} was made from commit {short_id(commit)}",
            "To name a run, or another commit: --base",
        )
    return base


def latest_completed(index: Index, tree: str, run: Run) -> Run | None:
    """Returns the latest completed run of a tree, other than `run`, with the same operation; None if there is none."""
    of_tree = (other for other in index.made_of(tree) if other.operation == run.operation and other.status == COMPLETED)
    return next((other for other in of_tree if other.id != run.id), None)


@dataclass(frozen=True, slots=True)
class Sides:
    """Metrics of the judged run and of the run that it is compared with (None without one)."""

    run: Metrics
    base: Metrics | None = None


Term: TypeAlias = Callable[[Sides], float]


def unreadable_gate(words: str, text: str, position: int) -> GateError:
    """Makes the error for a gate that does not parse; its detail marks the position."""
    error = GateError(f"cannot read the gate: {words}", "For example: --metric 'loss<=base*1.02'")
    error.detail = f"  {text}\n  {' ' * position}^"
    return error


@dataclass(frozen=True, slots=True)
class Gate:
    """A parsed limit: its text, metric, sign, the limit as a function, and whether that needs a base."""

    text: str
    metric: str
    sign: str
    limit: Term
    needs_base: bool


@dataclass(frozen=True, slots=True)
class GateResult:
    """The result of a gate: the metric's value, the limit, and the base's value (None if the gate has no base)."""

    text: str
    metric: str
    value: float
    limit: float
    base: float | None
    passed: bool


def judge_gate(gate: Gate, sides: Sides) -> GateResult:
    """Applies the gate to a run; nan never passes. Raises UnknownRun if a metric is missing."""
    value, limit = metric_value(sides.run, gate.metric, "the run"), gate.limit(sides)
    base = sides.base.ask(gate.metric.removeprefix("metric:")) if gate.needs_base and sides.base is not None else None
    # Python's `!=` holds for nan, but a gate must not pass on it
    passes = SIGNS[gate.sign](value, limit) and not math.isnan(value) and not math.isnan(limit)
    return GateResult(gate.text, gate.metric, value, limit, base, passes)


def metric_value(metrics: Metrics | None, name: str, whose: str) -> float:
    """Returns the metric `name`. Raises UnknownRun if it is missing, UsageError if the name is that of a flag."""
    name = name.removeprefix("metric:")
    if name.startswith("flag:"):
        raise UsageError(f"'{name}' is a flag, and limits are for metrics", "Name a metric")
    value = metrics.ask(name) if metrics is not None else None
    if value is None:
        names = ", ".join(metrics or ())
        raise UnknownRun(
            f"{whose} has no metric '{name}'",
            f"Its metrics: {names[:200]}" if names else "It has no metrics",
        )
    return value


def metric_called_nan(metrics: Metrics) -> float:
    """Returns the metric called `nan`. Raises UsageError without one: the user meant the number."""
    if NAN not in metrics:
        raise UsageError("nan cannot be a limit", "A metric that is nan fails every limit")
    return metric_value(metrics, NAN, "the run")


def parse_gate(text: str) -> Gate:
    """Parses a gate. Raises GateError."""
    head = HEAD.match(text)
    if not head:
        raise unreadable_gate("expected a metric, a sign and a limit", text, 0)
    reader = GateParser(text, head.end(), head[1])
    limit = reader.sum(0)
    if reader.word:
        raise unreadable_gate(f"unexpected '{reader.word}'", text, reader.start)
    # both spellings of equality have one entry among the signs
    return Gate(text.strip(), head[1], head[2].replace("==", "="), limit, reader.needs_base)


class GateParser:
    """A recursive-descent parser of a gate's limit; `metric` is the gate's left side."""

    def __init__(self, text: str, position: int, metric: str) -> None:
        self.text, self.end, self.start, self.metric = text, position, position, metric
        self.kind, self.word = "", ""
        self.needs_base = False
        self.next()

    def next(self) -> str:
        """Consumes the current token and returns it; reads the next one. Raises GateError."""
        word = self.word
        match = TOKEN.match(self.text, self.end)
        self.start = match.start(match.lastgroup or 0) if match else self.end
        if not match and self.text[self.end :].strip():
            raise unreadable_gate(f"unexpected '{self.text[self.end :].strip()[0]}'", self.text, self.end)
        self.kind, self.word = (match.lastgroup or "", match[match.lastgroup or 0]) if match else ("", "")
        self.end = match.end() if match else len(self.text)
        return word

    def sum(self, depth: int) -> Term:
        """Parses products joined by `+` and `-`."""
        return self.chain(depth, {"+": operator.add, "-": operator.sub}, self.product)

    def product(self, depth: int) -> Term:
        """Parses factors joined by `*` and `/`."""
        return self.chain(depth, {"*": operator.mul, "/": divide}, self.factor)

    def chain(self, depth: int, signs: dict[str, Callable[[float, float], float]], part: Callable[[int], Term]) -> Term:
        """Parses parts joined by some of the signs, left-associative."""
        # a loop, because a long sum must not exceed Python's stack
        first, rest = part(depth), []
        while self.kind == "sign" and self.word in signs:
            sign = signs[self.next()]
            rest.append((sign, part(depth)))

        def value(sides: Sides) -> float:
            value = first(sides)
            for sign, term in rest:
                value = sign(value, term(sides))
            return value

        return value

    def factor(self, depth: int) -> Term:
        """Parses a number, a metric, a negation, or a sum in parentheses."""
        # each parenthesis or sign before a factor is a recursion
        if depth > DEEPEST:
            raise unreadable_gate("it is nested too deeply", self.text, self.start)
        kind, start, word = self.kind, self.start, self.next()
        if kind == "number":
            return lambda _: float(word)
        if kind in {"name", "quoted"}:
            return self.metric_term(word, quoted=kind == "quoted")
        if word == "-":
            inner = self.factor(depth + 1)
            return lambda sides: -inner(sides)
        if word == "(":
            value_of = self.sum(depth + 1)
            if self.word != ")":
                raise unreadable_gate("this parenthesis is not closed", self.text, start)
            self.next()
            return value_of
        raise unreadable_gate(f"expected a number or a name{f', not {word!r}' if word else ''}", self.text, start)

    def metric_term(self, name: str, *, quoted: bool) -> Term:
        """Returns the term for a metric of the run or of the base."""
        first, colon, rest = name.partition(":")
        if name == NAN and not quoted:
            return lambda sides: metric_called_nan(sides.run)
        # a quoted name is never the base: a metric may be called base
        if quoted or first != BASE:
            return lambda sides: metric_value(sides.run, name, "the run")
        self.needs_base = True
        return lambda sides: metric_value(sides.base, rest if colon else self.metric, "the base")


def divide(value: float, by: float) -> float:
    """Returns the quotient; nan for a division by zero."""
    # nan fails every gate, where an exception would end the whole check
    return value / by if by else math.nan

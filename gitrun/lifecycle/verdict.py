"""Comparison of a repeated attempt with the recorded one: status, metrics and produced files."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol

from gitrun.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import TypeAlias

    from gitrun.model.files import File
    from gitrun.model.metrics import Metrics

    Told: TypeAlias = "str | float | None"

REPRODUCED, DIFFERS = "reproduced", "differs"
STATUS, METRIC, FILE = "status", "metric", "file"
MOST = 1_000_000.0
"""Tolerance above which metrics are not compared."""


class Ended(Protocol):
    """The end of an attempt, recorded or just finished."""

    @property
    def status(self) -> str:
        """Returns completed, error or terminated."""

    @property
    def exit_status(self) -> int | None:
        """Returns 0, a positive number, or minus a signal's number."""

    @property
    def metrics(self) -> Metrics:
        """Returns the last value of each metric."""

    @property
    def files(self) -> tuple[File, ...]:
        """Returns the produced files."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules of the comparison: `tolerance` is both absolute and relative.

    `of` has the tolerances of single metrics. `ignored` are patterns of paths to skip (`*` also matches `/`).
    """

    tolerance: float = 0.0
    of: Mapping[str, float] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()

    def are_equal(self, name: str, recorded: float | None, again: float | None) -> bool:
        """Returns whether two values of a metric are equal; nan equals nan, and a missing value only another."""
        if recorded is None or again is None:
            return recorded is again
        allowed = self.of.get(name, self.tolerance)
        if math.isnan(recorded) or math.isnan(again):
            return math.isnan(recorded) and math.isnan(again)
        return allowed > MOST or math.isclose(recorded, again, rel_tol=allowed, abs_tol=allowed)

    def is_ignored(self, path: str) -> bool:
        """Returns whether a file is not compared."""
        return any(fnmatchcase(path, pattern) for pattern in self.ignored)


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference: its kind, its name, the recorded and the repeated value (None: missing)."""

    what: str
    name: str
    recorded: Told
    again: Told


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a repeated attempt: the differences, and how much was compared.

    `same_output` is true if the output is the same; it does not affect the result. `steps` are the verdicts of a pipeline's
    runs. `kept` is the id of the attempt that was added, if any.
    """

    run: str
    attempt: str
    differences: tuple[Difference, ...]
    metrics: int = 0
    files: int = 0
    same_output: bool = True
    steps: tuple[Verdict, ...] = ()
    kept: str | None = None

    @property
    def word(self) -> str:
        """Returns `reproduced` or `differs`."""
        return REPRODUCED if self.is_good else DIFFERS

    @property
    def is_good(self) -> bool:
        """Returns whether nothing differs, including all steps."""
        return not self.differences and all(step.is_good for step in self.steps)


def read_rules(tolerances: Iterable[str], ignored: Iterable[str] = ()) -> Rules:
    """Parses tolerances such as `1e-6` and `loss=0.01` into rules. Raises UsageError."""
    common, of = 0.0, {}
    for words in tolerances:
        name, sign, text = words.rpartition("=")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not value >= 0 or (sign and not name):
            raise UsageError(f"--tolerance takes a number or NAME=NUMBER, not '{words}'", "for example loss=0.01")
        if sign:
            of[name] = value
        else:
            common = value
    return Rules(common, of, tuple(ignored))


def differences(recorded: Ended, again: Ended, rules: Rules) -> tuple[Difference, ...]:
    """Returns all differences from the recorded attempt."""
    return (*of_status(recorded, again), *of_metrics(recorded, again, rules), *of_files(recorded, again, rules))


def of_status(recorded: Ended, again: Ended) -> Iterator[Difference]:
    """Yields the status if it differs."""
    if (recorded.status, recorded.exit_status) != (again.status, again.exit_status):
        yield Difference(STATUS, "", ending(recorded), ending(again))


def ending(ended: Ended) -> str:
    """Returns a status with its exit status."""
    return f"{ended.status} ({ended.exit_status})" if ended.exit_status else ended.status


def of_metrics(recorded: Ended, again: Ended, rules: Rules) -> Iterator[Difference]:
    """Yields the metrics whose last values differ by more than the tolerance."""
    for name in dict.fromkeys((*recorded.metrics, *again.metrics)):
        before, now = recorded.metrics.get(name), again.metrics.get(name)
        if not rules.are_equal(name, before, now):
            yield Difference(METRIC, name, before, now)


def of_files(recorded: Ended, again: Ended, rules: Rules) -> Iterator[Difference]:
    """Yields the produced files whose content differs."""
    before, now = ({file.path: file.sha256 for file in ended.files} for ended in (recorded, again))
    for path in sorted({*before, *now}):
        if before.get(path) != now.get(path) and not rules.is_ignored(path):
            yield Difference(FILE, path, before.get(path), now.get(path))

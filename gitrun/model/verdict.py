"""Whether what a program did again is what is recorded of it: status, metrics and produced files, one by one."""

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
"""A tolerance above which nothing is compared any more."""


class Ended(Protocol):
    """How an attempt ended: one that is recorded, or one that has just come to its end."""

    @property
    def status(self) -> str:
        """completed, error or terminated."""

    @property
    def exit_status(self) -> int | None:
        """0, more, or minus a signal's number."""

    @property
    def metrics(self) -> Metrics:
        """The last value of each metric."""

    @property
    def files(self) -> tuple[File, ...]:
        """What was produced."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts as equal: numbers that are at most so far apart, absolutely or relatively, and files not looked at.

    `of` has the tolerance of single metrics, `ignored` patterns of paths (`*` also goes over `/`).
    """

    tolerance: float = 0.0
    of: Mapping[str, float] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()

    def are_equal(self, name: str, recorded: float | None, again: float | None) -> bool:
        """Whether two values of a metric are equal; nan is equal to nan."""
        if recorded is None or again is None:
            return recorded is again
        allowed = self.of.get(name, self.tolerance)
        if math.isnan(recorded) or math.isnan(again):
            return math.isnan(recorded) and math.isnan(again)
        return allowed > MOST or math.isclose(recorded, again, rel_tol=allowed, abs_tol=allowed)

    def is_ignored(self, path: str) -> bool:
        """Whether a file is not looked at."""
        return any(fnmatchcase(path, pattern) for pattern in self.ignored)


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it was: what it is, its name, what is recorded and what it was again (None: nothing)."""

    what: str
    name: str
    recorded: Told
    again: Told


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of an attempt that was executed again: all that differs, and how much was compared.

    `same_output` says whether it wrote the same, which does not count. `steps` are the verdicts of a pipeline's runs;
    `kept` is the attempt that was added, if that was wanted.
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
        """`reproduced` or `differs`."""
        return REPRODUCED if self.is_good else DIFFERS

    @property
    def is_good(self) -> bool:
        """Whether all of it, with all steps, is as it was."""
        return not self.differences and all(step.is_good for step in self.steps)


def read_rules(tolerances: Iterable[str], ignored: Iterable[str] = ()) -> Rules:
    """The rules that words such as `1e-6` and `loss=0.01` give. Raises UsageError."""
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
    """All that is not as it is recorded."""
    return (*of_status(recorded, again), *of_metrics(recorded, again, rules), *of_files(recorded, again, rules))


def of_status(recorded: Ended, again: Ended) -> Iterator[Difference]:
    """The status, if it is another one."""
    if (recorded.status, recorded.exit_status) != (again.status, again.exit_status):
        yield Difference(STATUS, "", ending(recorded), ending(again))


def ending(ended: Ended) -> str:
    """A status with its exit status."""
    return f"{ended.status} ({ended.exit_status})" if ended.exit_status else ended.status


def of_metrics(recorded: Ended, again: Ended, rules: Rules) -> Iterator[Difference]:
    """The metrics whose last values are too far apart."""
    for name in dict.fromkeys((*recorded.metrics, *again.metrics)):
        before, now = recorded.metrics.get(name), again.metrics.get(name)
        if not rules.are_equal(name, before, now):
            yield Difference(METRIC, name, before, now)


def of_files(recorded: Ended, again: Ended, rules: Rules) -> Iterator[Difference]:
    """The produced files that have another content."""
    before, now = ({file.path: file.sha256 for file in ended.files} for ended in (recorded, again))
    for path in sorted({*before, *now}):
        if before.get(path) != now.get(path) and not rules.is_ignored(path):
            yield Difference(FILE, path, before.get(path), now.get(path))

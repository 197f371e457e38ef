"""Points of a search: which flags of a trial belong to it, and random points, drawn so that they can be drawn again."""

from __future__ import annotations

import math
import random
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from gitrun.errors import BadValue
from gitrun.model.batch import Proposal, has_value
from gitrun.model.digest import sha256
from gitrun.model.grid import lay_grid
from gitrun.model.run import ENDINGS
from gitrun.model.space import Choice, Range, order_flags
from gitrun.model.values import identity, same_value

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from gitrun.model.batch import BatchDefinition, Trial
    from gitrun.model.space import Domain, Space
    from gitrun.model.values import Value

ALLOW_REPEATS = "allow_repeats"
"""The setting of every optimizer that lets points be tried twice, for programs whose results are not exact."""
PRUNER_PREFIX = "prune_"
"""Begins the settings of a pruner, which are given beside those of the optimizer."""
TRIES = 20
"""Proposals that are asked for before the points that are left are listed."""
LARGEST_LISTED = 10_000
"""Most points of a space that are listed to find those that are left."""


def seed_of_proposal(seed: int, number: int, again: int = 0) -> int:
    """Returns the seed for the proposal of a trial. `again` counts the proposals for it that were rejected."""
    text = f"{seed}:{number}:{again}" if again else f"{seed}:{number}"
    return int.from_bytes(sha256(text.encode()).digest(), "big")


def is_ended(trial: Trial) -> bool:
    """Returns whether the trial has ended; another attempt of it may follow."""
    return trial.status in ENDINGS


class SearchPoints:
    """The points of a search: the flags of its space and of the rows of a file, each only where it exists."""

    def __init__(self, definition: BatchDefinition) -> None:
        self.space: Space = definition.space
        self.order = order_flags(definition.space)
        self.rows = definition.points or ({},)
        self.columns = {name for row in self.rows for name in row} - set(self.order)
        self.allows_repeats = definition.options.get(ALLOW_REPEATS) is True
        self._keys: dict[int, tuple[Trial, object]] = {}

    @property
    def names(self) -> list[str]:
        """Returns the flags that points have, by name."""
        return sorted({*self.order, *self.columns})

    def exists(self, name: str, flags: Mapping[str, Value]) -> bool:
        """Returns whether a flag of the space exists beside the values chosen for others."""
        return all(
            other in flags and any(same_value(flags[other], value) for value in allowed)
            for other, allowed in self.space[name].when.items()
        )

    def select_flags(self, flags: Mapping[str, Value]) -> dict[str, Value]:
        """Returns those flags of a trial that belong to its point. A flag that does not exist there is left out."""
        chosen_flags = {name: flags[name] for name in self.columns if name in flags}
        for name in self.order:
            if name in flags and self.exists(name, chosen_flags):
                chosen_flags[name] = flags[name]
        return chosen_flags

    def point_key(self, flags: Mapping[str, Value]) -> object:
        """Returns a key that is equal for exactly those flags that are the same point."""
        return frozenset((name, identity(value)) for name, value in self.select_flags(flags).items())

    def contains(self, flags: Mapping[str, Value], fixed: Mapping[str, Value]) -> bool:
        """Returns whether a trial with these flags is a point of the search, and has the fixed flags."""
        if not all(name in flags and same_value(flags[name], value) for name, value in fixed.items()):
            return False
        point = self.select_flags(flags)
        in_space = all(has_value(self.space[name], point[name]) for name in self.order if name in point)
        return in_space and (not self.columns or self.find_row(point) is not None)

    def known_keys(self, number: int, trials: Sequence[Trial]) -> set[object]:
        """Returns the keys of the points of all trials but trial `number`."""
        for index, trial in enumerate(trials):
            if index not in self._keys or self._keys[index][0].flags is not trial.flags:
                self._keys[index] = trial, self.point_key(trial.flags)
        return {self._keys[index][1] for index, trial in enumerate(trials) if trial.number != number}

    def draw(self, generator: random.Random, first: Mapping[str, Value]) -> dict[str, Value]:
        """Returns a random point. Flags in `first` have that value instead."""
        row = generator.randrange(len(self.rows)) if len(self.rows) > 1 else 0
        # drawn also where they do not exist: the values of other flags stay the same
        values = {name: draw_value(generator, self.space[name]) for name in self.order}
        return self.assemble({**values, **first}, row)

    def draw_untried(self, generator: random.Random, keys: Collection[object]) -> dict[str, Value] | None:
        """Returns one of the points without a trial. None if there are none, or too many points to look at each."""
        try:
            grid = lay_grid(self.space, self.rows)
        except BadValue:
            # a range without steps
            return None
        points = map(grid.at, range(grid.count if grid.count <= LARGEST_LISTED else 0))
        untried = [point for point in points if self.point_key(point) not in keys]
        return generator.choice(untried) if untried else None

    def assemble(self, values: Mapping[str, Value], row: int) -> dict[str, Value]:
        """Returns the point of a row of the file and of values for all flags of the space."""
        flags = self.row_flags(row)
        for name in self.order:
            if self.exists(name, flags):
                flags[name] = values[name]
        return flags

    def row_flags(self, row: int) -> dict[str, Value]:
        """Returns the flags of a row of the file. A flag of the space wins over that of a row."""
        return {name: value for name, value in self.rows[row].items() if name in self.columns}

    def find_row(self, flags: Mapping[str, Value]) -> int | None:
        """Returns the row of the file that a point has."""
        return self._row_indices.get(self._row_key(flags))

    @cached_property
    def _row_indices(self) -> dict[object, int]:
        return {self._row_key(row): index for index, row in reversed(list(enumerate(self.rows)))}

    def _row_key(self, flags: Mapping[str, Value]) -> object:
        return frozenset((name, identity(flags[name])) for name in self.columns if name in flags)


class RandomSampler:
    """Proposes random points, each a function of the batch's seed and the number of the trial."""

    def __init__(self, definition: BatchDefinition) -> None:
        self._seed = definition.seed
        self._points = SearchPoints(definition)

    def propose(self, number: int, trials: Sequence[Trial]) -> Proposal | None:
        """Returns the flags of trial `number`; None if all points that can be found have a trial already."""
        points = self._points
        keys = set() if points.allows_repeats else points.known_keys(number, trials)
        generator = random.Random(seed_of_proposal(self._seed, number))  # noqa: S311 - repeatable, not secret
        first = first_values(points.space) if number == 1 else {}
        for _ in range(TRIES + 1):
            flags = points.draw(generator, first)
            if points.point_key(flags) not in keys:
                return Proposal(flags)
            first = {}
        untried = points.draw_untried(generator, keys)
        return None if untried is None else Proposal(untried)


def first_values(space: Space) -> dict[str, Value]:
    """Returns the values of the first trial, as far as they are given."""
    return {
        name: exact_number(domain, domain.initial)
        for name, domain in space.items()
        if isinstance(domain, Range) and domain.initial is not None
    }


def draw_value(generator: random.Random, domain: Domain) -> Value:
    """Returns a random value of a domain."""
    if isinstance(domain, Choice):
        return domain.values[generator.randrange(len(domain.values))]
    low, high = domain.low, domain.high
    if domain.log:
        # whole numbers: each stands for the interval of a half around it
        around = 0.5 if domain.kind == "int" else 0.0
        return exact_number(domain, math.exp(_between(generator, math.log(low - around), math.log(high + around))))
    if domain.kind == "int" or domain.step is not None:
        step = domain.step or 1
        count = int((Decimal(str(high)) - Decimal(str(low))) / Decimal(str(step)))
        return exact_number(domain, low + step * generator.randint(0, count))
    return exact_number(domain, _between(generator, low, high))


def exact_number(domain: Range, number: float) -> int | float:
    """Returns the number of the range that is nearest to `number`: of its kind, within the bounds, on a step.

    Steps are counted in decimal: 0.3, not 0.30000000000000004.
    """
    if domain.kind == "int" and domain.step is None:
        return min(max(round(number), int(domain.low)), int(domain.high))
    if domain.step is None:
        return float(min(max(number, domain.low), domain.high))
    low, high, step = (Decimal(str(bound)) for bound in (domain.low, domain.high, domain.step))
    steps = round((Decimal(str(number)) - low) / step)
    exact = low + step * min(max(steps, 0), int((high - low) / step))
    return int(exact) if domain.kind == "int" else float(exact)


def _between(generator: random.Random, low: float, high: float) -> float:
    share = generator.random()
    # high - low could be inf
    return low * (1 - share) + high * share

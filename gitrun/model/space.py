"""The space of a batch: which values each flag takes, as a list to try or as a range to search in.

Pure values: this module reads and writes no files, and knows nothing of samplers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from gitrun.model.values import Value


@dataclass(frozen=True, slots=True)
class Choice:
    """A list of values to try, in the order in which they were typed; values may repeat.

    `when` maps other flags to the values for which this flag exists (empty: always).
    """

    values: tuple[Value, ...]
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Range:
    """An interval to search in, both ends included.

    `kind` is `int` or `float`. `log` searches evenly in the logarithm. `step` is the distance of the values (None: any).
    `initial` is the value of the first trial (None: drawn). `when` is as for `Choice`.
    """

    kind: str
    low: float
    high: float
    log: bool = False
    step: float | None = None
    initial: float | None = None
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)


Domain: TypeAlias = Choice | Range
Space: TypeAlias = Mapping[str, Domain]

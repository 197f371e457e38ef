"""Cases of which some run by default and all with `-m ""`: variants that cheaper tests hold one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from _pytest.mark import ParameterSet

if TYPE_CHECKING:
    from collections.abc import Iterable


def sampled(number: int, values: Iterable[Any]) -> list[ParameterSet]:
    """The cases, of which all but `number`, spread evenly, are slow. A tuple is one case of several values."""
    cases = [
        pytest.param(*case.values, marks=case.marks, id=case.id) if isinstance(case, ParameterSet)
        else pytest.param(*(case if isinstance(case, tuple) else (case,)))
        for case in values
    ]  # fmt: skip
    chosen = {round(at * (len(cases) - 1) / (number - 1)) for at in range(number)} if number > 1 else {0}
    return [case if at in chosen else case._replace(marks=(*case.marks, pytest.mark.slow)) for at, case in enumerate(cases)]


def sampled_values(number: int, values: Iterable[Any]) -> list[ParameterSet]:
    """As `sampled`, of cases that are one value each, tuples too."""
    return sampled(number, [value if isinstance(value, ParameterSet) else (value,) for value in values])


def one_of_each(items: Iterable[pytest.Item], named: Iterable[str]) -> list[pytest.Item]:
    """The first of the cases of each test, and those that were named."""
    kept = {item.nodeid if item.nodeid in named else item.nodeid.partition("[")[0]: item for item in reversed([*items])}
    return [*kept.values()][::-1]

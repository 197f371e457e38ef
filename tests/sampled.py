"""Cases of which some run by default and all with `-m ""`: variants that cheaper tests hold one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _pytest.mark import ParameterSet


def sampled(number: int, values: Iterable[Any]) -> list[ParameterSet]:
    """The cases, of which all but `number`, spread evenly, are slow. A tuple is one case of several values."""
    cases = list(values)
    chosen = {round(at * (len(cases) - 1) / (number - 1)) for at in range(number)} if number > 1 else {0}
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=() if at in chosen else (pytest.mark.slow,))
        for at, case in enumerate(cases)
    ]

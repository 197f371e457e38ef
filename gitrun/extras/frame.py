"""Runs as a data frame of pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def make_frame(values: Mapping[str, Sequence[Any]]) -> Any:  # noqa: ANN401 - a DataFrame, which has types only where pandas is
    """Returns a data frame of these columns. A number that a run lacks is NaN."""
    return pd.DataFrame(dict(values))

"""Runs as a Parquet file."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def write_parquet(values: Mapping[str, Sequence[Any]], path: Path) -> None:
    """Writes columns of one type each; the file is whole or unchanged. Raises OSError."""
    table = pa.table({name: pa.array(column) for name, column in values.items()})
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        pq.write_table(table, fresh)
        fresh.replace(path)
    finally:
        with suppress(FileNotFoundError):
            fresh.unlink()

"""Reads lent.toml: the record of ignored files that an attempt was lent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.errors import BadRun
from gitrun.model import decode, encode
from gitrun.model.lent import Lent, read_lent

if TYPE_CHECKING:
    from gitrun.git.objects import Objects


def lent_to(objects: Objects, attempt: str) -> tuple[Lent, ...] | None:
    """Returns the record of what the attempt was lent. None if it has none, as attempts of earlier versions."""
    found = objects.read(f"{attempt}:{encode.LENT}", limit=1 << 20)
    if found is None or found.data is None:
        return None
    try:
        return read_lent(decode.parse_toml(found.data, encode.LENT))
    except BadRun:
        return None

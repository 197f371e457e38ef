"""Ignored files in a directory, and what would be lent of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gitrun.model.settings import Settings
from gitrun.workspace.lending import LendingRequest, survey_ignored

if TYPE_CHECKING:
    from pathlib import Path


def look(top: Path, *ignored: bytes, settings: Settings = Settings(), **wanted):  # noqa: B008 - it is frozen
    state = top.parent / "state"
    state.mkdir(exist_ok=True)
    return survey_ignored(top, LendingRequest(ignored, **wanted), settings, state)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "top").mkdir()
    return tmp_path / "top"

"""The stories of this folder and the examples of README.md are true, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest
from transcript import BLOCK, Transcript

HERE = Path(__file__).parent
TOLD = {place.stem: place.read_text("utf-8") for place in (*sorted(HERE.glob("*.md")), HERE.parents[1] / "README.md")}
RUN = {"console", "pycon", "python"}
LIVED = {name: text for name, text in TOLD.items() if RUN & {language for language, _, _ in BLOCK.findall(text)}}


@pytest.mark.parametrize("text", LIVED.values(), ids=LIVED)
def test_story_is_true(empty_repo, text) -> None:
    assert Transcript(empty_repo.path).live(text)

"""The stories of this folder and the examples of README.md are true, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest
from cancer import SOURCE, published
from transcript import BLOCK, Transcript

HERE = Path(__file__).parent
TOLD = {place.stem: place.read_text("utf-8") for place in (*sorted(HERE.glob("*.md")), HERE.parents[1] / "README.md")}
RUN = {"console", "pycon", "python"}
LIVED = {name: text for name, text in TOLD.items() if RUN & {language for language, _, _ in BLOCK.findall(text)}}


@pytest.mark.parametrize("text", LIVED.values(), ids=LIVED)
def test_story_is_true(empty_repo, text) -> None:
    if "cancer.git" in text:
        published(empty_repo.path.parent)
    assert Transcript(empty_repo.path).live(text)


def test_readme_shows_the_projects_entries_as_they_are() -> None:
    assert f"```toml\n{SOURCE.joinpath('gitrun.toml').read_text()}```" in TOLD["README"]

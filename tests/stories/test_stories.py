"""The stories of this folder and the examples of README.md and of the guides are true, word for word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cancer import SOURCE, published
from forms import with_sha1
from transcript import BLOCK, Transcript

pytestmark = pytest.mark.usefixtures("forked")
HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
GUIDES = PROJECT / "gitrun" / "share" / "guide"
FILES = {file.stem: file for file in (PROJECT / "README.md", *sorted(GUIDES.glob("*.md")), *sorted(HERE.glob("*.md")))}
RUN = {"console", "pycon", "python"}
SHA_1 = {"coming-from-mlflow", "python"}
"""Files with ids of SHA-1 that are not made by their examples."""
LIVED = [name for name, file in FILES.items() if RUN & {language for language, _, _ in BLOCK.findall(file.read_text("utf-8"))}]


@pytest.mark.parametrize("name", [pytest.param(name, marks=with_sha1) if name in SHA_1 else name for name in LIVED])
def test_examples_are_true(empty_repo, name) -> None:
    text = FILES[name].read_text("utf-8")
    if "cancer.git" in text:
        published(empty_repo.path.parent)
    story = Transcript(empty_repo.path)
    if os.environ.get("REWRITE_EXAMPLES"):
        FILES[name].write_text(story.rewrite(text), "utf-8")
    else:
        assert story.live(text)


def test_guide_shows_the_projects_entries_as_they_are() -> None:
    assert f"```toml\n{SOURCE.joinpath('gitrun.toml').read_text()}```" in FILES["project"].read_text("utf-8")

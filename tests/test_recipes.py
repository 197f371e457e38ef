"""The recipes for continuous integration of the guides read as YAML, and call what there is."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from gitrun.commands.completion import complete_words

GUIDES = Path(__file__).parents[1] / "gitrun" / "share" / "guide"
TEXTS = "\n".join(GUIDES.joinpath(f"{name}.md").read_text("utf-8") for name in ("review", "sharing"))
RECIPES = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```", TEXTS, flags=re.DOTALL | re.MULTILINE)]


def scripts() -> list[str]:
    (job,) = (recipe["jobs"]["report"] for recipe in RECIPES if "jobs" in recipe)
    (runs,) = (recipe["runs"] for recipe in RECIPES if "runs" in recipe)
    return [*(step["run"] for step in job["steps"] if "run" in step), *runs["script"]]


def test_recipes_fetch_report_and_hold_against_something() -> None:
    said = "\n".join(scripts())
    for verb in ("fetch", "report", "verify", "check", "trust"):
        assert f"git run {verb} " in said


def test_recipes_use_options_that_there_are() -> None:
    for script in scripts():
        for verb, words in re.findall(r"git run ([a-z]+) ([^|;&\n]*)", script):
            assert set(re.findall(r"(?<!\S)--[a-z]+", words)) <= {name.rstrip("=") for name in complete_words(verb).split()}


def test_recipes_put_nothing_of_a_pull_request_into_a_script() -> None:
    assert not [script for script in scripts() if "${{" in script]

"""The recipes for continuous integration of the guides read as YAML, and call what there is."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml
from keyboard import Terminal

from gitrun.commands.completion import complete_words

GUIDES = Path(__file__).parents[1] / "gitrun" / "share" / "guide"
TEXTS = "\n".join(GUIDES.joinpath(f"{name}.md").read_text("utf-8") for name in ("review", "sharing", "publishing", "tools"))
RECIPES = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```", TEXTS, flags=re.DOTALL | re.MULTILINE)]


def scripts() -> list[str]:
    jobs = [job for recipe in RECIPES if "jobs" in recipe for job in recipe["jobs"].values()]
    runs, pages = (recipe[name] for name in ("runs", "pages") for recipe in RECIPES if name in recipe)
    return [*(step["run"] for job in jobs for step in job["steps"] if "run" in step), *runs["script"], *pages["script"]]


def test_recipes_fetch_report_and_hold_against_something() -> None:
    said = "\n".join(scripts())
    for verb in ("fetch", "report", "verify", "check", "trust", "site"):
        assert f"git run {verb}" in said


def test_recipes_use_options_that_there_are() -> None:
    for script in scripts():
        for verb, words in re.findall(r"git run ([a-z]+) ([^|;&\n]*)", script):
            assert set(re.findall(r"(?<!\S)--[a-z]+", words)) <= {name.rstrip("=") for name in complete_words(verb).split()}


def test_recipes_put_nothing_of_a_pull_request_into_a_script() -> None:
    assert not [script for script in scripts() if "${{" in script]


def test_recipe_for_fzf_picks_a_run_and_shows_it(repo) -> None:
    if not shutil.which("fzf"):
        pytest.skip("fzf is not installed")
    (recipe,) = re.findall(r"^```sh\n(pick_run\(\).*?^\})", TEXTS, flags=re.DOTALL | re.MULTILINE)
    for label in ("first", "second"):
        repo.run("echo.py", f"z={label}", "--label", label, check=True)
    wanted = repo.run("list", "2", "--format", "%(id:short)", check=True).stdout.strip()
    with Terminal(repo, "bash", "--norc", "-c", f'{recipe}\nprintf "picked <%s>" "$(pick_run)"') as terminal:
        terminal.shows("2/2")
        terminal.type("first")
        terminal.shows("1/2")
        # the preview
        terminal.shows("operation")
        terminal.type("\r")
        terminal.shows(f"picked <{wanted}>")
        assert terminal.ends() == 0

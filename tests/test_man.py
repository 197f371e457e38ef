"""The man page names what there is, all of it and nothing else; `-h` is readable."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitrun.commands.verbs import LOOKING, VERBS
from gitrun.sharing.hook_files import DELETE_OPTION

if TYPE_CHECKING:
    from repository import Repo

PACKAGE = Path(__file__).parents[1] / "gitrun"
PAGE = PACKAGE / "share" / "git-run.1"
OPTION = re.compile(r"(?<![\w-])-{1,2}[a-z][\w-]*")


def section(name: str) -> str:
    """The text of a section of the page's source."""
    return re.split(r"^\.S[hH] ", PAGE.read_text(), flags=re.MULTILINE)[1:][titles().index(name)]


def titles() -> list[str]:
    return re.findall(r"^\.Sh (.*)$", PAGE.read_text(), flags=re.MULTILINE)


def described(text: str) -> set[str]:
    """The options that the source of a page names."""
    return {f"-{word}" for word in re.findall(r"(?:Fl|\|) (-?[a-z][\w-]*)", text)}


def described_verbs() -> dict[str, str]:
    """The text of each item of the section about verbs."""
    items = re.split(r"^\.It (?:Xo\n\.)?Ic ", section("VERBS"), flags=re.MULTILINE)[1:]
    return {re.split(r"\s", item, maxsplit=1)[0]: item for item in items}


def offered(help_text: str) -> set[str]:
    """The options that `-h` lists."""
    heads = re.findall(r"^  (-.*?)(?:   ?\S.*)?$", help_text.partition("Options:")[2], flags=re.MULTILINE)
    return {option for head in heads for option in OPTION.findall(head)}


def test_page_describes_every_verb_and_no_other() -> None:
    assert set(described_verbs()) == set(VERBS)


def test_page_describes_every_option_of_run_and_no_other(repo: Repo) -> None:
    shown = repo.run("-h")
    assert shown.returncode == 129
    items = re.findall(r"^\.It (Fl .*)$", section("OPTIONS"), flags=re.MULTILINE)
    assert described("\n".join(items)) - {"-h"} == offered(shown.stdout)


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"run"}))
def test_page_describes_every_option_of_a_verb_and_no_other(repo: Repo, verb: str) -> None:
    shown = repo.run(verb, "-h")
    assert shown.returncode == 129
    # `git run help` may name options of others; what all verbs take that show is described once
    common = {"--color", "--no-color"} if verb in LOOKING else set()
    filters = described(section("SELECTING RUNS")) if "--author" in shown.stdout else set()
    assert filters <= offered(shown.stdout)
    assert described(described_verbs()[verb]) - {"--help"} == offered(shown.stdout) - common - filters
    assert common <= described(section("VERBS").partition(".Bl")[0]) & offered(shown.stdout)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_help_of_a_verb_has_its_examples_a_line_each(repo: Repo, verb: str) -> None:
    shown = repo.run(verb, "-h").stdout
    assert "\\b" not in shown
    assert len(re.findall(r"^    git run ", shown, flags=re.MULTILINE)) == shown.count("  git run ") or verb == "help"


def test_page_describes_every_setting_and_no_other() -> None:
    sources = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    words = {word.lower() for word in re.findall(r"[\"']gitrun\.([a-zA-Z.]+)[\"']", sources)}
    modules = {path.stem for path in PACKAGE.iterdir()}
    # an option of git push, and tags that a server of MLflow is given, are no settings
    words -= {DELETE_OPTION.removeprefix("gitrun."), "id", "attempt"}
    read = {word for word in words if word.partition(".")[0] not in {*modules, "toml", "schema"}}  # files are no settings
    told = re.findall(r"^\.It Va gitrun\.([\w.]+)$", section("CONFIGURATION"), flags=re.MULTILINE)
    assert {name.lower() for name in told} == read
    assert "fsync" in read


def test_page_describes_every_variable_that_a_program_is_given(repo: Repo) -> None:
    given = repo.run("--", "env", check=True).stdout
    names = set(re.findall(r"^(GITRUN_\w+)=", given, flags=re.MULTILINE))
    assert names == set(re.findall(r"^\.It Ev (GITRUN_\w+)$", section("ENVIRONMENT"), flags=re.MULTILINE))


@pytest.mark.parametrize(
    "words",
    [
        ("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"),
        ("groff", "-ww", "-mandoc", "-Tutf8"),
        ("mandoc", "-Tlint", "-Wwarning"),
    ],
    ids=lambda words: words[0],
)
def test_formatters_have_nothing_to_say_about_the_page(words: tuple[str, ...]) -> None:
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    done = subprocess.run([*words, PAGE], capture_output=True, text=True, check=False)
    said = done.stderr + (done.stdout if words[0] == "mandoc" else "")
    # about the machine, not about the page: its index of pages is old or not there
    assert [line for line in said.splitlines() if "mandoc.db" not in line] == []


def test_every_quote_of_the_page_is_closed_where_it_ends() -> None:
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    words = ("man", "-E", "UTF-8", "-l", PAGE)
    env = {**os.environ, "MANWIDTH": "500", "MAN_KEEP_FORMATTING": "", "PAGER": "cat"}
    shown = subprocess.run(words, env=env, capture_output=True, text=True, check=True).stdout
    assert re.findall("\u2018[^\u2019]*\u2018|\u2019\u2019+", shown) == []
    assert '{"loss": 0.1, "step": 3}' in shown


def test_git_run_help_opens_the_page(repo: Repo) -> None:
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    env = {**os.environ, "PAGER": "cat", "GIT_PAGER": "cat", "MANPAGER": "cat"}
    for words in (("run", "--help"), ("run", "help", "git-run")):
        done = subprocess.run(["git", *words], cwd=repo.path, env=env, capture_output=True, text=True, check=False)
        assert done.stdout.startswith("GIT-RUN(1)"), done.stderr

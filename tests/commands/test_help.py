"""Help: the usage of every verb with 129, the man page of every verb, and what to do next."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from keyboard import Terminal

from gitrun.commands.help import SHARE
from gitrun.commands.verbs import GROUPS, TOPICS, VERBS
from gitrun.render.guide import render_terminal

PAGES = {"PAGER": "cat", "GIT_PAGER": "cat", "MANPAGER": "cat"}


@pytest.mark.parametrize("verb", VERBS)
def test_usage_of_a_verb_is_printed_with_129(repo, verb) -> None:
    ended = repo.run(verb, "-h")
    assert ended.returncode == 129
    assert ended.stdout.startswith(f"Usage: git run {'' if verb == 'run' else verb}".rstrip())
    assert ended.stderr == ""


def test_usage_needs_no_repository(tmp_path) -> None:
    ended = subprocess.run(["git", "run", "list", "-h"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (129, "")


def test_usage_lists_every_verb_with_words(repo) -> None:
    for shown in (repo.run("-h").stdout, repo.run("help", check=True).stdout):
        lines = re.findall(r"^ {2,4}([a-z-]+) {2,}(\S.*)$", shown, flags=re.MULTILINE)
        assert {name: words for name, words in lines if name in VERBS} == VERBS


def test_verbs_are_grouped_in_usage_and_overview(repo) -> None:
    for shown in (repo.run("-h").stdout, repo.run("help", check=True).stdout):
        lines = [line.strip() for line in shown.splitlines()]
        for heading, group in GROUPS.items():
            above = next(at for at, line in enumerate(lines) if line.rstrip(":").lower() == heading)
            assert [line.split()[0] for line in lines[above + 1 : above + 1 + len(group)]] == list(group)


def test_overview_lists_every_guide(repo) -> None:
    shown = repo.run("help", check=True).stdout.partition("git run help <topic>\n")[2]
    assert dict(line.split(None, 1) for line in shown.partition("\n\n")[0].splitlines()) == TOPICS


@pytest.mark.parametrize(
    "words", [("list", "--help"), ("show", "1", "--help"), ("--needed", "--help"), ("help", "git-run")], ids=" ".join
)
def test_help_of_any_verb_is_the_man_page(repo, words) -> None:
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    ended = repo.run(*words, env=PAGES)
    assert ended.stdout.startswith("GIT-RUN(1)"), ended.stderr


def test_help_of_a_script_is_its_flags(repo) -> None:
    repo.write("train.py", "lr = 0.1\nprint(lr)\n")
    for words in (("train.py", "--help"), ("-m", "train", "--help"), ("train.py", "lr=1", "--help")):
        assert "lr=0.1" in repo.run(*words, check=True).stdout


def test_man_page_opens_when_the_installer_has_hidden_it(repo, tmp_path) -> None:
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git-run").symlink_to(Path(sys.executable).parent / "git-run")
    path = f"{tmp_path}/bin:{os.environ['PATH'].partition(os.pathsep)[2]}"
    ended = repo.run("list", "--help", env={**PAGES, "PATH": path})
    assert ended.stdout.startswith("GIT-RUN(1)"), ended.stderr


def test_man_page_opens_where_man_does_not_find_it(repo, tmp_path) -> None:
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    ended = repo.run("help", "git-run", env={**PAGES, "MANPATH": str(tmp_path)})
    assert ended.stdout.startswith("GIT-RUN(1)"), ended.stderr


def test_without_man_it_is_said_where_the_page_is(repo, tmp_path) -> None:
    for name in ("git", "git-run", "readlink"):
        (tmp_path / name).symlink_to(Path(shutil.which(name) or ""))
    ended = repo.run("help", "git-run", env={"PATH": str(tmp_path)})
    assert (ended.returncode, ended.stdout) == (128, "")
    assert "share/git-run.1. To list the options: git run -h" in ended.stderr


def test_help_of_a_verb_by_name_is_its_usage(repo) -> None:
    assert repo.run("help", "list", check=True).stdout == repo.run("list", "-h").stdout
    ended = repo.run("help", "lst")
    assert (ended.returncode, ended.stdout) == (129, "")
    assert "no guide or verb 'lst'" in ended.stderr
    assert "list" in ended.stderr


def test_guide_is_printed_outside_a_repository_too(tmp_path) -> None:
    ended = subprocess.run(["git", "run", "help", "files"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == render_terminal((SHARE / "guide" / "files.md").read_text(), 80)


def test_guide_is_paged_and_its_headings_are_bold_on_a_terminal(repo) -> None:
    env = {**os.environ, "TERM": "xterm", "GIT_PAGER": "sed s/^/paged:/"}
    with Terminal(repo, "git", "run", "help", "files", env=env) as terminal:
        assert b"paged:\x1b[1mFiles\x1b[m" in terminal.shows("git run help settings")
        terminal.ends()


def test_guide_is_plain_where_colours_are_off(repo) -> None:
    repo.git("config", "color.ui", "false")
    with Terminal(repo, "git", "run", "help", "files", env={**os.environ, "TERM": "xterm", "GIT_PAGER": "cat"}) as terminal:
        assert b"\x1b" not in terminal.shows("git run help settings")
        terminal.ends()


def test_usage_behind_an_operation_is_that_of_the_operation(repo) -> None:
    assert repo.run("echo.py", "x=1", "-h", check=True).stdout == repo.run("ops", "echo.py", check=True).stdout
    assert repo.run("--label", "echo.py", "-h").stdout.startswith("Usage: git run ")
    assert "Did you mean list?" in repo.run("lsit", "-h").stderr


def test_help_behind_two_dashes_is_for_the_program(repo) -> None:
    assert repo.run("--", "printf", "%s", "--help", check=True).stdout == "--help"


def test_nothing_is_answered_with_what_to_do_next(repo) -> None:
    ended = repo.run()
    assert ended.returncode == 129
    first, here = ended.stderr.splitlines()
    assert "git run <script>" in first
    assert here == "Operations here: echo.py. To see their flags: git run ops"


def test_templates_are_printed_as_they_are(repo) -> None:
    for name in ("action.yml", "gitlab.yml"):
        assert repo.run("help", name, check=True).stdout == (SHARE / "ci" / name).read_text()

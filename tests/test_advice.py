"""What the man page advises for other git commands is true: runs out of sight, sections of TOML in sight."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess

import pytest
from keyboard import Terminal
from templates import made_once
from test_man import section


@pytest.fixture
def advice() -> str:
    """The section as it is read: without the marks of the page."""
    marks = {"\\-": "-", "\\(aq": "'", "\\e": "\\"}
    return re.sub(r"\\(?:-|\(aq|e)", lambda found: marks[found[0]], section("RUNS AND OTHER GIT COMMANDS"))


@pytest.fixture
@made_once
def two(repo):
    """A repository with a commit, a run, a deleted run, and notes about them."""
    for number in range(2):
        repo.run("echo.py", f"x={number}", check=True)
    repo.run("rm", "1", check=True)
    repo.run("notes", "--rebuild", check=True)
    return repo


def run_of(repo) -> str:
    return f"runs/{repo.run('select', check=True).stdout.strip()}"


def test_log_of_all_without_runs_is_that_of_the_branches(two, advice) -> None:
    asked = re.findall(r"git log (--.*)$", advice.replace("\\\n", ""), re.MULTILINE)[:2]
    assert len(two.git("log", "--format=%H", "--all").splitlines()) > 3
    for words in asked:
        assert two.git("log", "--format=%H", *shlex.split(words)) == two.git("rev-parse", "main")


def test_gitk_is_given_the_branches_and_no_run(two, advice) -> None:
    (words,) = re.findall(r"gitk \$\(git (.*)\)$", advice, re.MULTILINE)
    names = two.git(*shlex.split(words)).split()
    assert names == ["refs/heads/main"]
    assert two.git("log", "--format=%H", *names) == two.git("rev-parse", "main")


def test_tig_shows_the_branches_and_no_run(two, advice) -> None:
    if shutil.which("tig") is None:
        pytest.skip("tig is not installed")
    words = re.findall(r"git log (--.*)$", advice.replace("\\\n", ""), re.MULTILINE)[1]
    with Terminal(two, "tig", *shlex.split(words), env={**os.environ, "TERM": "xterm"}) as terminal:
        assert b"[main] echo" in terminal.shows("commit 1 of 1")
        terminal.type("q")
        terminal.ends()


def test_names_of_runs_are_kept_out_of_decorations(two, advice) -> None:
    run = run_of(two)
    words = ("-c", "log.initialDecorationSet=all", "log", "--decorate=full", "-1", run)
    assert f"refs/{run}" in two.git(*words)
    two.git(*re.findall(r"git (config log.*)$", advice, re.MULTILINE)[0].split())
    assert f"refs/{run}" not in two.git(*words)


def test_changes_of_parameters_name_their_section(two, advice) -> None:
    for line in re.findall(r"^\$ (git config diff.*|echo .*)$", advice, re.MULTILINE):
        subprocess.run(["sh", "-c", line], cwd=two.path, check=True)
    run = run_of(two)
    two.run("--restart", "1", "--random-seed", "7", check=True)
    changed = two.git("diff", "-U0", f"{run}^^2", run, "--", ".gitrun/run.toml")
    assert re.search(r"^@@ .* @@ \[params\]$", changed, re.MULTILINE)


def test_log_shows_the_outcome_beside_a_commit(two, advice) -> None:
    assert "git log --notes=runs" in advice.replace("Ql ", "")
    assert "completed" in two.git("log", "--notes=runs", "-1", f"{run_of(two)}~1")


def test_diff_of_runs_obeys_the_diff_drivers_of_the_repository(two, advice) -> None:
    assert "git run diff" in advice.replace("Ic ", "")
    two.git("config", "diff.loud.textconv", "sed s/print/PRINT/")
    (two.path / ".git/info/attributes").write_text("*.py diff=loud\n")
    two.write("echo.py", "print('other')\n")
    two.run("echo.py", check=True)
    assert "+PRINT('other')" in two.run("diff", "2", "1", check=True).stdout

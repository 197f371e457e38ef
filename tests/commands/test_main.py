"""The first lines of the command line: versions, verbs, and what is answered outside a repository."""

from __future__ import annotations

import subprocess
import unicodedata
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
from called_here import call
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repository import Repo

if TYPE_CHECKING:
    from pathlib import Path


def test_version_is_that_of_the_package(repo) -> None:
    told = repo.run("--version", check=True)
    assert (told.stdout, told.stderr) == (f"gitrun {version('git-run-tracker')}\n", "")


def test_outside_of_a_repository_somebody_is_told_how_to_make_one(repo, tmp_path) -> None:
    told = repo.run("echo.py", cwd=tmp_path)
    assert told.returncode == 128
    assert "git init" in told.stderr


def test_inside_gits_own_directory_runs_are_shown_and_none_is_started(repo) -> None:
    repo.run("echo.py", "x=2", check=True)
    listed = repo.run("list", check=True).stdout
    repo.git("worktree", "add", "--quiet", "--detach", repo.path.parent / "other")
    for place in (".git", ".git/hooks", ".git/worktrees/other"):
        git_dir = Repo(repo.path / place)
        assert git_dir.run("list", check=True).stdout == listed
        assert git_dir.run("show", "1", "--json", check=True).stdout == repo.run("show", "1", "--json", check=True).stdout
        for words in (["echo.py"], ["--restart", "1"], ["checkout", "1"], ["ops"], ["-n", "echo.py"]):
            ended = git_dir.run(*words)
            hint = "To go on: change to the working tree"
            assert ended.stderr == f"gitrun: error: this is git's own directory, not a working tree. {hint}\n"
    assert repo.run("list", check=True).stdout == listed


def test_repository_of_another_owner_is_told_what_git_advises(repo) -> None:
    told = repo.run("list", env={"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"})
    assert told.returncode == 128
    assert told.stderr.endswith(f". Try: git config --global --add safe.directory {repo.path}\n"), told.stderr


VERBS = ["list", "show", "log", "cat", "select", "mark", "stop", "watch", "checkout", "run", ""]


WORDS = [
    "--json", "--all", "-p", "--output", "--flags", "--sourcecode", "--clear", "--no-wait", "-n", "--restart", "--start",
    "--needed", "--stage", "--clean", "--label", "--tag", "--comment", "--gpus", "--no-gpus", "--random-seed", "--link",
    "--force-flags", "--no-link", "--stop-after", "--needed-source", "--force-sourcecode", "--optimizer", "--in-place",
    "--background", "-y", "-h", "1", "2", "0", "-1", "9" * 50, "echo.py", "echo.py/", "d", "..", ".", "/", "./list", "abcd",
    "runs/abcd", "refs/runs/", "x=1", "x=", "x=[", "=", "==", "z='", "x=null", "x=[[1]*9]*9", "", "-", "---", "--=", "\n",
    "a\tb.py", "\x1b[31m", "\udcff", "\u202e", "HEAD", "1h", "nan", "HEAD:echo.py", "-pq",
]  # fmt: skip


TYPED = st.one_of(st.sampled_from(WORDS), st.text(st.characters(exclude_characters="\0", exclude_categories=()), max_size=6))


def is_safe(text: str) -> bool:
    """Whether a terminal would show it and obey none of it."""
    return not {unicodedata.category(char) for char in text if char != "\n"} & {"Cc", "Cf", "Cs"}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(verb=st.sampled_from(VERBS), words=st.lists(TYPED, max_size=5))
def test_whatever_is_typed_is_answered_by_one_line(verb, words, typed_at) -> None:
    # a run that really starts is not what is asked about here
    asked = [verb, *words] if verb not in {"", "run"} else [*filter(None, [verb]), "--dry-run", *words]
    code, said = call(*asked)
    assert code in {0, 1, 128, 129}, said
    assert is_safe(said)
    most = 3 if "no operation given" in said else 1  # then it is also said what there is
    assert code not in {128, 129} or said.count("\n") <= most, said


@pytest.fixture
def typed_at(repo, monkeypatch) -> Path:
    """A repository with a run, where we are."""
    repo.write("d/a", "")
    repo.run("echo.py", check=True)
    monkeypatch.chdir(repo.path)
    return repo.path


@pytest.mark.parametrize("words", [["list"], ["echo.py"], ["show"], ["--restart", "1"]])
def test_without_a_repository_there_is_one_line(tmp_path, words) -> None:
    ended = subprocess.run(["git-run", *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (128, "", 1)
    assert ended.stderr.startswith("gitrun: error: not a git repository")

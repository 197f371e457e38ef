"""What people type in their first minute, and what they are told."""

from __future__ import annotations

import re
from importlib.metadata import version


def test_version_is_that_of_the_package(repo) -> None:
    told = repo.run("--version", check=True)
    assert (told.stdout, told.stderr) == (f"gitrun {version('git-run-tracker')}\n", "")


def test_interpreter_in_front_of_a_script_is_told_how_a_command_is_run(repo) -> None:
    told = repo.run("python", "echo.py")
    assert told.returncode == 129
    assert "git run -- python echo.py" in told.stderr
    assert repo.run("--", "python", "echo.py", check=True).stdout == "1.0 2 'a'\n"


def test_misspelled_option_is_told_the_right_one_in_a_sentence(repo) -> None:
    told = repo.run("demo", "--kep")
    assert told.returncode == 129
    assert re.search(r"Did you mean '?--keep'?\? git run demo -h shows the options$", told.stderr), told.stderr


def test_outside_of_a_repository_somebody_is_told_how_to_make_one(repo, tmp_path) -> None:
    told = repo.run("echo.py", cwd=tmp_path)
    assert told.returncode == 128
    assert "git init" in told.stderr


def test_every_verb_says_that_there_are_no_runs_yet(repo) -> None:
    assert "no runs here yet; git run <script> makes one" in repo.run("list", check=True).stderr
    for verb in ("show", "log", "cat", "select", "watch", "mark", "checkout"):
        told = repo.run(verb)
        assert (told.returncode, told.stdout) == (128, ""), verb
        assert "there are none yet" in told.stderr, verb

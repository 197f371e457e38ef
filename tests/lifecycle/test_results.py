"""What a program left is collected, and what is unusual is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from repository import Repo


ENTRY = """
[operations.draw]
script = "draw.py"
outputs = ["plots", "*.pt", "report/*.html", "kept.txt"]
"""


@pytest.mark.parametrize(
    ("program", "missing"),
    [
        ("pass", "plots, *.pt, report/*.html"),
        ("import os; os.mkdir('plots'); open('plots/a', 'w'); open('m.pt', 'w')", "report/*.html"),
        ("import os; os.makedirs('report/x'); open('report/x/a.html', 'w')", "plots, *.pt"),
    ],
)
def test_outputs_that_match_no_file_are_named(repo, program, missing):
    repo.write("gitrun.toml", ENTRY)
    repo.write("kept.txt", "is there already")
    repo.write(".gitignore", "plots/\n*.pt\n")
    repo.write("draw.py", program + "\n")
    repo.commit()
    said = repo.run("draw", check=True).stderr
    assert f"gitrun: warning: the program wrote no file for these outputs: {missing}\n" in said


def test_outputs_of_a_program_that_fails_are_not_asked_for(repo):
    repo.write("gitrun.toml", ENTRY)
    repo.write("draw.py", "1 / 0\n")
    assert "these outputs" not in repo.run("draw").stderr
    assert "these outputs: *.csv" in repo.run("--output", "*.csv", "--", "true", check=True).stderr


def ignore(repo: Repo, *patterns: str) -> None:
    repo.write(".gitignore", "".join(f"{pattern}\n" for pattern in patterns))
    repo.commit()


def test_a_download_into_an_ignored_directory_is_answered_once(empty_repo):
    repo = empty_repo
    ignore(repo, "data/")
    script = ("--", "sh", "-c", "mkdir -p data; head -c 11000000 /dev/zero > data/set.bin")
    line = "To share it between runs: git config --add gitrun.link data"
    assert repo.run(*script, check=True).stderr.count(line) == 1
    assert line not in repo.run(*script, check=True).stderr

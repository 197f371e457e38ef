"""Runs are started: at once, staged, and with annotations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from supervised import runs

if TYPE_CHECKING:
    from repository import Repo


def last_of(repo) -> dict:
    return json.loads(repo.run("show", "--json", check=True).stdout)["attempts"][-1]


def test_staged_run_waits_and_is_started(repo) -> None:
    ended = repo.run("--stage", "echo.py", "x=9")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert " is staged. To start it: git run --start " in ended.stderr
    assert last_of(repo)["status"] == "staged"
    assert repo.run("--start", "1", "--needed").stdout == "9 2 'a'\n"
    assert last_of(repo)["status"] == "completed"


def test_label_tags_and_comment_are_given_at_launch(repo) -> None:
    repo.run("echo.py", "--label", "best", "--tag", "b", "--tag", "a", "--comment", "why not", check=True)
    run = json.loads(repo.run("show", "--json", "best").stdout)
    assert (run["label"], run["tags"], [c["text"] for c in run["comments"]]) == ("best", ["a", "b"], ["why not"])


PREPARE = """\
n = 3
import os
os.makedirs('data', exist_ok=True)
open('data/a.txt', 'w').write('x' * n)
open('data/b.bin', 'w').write('b')
"""


TRAIN = "lr = 1\nprint(open('data/a.txt').read())\n"


PROJECT = """
[operations.prepare]
script = "prepare.py"
[operations.train]
script = "train.py"
needs = { prepare = "data/*.txt" }
"""


@pytest.fixture
def two(repo: Repo) -> Repo:
    """A repository with an operation that needs files of another."""
    repo.write("gitrun.toml", PROJECT)
    repo.write("prepare.py", PREPARE)
    repo.write("train.py", TRAIN)
    repo.commit()
    return repo


def refused(repo: Repo, *words: str) -> str:
    """Why a start is refused, which must leave no run."""
    before = len(runs(repo))
    done = repo.run(*words)
    assert (done.returncode in {128, 129}, done.stdout, len(runs(repo))) == (True, "", before), done.stderr
    return done.stderr.removeprefix("gitrun: error: ").removesuffix("\n")


def test_in_place_is_refused_where_files_would_be_put_into_the_working_tree(two) -> None:
    two.run("prepare", check=True)
    assert refused(two, "--in-place", "train").startswith("--in-place would put files that train needs into your working tree")
    two.write("gitrun.toml", '[operations.a]\nscript = "train.py"\nflags-to = "file:c.toml"\n')
    two.write("c.toml", "lr = 1\n")
    assert refused(two, "--in-place", "a", "lr=2").startswith("--in-place would change your file with the flags of a")


def ignore(repo: Repo, *patterns: str) -> None:
    repo.write(".gitignore", "".join(f"{pattern}\n" for pattern in patterns))
    repo.commit()


def test_a_shared_directory_is_made_and_shared(empty_repo):
    repo = empty_repo
    ignore(repo, "data/")
    repo.git("config", "--add", "gitrun.link", "data")
    repo.run("--", "sh", "-c", "echo 1 > data/db", check=True)
    assert (repo.path / "data" / "db").read_text() == "1\n"
    assert repo.run("--", "cat", "data/db", check=True).stdout == "1\n"

"""A branch with runs to report."""

from __future__ import annotations

import pytest
from evil_texts import TRAIN
from templates import made_once


@pytest.fixture
@made_once
def topic(repo):
    """main with a run, and a branch of two commits: one with a run that came before it and one that failed."""
    repo.write("train.py", TRAIN)
    repo.commit("start")
    repo.run("train.py", check=True)
    repo.git("checkout", "-q", "-b", "topic")
    repo.write("train.py", TRAIN.replace("0.1", "0.2"))
    repo.run("train.py", check=True)
    repo.commit("faster")
    repo.run("--", "sh", "-c", "echo no; exit 3")
    repo.commit("nothing")
    return repo

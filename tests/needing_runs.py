"""A repository with an operation that needs files of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from supervised import runs
from templates import made_once

if TYPE_CHECKING:
    from repository import Repo

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
@made_once
def needing(repo: Repo) -> Repo:
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

"""A repository with a pipeline of three steps, and what its runs record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import tomli
from supervised import runs
from templates import made_once

if TYPE_CHECKING:
    from repository import Repo

PREPARE = "n = 3\nopen('data.txt', 'w').write('x' * n)\nprint('prepared', n)\n"


TRAIN = "lr = 0.1\nn = 0\nprint('trained', lr, open('data.txt').read())\nopen('model.txt', 'w').write(str(lr))\n"


PROJECT = """
[operations.prepare]
script = "prepare.py"
[operations.train]
script = "train.py"
needs = { prepare = "data.txt" }
[operations.all]
description = "All of it"
steps = ["prepare", { run = "train", flags = { lr = 0.5 } }, "report.sh"]
"""


@pytest.fixture
@made_once
def piped(repo: Repo) -> Repo:
    """A repository with a pipeline of three steps."""
    repo.write("gitrun.toml", PROJECT)
    repo.write("prepare.py", PREPARE)
    repo.write("train.py", TRAIN)
    repo.write("report.sh", "echo reported\n")
    repo.commit()
    return repo


def record(repo: Repo, run: str, name: str = "result.toml") -> dict[str, Any]:
    """What a file of the record of a run, or of the newest of an operation, says."""
    known = by_operation(repo)
    return tomli.loads(repo.git("show", f"runs/{known[run]['id'] if run in known else run}:.gitrun/{name}"))


def by_operation(repo: Repo) -> dict[str, dict[str, Any]]:
    """The newest run of each operation."""
    return {run["operation"]: run for run in reversed(runs(repo))}

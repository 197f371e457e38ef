"""A repository with operations to offer: a script with options, and a project file for it."""

from __future__ import annotations

import pytest
from templates import made_once

TRAIN = """\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1, help="learning rate")
parser.add_argument("--opt", choices=["adam", "sgd"], default="adam")
if __name__ == "__main__":
    print(parser.parse_args())
"""


PROJECT = """
[operations.train]
description = "Train it"
script = "train.py"
[operations.train.flags]
lr = { min = 0, max = 1 }
seed = { required = true, default = 7, help = "of all" }
[operations.all]
steps = ["train.py", "echo.py"]
"""


@pytest.fixture
@made_once
def trained(repo):
    repo.write("train.py", TRAIN)
    repo.write("setup.py", "x = 1\n")
    repo.commit()
    return repo

"""A program whose outcome is chance."""

from __future__ import annotations

import pytest

CHANCE = """\
import os, time
print("loss:", float(os.environ.get("LOSS", "0.5")))
print(time.time_ns())
open("out/stamp.txt", "w").write("x" + os.environ.get("LOSS", ""))
"""


@pytest.fixture
def by_chance(repo):
    repo.write("chance.py", CHANCE)
    repo.write("out/.keep", "")
    repo.commit()
    repo.run("chance.py", check=True)
    return repo

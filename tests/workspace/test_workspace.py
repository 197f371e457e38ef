"""The directory in which a program runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from litter import slot

if TYPE_CHECKING:
    from repository import Repo


@pytest.fixture
def repo(looking: Repo) -> Repo:
    return looking


def test_git_in_a_slot_sees_the_attempt_and_a_clean_tree(repo):
    words = (
        "git rev-parse HEAD; echo $GITRUN_ATTEMPT; git status --porcelain; git rev-parse --show-toplevel; pwd; git branch -q x"
    )
    seen = repo.run("--", "bash", "-ec", words, check=True).stdout.split()
    assert seen[0] == seen[1]
    assert seen[2] == seen[3] == str(slot(repo))
    assert repo.git("rev-parse", "x") == seen[0]

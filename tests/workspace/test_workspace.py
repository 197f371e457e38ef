"""The directory in which a program runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from repository import Repo

# what a program sees of its place: every path but those of git and of the record, and what the tracked file holds
LOOK = """\
import os
found = []
for top, directories, files in os.walk("."):
    directories[:] = [name for name in directories if name not in {".git", ".gitrun"}]
    found += [os.path.relpath(os.path.join(top, name)) for name in (*directories, *files) if name != ".git"]
print(sorted(found), repr(open("d/f").read()))
"""


@pytest.fixture
def repo(empty_repo: Repo) -> Repo:
    empty_repo.write("d/f", "1")
    empty_repo.write("look.py", LOOK)
    empty_repo.write(".gitignore", "*.log\n")
    empty_repo.commit()
    return empty_repo


def slot(repo: Repo, number: int = 0) -> Path:
    """The worktree of a slot."""
    return repo.path / ".git" / "gitrun" / "slots" / str(number) / "tree" / repo.path.parent.name / repo.path.name


def test_git_in_a_slot_sees_the_attempt_and_a_clean_tree(repo):
    words = (
        "git rev-parse HEAD; echo $GITRUN_ATTEMPT; git status --porcelain; git rev-parse --show-toplevel; pwd; git branch -q x"
    )
    seen = repo.run("--", "bash", "-ec", words, check=True).stdout.split()
    assert seen[0] == seen[1]
    assert seen[2] == seen[3] == str(slot(repo))
    assert repo.git("rev-parse", "x") == seen[0]

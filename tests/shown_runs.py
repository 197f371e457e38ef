"""Two runs for tests of what `git run show` prints."""

from __future__ import annotations

import pytest
from templates import made_once


@pytest.fixture
@made_once
def shown_run(repo):
    """A repository with two runs, of which the newer one was made from a changed working tree."""
    repo.run("echo.py", check=True)
    repo.write("gone.txt", "")
    repo.commit("Something with\x1b[31m colour")
    (repo.path / "gone.txt").unlink()
    repo.write("echo.py", "x = 2\nopen('out.txt', 'w').write('12')\n")
    repo.write("new.txt", "n\n")
    repo.run("echo.py", "--label", "it", "--comment", "well", check=True)
    return repo


def labelled_lines(text: str) -> dict[str, str]:
    return {name: rest.strip() for name, _, rest in (line.partition(":") for line in text.splitlines())}

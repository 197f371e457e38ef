"""Files of a result that stay on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

    from repository import Repo


MIB = 1 << 20


def script(repo: Repo, text: str, *words: str, **more) -> subprocess.CompletedProcess[str]:
    """A run of `job.py` with this text."""
    repo.write("job.py", text)
    return repo.run(*words, "job.py", check=True, **more)


def shown(repo: Repo) -> dict:
    return json.loads(repo.run("show", "--json", check=True).stdout)


def test_long_output_is_cut_and_kept_whole(repo):
    ended = script(repo, "import sys\nsys.stdout.write('a' * (6 << 20) + 'b' * (6 << 20))\n")
    assert len(ended.stdout) == 12 * MIB
    cut = repo.git("cat-file", "blob", f"refs/runs/{shown(repo)['id']}:.gitrun/output")
    first, between, last = cut.split("\n")
    assert (first, last) == ("a" * (5 * MIB), "b" * (5 * MIB))
    assert str(2 * MIB) in between
    assert repo.run("cat").stdout == ended.stdout

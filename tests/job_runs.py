"""Runs of a program that a test writes, and what is recorded of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

    from repository import Repo


def script(repo: Repo, text: str, *words: str, **more) -> subprocess.CompletedProcess[str]:
    """A run of `job.py` with this text."""
    repo.write("job.py", text)
    return repo.run(*words, "job.py", check=True, **more)


def shown(repo: Repo) -> dict:
    return json.loads(repo.run("show", "--json", check=True).stdout)

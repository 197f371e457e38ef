"""What git run prints on a terminal that shows colours."""

from __future__ import annotations

import os

import pytest
from keyboard import Terminal
from templates import made_once

SHOWN = {"GIT_PAGER": "cat", "TERM": "xterm"}


@pytest.fixture
@made_once
def coloured_run(repo):
    """A repository with a run."""
    repo.run("echo.py", check=True)
    return repo


def on_terminal(repo, *words, **env) -> str:
    with Terminal(repo, "git", *words, env={**os.environ, **SHOWN, **env}) as terminal:
        terminal.ends()
        return terminal.seen.decode()

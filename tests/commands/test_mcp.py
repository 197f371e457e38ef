"""git run mcp: who may call it."""

from __future__ import annotations

import sys

from keyboard import Terminal
from supervised import ended


def test_missing_package_is_named(repo) -> None:
    program = (
        "import sys, importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'mcp' else find(name, *a)\n"
        "from gitrun.commands.main import run_command\nsys.exit(run_command(['mcp']))"
    )
    done = ended(repo, sys.executable, "-c", program)
    assert (done.returncode, done.stderr) == (
        128,
        "gitrun: error: git run mcp needs mcp. To install it: pip install 'git-run-tracker[mcp]'\n",
    )


def test_person_at_a_terminal_is_told_how_to_set_it_up(repo) -> None:
    with Terminal(repo, "git", "run", "mcp") as terminal:
        terminal.shows("git run mcp talks to a program, not to a person. To set it up: git run help agents")
        assert terminal.ends() == 129

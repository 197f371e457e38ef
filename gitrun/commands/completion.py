"""Completion of verbs and options. Imports nothing slow.

The options are read from a shipped file, because asking the verbs would import click.
"""

from __future__ import annotations

import os

from gitrun.commands.main import VERBS

OPTIONS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "share", "completion", "options")  # noqa: PTH118, PTH120


def offered_here(words: list[str]) -> str:
    """Returns operations, or the flags of the operation in `words`, as lines; empty if it is unknown."""
    from pathlib import Path

    from gitrun.errors import GitrunError
    from gitrun.git.exe import open_repository
    from gitrun.source.catalog import completions

    try:
        found = list(completions(open_repository(Path.cwd(), os.environ), words[0] if words else None))
    except (GitrunError, OSError):
        return ""
    return "\n".join(line for line in found if line.isprintable())


def offered(verb: str) -> str:
    """Returns the words that may follow the verb, like `git <command> --git-completion-helper`; for `run` also verbs."""
    with open(OPTIONS, encoding="ascii") as file:  # noqa: PTH123 - pathlib takes as long to import as all else here
        known = dict(line.rstrip("\n").split(" ", 1) for line in file if " " in line)
    words = known.get(verb, "").strip()
    return " ".join([*VERBS, words]) if verb == "run" else words

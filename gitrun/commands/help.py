"""`git run help`, and `--help` behind any verb: the man page."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import click

from gitrun.git.exe import become

PAGE = Path(__file__).parents[1] / "share" / "git-run.1"


@click.command(add_help_option=False)
def command() -> None:
    """Opens the man page, as `git run --help` does."""
    # man looks beside the directories of PATH; an installer that gives each tool a place of its own hides the page from it
    places = (Path(found).parent.parent / "share/man/man1" for found in [shutil.which("git-run")] if found)
    if any((place / PAGE.name).exists() for place in places) or shutil.which("man") is None:
        become("help", "run")
    viewer = f"man {shlex.quote(str(PAGE))} #"
    become("-c", "help.format=man", "-c", "man.viewer=gitrun", "-c", f"man.gitrun.cmd={viewer}", "help", "run")

"""`git run help`, and `--help` behind any verb: the man page; `git run help <verb>`: what `git run <verb> -h` prints."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

import click

from gitrun.commands.main import VERBS, command_of, print_help
from gitrun.errors import CannotRun, UsageError
from gitrun.git.exe import exec_git
from gitrun.process.run import capture_output

PAGE = Path(__file__).parents[1] / "share" / "git-run.1"


@click.command(add_help_option=False)
@click.argument("verb", required=False)
def command(verb: str | None) -> None:
    r"""Opens the man page, as `git run --help` does, or prints the usage of a verb.

    \b
      git run help
      git run help list
    """
    if verb is not None:
        if verb not in VERBS:
            raise UsageError(f"there is no verb '{verb}'", "git run -h lists the verbs; git run ops shows what can be run")
        print_help(verb, command_of(verb))
        return
    if shutil.which("man") is None:
        raise CannotRun("there is no man here to show the page", f"it is {PAGE}; git run -h shows the options")
    if is_found():
        exec_git("help", "run")
    viewer = f"man {shlex.quote(str(PAGE))} #"
    exec_git("-c", "help.format=man", "-c", "man.viewer=gitrun", "-c", f"man.gitrun.cmd={viewer}", "help", "run")


def is_found() -> bool:
    """Returns whether man finds our page. Installers such as pipx, or MANPATH, can hide it."""
    try:
        return bool(capture_output(("man", "-w", "git-run"), os.environ, Path()).strip())
    except CannotRun:
        return False

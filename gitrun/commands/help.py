"""`git run help`: lists verbs and guides, prints a guide or the usage of a verb, or opens the man page."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from contextlib import nullcontext
from difflib import get_close_matches
from pathlib import Path

import click

from gitrun.commands import declared
from gitrun.commands.screen import is_on, open_pager
from gitrun.commands.verbs import GROUPS, MANUAL, TOPICS, VERBS, format_names, load_command, print_help
from gitrun.errors import CannotRun, MissingPackage, UsageError
from gitrun.git.exe import exec_git, read_settings
from gitrun.process.run import capture_output
from gitrun.render.guide import render_terminal
from gitrun.render.palette import PLAIN, SLOTS, Palette

SHARE = Path(__file__).parents[1] / "share"
PAGE = SHARE / "git-run.1"
TEMPLATES = ("action.yml", "gitlab.yml")
"""Files for continuous integration, which are printed as they are."""
WIDEST = 100
"""Columns of a guide on a wide terminal; longer lines are hard to read."""


@declared.command(add_help_option=False)
@declared.argument("topic", required=False)
def command(topic: str | None) -> None:
    r"""Lists verbs and guides, or shows a guide, the usage of a verb, or the man page (`git-run`).

    Also prints the templates for continuous integration: action.yml for GitHub, gitlab.yml for GitLab.

    \b
      git run help
      git run help flags
      git run help list
      git run help action.yml > .github/actions/gitrun/action.yml
    """
    if topic is None:
        click.echo(list_topics())
    elif topic in VERBS:
        print_help(topic, load_command(topic))
    elif topic in TOPICS:
        show_guide(topic)
    elif topic in TEMPLATES:
        sys.stdout.write((SHARE / "ci" / topic).read_text("utf-8"))
    elif topic == MANUAL:
        open_manual()
    else:
        near = get_close_matches(topic, [*TOPICS, *VERBS], 1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise UsageError(f"no guide or verb '{topic}'", f"{hint}To list them: git run help")


def list_topics() -> str:
    """Returns all verbs in their groups, and the guides."""
    parts = [f"{heading}\n{format_names(group)}" for heading, group in GROUPS.items()]
    parts.append(f"guides: git run help <topic>\n{format_names(TOPICS, max(map(len, TOPICS)))}")
    return "\n\n".join([*parts, "Options: git run -h. The manual with every option and setting: git run help git-run"])


def show_guide(topic: str) -> None:
    """Prints a guide for the terminal, through the user's pager."""
    # the guides are UTF-8, whatever the locale is
    text = (SHARE / "guide" / f"{topic}.md").read_text("utf-8")
    with open_pager() if sys.stdout.isatty() else nullcontext():
        # outside a repository too, where only the user's settings apply
        is_coloured = is_on(read_settings(os.environ, Path.cwd()))
        palette = Palette({"heading": f"\x1b[{SLOTS['heading']}m"}) if is_coloured else PLAIN
        sys.stdout.write(render_terminal(text, min(shutil.get_terminal_size().columns, WIDEST), palette))


def open_manual() -> None:
    """Becomes man with the page of `git run`."""
    if shutil.which("man") is None:
        raise MissingPackage("'man' is not installed", f"To read the page: {PAGE}. To list the options: git run -h")
    # git's own way, with the viewer and format that the user has set (help.format, man.viewer)
    if is_found():
        exec_git("help", "run")
    # git appends the name of the page to the viewer's command; behind the # the shell ignores it
    viewer = f"man {shlex.quote(str(PAGE))} #"
    exec_git("-c", "help.format=man", "-c", "man.viewer=gitrun", "-c", f"man.gitrun.cmd={viewer}", "help", "run")


def is_found() -> bool:
    """Returns whether man finds our page. Installers such as pipx, or MANPATH, can hide it."""
    try:
        return bool(capture_output(("man", "-w", "git-run"), os.environ, Path()).strip())
    except CannotRun:
        return False

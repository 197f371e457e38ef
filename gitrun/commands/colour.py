"""Colours by git's rules: `--color`, `color.run`, `color.ui`, NO_COLOR, TERM=dumb, and `color.run.<slot>`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from gitrun.commands.pager import is_for_person
from gitrun.errors import UsageError
from gitrun.model.settings import truth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitrun.git.exe import Git

SLOTS = {
    "id": "33", "completed": "32", "error": "31", "terminated": "35", "running": "36", "staged": "34", "pending": "34",
    "unreadable": "1;31", "heading": "1",
}  # fmt: skip
"""Default colour (SGR code) of each slot."""
ASKED = "--color"
WHEN = ("always", "never", "auto")
RESET = "\x1b[m"


class Cell(str):
    """A text with a colour. Its length is that of the text, so that tables align."""

    __slots__ = ("code",)
    code: str

    def painted(self, text: str) -> str:
        """Returns `text` (this one, padded or cut) in the colour."""
        return f"{self.code}{text}{RESET}"


@dataclass(frozen=True, slots=True)
class Palette:
    """The escape sequences of all slots; empty without colours."""

    codes: Mapping[str, str]

    def cell(self, slot: str, text: str) -> str:
        """Returns the text as a table cell in the colour of the slot."""
        if not self.codes.get(slot) or not text:
            return text
        found = Cell(text)
        found.code = self.codes[slot]
        return found

    def paint(self, slot: str, text: str) -> str:
        """Returns the text with escape sequences in the colour of the slot."""
        cell = self.cell(slot, text)
        return cell.painted(text) if isinstance(cell, Cell) else text


PLAIN = Palette({})


def palette(git: Git) -> Palette:
    """Returns the colours for stdout. Raises UsageError for a colour that git does not know."""
    if not is_on(git.config):
        return PLAIN
    return Palette({slot: read_colour(git, slot, default) for slot, default in SLOTS.items()})


def read_colour(git: Git, slot: str, default: str) -> str:
    """Returns the escape sequence of a slot. Starts git only if the user configured it. Raises UsageError."""
    name = f"color.run.{slot}"
    if name not in git.config:
        return f"\x1b[{default}m"
    done = git.attempt("config", "--get-color", name)
    if done.returncode:
        raise UsageError(f"setting {name} takes a colour such as 'bold red', not '{git.config[name][-1]}'")
    return done.stdout.decode()


def named(git: Git, name: str) -> str:
    """Returns the escape sequence of a colour such as `bold red`; empty without colours. Raises UsageError."""
    done = git.attempt("config", "--get-color", "", name)
    if done.returncode or name.startswith("-"):
        raise UsageError(f"there is no colour '{name}'", "%(color:<colour>) takes what git config does: red, bold blue, reset")
    return done.stdout.decode() if is_on(git.config) else ""


def is_on(config: Mapping[str, tuple[str, ...]]) -> bool:
    """Returns whether stdout is coloured. Raises UsageError for a malformed setting."""
    # the callback of `--color` puts its value there
    context = click.get_current_context(silent=True)
    when: str | None = context.meta.get(ASKED) if context else None
    for name in ("color.run", "color.ui"):
        if when is None and name in config:
            text = config[name][-1].lower()
            when = text if text in WHEN else "auto" if truth(config, name, default=True) else "never"
    if when in {"always", "never"}:
        return when == "always"
    if os.environ.get("TERM", "dumb") == "dumb" or os.environ.get("NO_COLOR"):
        return False
    return is_for_person() and (not os.environ.get("GIT_PAGER_IN_USE") or truth(config, "color.pager", default=True))


def options() -> tuple[click.Option, click.Option]:
    """Returns the options `--color[=<when>]` and `--no-color` of verbs that show runs."""

    def ask(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        if value:
            context.meta[ASKED] = value

    return (
        click.Option(
            ["--color"], is_flag=False, flag_value="always", type=click.Choice(WHEN), metavar="[=WHEN]", callback=ask,
            expose_value=False, help="Colour: always, never or auto.",
        ),
        click.Option(
            ["--no-color", "colourless"], flag_value="never", callback=ask, expose_value=False, help="As --color=never.",
        ),
    )  # fmt: skip

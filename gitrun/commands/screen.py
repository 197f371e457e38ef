"""Pages output by git's rules: `git var GIT_PAGER` names the pager; git itself handles `git -p` and `pager.run`."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path

from gitrun import git, process, render
from gitrun.commands import declared
from gitrun.errors import BadSetting, BadValue
from gitrun.lazy import shutil
from gitrun.model.settings import get_bool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    import click

    from gitrun.model.batch_events import BatchEvent
    from gitrun.project import Project
    from gitrun.render.palette import Palette
    from gitrun.render.text import Shape


WHEN = ("always", "never", "auto")


IN_USE = "GIT_PAGER_IN_USE"
MANNERS = {"LESS": "FRX", "LV": "-c"}
"""Default options that git gives pagers: quit if one screen suffices, keep colours, leave the text."""


@contextmanager
def open_pager() -> Iterator[None]:
    """Sends stdout through the user's pager, if there is one, until the end of the `with`. Waits for the pager."""
    # git weighs GIT_PAGER, core.pager, PAGER and its built-in pager
    pager = os.fsdecode(git.exe.run_git(("var", "GIT_PAGER"), os.environ, Path.cwd()).stdout).strip()
    # to git too, these two mean no pager
    if pager in {"", "cat"}:
        yield
        return
    os.environ["COLUMNS"] = str(shutil.get_terminal_size().columns)  # programs behind a pipe cannot ask the terminal
    sys.stdout.flush()
    # as in git: messages on a terminal would be written over the pager's screen
    streams = (1, 2) if sys.stderr.isatty() else (1,)
    # the user's own LESS and LV win
    with process.run.page_output(pager, {**MANNERS, **os.environ}, streams) as is_shown:
        if is_shown:
            os.environ[IN_USE] = "true"
        try:
            yield
        finally:
            # before the pager's pipe is closed
            sys.stdout.flush()


def is_read_by_person() -> bool:
    """Returns whether a person reads stdout, on a terminal or in a pager."""
    return sys.stdout.isatty() or os.environ.get(IN_USE, "").lower() in {"true", "yes", "on", "1"}


def can_ask() -> bool:
    """Returns whether somebody sees a question on stderr, since stdout may be a pipe, and can answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, *, default: bool = False) -> bool:
    """Asks the user a question that yes or no answers. Raises Abort after Ctrl-C and Ctrl-D."""
    library = declared.click_library()
    try:
        is_yes: bool = library.confirm(f"gitrun: {question}", default=default, err=True)
    except library.Abort:
        library.echo(err=True)  # what comes next begins a line of its own
        raise
    return is_yes


def require_yes(question: str) -> None:
    """Asks the user a question. Raises Abort unless the answer is yes."""
    if not ask(question):
        raise declared.click_library().Abort


def has_unicode() -> bool:
    """Returns whether the locale has characters beyond ASCII. Python writes UTF-8 also where the user asked for C."""
    coerced = "C.UTF-8" if sys.flags.utf8_mode else ""
    names = (os.environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    locale = next((name for name in names if name not in {"", coerced}), "")
    return (sys.stdout.encoding or "").lower().startswith("utf") and locale not in {"C", "POSIX"}


def print_line(text: str) -> None:
    """Prints a line on stdout."""
    sys.stdout.write(text + "\n")


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever a verb shows
    """Prints the value as ASCII JSON, indented for people. Not-a-number and infinities become texts."""
    print_line(json.dumps(render.text.json_safe(value), indent=2 if is_read_by_person() else None, allow_nan=False))


def print_json_line(value: Any) -> None:  # noqa: ANN401 - whatever a verb shows
    """Prints the value as a line of ASCII JSON, at once: a program may wait for it."""
    print_line(json.dumps(render.text.json_safe(value), allow_nan=False))
    sys.stdout.flush()


def print_event(event: BatchEvent) -> None:
    """Prints what happened to a batch."""
    print_json_line(event.as_json())


def table(rows: Sequence[Sequence[str]], shape: Shape | None = None) -> None:
    """Prints the rows as aligned columns, two blanks apart. For people, lines are cut to the terminal's width.

    A cell of more than `render.text.WIDEST` columns does not widen its column.
    """
    shape = shape or render.text.Shape()
    room = room_on_stdout()
    fitted = [[escape_for_stdout(cell) for cell in row] for row in render.text.shrink_columns(rows, shape, room)]
    widths = render.text.column_widths(fitted)
    for row in fitted:
        print_line(render.text.join_cells(row, widths, room, shape.right, cut=escape_for_stdout("…")))


def room_on_stdout() -> int:
    """Returns the columns of a line: those of the terminal for a person; without limit for a program."""
    return shutil.get_terminal_size().columns if is_read_by_person() else sys.maxsize


def escape_for_stdout(text: str) -> str:
    """Escapes characters that stdout's encoding lacks, so that widths are counted correctly."""
    if text.isascii() or not sys.stdout.encoding or sys.stdout.encoding.lower().startswith("utf"):
        return text
    return text.encode(sys.stdout.encoding, "backslashreplace").decode(sys.stdout.encoding)


def read_palette(project: Project) -> Palette:
    """Returns the colours for stdout. Raises UsageError for a colour that git does not know."""
    if not is_on(project.config):
        return render.palette.PLAIN
    return render.palette.Palette({slot: read_colour(project, slot, default) for slot, default in render.palette.SLOTS.items()})


def read_colour(project: Project, slot: str, default: str) -> str:
    """Returns the escape sequence of a slot. Starts git only if the user configured it. Raises UsageError."""
    name = f"color.run.{slot}"
    if name not in project.config:
        return f"\x1b[{default}m"
    colour = project.find_colour(name)
    if colour is None:
        raise BadSetting(f"setting {name} must be a colour such as 'bold red', not '{project.config[name][-1]}'")
    return colour


def find_colour(project: Project, name: str) -> str:
    """Returns the escape sequence of a colour such as `bold red`; empty without colours. Raises UsageError."""
    colour = project.find_colour("", name)
    if colour is None:
        raise BadValue(
            f"no colour '{name}'", "%(color:<colour>) takes the colours of git config, such as red or bold blue, and reset"
        )
    return colour if is_on(project.config) else ""


def is_on(config: Mapping[str, tuple[str, ...]]) -> bool:
    """Returns whether stdout is coloured. Raises UsageError for a malformed setting."""
    when: str | None = None
    # the setting of the command comes before the general one, as for color.diff
    for name in ("color.run", "color.ui"):
        if when is None and name in config:
            text = config[name][-1].lower()
            # to git, color.ui=true means auto
            when = text if text in WHEN else "auto" if get_bool(config, name, default=True) else "never"
    if when in {"always", "never"}:
        return when == "always"
    # NO_COLOR counts with any text but the empty one (no-color.org)
    if os.environ.get("TERM", "dumb") == "dumb" or os.environ.get("NO_COLOR"):
        return False
    return is_read_by_person() and (not os.environ.get("GIT_PAGER_IN_USE") or get_bool(config, "color.pager", default=True))


def set_colour(_context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    """Sets color.run for this command, as `git -c color.run=<when>` does."""
    count = os.environ.get("GIT_CONFIG_COUNT") or "0"
    if value and count.isdigit():  # git reports any other count
        os.environ[f"GIT_CONFIG_KEY_{count}"], os.environ[f"GIT_CONFIG_VALUE_{count}"] = "color.run", value
        os.environ["GIT_CONFIG_COUNT"] = str(int(count) + 1)


COLOUR_OPTIONS = (
    declared.option(
        "--color", is_flag=False, flag_value="always", type=declared.choice(WHEN), metavar="[=WHEN]", callback=set_colour,
        expose_value=False, help="Use colour: always, never or auto.",
    ),
    declared.option(
        "--no-color", "colourless", flag_value="never", callback=set_colour, expose_value=False,
        help="Use no colour; short for --color=never.",
    ),
)  # fmt: skip
"""The options of verbs that show runs."""

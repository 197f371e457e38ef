"""`git run view`: looks at runs in a browser."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from gitrun.commands import declared
from gitrun.commands.log import find_run
from gitrun.commands.screen import print_line
from gitrun.commands.selecting import open_project
from gitrun.errors import MissingPackage, UsageError
from gitrun.model.filters import parse_filter
from gitrun.model.settings import parse_duration

if TYPE_CHECKING:
    from gitrun.project import Project

IDLE = "8h"
PACKAGES = ("starlette", "uvicorn")
MODULE = "gitrun.extras.view.app"
INSTALL = "To install them: pip install 'git-run-tracker[view]'"


@declared.command(add_help_option=False)
@declared.argument("name", required=False, metavar="[RUN | BASE..HEAD]")
@declared.option(
    "--where", "expression", metavar="EXPR", help="Show runs that match EXPR, such as 'lr<0.1 and status=completed'."
)
@declared.option(
    "--port", type=declared.int_range(0, 65535), default=0, metavar="N", help="Listen on port N (default: a free one)."
)
@declared.option("--no-open", is_flag=True, help="Do not open a browser.")
@declared.option("--print-url", is_flag=True, help="Print nothing but the address, and do not open a browser.")
@declared.option("--idle", default=IDLE, metavar="DURATION", help=f"End when no page was open for 30m or 2h (default: {IDLE}).")
def command(name: str | None, *, expression: str | None, port: int, idle: str, **quiet: bool) -> int:
    r"""Shows runs in a browser, as they are and as they change. Only this machine can connect, and only to read.

    Prints the address, which has a secret token, and serves until Ctrl-C.

    \b
      git run view
      git run view 3fa2c1d8
      git run view --where 'lr<0.1 and status=completed'
      git run view main..HEAD
    """
    if name is not None and expression is not None:
        raise UsageError("--where cannot be combined with a run or commits")
    seconds = parse_duration(idle)
    missing = [package for package in PACKAGES if find_spec(package) is None]
    if missing:
        raise MissingPackage(f"git run view needs {' and '.join(missing)}", INSTALL)
    project = open_project()
    page = find_page(project, name, expression)
    view = import_module(MODULE).View(project, port, seconds)  # an extra: the core needs none of it
    print_line(view.address(page))
    sys.stdout.flush()
    is_remote = "SSH_CONNECTION" in os.environ
    if not quiet["print_url"]:
        describe(project, view.port, is_remote=is_remote)
    if sys.stdout.isatty() and not (is_remote or any(quiet.values())):
        open_browser(view.address(page, once=True))
    number: int = view.serve()
    return 128 + number if number else 0


def find_page(project: Project, name: str | None, expression: str | None) -> str:
    """Returns the path and query of the first page. Raises UnknownRun, FilterError."""
    if expression is not None:
        parse_filter(expression)
        return f"/?{urlencode({'q': expression})}"
    if name is None:
        return "/"
    run = find_run(project, name)
    return f"/runs/{quote(run.id)}" if run else f"/commits?{urlencode({'range': name})}"


def describe(project: Project, port: int, *, is_remote: bool) -> None:
    """Says how to end the server, and how to reach it from the machine that a person sits at."""
    if is_remote:
        project.say(f"note: to reach it from your machine: ssh -L {port}:127.0.0.1:{port} {os.uname().nodename}")
    project.say("To stop: Ctrl-C")


def open_browser(address: str) -> None:
    """Opens the user's browser, if it has a window: one in this terminal would wait for the server and the server for it."""
    if {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} & os.environ.keys() or sys.platform == "darwin":
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

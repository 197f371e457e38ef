"""The pager, by git's rules: `git var GIT_PAGER` names it; git itself sees to `git -p`, `--no-pager` and `pager.run`."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

IN_USE = "GIT_PAGER_IN_USE"
MANNERS = {"LESS": "FRX", "LV": "-c"}
"""What git tells pagers that were told nothing: end if it fits one screen, keep colours, leave the text on the screen."""


@contextmanager
def paged() -> Iterator[None]:
    """Shows what is printed until the end of the `with` in the pager, if the user has one; waits for it."""
    from pathlib import Path

    from gitrun.engine.process import shown_through
    from gitrun.git.exe import spawn

    named = os.fsdecode(spawn(("var", "GIT_PAGER"), os.environ, Path.cwd()).stdout).strip()
    if named in {"", "cat"}:
        yield
        return
    os.environ["COLUMNS"] = str(shutil.get_terminal_size().columns)  # known to nobody behind a pipe
    sys.stdout.flush()
    streams = (1, 2) if sys.stderr.isatty() else (1,)
    with shown_through(named, {**MANNERS, **os.environ}, streams) as is_shown:
        if is_shown:
            os.environ[IN_USE] = "true"
        try:
            yield
        finally:
            sys.stdout.flush()


def is_for_person() -> bool:
    """Whether somebody reads what we print: on a terminal, or in a pager."""
    return sys.stdout.isatty() or os.environ.get(IN_USE, "").lower() in {"true", "yes", "on", "1"}

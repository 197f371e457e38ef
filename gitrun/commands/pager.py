"""Pages output by git's rules: `git var GIT_PAGER` names the pager; git itself handles `git -p` and `pager.run`."""

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
"""Default options that git gives pagers: quit if one screen suffices, keep colours, leave the text."""


@contextmanager
def paged() -> Iterator[None]:
    """Sends stdout through the user's pager, if there is one, until the end of the `with`. Waits for the pager."""
    from pathlib import Path

    from gitrun.engine.process import shown_through
    from gitrun.git.exe import spawn

    named = os.fsdecode(spawn(("var", "GIT_PAGER"), os.environ, Path.cwd()).stdout).strip()
    if named in {"", "cat"}:
        yield
        return
    os.environ["COLUMNS"] = str(shutil.get_terminal_size().columns)  # programs behind a pipe cannot ask the terminal
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
    """Returns whether a person reads stdout, on a terminal or in a pager."""
    return sys.stdout.isatty() or os.environ.get(IN_USE, "").lower() in {"true", "yes", "on", "1"}

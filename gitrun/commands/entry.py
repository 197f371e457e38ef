"""The first lines of gitrun that run, in an interpreter that imports no file of the user's."""

from __future__ import annotations

import os
import sys

GIVEN = "GITRUN_GIVEN_"
"""What the executable `git-run` puts before the names of variables that are for the user's programs alone."""
MEANT_FOR_PROGRAMS = ("PYTHONPATH", "PYTHONHOME")


def main() -> None:
    """Starts gitrun as `git-run`: imports come from its own installation, and the environment is the user's."""
    forget_given_path()
    for name in MEANT_FOR_PROGRAMS:
        if (value := os.environ.pop(GIVEN + name, None)) is not None:
            os.environ[name] = value
    sys.argv[0] = os.path.join(os.path.dirname(sys.argv[0]), "git-run")  # noqa: PTH118, PTH120 - pathlib is not loaded yet
    from gitrun.commands.main import main as obey

    obey()


def forget_given_path() -> None:
    """Takes what PYTHONPATH added out of `sys.path`, where gitrun was not started through `git-run`."""
    if given := os.environ.get("PYTHONPATH"):
        apart = {os.path.abspath(entry) for entry in given.split(os.pathsep)}  # noqa: PTH100 - pathlib is not loaded yet
        sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) not in apart]  # noqa: PTH100

"""The environment of this process. Only this module and the command line read it."""

from __future__ import annotations

import os


def copy_environment() -> dict[str, str]:
    """Returns a copy of the environment of this process."""
    return dict(os.environ)


def read_variable(name: str) -> str | None:
    """Returns a variable of the environment of this process; None if it is not set."""
    return os.environ.get(name)

"""The environment of this process. Only this module and the command line read it."""

from __future__ import annotations

import os


def copy_environment() -> dict[str, str]:
    """Returns a copy of the environment of this process."""
    return dict(os.environ)

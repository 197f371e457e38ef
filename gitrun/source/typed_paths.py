"""Paths as the user types them in the current directory."""

from __future__ import annotations

import os

from gitrun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitrun.git.exe import Git


def below_top(git: Git, typed: str) -> str:
    """Converts a path typed in the current directory to a path below the top of the working tree.

    Raises UsageError, CannotRun.
    """
    top = git.require_top()
    if os.path.isabs(typed):
        # resolves only the directory: the file itself may be a link that git tracks
        path = os.path.relpath(os.path.realpath(os.path.dirname(typed)), os.path.realpath(top))
        path = os.path.normpath(os.path.join(path, os.path.basename(typed)))
    else:
        path = os.path.normpath(os.path.join(git.prefix, typed))
    # git knows nothing outside the working tree, so such a program would have no source
    if path.startswith("../") or path == "..":
        raise UsageError(f"'{typed}' is outside this repository", f"To run it as any program: git run -- {typed}")
    return path

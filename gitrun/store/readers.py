"""Selects the reader for very many objects: libgit2, or git's executable in a partial clone."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.git.exe import Git


def is_partial(git: Git) -> bool:
    """Returns whether this is a partial clone. Git fetches missing objects on demand; libgit2 1.9 does not."""
    # git 2.39 sets the extension no more, but older gits did
    promised = (values for name, values in git.config.items() if name.startswith("remote.") and name.endswith(".promisor"))
    return "extensions.partialclone" in git.config or any(values[-1] == "true" for values in promised)


def bulk_reader(git: Git) -> Any:  # noqa: ANN401 - an Odb, whose module imports pygit2
    """Returns a libgit2 reader for very many local objects."""
    from gitrun.git.odb import Odb

    return Odb(git)


@contextmanager
def reader_of_all(git: Git) -> Iterator[Any]:
    """Opens a reader for very many objects, which works in partial clones too."""
    if not is_partial(git):
        yield bulk_reader(git)
        return
    from gitrun.git.objects import Objects

    with Objects(git) as objects:
        yield objects

"""Readers for the objects of very many runs: which of the two doors to git's objects is taken."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.git.exe import Git


def is_partial(git: Git) -> bool:
    """Whether objects may be elsewhere, from where git fetches them when they are read; libgit2 1.9 does not."""
    # git 2.39 has the extension only in repositories that older ones made
    promised = (values for name, values in git.config.items() if name.startswith("remote.") and name.endswith(".promisor"))
    return "extensions.partialclone" in git.config or any(values[-1] == "true" for values in promised)


def bulk_reader(git: Git) -> Any:  # noqa: ANN401 - an Odb, whose module imports pygit2
    """A reader for very many objects that are here."""
    from gitrun.git.odb import Odb

    return Odb(git)


@contextmanager
def reader_of_all(git: Git) -> Iterator[Any]:
    """A reader for very many objects, which may be elsewhere."""
    if not is_partial(git):
        yield bulk_reader(git)
        return
    from gitrun.git.objects import Objects

    with Objects(git) as objects:
        yield objects

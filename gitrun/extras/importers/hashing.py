"""Ids of git objects, computed before anything is written: a second import finds its runs here and writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.model.tree import TREE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitrun.git.exe import Git
    from gitrun.git.objects import Entry


class Hasher:
    """Computes ids in the object format of a repository. Can stand in for a TreeMaker, and writes nothing."""

    def __init__(self, git: Git) -> None:
        self._format = git.object_format

    def identify(self, kind: str, data: bytes) -> str:
        """Returns the id of an object of this kind."""
        return self._format.hash(f"{kind} {len(data)}\0".encode() + data).hexdigest()

    def make(self, tree: Mapping[bytes, Entry]) -> str:
        """Returns the id of the tree with these entries."""
        # git sorts directories as if their names ended in `/`
        ordered = sorted(tree.items(), key=lambda pair: pair[0] + b"/" if pair[1].mode == TREE else pair[0])
        return self.identify(
            "tree", b"".join(entry.mode.encode() + b" " + name + b"\0" + bytes.fromhex(entry.id) for name, entry in ordered)
        )

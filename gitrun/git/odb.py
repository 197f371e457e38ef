"""Reads many git objects in this process through libgit2 (pygit2, whose import takes 0.13 s)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pygit2

from gitrun.errors import NotARepository
from gitrun.git.objects import Object, parse_tree_ids, tree_of_commit
from gitrun.model.object_format import SHA1

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitrun.git.exe import Git

KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
MISSES = 100
"""Objects that are in no pack, after which packs are no longer searched first: each of them has libgit2 look for new packs."""
# whoever reads very many objects reads nearly all of them once: keeping them takes libgit2 a seventh of its time
pygit2.settings.enable_caching(False)  # noqa: FBT003 - its only argument


class Odb:
    """Reads objects like `git.objects.Objects`, in a quarter of its time for each. Raises NotARepository when opened."""

    def __init__(self, git: Git) -> None:
        here, quarantine = str(git.common_dir / "objects"), git.environ.get("GIT_OBJECT_DIRECTORY")
        try:
            whole = pygit2.Odb(here)
            if quarantine:
                whole.add_disk_alternate(quarantine)
            # very many objects are nearly all in packs: searching only packs first saves a look for a loose file each time.
            # Without a database around them, they are read in half the time: git hashed them when it stored them
            packs = pygit2.OdbBackendPack(quarantine or here)
            self._places: list[pygit2.Odb | pygit2.OdbBackendPack] = [packs, whole]
            self._misses = 0
        except pygit2.GitError as error:
            raise NotARepository(f"libgit2 cannot open this repository: {error}") from error

    def read_many(self, names: Iterable[str], limit: int = 1 << 21) -> list[Object | None]:
        """Returns the objects of `names`, in order; without content above `limit` bytes.

        Each name is a full id, or `<commit or tree>:<folder>/<file>`. Names in one folder are fastest next to each other.
        """
        objects: list[Object | None] = []
        last, ids = "", {}
        for name in names:
            if ":" not in name:
                objects.append(self.read(name, limit))
                continue
            folder, _, file = name.rpartition("/")
            # names in one folder come together, so one folder is remembered
            if folder != last:
                last, ids = folder, self._entries(*folder.split(":", 1))
            objects.append(self.read(ids[file.encode()], limit) if file.encode() in ids else None)
        return objects

    def _entries(self, top: str, folder: str) -> dict[bytes, str]:
        """Returns the ids in a folder of a commit or tree, by name."""
        ids = self._tree(top)
        for part in folder.split("/"):
            inner = ids.get(part.encode())
            if inner is None:
                return {}
            ids = self._tree(inner)
        return ids

    def _tree(self, name: str, *, may_be_commit: bool = True) -> dict[bytes, str]:
        """Returns the ids in a tree, or in a commit's tree, by name. Reads trees of any size, as git did when they arrived."""
        for database in self._places:
            try:
                number, data = database.read(name)
            except (KeyError, ValueError, pygit2.GitError):
                continue
            kind = KINDS.get(number)
            if kind == "commit" and may_be_commit:  # a forged commit could name another commit as its tree, and so on
                return self._tree(tree_of_commit(data), may_be_commit=False)
            return parse_tree_ids(data, SHA1.size) if kind == "tree" else {}
        return {}

    def read(self, name: str, limit: int = 1 << 26) -> Object | None:
        """Returns the object with this full id, without content above `limit` bytes; None if there is none."""
        content = self.look(name, limit)
        return Object(name, *content) if content else None

    def look(self, name: str, limit: int) -> tuple[str, int, bytes | None] | None:
        """Returns kind, size and content as `read` does. Builds no Object: this runs for very many of them."""
        for database in self._places:
            try:
                # the header first: an object over the limit is never loaded
                kind, size = database.read_header(name)
                return KINDS.get(kind, "?"), size, database.read(name)[1] if size <= limit else None
            except (KeyError, ValueError, pygit2.GitError):
                self._misses += 1
                if self._misses > MISSES:
                    self._places = self._places[-1:]
        return None

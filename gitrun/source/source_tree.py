"""The files of a source, with the ways to read flags in it that need more than files."""

from __future__ import annotations

from gitrun import source
from gitrun.dataclass import dataclass
from gitrun.errors import FlagsUnknown
from gitrun.git.trees import GitTree
from gitrun.model.tree import ANY, REGULAR, TREE
from gitrun.source.flag_cache import DIRECTORY, read_script_cached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gitrun.git.objects import Objects
    from gitrun.model.tree import Tree
    from gitrun.scripts.discover import Script

LONGEST = 1 << 26
"""Bytes of a script, notebook, project file or config file above which it is not read."""


def refuse_to_ask(path: str) -> Script:
    """Raises CannotRun: nothing may be executed to read flags here."""
    raise FlagsUnknown(f"'{path}' lists its flags only when it runs")


@dataclass(frozen=True, slots=True)
class SourceTree:
    """A tree to plan from. It is a `Tree` itself.

    `cache` is the directory of the flag cache, `ask` runs a script to ask for its flags, and `search` returns whether any file
    has a text. Without them nothing is cached, asking is refused, and all files are read for a search.
    """

    tree: Tree
    cache: Path | None = None
    ask: Callable[[str], Script] = refuse_to_ask
    search: Callable[[str], bool] | None = None

    def read(self, path: str, limit: int = LONGEST) -> bytes | None:
        """Returns the content of a regular file; None if there is none, or if it has more than `limit` bytes."""
        return self.tree.read(path, limit)

    def mode(self, path: str) -> str | None:
        """Returns the mode as git writes it; None if there is nothing at the path."""
        return self.tree.mode(path)

    def names(self, path: str, endings: tuple[str, ...] = ANY) -> tuple[str, ...]:
        """Returns the names of the directories in a directory, and of the others those with one of the endings."""
        return self.tree.names(path, endings)

    def identity(self, path: str) -> str:
        """Returns a word that changes with the content of a regular file; empty if there is none."""
        return self.tree.identity(path)

    def script(self, path: str, content: bytes) -> Script:
        """Returns the flags of the script with this content at `path`, from the cache if it is known."""
        return read_script_cached(self.tree, path, content, self.cache)

    def contains(self, text: str) -> bool:
        """Returns whether any file of the tree has the text."""
        return self.search(text) if self.search else has_text_below(self.tree, "", text.encode())


def has_text_below(tree: Tree, directory: str, text: bytes) -> bool:
    """Returns whether any file in or below the directory has the text."""
    for name in tree.names(directory):
        path = f"{directory}/{name}" if directory else name
        mode = tree.mode(path)
        if has_text_below(tree, path, text) if mode == TREE else mode in REGULAR and text in (tree.read(path, LONGEST) or b""):
            return True
    return False


def open_source(objects: Objects, tree_id: str) -> SourceTree:
    """Returns the files of a tree or commit. Reads nothing until it is asked."""
    git = objects.git
    return SourceTree(
        GitTree(objects, tree_id),
        git.state / DIRECTORY,
        # starts programs, whose import takes as long as all else here
        ask=lambda path: source.introspect.ask_here(git, tree_id, path),
        # git reads the whole tree in one process
        search=lambda text: git.attempt("grep", "-q", "-F", "-e", text, tree_id, "--").returncode == 0,
    )

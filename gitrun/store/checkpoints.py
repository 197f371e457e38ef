"""Files that one attempt passes on to the next: those it produced, except at paths of the new source."""

from __future__ import annotations

import os

from gitrun.errors import BadRun
from gitrun.git.objects import Entry, edit_tree, entry_at
from gitrun.model.run import DIRECTORY, is_id
from gitrun.model.submodules import outermost_modules
from gitrun.model.tree import COMMIT, TREE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitrun.git.objects import Objects, TreeWriter
    from gitrun.model.run import Attempt


def source_tree(objects: Objects, maker: TreeWriter, attempt: Attempt) -> str:
    """Returns the tree of an attempt's source, without `.gitrun` and without carried files.

    The tree is derived from the attempt's own, which its id proves. Raises BadRun if it differs from the tree in run.toml.
    With submodules it must also match their named commits.
    """
    own_paths = (DIRECTORY, *attempt.carried)
    tree = edit_tree(objects, maker, f"{attempt.id}^{{tree}}", {os.fsencode(path): None for path in own_paths})
    if tree != attempt.whole or (attempt.content and collapse_submodules(objects, maker, tree, attempt) != attempt.source):
        raise BadRun(f"attempt {attempt.id[:8]} names another source than it contains")
    return tree


def collapse_submodules(objects: Objects, maker: TreeWriter, tree: str, attempt: Attempt) -> str:
    """Returns the tree with submodules as commits instead of files; empty if one of them cannot be a commit."""
    links = {os.fsencode(path): Entry(COMMIT, commit) for path, commit in outermost_modules(attempt.submodules).items()}
    there = (entry_at(objects, tree, path) for path in links)
    are_sound = all(entry and entry.mode in {TREE, COMMIT} for entry in there) and all(is_id(e.id) for e in links.values())
    return edit_tree(objects, maker, tree, links) if are_sound else ""


def files_to_carry(objects: Objects, old_source: str, tip: str, new_source: str) -> dict[bytes, Entry]:
    """Returns entries that `tip` added to `old_source`, by path, where `new_source` has nothing at that path.

    A directory that is new as a whole is one entry.
    """
    tops = added_entries(objects, old_source, tip)
    tops.pop(os.fsencode(DIRECTORY), None)
    return {
        path: entry
        for top, top_entry in tops.items()
        for path, entry in without_collisions(objects, new_source, top, top_entry).items()
    }


def added_entries(objects: Objects, old: str, new: str, above: bytes = b"") -> dict[bytes, Entry]:
    """Returns the entries of a tree that an older one lacks, by path below `above`. A new directory is one entry."""
    before, added = objects.tree(old), dict[bytes, Entry]()
    for name, entry in objects.tree(new).items():
        was = before.get(name)
        if was is None or (was.mode == TREE) != (entry.mode == TREE):
            added[above + name] = entry
        elif entry.mode == TREE and was.id != entry.id:
            added |= added_entries(objects, was.id, entry.id, above + name + b"/")
    return added


def parent_directories(path: bytes) -> list[bytes]:
    """Returns the directories above a path, topmost first."""
    parts = path.split(b"/")
    return [b"/".join(parts[:count]) for count in range(1, len(parts))]


def without_collisions(objects: Objects, source: str, path: bytes, entry: Entry) -> dict[bytes, Entry]:
    """Returns the parts of `entry` that do not collide with a path of the source, by path."""
    above = [entry_at(objects, source, parent) for parent in parent_directories(path)]
    # the source has a file where the entry needs a directory
    if any(entry is not None and entry.mode != TREE for entry in above):
        return {}
    there = entry_at(objects, source, path)
    if there is None:
        return {path: entry}
    # the new source wins over a file that the last attempt left
    if there.mode != TREE or entry.mode != TREE:
        return {}
    inner = objects.tree(entry.id)
    return {
        at: one
        for name, child in inner.items()
        for at, one in without_collisions(objects, source, path + b"/" + name, child).items()
    }

"""Submodules: a cache of their trees, and comparison of sources that have their files or only their commits."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from gitrun.dataclass import asdict, dataclass, field
from gitrun.git.objects import Entry, Objects, TreeMaker, edit_tree, entry_at
from gitrun.model.submodules import parent_directories
from gitrun.model.tree import COMMIT, TREE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.model.run import Attempt

KEPT = 200
"""Trees and commits that the cache remembers."""


@dataclass(frozen=True, slots=True)
class SubmoduleCache:
    """The cache of submodules. Losing it costs only time.

    `copied` lists trees whose objects were all copied here, newest first. `large` maps trees that are too large for that to
    their bytes. `trees` maps a submodule's commit, absent from this repository, to its tree.
    """

    copied: tuple[str, ...] = ()
    large: Mapping[str, int] = field(default_factory=dict)
    trees: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ComparedSource:
    """One of two compared sources: its tree, and the commits of its submodules by path."""

    tree: str
    modules: Mapping[str, str] = field(default_factory=dict)


def compared_source(attempt: Attempt, tree: str) -> ComparedSource:
    """Returns the source of an attempt for a comparison. `tree` is its whole tree."""
    return ComparedSource(tree, dict(attempt.submodules))


def cache_file(git: Git) -> Path:
    """Returns the path of the cache."""
    return git.state / "modules.json"


def read_submodule_cache(git: Git) -> SubmoduleCache:
    """Reads the cache; an unreadable one is empty."""
    # the fields of another version raise TypeError
    with suppress(OSError, ValueError, TypeError, AttributeError):
        cache = SubmoduleCache(**json.loads(cache_file(git).read_bytes()))
        return SubmoduleCache(tuple(cache.copied), dict(cache.large), dict(cache.trees))
    return SubmoduleCache()


def add_to_cache(git: Git, fresh: SubmoduleCache) -> None:
    """Adds to the cache atomically. Drops the oldest entries beyond KEPT."""
    old = read_submodule_cache(git)
    # a dict keeps the order of insertion, so that new entries come first and the oldest drop off
    whole = SubmoduleCache(
        tuple(islice(dict.fromkeys((*fresh.copied, *old.copied)), KEPT)),
        dict(islice({**fresh.large, **old.large}.items(), KEPT)),
        dict(islice({**fresh.trees, **old.trees}.items(), KEPT)),
    )
    if whole == old:
        return
    path = cache_file(git).with_name(f"modules.{os.urandom(8).hex()}")
    path.write_text(json.dumps(asdict(whole)))
    path.replace(cache_file(git))


def remove_cache(git: Git) -> None:
    """Removes the cache, because an object that it lists may be gone."""
    cache_file(git).unlink(missing_ok=True)


def tree_of_submodule(git: Git, path: str, commit: str) -> str:
    """Returns the tree id of a submodule's commit, from the cache or from the submodule at `path`; empty if unknown."""
    if tree := read_submodule_cache(git).trees.get(commit):
        return tree
    directory = (git.worktree or git.git_dir) / path
    # the path may come from a run made elsewhere: stay inside the worktree
    if path.startswith("/") or ".." in path.split("/") or not os.path.lexists(directory / ".git"):
        return ""
    result = git.at(directory, directory / ".git", {}).attempt("rev-parse", "--verify", "--quiet", f"{commit}^{{tree}}")
    return result.stdout.decode().strip()


def align_sources(git: Git, old: ComparedSource, new: ComparedSource) -> tuple[str, str]:
    """Returns the trees of two sides, adjusted so that submodules are files in both or commits in both."""
    if not (old.modules or new.modules):
        return old.tree, new.tree
    with Objects(git) as objects, TreeMaker(git) as maker:
        return align_trees(objects, maker, old, new)


def align_trees(objects: Objects, maker: TreeMaker, old: ComparedSource, new: ComparedSource) -> tuple[str, str]:
    """Returns the two trees, changed where one has a submodule's files and the other its commit.

    Both get the files if the commit's tree is here. Otherwise both get a commit, which differs if the files may differ.
    """
    before, after = old.tree, new.tree
    # outer submodules first: the entry of an inner one is among their files
    for path in sorted({*old.modules, *new.modules}, key=lambda path: (path.count("/"), path)):
        name = os.fsencode(path)
        was, now = entry_at(objects, before, name), entry_at(objects, after, name)
        if was is None or now is None or {was.mode, now.mode} != {TREE, COMMIT}:
            continue
        link = was if was.mode == COMMIT else now
        tree = tree_of_submodule(objects.git, path, link.id)
        # the cache also knows trees whose objects are only in the submodule
        files = Entry(TREE, tree) if tree and objects.infos([tree.encode()])[0] else None
        if was.mode == COMMIT:
            before, after = (
                (edit_tree(objects, maker, before, {name: files}), after)
                if files
                else (before, edit_tree(objects, maker, after, {name: submodule_entry(objects, maker, new, path)}))
            )
        else:
            before, after = (
                (before, edit_tree(objects, maker, after, {name: files}))
                if files
                else (edit_tree(objects, maker, before, {name: submodule_entry(objects, maker, old, path)}), after)
            )
    return before, after


def submodule_entry(objects: Objects, maker: TreeMaker, side: ComparedSource, path: str) -> Entry:
    """Returns the commit entry of a submodule: its named commit if the files are that commit's, else an invented id."""
    entry = entry_at(objects, side.tree, os.fsencode(path))
    if entry is None or entry.mode != TREE:
        return entry or Entry(COMMIT, "")
    nested = [inner for inner in side.modules if path in parent_directories(inner)]
    # deeper ones are replaced by the recursion
    nearest = [inner for inner in nested if not any(above in nested for above in parent_directories(inner))]
    links = {os.fsencode(inner[len(path) + 1 :]): submodule_entry(objects, maker, side, inner) for inner in nearest}
    bare = edit_tree(objects, maker, entry.id, links) if links else entry.id
    commit = side.modules.get(path, "")
    is_clean = commit and tree_of_submodule(objects.git, path, commit) == bare
    # an invented id that no commit has: git refuses the id of the tree in a commit entry
    if is_clean:
        return Entry(COMMIT, commit)
    return Entry(COMMIT, objects.git.object_format.hash(bare.encode()).hexdigest())

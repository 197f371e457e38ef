"""Records the submodules of a commit: their files at the commits that it names, from the repositories that are here."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass, replace
from gitrun.errors import GitFailed, NotARepository, NotRecorded
from gitrun.git.exe import open_repository
from gitrun.git.objects import Entry, TreeMaker, edit_tree
from gitrun.model.tree import TREE
from gitrun.source.commits import list_submodules
from gitrun.source.submodules import FILTER, Module, View, absolute_path, copy_trees, is_populated, require_small
from gitrun.store.commits import scratch_directory
from gitrun.store.submodules import SubmoduleCache, add_to_cache, read_submodule_cache

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitrun.git.exe import Git
    from gitrun.git.objects import Objects
    from gitrun.model.plan import Source


@dataclass(frozen=True, slots=True)
class Superproject:
    """A repository with submodules at one of its commits: its git directory, its tree, and its path below the top."""

    git_dir: Path
    tree: str
    path: bytes = b""


def add_commit_files(git: Git, objects: Objects, recorded: Source) -> Source:
    """Returns the source of a commit with the files of its submodules. Writes their objects.

    A submodule without a repository here that has its commit stays a commit, and is linked.
    """
    top = Superproject(git.common_dir, recorded.tree)
    modules = record_modules(git, objects, git, top, recorded.submodules)
    files = {module.path: Entry(TREE, module.tree) for module in modules if module.tree}
    if not files:
        return recorded
    with TreeMaker(git) as maker:
        content = edit_tree(objects, maker, recorded.tree, files)
    every = tuple((os.fsdecode(one.path), one.commit) for module in modules for one in module.all)
    return replace(recorded, submodules=every, content=content)


def record_modules(
    git: Git, objects: Objects, reader: Git, above: Superproject, commits: tuple[tuple[str, str], ...]
) -> list[Module]:
    """Records the submodules of a tree; `reader` is a git that finds the tree."""
    names = read_module_names(reader, above.tree) if commits else {}
    entries = []
    for inner, commit in commits:
        path = (above.path + b"/" if above.path else b"") + os.fsencode(inner)
        git_dir = find_git_dir(git, path, above.git_dir / "modules" / names[inner] if inner in names else None)
        entries.append(record_commit(git, objects, path, commit, git_dir) if git_dir else Module(path, commit))
    return entries


def record_commit(git: Git, objects: Objects, path: bytes, commit: str, git_dir: Path) -> Module:
    """Records the files of a submodule at a commit. Without files if they cannot be recorded."""
    cache = read_submodule_cache(git)
    try:
        with open_objects(git, git_dir, path) as view:
            tree = view.git.run("rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}").decode().strip()
            refuse_filters(view.git, tree)
            require_small(git, view, cache, tree)
            copy_trees(git, objects, view, (tree,), cache)
            add_to_cache(git, SubmoduleCache((tree,), {}, {commit: tree}))
            above = Superproject(git_dir, tree, path)
            nested = record_modules(git, objects, view.git, above, list_submodules(view.git, tree))
    except (NotRecorded, GitFailed):
        return Module(path, commit)
    files = {one.path[len(path) + 1 :]: Entry(TREE, one.tree) for one in nested if one.tree}
    with TreeMaker(git) as maker:
        whole = edit_tree(objects, maker, tree, files) if files else tree
    return Module(path, commit, "" if whole == git.object_format.empty_tree else whole, nested=tuple(nested))


def find_git_dir(git: Git, path: bytes, git_dir: Path | None) -> Path | None:
    """Returns the git directory of the submodule at a path: that of its files here, or the one that git keeps; or None."""
    if git.worktree and is_populated(git, path):
        module_path = Path(os.fsdecode(absolute_path(git, path)))
        try:
            module = open_repository(module_path, git.environ)
        except NotARepository:
            return None
        # git finds the repository above if `.git` leads nowhere
        return module.common_dir if module.worktree and module.worktree.samefile(module_path) else None
    return git_dir if git_dir and (git_dir / "objects").is_dir() else None


@contextmanager
def open_objects(git: Git, git_dir: Path, path: bytes) -> Iterator[View]:
    """Opens the objects of a git directory for reading; a context manager.

    New objects go to a temporary directory. Settings of the other repository are not read.
    """
    with scratch_directory(git) as own:
        store = own / "objects"
        (store / "info").mkdir(parents=True)
        others = (os.fsencode(directory / "objects") + b"\n" for directory in (git_dir, git.common_dir))
        (store / "info" / "alternates").write_bytes(b"".join(others))
        environ = {**git.environ, "GIT_OBJECT_DIRECTORY": str(store)}
        config = {**git.config, "gitrun.fsync": ("false",)}
        yield View(replace(git, environ=environ, config=config), own / "index", own, path)


def read_module_names(reader: Git, tree: str) -> Mapping[str, str]:
    """Returns the names of submodules by their paths, as `.gitmodules` of a tree has them; unsafe ones left out."""
    words = ("config", "-z", "--blob", f"{tree}:.gitmodules", "--get-regexp", r"^submodule\..*\.path$")
    names = {}
    for entry in reader.attempt(*words).stdout.split(b"\0")[:-1]:
        # submodule.libs/x.path\nlibs/x
        key, _, path = os.fsdecode(entry).partition("\n")
        name = key.removeprefix("submodule.").removesuffix(".path")
        # the name becomes a path, and comes from a commit
        if not name.startswith("/") and ".." not in name.split("/"):
            names[path] = name
    return names


def refuse_filters(reader: Git, tree: str) -> None:
    """Raises NotRecorded if files of the tree need a filter that this machine has: their content is not what git stores."""
    drivers = {key[7:].rpartition(".")[0] for key in reader.config if key.startswith("filter.")}
    if not drivers:
        return
    for entry in reader.run("ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0")[:-1]:
        # 100644 blob <id>\tlibs/.gitattributes
        head, _, path = entry.partition(b"\t")
        if path.rpartition(b"/")[2] == b".gitattributes":
            text = reader.run("cat-file", "blob", head.split()[2].decode())
            if names := drivers.intersection(map(os.fsdecode, FILTER.findall(text))):
                raise NotRecorded(f"its files need the filter {min(names)}, which this repository does not apply to them")

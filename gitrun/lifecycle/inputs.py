"""Puts inputs into the workspace of a run: needed files, downloads, and files with flags."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass, replace
from gitrun.errors import MissingInput
from gitrun.git.objects import Objects
from gitrun.model.entry import Input
from gitrun.model.provenance import NO_BASIS
from gitrun.model.run import short_id
from gitrun.source import config_files
from gitrun.source.dependencies import find_fetched, list_left_files, state_with_used_files
from gitrun.source.input_cache import cached_input
from gitrun.store.index import Index
from gitrun.store.resolve import find_run
from gitrun.store.trust import is_trusted
from gitrun.workspace.checkout import DONE, produced_item, write_item
from gitrun.workspace.links import link_paths, make_parents
from gitrun.workspace.outputs import describe_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.model.plan import Plan
    from gitrun.model.provenance import Dependency
    from gitrun.model.run import File, Run
    from gitrun.workspace.checkout import Item
    from gitrun.workspace.session import Session

    FileStamps = Mapping[bytes, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class PutInputs:
    """The state of a workspace after its inputs were put there: paths that are links, and stamps of the files written."""

    linked: list[bytes]
    stamps: FileStamps


def put_inputs(session: Session, plan: Plan, tree: Path, linked: list[bytes]) -> PutInputs:
    """Puts the inputs of a plan into `tree`, where `linked` are the links so far. Raises CannotRun.

    Nothing is written through a link: a linked directory becomes a directory of links where a file must be placed in it.
    """
    definition, basis = plan.definition, plan.basis or NO_BASIS
    if definition is None:
        return PutInputs(linked, stamp_files(tree, write_config_files(plan, tree)))
    put_there: list[bytes] = []
    linked = unlink_outputs(session, tree, linked, definition.outputs)
    with Index(session.git) as index:
        for need in basis.needs:
            paths = list(map(os.fsencode, need.paths))
            linked = open_links(session, tree, linked, paths)
            copy_needed(session.git, find_run(index, need.run_id), need, tree)
            put_there += paths
    for one in basis.inputs:
        path = os.fsencode(one.path)
        is_there = os.path.isabs(path) or path.startswith(b"~") or os.path.lexists(os.fsencode(tree) + b"/" + path)
        if one.url or (not is_there and find_fetched(session.git, Input(one.path, sha256=one.sha256))):
            linked = open_links(session, tree, linked, [path])
            link_download(tree, path, cached_input(session.git, one.sha256))
            linked.append(path)
        # the program finds inputs outside the repository where they are
        elif not is_there:
            linked += link_paths(session.git.worktree, tree, [path]) if session.git.worktree else []
    put_there += write_config_files(plan, tree)
    return PutInputs(linked, stamp_files(tree, put_there))


def unlink_outputs(session: Session, tree: Path, linked: list[bytes], outputs: Iterable[str]) -> list[bytes]:
    """Removes links that are, or contain, an output, so that the program can write there. Returns the links that remain."""
    for output in outputs:
        pattern = output.rstrip("/").split("/")
        queue = list(linked)
        for path in queue:
            parts = os.fsdecode(path).split("/")
            if len(parts) > len(pattern) or not all(map(fnmatchcase, parts, pattern)):
                continue
            before, is_whole = set(linked), len(parts) == len(pattern)
            target = tree / os.fsdecode(path)
            is_directory = target.is_dir()
            # `/*` stands for something inside: the link is then opened, not removed
            linked = open_links(session, tree, linked, [path if is_whole else path + b"/*"])
            if is_whole and is_directory and not target.exists():
                target.mkdir()  # the program fills it, but expects the directory to exist
            # an opened directory brings links that may be outputs too
            queue += [one for one in linked if one not in before]
    return linked


def open_links(session: Session, tree: Path, linked: list[bytes], paths: Iterable[bytes]) -> list[bytes]:
    """Replaces each linked directory above one of `paths` by a directory of links. Returns the links that remain.

    Also removes a link at one of the paths itself.
    """
    top = os.fsencode(tree)
    for path in paths:
        parts = path.split(b"/")
        for count in range(1, len(parts)):
            above = b"/".join(parts[:count])
            if above in linked and os.path.islink(top + b"/" + above) and session.git.worktree:
                # the names inside become links, so that the program's files land in the workspace
                os.unlink(top + b"/" + above)
                os.mkdir(top + b"/" + above)
                inside = [above + b"/" + name for name in sorted(os.listdir(os.fsencode(session.git.worktree) + b"/" + above))]
                linked = [one for one in linked if one != above] + link_paths(session.git.worktree, tree, inside)
        if path in linked and os.path.islink(top + b"/" + path):
            os.unlink(top + b"/" + path)
            linked = [one for one in linked if one != path]
    return linked


def copy_needed(git: Git, run: Run, need: Dependency, tree: Path) -> None:
    """Copies the needed files into `tree` as the attempt that was used left them. Raises CannotRun if one is missing."""
    with Objects(git) as objects:
        run = state_with_used_files(git, objects, run, need)
        files = {file.path: file for file in list_left_files(git, objects, run)}
        for (path, sha256), target in zip(need.files, need.paths, strict=True):
            file = files.get(path)
            item = produced_item(git, objects, run, file) if file else None
            if not (file and item and file.sha256 == sha256 and is_copied(git, run, file, tree, replace(item, path=target))):
                raise MissingInput(
                    f"cannot copy '{path}' of run {short_id(run.id)} of {need.operation} into the workspace",
                    f"To list the files of the run: git run ls {short_id(run.id)}",
                )


def is_copied(git: Git, run: Run, file: File, tree: Path, item: Item) -> bool:
    """Copies the run's file into `tree`, to the path of the item.

    Returns whether it has the recorded sha256, or comes from a trusted run without one.
    """
    if write_item(tree, item, replace_always) != DONE:
        return False
    copied = describe_file(os.fsencode(tree), os.fsencode(item.path), file.stored)
    return copied.sha256 == file.sha256 if file.sha256 else is_trusted(git, run)


def replace_always(_item: Item, _target: Path) -> bool:
    """Answers yes: a needed file may replace what is in its place."""
    return True


def link_download(tree: Path, path: bytes, target: Path) -> None:
    """Replaces what is at the path by a link to a download. Raises CannotRun."""
    top = os.fsencode(tree)
    if not make_parents(top, path):
        raise MissingInput(f"cannot copy input {os.fsdecode(path)} into the workspace")
    full_path = top + b"/" + path
    if os.path.lexists(full_path):
        os.unlink(full_path)
    # no copy: a download is read-only, and many runs share it
    os.symlink(target, full_path)


def write_config_files(plan: Plan, tree: Path) -> list[bytes]:
    """Writes the flags into their config files. Returns the paths of these."""
    for path, values in plan.config_values.items():
        file = tree / path
        file.write_bytes(config_files.edit_config(file.read_bytes(), file.name, values))
    return [os.fsencode(path) for path in plan.config_values]


def stamp_files(tree: Path, paths: Iterable[bytes]) -> FileStamps:
    """Returns mtime (ns) and inode of the files, which show later whether they were changed."""
    top = os.fsencode(tree) + b"/"
    statuses = ((path, os.lstat(top + path)) for path in paths)
    # a file renamed over this one has another inode, even within one tick of the clock
    return {path: (status.st_mtime_ns, status.st_ino) for path, status in statuses}

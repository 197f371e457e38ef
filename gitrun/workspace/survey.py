"""A walk over the worktree of a slot: what of it is as gitrun left it, and what a program put there."""

from __future__ import annotations

import os

from gitrun.dataclass import dataclass
from gitrun.workspace.lending import stamp_of
from gitrun.workspace.links import CACHES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from gitrun.workspace.lending import Stamp
    from gitrun.workspace.manifest import Manifest
    from gitrun.workspace.slot_index import SlotIndex


@dataclass(frozen=True, slots=True)
class Survey:
    """The contents of a slot: number of tracked files, lent files that nobody touched, caches, and full paths of all else."""

    tracked: int
    copies: Mapping[bytes, tuple[Stamp, Stamp]]
    links: Mapping[bytes, bytes]
    caches: tuple[bytes, ...]
    foreign: tuple[bytes, ...]


def survey_checkout(top: bytes, index: SlotIndex, manifest: Manifest, caches: Collection[bytes] | None) -> Survey | None:
    """Returns what is in a slot; None if a tracked file is not as git has checked it out."""
    try:
        survey = survey_slot(top, index.layout.entries, manifest, caches)
        return survey if survey.tracked == len(index.layout.entries) and index.is_unchanged(top) else None
    except OSError:
        return None


def survey_slot(top: bytes, tracked: Collection[bytes], manifest: Manifest, caches: Collection[bytes] | None) -> Survey:
    """Walks over a slot that has these tracked and lent files, and `caches` to keep (None: all). Raises OSError."""
    parents = list_parents(tracked) | list_parents(manifest.copies) | list_parents(manifest.links)
    parents |= {*manifest.directories, *list_parents(manifest.directories)}
    copies, links, caches_there, foreign = {}, {}, list[bytes](), list[bytes]()
    queue, files = [b""], 0
    for directory in queue:
        above = directory + b"/" if directory else b""
        with os.scandir(top + b"/" + directory if directory else top) as entries:
            entries_here = list(entries)
        for entry in entries_here:
            path = above + entry.name
            if entry.is_dir(follow_symlinks=False):
                # a tracked directory is a submodule
                if path in parents or path in tracked:
                    queue.append(path)
                elif entry.name in CACHES if caches is None else path in caches:
                    caches_there.append(path)
                elif path != b".git":
                    foreign.append(entry.path)
            elif (path in tracked or path == b".git") and (entry.is_file(follow_symlinks=False) or entry.is_symlink()):
                files += path in tracked
            elif path in manifest.copies and stamp_of(entry.stat(follow_symlinks=False)) == manifest.copies[path][1]:
                copies[path] = manifest.copies[path]
            elif path in manifest.links and entry.is_symlink() and os.readlink(entry.path) == manifest.links[path]:
                links[path] = manifest.links[path]
            else:
                foreign.append(entry.path)
    return Survey(files, copies, links, tuple(caches_there), tuple(foreign))


def list_parents(paths: Iterable[bytes]) -> set[bytes]:
    """Returns all directories above these paths."""
    parents = set[bytes]()
    for path in paths:
        above = path.rpartition(b"/")[0]
        while above and above not in parents:
            parents.add(above)
            above = above.rpartition(b"/")[0]
    return parents

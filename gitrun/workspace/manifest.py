"""The record of the files lent to a slot: it lets the next run copy only what has changed.

The record is the file `lent` of a slot, in JSON. An entry counts only while it agrees with the stamps of both files. A
copy that a kill cut short or a program edited has another stamp, and is copied again.
"""

from __future__ import annotations

import errno
import json
import os
import time
from contextlib import suppress

from gitrun import workspace
from gitrun.dataclass import dataclass, field
from gitrun.errors import CannotRun
from gitrun.lazy import shlex
from gitrun.model.text import safe_text, size_text
from gitrun.workspace.lending import RACY, sha256_of, stamp_of
from gitrun.workspace.links import link_path, make_parents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from gitrun.workspace.lending import Lending, Stamp

NAME = "lent"
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files that a slot got from the directory `top`.

    `copies` maps a path to the stamps of the original and of the copy. `links` maps a path to the target of its link.
    `directories` were created for them.
    """

    top: bytes = b""
    copies: Mapping[bytes, tuple[Stamp, Stamp]] = field(default_factory=dict)
    links: Mapping[bytes, bytes] = field(default_factory=dict)
    directories: tuple[bytes, ...] = ()

    @property
    def size(self) -> int:
        """Returns the total size of the copies in bytes."""
        return sum(own[3] for _, own in self.copies.values())


NO_MANIFEST = Manifest()


def read_manifest(slot: Path) -> Manifest:
    """Returns the manifest of a slot; an empty one if the file is missing or damaged."""
    try:
        # {"top": "/home/ann/x", "copies": {"a": [[5 numbers], [5 numbers]]}, "links": {"b": "/home/ann/x/b"}, ...}
        record = json.loads((slot / NAME).read_bytes())
        return Manifest(
            os.fsencode(record["top"]),
            {os.fsencode(path): (parse_stamp(source), parse_stamp(own)) for path, (source, own) in record["copies"].items()},
            {os.fsencode(path): os.fsencode(target) for path, target in record["links"].items()},
            tuple(map(os.fsencode, record["directories"])),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return NO_MANIFEST


def parse_stamp(values: list[int]) -> Stamp:
    """Converts a JSON list to a stamp. Raises ValueError, TypeError."""
    mtime, ctime, inode, size, mode = map(int, values)
    return (mtime, ctime, inode, size, mode)


def write_manifest(slot: Path, manifest: Manifest) -> None:
    """Replaces the manifest of a slot atomically. Writes no file for an empty manifest if there is none."""
    if manifest == NO_MANIFEST and not (slot / NAME).exists():
        return
    fresh = slot / f"{NAME}.new"
    record = {
        "top": os.fsdecode(manifest.top),
        "copies": {os.fsdecode(path): stamps for path, stamps in manifest.copies.items()},
        "links": {os.fsdecode(path): os.fsdecode(target) for path, target in manifest.links.items()},
        "directories": [os.fsdecode(path) for path in manifest.directories],
    }
    fresh.write_text(json.dumps(record))
    fresh.replace(slot / NAME)


def keep_wanted(manifest: Manifest, lending: Lending) -> Manifest:
    """Returns the entries of the manifest that the new lending needs unchanged.

    Drops everything if the files come from another directory, and copies whose original has changed or has no reliable
    time.
    """
    if manifest.top != lending.top:
        return NO_MANIFEST
    copies = {
        # a zero time marks a copy that may be stale
        path: stamps
        for path, stamps in manifest.copies.items()
        if lending.copies.get(path) == stamps[0] and stamps[0][0]
    }
    linked = frozenset(lending.links)
    links = {path: target for path, target in manifest.links.items() if path in linked}
    return Manifest(lending.top, copies, links, lending.directories)


def lend_files(tree: Path, lending: Lending, manifest: Manifest) -> tuple[Manifest, list[bytes]]:
    """Copies and links into `tree` the files that it does not have yet. Files that git checked out there stay.

    Returns the new manifest and the paths whose originals changed while they were copied. Raises OSError, and CannotRun if
    the disk is full.
    """
    top, parents, unsteady = os.fsencode(tree), Parents(os.fsencode(tree)), list[bytes]()
    for path in lending.directories:
        parents.create(path + b"/")
    copies, links, share = dict(manifest.copies), dict(manifest.links), True
    for path, source in lending.copies.items():
        target = top + b"/" + path
        if path in copies or os.path.lexists(target) or not parents.create(path):
            continue
        began = time.time_ns()
        try:
            share = workspace.reflink.copy_with_metadata(lending.top + b"/" + path, target, share=share)
            # read again after the copy, to notice an edit during it
            now = stamp_of(os.lstat(lending.top + b"/" + path))
        except (FileNotFoundError, NotADirectoryError):
            unsteady.append(path)
            continue
        except PermissionError:  # the program sees the same error as in the working tree
            os.unlink(target) if os.path.lexists(target) else None
            links |= link_lent(lending, top, path)
            continue
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            # without its copies the disk has room for the result again
            remove_copies(top, [*copies, path])
            raise disk_full_error(lending, error) from error
        if now != source:
            unsteady.append(path)
        # file times are coarse: a change just after the copy may leave the same time, so a zero time forces a new copy
        is_racy = began - max(now[:2]) <= RACY
        copies[path] = ((0, *now[1:]) if is_racy else now, stamp_of(os.lstat(target)))
    for path in lending.links:
        links |= {} if path in links else link_lent(lending, top, path)
    return Manifest(lending.top, copies, links, lending.directories), unsteady


def remove_copies(top: bytes, paths: Iterable[bytes]) -> None:
    """Removes copies from a slot."""
    for path in paths:
        with suppress(OSError):
            os.unlink(top + b"/" + path)


def disk_full_error(lending: Lending, error: OSError) -> CannotRun:
    """Returns the error of a disk that has no room for the copies, with the largest path to link instead."""
    total = sum(source[3] for source in lending.copies.values())
    largest = max(lending.entries, key=lambda entry: entry.size, default=None)
    name = shlex.quote(safe_text(largest.path.rstrip("/"))) if largest else "PATH"
    return CannotRun(
        f"cannot copy {size_text(total)} of ignored files for the run: {error.strerror}",
        f"To go on: free space there. To link instead: git config --add gitrun.link {name}",
    )


def link_lent(lending: Lending, top: bytes, path: bytes) -> dict[bytes, bytes]:
    """Creates the links for a path. Returns the target of each."""
    return {one: os.readlink(top + b"/" + one) for one in link_path(lending.top, top, path)}


class Parents:
    """The directories of a tree that are known to be real directories, not links."""

    def __init__(self, top: bytes) -> None:
        self._top, self._known = top, {b""}

    def create(self, path: bytes) -> bool:
        """Creates the directories above `path`. Returns False if something else is in the way."""
        above = path.rpartition(b"/")[0]
        if above not in self._known:
            if not make_parents(self._top, path):
                return False
            self._known.add(above)
        return True


def is_untouched(tree: bytes, manifest: Manifest, path: bytes) -> bool:
    """Returns whether a path of a slot is a lent copy that the program has not changed.

    Compares the stamps first, and the contents only if just the change time differs.
    """
    stamps = manifest.copies.get(path)
    if stamps is None:
        return False
    own, now = stamps[1], stamp_of(os.lstat(tree + b"/" + path))
    # chmod changes the ctime as well, so the mode needs no comparison
    if now[:4] == own[:4]:
        return True
    if (now[0], now[2], now[3]) != (own[0], own[2], own[3]):
        return False
    # a new change time alone: chmod, a hard link, or a write whose modification time was set back
    return now[4] == own[4] and sha256_of(tree + b"/" + path) == sha256_of(manifest.top + b"/" + path)

"""Reads `git status` of a worktree."""

from __future__ import annotations

import os
import stat

from gitrun.dataclass import dataclass
from gitrun.errors import GitFailed
from gitrun.git.exe import failure_reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from gitrun.git.exe import Git


@dataclass(frozen=True, slots=True)
class WorktreeStatus:
    """The output of `git status` for a worktree; directories end with `/`.

    `changed` are tracked paths that differ from the index, `deleted` those of them that do not exist. `staged` are paths
    whose entry in the index differs from HEAD. `nested` are repositories inside this one that are not submodules.
    `dirty_modules` are submodules with changes of their own.
    `unread` are directories that git could not open; files in them are missing from all other lists.
    """

    base: str | None
    branch: str | None
    changed: tuple[bytes, ...]
    deleted: tuple[bytes, ...]
    conflicts: tuple[bytes, ...]
    untracked: tuple[bytes, ...]
    nested: tuple[bytes, ...]
    ignored: tuple[bytes, ...]
    dirty_modules: tuple[bytes, ...]
    unread: tuple[bytes, ...] = ()
    staged: tuple[bytes, ...] = ()


def read_status(git: Git, index: Path | None = None, *, ignored: bool = True, modules: str = "dirty") -> WorktreeStatus:
    """Runs `git status` in the worktree against `index` (None: the worktree's own). Raises GitFailed.

    `modules` is git's `--ignore-submodules`: `none`, `dirty` or `all`. A slot needs `all`, since `git status` fails at
    submodules that are links.
    """
    words = (
        "--porcelain=v2",
        "--branch",
        "-z",
        "--untracked-files=all",
        # an entry of a rename would have two paths
        "--no-renames",
        f"--ignore-submodules={modules}",
    )
    options = ("--ignored=matching",) if ignored else ()
    result = git.attempt("status", *words, *options, index=index)
    if result.returncode:
        raise GitFailed(f"git status failed: {failure_reason(result.stderr)}")
    paths, heads = parse_status(result.stdout)
    untracked, ignored_paths = paths.get("?", []), paths.get("!", [])
    # git only warns, in the user's language, about a directory that it cannot open
    closed = unreadable_directories(os.fsencode(git.worktree or "."), {*untracked, *ignored_paths}) if result.stderr else []
    base, branch = heads.get(b"branch.oid", ""), heads.get(b"branch.head", "")
    return WorktreeStatus(
        base=None if base.startswith("(") else base,
        branch=None if branch.startswith("(") else branch,
        changed=tuple(paths.get("changed", [])),
        deleted=tuple(paths.get("deleted", [])),
        conflicts=tuple(paths.get("conflict", [])),
        untracked=tuple(path for path in untracked if not path.endswith(b"/")),
        nested=tuple(path for path in untracked if path.endswith(b"/")),
        ignored=tuple(ignored_paths),
        dirty_modules=tuple(paths.get("module", [])),
        unread=tuple(closed),
        staged=tuple(paths.get("staged", [])),
    )


def parse_status(status: bytes) -> tuple[dict[str, list[bytes]], dict[bytes, str]]:
    """Parses the output of `git status`. Returns the paths by kind, and the headers about HEAD."""
    paths: dict[str, list[bytes]] = {}
    heads: dict[bytes, str] = {}
    for entry in status.split(b"\0")[:-1]:
        sort, _, rest = entry.partition(b" ")
        if sort == b"#":
            name, _, value = rest.partition(b" ")
            heads[name] = os.fsdecode(value)
        elif sort in {b"?", b"!"}:
            paths.setdefault(sort.decode(), []).append(rest)
        else:
            add_tracked_entry(paths, sort, rest)
    return paths, heads


def unreadable_directories(top: bytes, ignored_paths: Collection[bytes]) -> list[bytes]:
    """Returns the directories below `top` that cannot be listed, except those in `ignored_paths`, which end with `/`."""
    closed, queue = [], [b""]
    for directory in queue:
        try:
            with os.scandir(top + b"/" + directory) as entries:
                inner = [directory + entry.name + b"/" for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            closed.append(directory)
        else:
            queue += [path for path in inner if path not in ignored_paths and path != b".git/"]
    return sorted(closed)


def add_tracked_entry(paths: dict[str, list[bytes]], sort: bytes, rest: bytes) -> None:
    """Sorts the status line of a tracked path into `paths`: `<XY> <sub> ... <path>`, 8 fields, or 10 if unmerged."""
    fields = rest.split(b" ", 9 if sort == b"u" else 7)
    state, module, path = fields[0], fields[1], fields[-1]
    if sort == b"u":
        paths.setdefault("conflict", []).append(path)
    elif state[:1] != b".":
        paths.setdefault("staged", []).append(path)
    if sort != b"u" and state[1:2] != b".":
        paths.setdefault("changed", []).append(path)
        if state[1:2] == b"D":
            paths.setdefault("deleted", []).append(path)
    if module.startswith(b"S") and module[2:] != b"..":
        paths.setdefault("module", []).append(path)


def copy_index(source: Path, target: Path) -> None:
    """Copies an index with its mode and times. Raises OSError.

    With a new mtime, git takes an edit of the same size in the same second for unchanged.
    """
    with source.open("rb") as file:
        status = os.fstat(file.fileno())
        # not emptied first: ext4 would begin to write at once when the file is closed
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as copy:
            copy.write(file.read())
            copy.truncate()
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))

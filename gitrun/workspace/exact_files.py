"""The user's exact bytes and permissions in a slot, where git's checkout differs: line ends, filters, file modes."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from gitrun import workspace
from gitrun.errors import GitFailed
from gitrun.workspace.erase import erase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitrun.git.exe import Git


def may_convert(user: Git, tracked: Iterable[bytes]) -> bool:
    """Returns whether git may check out other bytes than it was given, among them files of attributes."""
    # checked with settings and file names alone, because most repositories convert nothing
    line_ends = user.config.get("core.autocrlf", ("false",))[-1].lower()
    if line_ends in {"true", "input", "yes", "on", "1"} or "core.attributesfile" in user.config:
        return True
    home = user.environ.get("XDG_CONFIG_HOME") or os.path.join(user.environ.get("HOME", ""), ".config")
    if (user.common_dir / "info" / "attributes").exists() or os.path.exists(os.path.join(home, "git", "attributes")):
        return True
    return b"/.gitattributes\0" in b"/" + b"\0/".join(tracked) + b"\0"


def list_differing(user: Git, slot: Git, tracked: Iterable[bytes]) -> list[bytes]:
    """Returns the tracked files whose sizes differ between the working tree and the slot."""
    mine, theirs = os.fsencode(user.worktree or ""), os.fsencode(slot.worktree or "")
    return [path for path in tracked if sizes_differ(mine + b"/" + path, theirs + b"/" + path)]


def match_bytes(user: Git, slot: Git, paths: Sequence[bytes]) -> None:
    """Copies files of the working tree into the slot, as long as git would store the same content for both.

    A file that is being edited keeps its recorded content. Raises GitFailed, OSError.
    """
    mine, theirs = os.fsencode(user.worktree or ""), os.fsencode(slot.worktree or "")
    blob_ids = read_blob_ids(slot)
    for path in paths:
        erase(theirs + b"/" + path)
        # the user may have deleted it since the snapshot
        with suppress(FileNotFoundError):
            workspace.reflink.copy_with_metadata(mine + b"/" + path, theirs + b"/" + path, share=False)
    present = [path for path in paths if os.path.lexists(theirs + b"/" + path)]
    cleaned = hash_files(slot, present)
    same = frozenset(path for path in present if cleaned.get(path) == blob_ids.get(path))
    # files edited since the snapshot get their recorded content back
    check_out_paths(slot, [path for path in paths if path not in same])
    if same:
        # `update-index --refresh` reports a file with another size as changed, without comparing contents
        slot.run("update-index", "-z", "--stdin", stdin=b"".join(path + b"\0" for path in sorted(same)))


def check_out_paths(slot: Git, paths: Sequence[bytes]) -> None:
    """Overwrites files of the slot with what git checks out."""
    if paths:
        slot.run("checkout-index", "-f", "-u", "-q", "-z", "--stdin", stdin=b"".join(path + b"\0" for path in paths))


def sizes_differ(mine: bytes, theirs: bytes) -> bool:
    """Returns whether two paths are regular files of different sizes. Every conversion of git changes the size."""
    try:
        first, second = os.lstat(mine), os.lstat(theirs)
    except OSError:
        return False
    return stat.S_ISREG(first.st_mode) and stat.S_ISREG(second.st_mode) and first.st_size != second.st_size


def read_blob_ids(slot: Git) -> dict[bytes, bytes]:
    """Returns the blob ids in the slot's index by path."""
    # 100644 <id> 0\ta.txt
    lines = (line.partition(b"\t") for line in slot.run("ls-files", "-s", "-z").split(b"\0") if line)
    return {path: head.split(b" ")[1] for head, _, path in lines}


def hash_files(slot: Git, paths: Sequence[bytes]) -> dict[bytes, bytes]:
    """Returns the blob ids that git would store these files under. Files whose filters fail are missing."""
    # `--stdin-paths` reads one path a line and unquotes paths that begin with a quote
    plain = [path for path in paths if b"\n" not in path and not path.startswith(b'"')]
    try:
        ids = slot.run("hash-object", "--stdin-paths", stdin=b"".join(path + b"\n" for path in plain)).split()
    except GitFailed:
        # one failing filter ends the whole call, so the files are halved until only it is left out
        half = len(plain) // 2
        return hash_files(slot, plain[:half]) | hash_files(slot, plain[half:]) if half else {}
    return dict(zip(plain, ids, strict=True))


def match_modes(user: Git, slot: Git, tracked: Iterable[bytes]) -> None:
    """Makes files executable as in the working tree, if git ignores file modes."""
    if user.is_enabled("core.filemode") or not user.worktree:
        return
    mine, theirs = os.fsencode(user.worktree), os.fsencode(slot.worktree or "")
    for path in tracked:
        with suppress(OSError):
            mode, own = os.stat(mine + b"/" + path).st_mode, os.lstat(theirs + b"/" + path).st_mode
            if mode & 0o111 and stat.S_ISREG(own) and not own & 0o111:
                os.chmod(theirs + b"/" + path, stat.S_IMODE(own) | (mode & 0o111))


def has_own_filters(git: Git) -> bool:
    """Returns whether filters besides git-lfs are set up. They may look for keys in the git directory."""
    # filter.git-crypt.smudge
    filters = (name.split(".") for name in git.config if name.startswith("filter."))
    return any(parts[-1] in {"clean", "smudge", "process"} and ".".join(parts[1:-1]) != "lfs" for parts in filters)

"""Collects what a program left in its worktree: files for the result commit, files kept beside it, and deletions."""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from gitrun.dataclass import dataclass, replace
from gitrun.errors import GitFailed
from gitrun.git.locks import make_private_directory
from gitrun.git.objects import Entry
from gitrun.git.status import read_status
from gitrun.lazy import glob, shutil
from gitrun.model.digest import sha256
from gitrun.model.run import DIRECTORY, MAX_DEPTH, File, kept_name
from gitrun.model.tree import EXECUTABLE, FILE, LINK
from gitrun.store.commits import import_blobs, quote_path, scratch_directory, write_blobs
from gitrun.workspace import beside
from gitrun.workspace.erase import erase
from gitrun.workspace.links import is_cache, make_parents
from gitrun.workspace.manifest import is_untouched
from gitrun.workspace.ready_slots import find_extras, find_ready, remember, status_without_changes
from gitrun.workspace.slots import slot_directory
from gitrun.workspace.survey import survey_checkout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from gitrun.git.exe import Git
    from gitrun.git.status import WorktreeStatus
    from gitrun.workspace.workspace import Workspace

PACKED_FROM, PACKED_SIZE = 500, 1 << 20
"""Above the first number of files, those of up to the second size in bytes are written as one pack."""
PROGRESS_FROM, PROGRESS_PAUSE = 10_000, 5.0
"""From the first number of files on, progress is shown; the second number is the seconds between two lines."""


@dataclass(frozen=True, slots=True)
class Produced:
    """New and changed files: changes to the tree (None: deleted), and the list for result.toml.

    `lost` are files that could not be read, and so are neither recorded nor kept.
    """

    changes: dict[bytes, Entry | None]
    files: tuple[File, ...]
    status: WorktreeStatus
    lost: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Keep:
    """Directories beside the repository: `here` gets the attempt's local files, `earlier` has those of the previous attempt."""

    here: Path
    earlier: Path | None = None


def collect_outputs(
    workspace: Workspace,
    keep: Keep,
    limit: int,
    say: Callable[[str], None] = lambda _: None,
    status: WorktreeStatus | None = None,
) -> Produced:
    """Writes what the program produced into the repository. Keeps ignored files and files above `limit` bytes beside it.

    `say` shows progress. `status` is what the program has changed; None: git is asked.
    """
    top = os.fsencode(workspace.tree)
    status = status or read_status(workspace.git, workspace.index, modules="all")
    if status.unread and not workspace.is_working_tree:
        # the program removed its own read permissions
        list(files_below(top, status.unread, opens=True))
        status = read_status(workspace.git, workspace.index, modules="all")
    # a link that the program replaced belongs to the program
    linked = workspace.apart
    if not workspace.is_working_tree:
        linked = frozenset(path for path in linked if os.path.islink(top + b"/" + path))
    deleted = {path for path in status.deleted if is_of_program(path, linked)}
    fresh = (
        path
        for path in (*status.changed, *status.conflicts, *status.untracked)
        if path not in deleted and is_of_program(path, linked)
    )
    there = [path for path in fresh if is_file(top + b"/" + path) and not is_given(workspace, path)]
    below = files_below(top, (*status.ignored, *status.nested), opens=not workspace.is_working_tree)
    ignored = {path for path in below if is_of_program(path, linked) and not is_given(workspace, path)}
    there += sorted(path for path in ignored if is_output(workspace, path))
    # git does not search a submodule's directory; one with a .git is a repository of its own
    bare = (path for path in workspace.bare if not os.path.lexists(top + b"/" + path + b"/.git"))
    there += sorted(path for path in files_below(top, bare, opens=not workspace.is_working_tree) if is_of_program(path, linked))
    cleaned = configured_filters(workspace.git, there)
    lfs = {path for path, name in cleaned.items() if name == "lfs"}
    apart = {path for path in there if path.count(b"/") > MAX_DEPTH}
    # git-lfs keeps large files out of git's objects
    apart |= {path for path in there if path not in lfs and os.lstat(top + b"/" + path).st_size > limit}
    apart |= ignored.difference(there)
    files: dict[bytes, File] = {}
    lost = []
    progress = Progress(say, len({*there, *apart}))
    for path in sorted({*there, *apart}):
        progress.step()
        try:
            files[path] = record_file(workspace, keep, path, "local" if path in apart else "lfs" if path in lfs else "git")
        except OSError:
            lost.append(path)
    if not workspace.is_working_tree:  # directories that the system does not open, because they are too deep
        lost += sorted({path.split(b"/")[0] + b"/" for path in status.unread})
    entries = write_entries(workspace.git, top, [path for path in files if path not in apart], cleaned.keys() | status.changed)
    for path in set(files).difference(entries, apart):  # their filter failed, perhaps only on this machine
        files[path] = record_file(workspace, keep, path, "local")
    changes: dict[bytes, Entry | None] = {**dict.fromkeys(deleted), **entries}
    return Produced(changes, tuple(sorted(files.values(), key=lambda file: file.path)), status, tuple(lost))


def status_without_git(workspace: Workspace) -> WorktreeStatus | None:
    """Returns that the program has left nothing but caches in its slot; None if only git can tell what it has changed."""
    if workspace.is_working_tree:
        return None
    top, directory = os.fsencode(workspace.tree), slot_directory(workspace.tree)
    if ready := find_ready(workspace.git, directory):
        added_files = find_extras(top, ready)
        remember(workspace.git, directory, replace(ready, extras=tuple(added_files[0])) if added_files else None)
        return status_without_changes(added_files[1]) if added_files and not added_files[0] else None
    lent, survey = workspace.lent, workspace.checkout and survey_checkout(top, workspace.checkout, workspace.lent, None)
    if survey and not survey.foreign and (survey.copies, survey.links) == (lent.copies, lent.links):
        return status_without_changes(survey.caches)
    return None


class Progress:
    """Progress lines for very many files: one at the start, more every few seconds."""

    def __init__(self, say: Callable[[str], None], total: int) -> None:
        self._say, self._total, self._done = say, total, 0
        self._next = time.monotonic() + PROGRESS_PAUSE
        if total >= PROGRESS_FROM:
            say(f"recording {total:,} produced files")

    def step(self) -> None:
        """Counts one finished file."""
        self._done += 1
        if self._total >= PROGRESS_FROM and self._done % 100 == 0 and time.monotonic() >= self._next:
            self._next = time.monotonic() + PROGRESS_PAUSE
            self._say(f"recorded {self._done:,} of {self._total:,} files")


def is_given(workspace: Workspace, path: bytes) -> bool:
    """Returns whether the file was put there for the program and is unchanged."""
    stamp = workspace.stamps.get(path)
    if stamp is None:
        return is_untouched(os.fsencode(workspace.tree), workspace.lent, path)
    status = os.lstat(os.fsencode(workspace.tree) + b"/" + path)
    return (status.st_mtime_ns, status.st_ino) == stamp


def is_output(workspace: Workspace, path: bytes) -> bool:
    """Returns whether the operation's entry names the path as an output."""
    return any(matches_output(os.fsdecode(path), one) for one in workspace.outputs)


def matches_output(name: str, output: str) -> bool:
    """Returns whether an output (a path, a directory or a pattern) includes the file."""
    return fnmatchcase(name, output) or name.startswith(output.rstrip("/") + "/")


def outputs_without_files(outputs: Iterable[str], files: Iterable[File], tree: Path) -> list[str]:
    """Returns the outputs that match neither a file of the program nor a file in the worktree."""
    names = [file.path for file in files]
    bare = [one for one in outputs if not any(matches_output(name, one) for name in names)]
    if not bare:
        return []
    return [one for one in bare if not glob.glob(one, root_dir=tree)]


def record_file(workspace: Workspace, keep: Keep, path: bytes, storage: str) -> File:
    """Describes the file for result.toml, and keeps it if its place is beside the repository. Raises OSError."""
    top = os.fsencode(workspace.tree)
    if not workspace.is_working_tree and not os.path.islink(
        top + b"/" + path
    ):  # a slot belongs to gitrun, so it may make its files readable
        mode = os.stat(top + b"/" + path).st_mode
        if not mode & stat.S_IRUSR:
            os.chmod(top + b"/" + path, mode | stat.S_IRUSR)
    file = describe_file(top, path, storage)
    if storage == "local":
        keep_file(workspace, keep, path, file)
    return file


def is_file(path: bytes) -> bool:
    """Returns whether the path is a regular file or a link. A pipe, for one, would block the reader."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def is_of_program(path: bytes, apart: frozenset[bytes]) -> bool:
    """Returns whether a path belongs to the program: no cache, no record of the run, nothing in `apart`."""
    parts = path.rstrip(b"/").split(b"/")
    above = (b"/".join(parts[:count]) for count in range(1, len(parts) + 1))
    return parts[0] != os.fsencode(DIRECTORY) and not is_cache(path) and not any(name in apart for name in above)


def files_below(top: bytes, paths: Iterable[bytes], *, opens: bool = False) -> Iterator[bytes]:
    """Yields the regular files and links at and below the paths, without following links.

    If `opens` is set, gives directories the permissions needed to read them; use it only in a slot.
    """
    queue = [path.rstrip(b"/") for path in paths]
    while queue:
        path = queue.pop()
        try:
            mode = os.lstat(top + b"/" + path).st_mode
        except OSError:
            continue
        if stat.S_ISDIR(mode):
            with suppress(OSError):
                if opens and mode & stat.S_IRWXU != stat.S_IRWXU:
                    os.chmod(top + b"/" + path, mode | stat.S_IRWXU)
                queue += [path + b"/" + name for name in os.listdir(top + b"/" + path) if not is_cache(name)]
        elif stat.S_ISREG(mode) or stat.S_ISLNK(mode):
            yield path


def configured_filters(git: Git, paths: Sequence[bytes]) -> dict[bytes, str]:
    """Returns the name of the configured filter for each of the paths that git passes through one."""
    drivers = {name.removeprefix("filter.").rpartition(".")[0] for name in git.config if name.startswith("filter.")}
    if not paths or not drivers:
        return {}
    stdin = b"".join(path + b"\0" for path in paths)
    fields = git.run("check-attr", "-z", "--stdin", "filter", stdin=stdin).split(b"\0")
    # path NUL filter NUL lfs NUL, for each path
    attributes = ((path, os.fsdecode(value)) for path, value in zip(fields[0::3], fields[2::3], strict=False))
    return {path: name for path, name in attributes if name in drivers}


def write_entries(git: Git, top: bytes, paths: Sequence[bytes], cleaned: AbstractSet[bytes]) -> dict[bytes, Entry]:
    """Writes the files into the repository and returns their tree entries. Leaves out files whose filter fails.

    Files in `cleaned` are stored as `git add` would. All others are stored byte for byte, with their line ends.
    """
    files = [path for path in paths if not os.path.islink(top + b"/" + path)]
    hashed = hash_filtered(git, top, [path for path in files if path in cleaned])
    hashed |= hash_outputs(git, top, [path for path in files if path not in cleaned], "--no-filters")
    links = {os.fsdecode(path): os.readlink(top + b"/" + path) for path in paths if os.path.islink(top + b"/" + path)}
    if links:
        with scratch_directory(git) as directory:
            hashed |= {path: Entry(LINK, text.id) for path, text in write_blobs(git, directory, links).items()}
    return hashed


def hash_filtered(git: Git, top: bytes, paths: Sequence[bytes]) -> dict[bytes, Entry]:
    """Returns the tree entries of the files; leaves out those that git cannot clean.

    Halves the list after a failure, since git does not say which file failed.
    """
    try:
        return hash_outputs(git, top, paths)
    except GitFailed:
        half = len(paths) // 2
        return hash_filtered(git, top, paths[:half]) | hash_filtered(git, top, paths[half:]) if half else {}


def hash_outputs(git: Git, top: bytes, paths: Sequence[bytes], *words: str) -> dict[bytes, Entry]:
    """Writes the files into the repository and returns their tree entries. Raises GitFailed."""
    if not paths:
        return {}
    if len(paths) > PACKED_FROM and words:
        # one pack is much faster than thousands of loose objects
        small = [path for path in paths if os.stat(top + b"/" + path).st_size <= PACKED_SIZE]
        large = [path for path in paths if os.stat(top + b"/" + path).st_size > PACKED_SIZE]
        ids = import_blobs(git, map(read_content, (top + b"/" + path for path in small)))
        entries = {path: Entry(file_mode(top + b"/" + path), object_id) for path, object_id in zip(small, ids, strict=True)}
        return entries | hash_outputs(git, top, large, *words)
    stdin = b"".join(quote_path(path) + b"\n" for path in paths)
    ids = git.run("hash-object", "-w", *words, "--stdin-paths", stdin=stdin).decode().split()
    return {path: Entry(file_mode(top + b"/" + path), object_id) for path, object_id in zip(paths, ids, strict=True)}


def read_content(path: bytes) -> bytes:
    """Returns the content of a file."""
    with open(path, "rb") as file:
        return file.read()


def file_mode(path: bytes) -> str:
    """Returns git's mode for a file."""
    return EXECUTABLE if os.stat(path).st_mode & stat.S_IXUSR else FILE


def describe_file(top: bytes, path: bytes, storage: str) -> File:
    """Describes the file for result.toml; for a link, its target's text."""
    full_path = top + b"/" + path
    if os.path.islink(full_path):
        target = os.readlink(full_path)
        return File(os.fsdecode(path), len(target), sha256(target).hexdigest(), storage)
    digest, size = sha256(), 0
    with open(full_path, "rb") as file:
        while data := file.read(1 << 20):
            digest.update(data)
            size += len(data)
    return File(os.fsdecode(path), size, digest.hexdigest(), storage)


def keep_file(workspace: Workspace, keep: Keep, path: bytes, file: File) -> None:
    """Puts a file of the program into the directory beside the repository.

    In a slot it is hard-linked, since the slot drops its own name later. A file unchanged since the last attempt is
    linked to that attempt's copy. In the user's working tree it is copied.
    """
    source, target = Path(os.fsdecode(os.fsencode(workspace.tree) + b"/" + path)), keep.here / os.fsdecode(path)
    make_private_directory(keep.here)
    make_parents(os.fsencode(keep.here), path)
    # a killed process may have left it
    target.unlink(missing_ok=True)
    before = keep.earlier / os.fsdecode(path) if keep.earlier else None
    if source.is_symlink():
        target.symlink_to(source.readlink())
    # an unchanged checkpoint takes no second copy on disk
    elif before and before.is_file() and describe_file(os.fsencode(keep.earlier or ""), path, "local") == file:
        os.link(before, target)
    elif workspace.is_working_tree:
        # with a hard link, an edit in place would change the kept file as well
        shutil.copy2(source, target)
    else:
        os.link(source, target)


def restore_files(earlier: Path, tree: Path, lent: AbstractSet[bytes] = frozenset()) -> list[bytes]:
    """Copies the files that an attempt kept beside the repository into the next attempt's tree. Returns their paths.

    Replaces lent copies. Never replaces anything else, and never writes through a link.
    """
    top, restored = os.fsencode(tree), []
    for path in kept_paths(earlier):
        target = top + b"/" + path
        if path in lent:
            erase(target)
        if os.path.lexists(target) or not make_parents(top, path):
            continue
        # a copy: the program may write to it in place, and the kept file must not change
        shutil.copy2(os.fsencode(earlier) + b"/" + path, target, follow_symlinks=False)
        restored.append(path)
    return restored


def link_kept_files(earlier: Path, later: Path) -> None:
    """Hard-links an earlier attempt's kept files to a later attempt, whose program did not start."""
    for path in (*kept_paths(earlier), *beside.list_kept(earlier)):
        make_private_directory(later)
        make_parents(os.fsencode(later), path)
        with suppress(FileExistsError):  # a process that died here had already linked it
            os.link(os.fsencode(earlier) + b"/" + path, os.fsencode(later) + b"/" + path, follow_symlinks=False)


def hand_on_kept(earlier: Path, later: Path) -> tuple[File, ...]:
    """Hands an earlier attempt's kept files on to a later one. Returns their entries for result.toml."""
    link_kept_files(earlier, later)
    files = [describe_file(os.fsencode(later), path, "local") for path in kept_paths(later)]
    files += [describe_beside(later, name) for name in beside.list_kept_names(later)]
    return tuple(sorted(files, key=lambda file: file.path))


def collect_beside(top: Path | None, tree: Path, keep: Path) -> tuple[File, ...]:
    """Keeps what a program wrote outside the repository. Its names are relative to the top: `../out.txt`."""
    return tuple(describe_beside(keep, name) for name in beside.keep_written(top, tree, keep))


def describe_beside(keep: Path, name: str) -> File:
    """Describes a kept file that was written outside the repository."""
    return replace(describe_file(os.fsencode(keep), os.fsencode(kept_name(name)), "local"), path=name)


def kept_paths(directory: Path) -> list[bytes]:
    """Returns the paths of an attempt's files that are kept at `directory`."""
    top = os.fsencode(directory)
    names = [name for name in os.listdir(top) if name != os.fsencode(DIRECTORY)] if directory.is_dir() else []
    return list(files_below(top, names))

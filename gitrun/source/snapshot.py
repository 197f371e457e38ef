"""Records the working tree as a tree object, through a private index; the user's index stays unchanged."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress

from gitrun.dataclass import dataclass
from gitrun.errors import GitFailed
from gitrun.git.exe import failure_reason
from gitrun.git.locks import make_shared_directory
from gitrun.git.objects import TreeMaker, edit_tree, parse_tree_ids, tree_of_commit
from gitrun.git.status import WorktreeStatus, copy_index, read_status
from gitrun.lazy import lazy_pattern
from gitrun.model.plan import Source
from gitrun.model.run import DIRECTORY, Skipped
from gitrun.model.secrets import is_secret_file
from gitrun.model.text import count_text, encode_path, limit_text, safe_text, size_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.git.objects import Objects
    from gitrun.model.settings import Settings


LARGE = 256 << 10
"""Size in bytes of a directory itself above which it is not searched; it has some thousands of entries."""
MOST = 64
"""The most directories searched: the top and those in it. Searching all would be a second walk over the tree."""

# H 100644 <id> 0\ta.txt: S is skip-worktree, lower case assume-unchanged; mode 160000 is a submodule
PECULIAR = lazy_pattern(rb"\0([^H]|H(?= 160000)) ([0-7]+) [0-9a-f]+ [0-3]\t([^\0]+)")
PLAIN_INDEX = "plain-index"
"""File in the local state with the stamp of an index without submodules and without paths whose changes git ignores."""
ABSENT = {
    "looks like a secret": "it looks like a secret",
    "cannot be read": "it cannot be read",
    "git cannot add it": "git cannot add it",
}
NAMED = 3
"""The most files that messages name one by one."""
FATAL = 128
"""The exit status of git after a fatal error."""
MANY, MUCH = 1_000, 100 << 20
"""Number and bytes of untracked files above which the user is asked whether git should keep them."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The source of a run, the files of the working tree that it leaves out, and messages for the user.

    `outside` is to be lent: ignored files, files that look like secrets, and large untracked files. `linked` is to be
    linked: paths that the user names, and submodules that are not recorded. `bare` are submodules recorded by commit
    only: the program gets empty directories or links for them.
    """

    source: Source
    outside: tuple[bytes, ...]
    linked: tuple[bytes, ...]
    words: tuple[str, ...]
    bare: tuple[bytes, ...] = ()


@contextmanager
def private_index(git: Git, nonce: str) -> Iterator[Path]:
    """Yields a copy of the user's index, and deletes it on exit.

    The copy keeps the mtime: see `copy_index`.
    """
    directory = git.state / "tmp"
    make_shared_directory(directory)
    index = directory / f"index.{nonce}"
    try:
        copy_index(git.git_dir / "index", index)
    except FileNotFoundError:  # a new repository has no index
        index.unlink(missing_ok=True)
    try:
        yield index
    finally:
        index.unlink(missing_ok=True)
        # a killed git leaves its lock
        index.with_name(index.name + ".lock").unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class SnapshotOptions:
    """Options of a snapshot: the settings, the paths to link instead (`apart`), and the callback for questions.

    `lent` says whether the program gets the files that are left out.
    """

    settings: Settings
    apart: tuple[bytes, ...] = ()
    confirm: Callable[[str], bool] = lambda _: True
    lent: bool = True


def take_snapshot(git: Git, objects: Objects, index: Path, choice: SnapshotOptions) -> Snapshot | None:
    """Writes the working tree into the repository through the private `index`. Raises GitFailed.

    Leaves out ignored files, untracked files that are too large or look like secrets, and paths to link. Returns None if
    the user declines to record very many untracked files.
    """
    links = [] if is_known_as_plain(git, index) else clear_own_index(git, index)
    has_commits = choice.settings.submodules == "commit"
    status = read_status(git, index, modules="none" if has_commits else "dirty")
    files, skipped, weight = select_untracked(git, status.untracked, choice.settings, choice.apart)
    if is_declined(choice, files, weight):
        return None
    skipped += add_to_index(git, index, status, files)
    skipped += [Skipped(os.fsdecode(path.rstrip(b"/")), 0, "cannot be read") for path in status.unread]
    base = get_tree_id(objects, status.base)
    is_clean = not (status.staged or status.changed or status.conflicts or files)
    # git need not write the tree of a commit again
    whole = base if base and is_clean else git.run("write-tree", index=index).decode().strip()
    tree = without_records(git, objects, whole)
    modules = list_submodule_commits(git, index, links)
    dirty = tree != (without_records(git, objects, base) if base else base)
    conflicts = tuple(os.fsdecode(path) for path in status.conflicts)
    branch = encode_path(status.branch) if status.branch else None
    source = Source(tree, status.base, branch, dirty, tuple(skipped), conflicts, modules)
    outside = (*status.ignored, *status.nested, *(os.fsencode(s.path) for s in skipped))
    bare = tuple(os.fsencode(path) for path, _ in modules) if has_commits else ()
    return Snapshot(source, outside, (*bare, *choice.apart), snapshot_warnings(status, skipped, lent=choice.lent), bare)


def is_declined(choice: SnapshotOptions, untracked: Sequence[bytes], weight: int) -> bool:
    """Returns True if there are very many untracked files and the user, when asked, declines to record them."""
    if len(untracked) <= MANY and weight <= MUCH:
        return False
    fact = (
        f"the snapshot includes {count_text(len(untracked), 'untracked file')} ({size_text(weight)}) that git does not ignore"
    )
    counts: dict[bytes, int] = {}
    for path in untracked:
        top, slash, _ = path.partition(b"/")
        counts[top + slash] = counts.get(top + slash, 0) + 1
    most = max(counts, key=lambda top: counts[top], default=b"")
    if most.endswith(b"/") and counts[most] > len(untracked) // 2:
        name = safe_text(os.fsdecode(most))
        fact += f", most of them in {name}. To leave them out: add {name} to .gitignore"
    return not choice.confirm(fact)


def find_outside(
    git: Git, settings: Settings, apart: tuple[bytes, ...]
) -> tuple[tuple[bytes, ...], tuple[bytes, ...], tuple[bytes, ...]]:
    """Returns `outside` and `named` as in a snapshot of the working tree, and the paths of submodules.

    A run with another source gets these files.
    """
    status = read_status(git)
    _, skipped, _ = select_untracked(git, status.untracked, settings, apart)
    _, modules = ((), ()) if is_known_as_plain(git, git.git_dir / "index") else special_index_entries(git, None)
    closed = (path.rstrip(b"/") for path in status.unread)
    return (*status.ignored, *status.nested, *(os.fsencode(s.path) for s in skipped), *closed), apart, tuple(modules)


def clear_own_index(git: Git, index: Path) -> list[bytes]:
    """Clears marks in the copy of the user's index, as `clear_skip_worktree` does. Remembers an index without any.

    Returns the paths of submodules.
    """
    entries = git.run("ls-files", "-v", "-s", "-z", index=index)
    hidden, modules = parse_special_entries(entries)
    stamp = stamp_of_index(git, index)
    if stamp and not hidden and not modules:
        with suppress(OSError):  # without the record git is asked again, which does no harm
            fresh = git.state / f"{PLAIN_INDEX}.{index.name}"
            fresh.write_text(stamp)
            fresh.replace(git.state / PLAIN_INDEX)
    return clear_skip_worktree(git, index, entries)


def is_known_as_plain(git: Git, index: Path) -> bool:
    """Returns whether the user's index has been seen to have neither submodules nor paths whose changes git ignores."""
    try:
        known = (git.state / PLAIN_INDEX).read_text()
    except (OSError, ValueError):
        return False
    return known != "" and known == stamp_of_index(git, index)


def stamp_of_index(git: Git, index: Path) -> str:
    """Returns what identifies the content of the user's index, if `index` is a copy of it; else an empty text.

    Git never writes into its index: it renames another file to that name. So another content has another inode and ctime.
    """
    try:
        own, copy = (git.git_dir / "index").stat(), index.stat()
    except OSError:
        return ""
    if (own.st_mtime_ns, own.st_size) != (copy.st_mtime_ns, copy.st_size):
        return ""
    return f"{own.st_dev} {own.st_ino} {own.st_ctime_ns} {own.st_mtime_ns} {own.st_size}"


def clear_skip_worktree(git: Git, index: Path, entries: bytes | None = None) -> list[bytes]:
    """Clears skip-worktree and assume-unchanged in the index for files that exist, so that git sees their changes.

    In a sparse checkout git itself keeps skip-worktree right. `entries` is the output of `git ls-files -v -s -z`, if the
    caller has it. Returns the paths of submodules.
    """
    hidden, modules = special_index_entries(git, index) if entries is None else parse_special_entries(entries)
    is_sparse = git.config.get("core.sparsecheckout", ("false",))[-1] == "true"
    here = [path for path, tag in hidden if git.worktree and os.path.lexists(os.fsencode(git.worktree) + b"/" + path)
            and (tag.islower() or not is_sparse)]  # fmt: skip
    if here:
        paths = b"\0".join(here) + b"\0"
        for mark in ("--no-assume-unchanged",) if is_sparse else ("--no-skip-worktree", "--no-assume-unchanged"):
            git.run("update-index", mark, "-z", "--stdin", stdin=paths, index=index)
    return modules


def special_index_entries(git: Git, index: Path | None) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
    """Returns the tracked paths whose changes git ignores, with their tags of `git ls-files -v`, and the submodules."""
    return parse_special_entries(git.run("ls-files", "-v", "-s", "-z", index=index))


def parse_special_entries(entries: bytes) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
    """Parses the output of `git ls-files -v -s -z`. Returns the same as `special_index_entries`."""
    hidden, modules = [], []
    # one pattern over the whole output, so that a hundred thousand ordinary files cost next to nothing
    for tag, mode, path in PECULIAR.findall(b"\0" + entries):
        if tag == b"S" or tag.islower():
            hidden.append((path, tag))
        if mode == b"160000":
            modules.append(path)
    return hidden, modules


def select_untracked(
    git: Git, untracked: tuple[bytes, ...], settings: Settings, apart: tuple[bytes, ...]
) -> tuple[list[bytes], list[Skipped], int]:
    """Splits the untracked paths. Returns those to record, those to skip with the reason, and the bytes of the former."""
    top = os.fsencode(git.worktree or ".") + b"/"
    # git lists its own directory as untracked if it is not called .git
    ours = tuple(os.fsencode(name) + b"/" for name in (DIRECTORY, *git_paths(git)))
    files, skipped, weight = [], [], 0
    for path in untracked:
        if path.startswith(ours) or any(path == name or path.startswith(name.rstrip(b"/") + b"/") for name in apart):
            continue
        try:
            size = os.lstat(top + path).st_size
        except OSError:  # deleted since git listed it
            continue
        reason = why_not_recorded(path, size, settings)
        if reason:
            skipped.append(Skipped(os.fsdecode(path), size, reason))
        else:
            files.append(path)
            weight += size
    return files, skipped, weight


def why_not_recorded(path: bytes, size: int, settings: Settings) -> str:
    """Returns the reason why an untracked file is not recorded; empty if it is."""
    if is_secret_file(os.fsdecode(path), settings.secrets):
        return "looks like a secret"
    return f"larger than {limit_text(settings.max_untracked)}" if size > settings.max_untracked else ""


def git_paths(git: Git) -> set[str]:
    """Returns the paths of git's own directories, as far as they are below the top of the working tree."""
    top = os.path.realpath(git.worktree or ".")
    inside = {os.path.relpath(os.path.realpath(directory), top) for directory in (git.git_dir, git.common_dir)}
    return {path for path in inside if not path.startswith("..")}


def add_to_index(git: Git, index: Path, status: WorktreeStatus, untracked: list[bytes]) -> list[Skipped]:
    """Adds the current files to the index. Returns the untracked paths that cannot be read.

    Raises GitFailed if a tracked file cannot be read.
    """
    deleted = set(status.deleted)
    tracked = [path for path in (*status.changed, *status.conflicts) if path not in deleted]
    if deleted:  # removed by force, because the path may now lead through a link to a file elsewhere
        paths = b"".join(path + b"\0" for path in status.deleted)
        git.run("update-index", "--force-remove", "-z", "--stdin", stdin=paths, index=index)
    if not tracked and not untracked:
        return []
    paths = b"".join(path + b"\0" for path in (*tracked, *untracked))
    # --replace: a file may have become a directory, or a directory a file
    result = git.attempt("update-index", "--add", "--remove", "--replace", "-z", "--stdin", stdin=paths, index=index)
    if not result.returncode:
        return []
    # update-index stops at the first path it cannot read; add continues, and status shows what is missing
    messages = add_possible(git, index, [*tracked, *untracked])
    unstaged = read_status(git, index, ignored=False)
    bad = set(unstaged.changed) & set(tracked)
    if bad or unstaged.conflicts:
        first = os.fsdecode(min(bad or unstaged.conflicts))
        raise GitFailed(f"cannot record '{first}': {failure_reason(messages or result.stderr)}")
    unread = set(unstaged.untracked) & set(untracked)
    top = os.fsencode(git.worktree or ".") + b"/"
    reasons = {path: "git cannot add it" if os.access(top + path, os.R_OK) else "cannot be read" for path in sorted(unread)}
    return [Skipped(os.fsdecode(path), 0, reason) for path, reason in reasons.items()]


def add_possible(git: Git, index: Path, paths: list[bytes]) -> bytes:
    """Adds all paths that git can add to the index. Returns git's messages about the others."""
    words = ("--sparse", "--ignore-errors", "--pathspec-from-file=-", "--pathspec-file-nul")
    result = git.attempt("add", "--all", *words, stdin=b"".join(path + b"\0" for path in paths), index=index)
    half = len(paths) // 2
    if result.returncode < FATAL or not half:
        return result.stderr
    # a failing filter ends git before it has added anything, even with --ignore-errors
    return b"".join(add_possible(git, index, part) for part in (paths[:half], paths[half:]))


def without_records(git: Git, objects: Objects, tree_id: str) -> str:
    """Returns the tree without a `.gitrun` directory that the user committed."""
    top = objects.read(tree_id)
    if top is None or top.data is None or os.fsencode(DIRECTORY) not in parse_tree_ids(top.data, git.object_format.size):
        return tree_id
    with TreeMaker(git) as maker:
        return edit_tree(objects, maker, tree_id, {os.fsencode(DIRECTORY): None})


def get_tree_id(objects: Objects, commit_id: str | None) -> str | None:
    """Returns the tree of a commit, or None."""
    commit = objects.read(commit_id) if commit_id else None
    return (tree_of_commit(commit.data or b"") or None) if commit else None


def list_submodule_commits(git: Git, index: Path, modules: list[bytes]) -> tuple[tuple[str, str], ...]:
    """Returns the submodules in the index, each with its commit."""
    output = git.run("ls-files", "-s", "-z", "--", *map(os.fsdecode, modules), index=index) if modules else b""
    # 160000 <id> 0\tlibs/x
    lines = (line for line in output.split(b"\0") if line.startswith(b"160000 "))
    return tuple((os.fsdecode(line.partition(b"\t")[2]), line.split(b" ")[1].decode()) for line in lines)


def warn_of_submodules(git: Git, modules: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Returns messages about submodules that are missing here or at another commit than in the run."""
    words = []
    for path, then in modules:
        directory = (git.worktree or git.git_dir) / path
        # the path comes from a record, perhaps of another repository's run
        if os.path.isabs(path) or ".." in path.split("/"):
            continue
        if not (directory / ".git").exists():
            words.append(f"note: submodule {path} is not here; the run had it at {then[:9]}")
            continue
        now = (
            git.at(directory, directory / ".git", {})
            .attempt("rev-parse", "--verify", "--quiet", "HEAD")
            .stdout.decode()
            .strip()
        )
        if now != then:
            words.append(f"note: submodule {path} is at {now[:9] or 'no commit'} here; the run had it at {then[:9]}")
    return tuple(words)


def snapshot_warnings(status: WorktreeStatus, skipped: list[Skipped], *, lent: bool) -> tuple[str, ...]:
    """Returns the warnings about a snapshot that the user sees before the program starts."""
    words = []
    still = " (your program still sees it)" if lent else ""
    for one in skipped[:NAMED]:
        fact = f"{safe_text(one.path)} is not recorded: {ABSENT.get(one.reason, 'it is ' + one.reason)}{still}"
        words.append(f"warning: {fact}. To hide this message: add it to .gitignore")
    if len(skipped) > NAMED:
        words.append(f"warning: {count_text(len(skipped) - NAMED, 'other file')} are not recorded. To list them: git run show")
    if status.conflicts:
        words.append(f"warning: recorded with conflict markers: {name_first_paths(status.conflicts)}")
    if status.dirty_modules:
        words.append(f"warning: changes inside submodules are not recorded: {name_first_paths(status.dirty_modules)}")
    if status.nested:
        words.append(f"warning: repositories inside this one are not recorded: {name_first_paths(status.nested)}")
    return tuple(words)


def name_first_paths(paths: Sequence[bytes]) -> str:
    """Returns the first three paths, for a message."""
    return ", ".join(os.fsdecode(path) for path in paths[:3]) + (", …" if len(paths) > 3 else "")


def note_special_files(git: Git) -> tuple[str, ...]:
    """Returns a note about FIFOs and sockets. Names each only once: the local state records which were named."""
    special = list(find_special_files(os.fsencode(git.worktree))) if git.worktree else []
    if not special:
        return ()
    marker = git.state / "specials"
    noted: set[bytes] = set()
    with suppress(OSError):
        noted.update(marker.read_bytes().split(b"\0"))
    fresh = [path for path in special if path not in noted]
    if not fresh:
        return ()
    with suppress(OSError):  # without the record the note is repeated, which does no harm
        make_shared_directory(git.state)
        with marker.open("ab") as file:
            file.write(b"".join(path + b"\0" for path in fresh))
    return (f"note: FIFOs and sockets are not part of runs: {name_first_paths(fresh)}",)


def find_special_files(top: bytes) -> Iterator[bytes]:
    """Yields the paths of FIFOs and sockets in the top directory and directly in its subdirectories."""
    queue = [b""]
    for directory in queue:
        with suppress(OSError):
            if os.stat(top + b"/" + directory).st_size > LARGE:
                continue
            with os.scandir(top + b"/" + directory) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if not directory and entry.name != b".git" and len(queue) < MOST:
                            queue.append(entry.name + b"/")
                    elif not entry.is_file(follow_symlinks=False) and not entry.is_symlink() and is_special(entry):
                        yield directory + entry.name


def is_special(entry: os.DirEntry[bytes]) -> bool:
    """Returns whether the entry is a FIFO or a socket; False for a device."""
    mode = entry.stat(follow_symlinks=False).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)

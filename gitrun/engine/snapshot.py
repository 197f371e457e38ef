"""The working tree as a tree: what lies there now, through a private index, the user's own untouched."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitrun.errors import GitFailed
from gitrun.git.exe import last_words
from gitrun.model.files import Skipped
from gitrun.model.plan import Source
from gitrun.model.record import DIRECTORY
from gitrun.model.secrets import is_secret_file
from gitrun.model.text import count_text, limit_text, path_text, safe_text, size_text
from gitrun.store.places import make_common

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.git.objects import Objects
    from gitrun.model.settings import Settings

PECULIAR = re.compile(rb"\0([^H]|H(?= 160000)) ([0-7]+) [0-9a-f]+ [0-3]\t([^\0]+)")
ABSENT = {
    "looks like a secret": "it looks like a secret",
    "cannot be read": "it cannot be read",
    "git cannot add it": "git cannot add it",
}
NAMED = 3
"""Files that are named one by one in messages."""
FATAL = 128
"""The exit status of a git that could not go on."""
MANY, MUCH = 1_000, 100 << 20
"""Untracked files, and their bytes, above which a person is asked whether git should keep them all."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What `git status` sees in a worktree; directories end with `/`.

    `changed` are tracked paths whose content is not that of the index, `deleted` those of them that are no longer
    there, `nested` repositories inside this one that are no submodules, `dirty_modules` submodules with changes of
    their own, `unread` directories that git was not let into: what lies there is in none of the others.
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


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The source of a run, what of the working tree is not in it, and what to tell the user.

    `outside` is to be lent: what git ignores, what looks like a secret, and large untracked files. `named` is to be linked:
    what the user names, and submodules that are not recorded. `bare` are the submodules of which the source has the commit
    alone: where a program runs they are empty directories, or links.
    """

    source: Source
    outside: tuple[bytes, ...]
    named: tuple[bytes, ...]
    words: tuple[str, ...]
    bare: tuple[bytes, ...] = ()


@contextmanager
def private_index(git: Git, nonce: str) -> Iterator[Path]:
    """A copy of the user's index that goes away with the `with`.

    It keeps the mtime: after a plain copy, an edit of the same size in the same second is taken for unchanged.
    """
    directory = git.state / "tmp"
    make_common(directory)
    index = directory / f"index.{nonce}"
    try:
        shutil.copy2(git.git_dir / "index", index)
    except FileNotFoundError:
        index.unlink(missing_ok=True)
    try:
        yield index
    finally:
        index.unlink(missing_ok=True)
        index.with_name(index.name + ".lock").unlink(missing_ok=True)


def scan(git: Git, index: Path | None = None, *, ignored: bool = True, modules: str = "dirty") -> Seen:
    """What lies in the worktree, compared with `index` (None: the worktree's own).

    `modules` is what git ignores of submodules: `none`, `dirty` (all but another commit), or `all`: in a slot they may be
    links, at which git status ends with an error.
    """
    words = (
        "--porcelain=v2",
        "--branch",
        "-z",
        "--untracked-files=all",
        "--no-renames",
        f"--ignore-submodules={modules}",
    )
    wanted = ("--ignored=matching",) if ignored else ()
    done = git.attempt("status", *words, *wanted, index=index)
    if done.returncode:
        raise GitFailed(f"git status failed: {last_words(done.stderr)}")
    found, heads = listed(done.stdout)
    untracked, passed = found.get("?", []), found.get("!", [])
    # a directory that cannot be opened is a warning, in the user's language, and no entry
    closed = unreadable(os.fsencode(git.worktree or "."), {*untracked, *passed}) if done.stderr else []
    base, branch = heads.get(b"branch.oid", ""), heads.get(b"branch.head", "")
    return Seen(
        base=None if base.startswith("(") else base,
        branch=None if branch.startswith("(") else branch,
        changed=tuple(found.get("changed", [])),
        deleted=tuple(found.get("deleted", [])),
        conflicts=tuple(found.get("conflict", [])),
        untracked=tuple(path for path in untracked if not path.endswith(b"/")),
        nested=tuple(path for path in untracked if path.endswith(b"/")),
        ignored=tuple(passed),
        dirty_modules=tuple(found.get("module", [])),
        unread=tuple(closed),
    )


def listed(status: bytes) -> tuple[dict[str, list[bytes]], dict[bytes, str]]:
    """The paths that `git status` lists, by what they are, and what it says of HEAD."""
    found: dict[str, list[bytes]] = {}
    heads: dict[bytes, str] = {}
    for entry in status.split(b"\0")[:-1]:
        sort, _, rest = entry.partition(b" ")
        if sort == b"#":
            name, _, value = rest.partition(b" ")
            heads[name] = os.fsdecode(value)
        elif sort in {b"?", b"!"}:
            found.setdefault(sort.decode(), []).append(rest)
        else:
            note(found, sort, rest)
    return found, heads


def unreadable(top: bytes, passed: Collection[bytes]) -> list[bytes]:
    """The directories below `top` that cannot be listed, but none of those `passed` over, which end with `/`."""
    found, queue = [], [b""]
    for directory in queue:
        try:
            with os.scandir(top + b"/" + directory) as entries:
                inner = [directory + entry.name + b"/" for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            found.append(directory)
        else:
            queue += [path for path in inner if path not in passed and path != b".git/"]
    return sorted(found)


def note(found: dict[str, list[bytes]], sort: bytes, rest: bytes) -> None:
    """Files a line of status about a tracked path: `<XY> <sub> ... <path>`, 8 fields, or 10 if unmerged."""
    fields = rest.split(b" ", 9 if sort == b"u" else 7)
    state, module, path = fields[0], fields[1], fields[-1]
    if sort == b"u":
        found.setdefault("conflict", []).append(path)
    elif state[1:2] != b".":
        found.setdefault("changed", []).append(path)
        if state[1:2] == b"D":
            found.setdefault("deleted", []).append(path)
    if module.startswith(b"S") and module[2:] != b"..":
        found.setdefault("module", []).append(path)


@dataclass(frozen=True, slots=True)
class Choice:
    """What decides about untracked files: the settings, the paths named to be linked, and who answers a question.

    `lent` says whether the program gets what is left out.
    """

    settings: Settings
    apart: tuple[bytes, ...] = ()
    confirm: Callable[[str], bool] = lambda _: True
    lent: bool = True


def snapshot(git: Git, objects: Objects, index: Path, choice: Choice) -> Snapshot | None:
    """The working tree as it is now, written into the repository through the private `index`.

    Ignored files are left out, as are untracked ones that are too large or look like secrets, and those named to be
    linked. None if the answer to whether git should keep very many untracked files is no. Raises GitFailed.
    """
    links = unhide(git, index)
    has_commits = choice.settings.submodules == "commit"
    seen = scan(git, index, modules="none" if has_commits else "dirty")
    taken, skipped, weight = choose(git, seen.untracked, choice.settings, choice.apart)
    if asks_too_much(choice, taken, weight):
        return None
    skipped += add(git, index, seen, taken)
    skipped += [Skipped(os.fsdecode(path.rstrip(b"/")), 0, "cannot be read") for path in seen.unread]
    tree = without_records(git, objects, git.run("write-tree", index=index).decode().strip())
    modules = commits_of(git, index, links)
    base = tree_of(objects, seen.base)
    dirty = tree != (without_records(git, objects, base) if base else base)
    conflicts = tuple(os.fsdecode(path) for path in seen.conflicts)
    branch = path_text(seen.branch) if seen.branch else None
    source = Source(tree, seen.base, branch, dirty, tuple(skipped), conflicts, modules)
    outside = (*seen.ignored, *seen.nested, *(os.fsencode(s.path) for s in skipped))
    bare = tuple(os.fsencode(path) for path, _ in modules) if has_commits else ()
    return Snapshot(source, outside, (*bare, *choice.apart), words_for(seen, skipped, lent=choice.lent), bare)


def asks_too_much(choice: Choice, untracked: Sequence[bytes], weight: int) -> bool:
    """Whether the user, asked because there are very many, does not want git to keep these untracked files."""
    return (len(untracked) > MANY or weight > MUCH) and not choice.confirm(
        f"the snapshot takes in {count_text(len(untracked), 'untracked file')} ({size_text(weight)}) that git does not ignore"
    )


def outside_of(
    git: Git, settings: Settings, apart: tuple[bytes, ...]
) -> tuple[tuple[bytes, ...], tuple[bytes, ...], tuple[bytes, ...]]:
    """What of the working tree would not be in a snapshot, as `outside` and `named` of one, and the paths of submodules.

    It is what a run with another source is lent.
    """
    seen = scan(git)
    _, skipped, _ = choose(git, seen.untracked, settings, apart)
    _, modules = peculiar(git, None)
    closed = (path.rstrip(b"/") for path in seen.unread)
    return (*seen.ignored, *seen.nested, *(os.fsencode(s.path) for s in skipped), *closed), apart, tuple(modules)


def unhide(git: Git, index: Path, listed: bytes | None = None) -> list[bytes]:
    """Makes git look at files whose changes it was told not to see (skip-worktree, assume-unchanged), where they exist.

    In a sparse checkout git itself keeps the first mark right. `listed` is what `git ls-files -v -s -z` says, if that is
    known. Returns the paths of submodules.
    """
    hidden, modules = peculiar(git, index) if listed is None else peculiar_of(listed)
    is_sparse = git.config.get("core.sparsecheckout", ("false",))[-1] == "true"
    here = [path for path, tag in hidden if git.worktree and os.path.lexists(os.fsencode(git.worktree) + b"/" + path)
            and (tag.islower() or not is_sparse)]  # fmt: skip
    if here:
        paths = b"\0".join(here) + b"\0"
        for mark in ("--no-assume-unchanged",) if is_sparse else ("--no-skip-worktree", "--no-assume-unchanged"):
            git.run("update-index", mark, "-z", "--stdin", stdin=paths, index=index)
    return modules


def peculiar(git: Git, index: Path | None) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
    """The tracked paths whose changes git was told not to see, with the tag of `git ls-files -v`, and those of submodules."""
    return peculiar_of(git.run("ls-files", "-v", "-s", "-z", index=index))


def peculiar_of(listed: bytes) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
    """As peculiar, of what `git ls-files -v -s -z` says."""
    hidden, modules = [], []
    # one pattern over all of it: a hundred thousand ordinary files cost next to nothing
    for tag, mode, path in PECULIAR.findall(b"\0" + listed):
        if tag == b"S" or tag.islower():
            hidden.append((path, tag))
        if mode == b"160000":
            modules.append(path)
    return hidden, modules


def choose(
    git: Git, untracked: tuple[bytes, ...], settings: Settings, apart: tuple[bytes, ...]
) -> tuple[list[bytes], list[Skipped], int]:
    """The untracked paths to take, those to skip with the reason, and the bytes of those taken."""
    top = os.fsencode(git.worktree or ".") + b"/"
    ours = tuple(os.fsencode(name) + b"/" for name in (DIRECTORY, *own_places(git)))
    taken, skipped, weight = [], [], 0
    for path in untracked:
        if path.startswith(ours) or any(path == name or path.startswith(name.rstrip(b"/") + b"/") for name in apart):
            continue
        try:
            size = os.lstat(top + path).st_size
        except OSError:  # gone since git saw it
            continue
        reason = why_not(path, size, settings)
        if reason:
            skipped.append(Skipped(os.fsdecode(path), size, reason))
        else:
            taken.append(path)
            weight += size
    return taken, skipped, weight


def why_not(path: bytes, size: int, settings: Settings) -> str:
    """Why an untracked file stays out of the snapshot; empty if it does not."""
    if is_secret_file(os.fsdecode(path), settings.secrets):
        return "looks like a secret"
    return f"larger than {limit_text(settings.max_untracked)}" if size > settings.max_untracked else ""


def own_places(git: Git) -> set[str]:
    """Where git itself lies, if that is below the top of the working tree."""
    top = os.path.realpath(git.worktree or ".")
    places = {os.path.relpath(os.path.realpath(place), top) for place in (git.git_dir, git.common_dir)}
    return {place for place in places if not place.startswith("..")}


def add(git: Git, index: Path, seen: Seen, untracked: list[bytes]) -> list[Skipped]:
    """Puts what lies there now into the index; returns the untracked paths that cannot be read.

    Raises GitFailed if a tracked one cannot be read.
    """
    gone = set(seen.deleted)
    tracked = [path for path in (*seen.changed, *seen.conflicts) if path not in gone]
    if gone:  # said so, because a path may now lead through a link to a file of another place
        paths = b"".join(path + b"\0" for path in seen.deleted)
        git.run("update-index", "--force-remove", "-z", "--stdin", stdin=paths, index=index)
    if not tracked and not untracked:
        return []
    paths = b"".join(path + b"\0" for path in (*tracked, *untracked))
    done = git.attempt("update-index", "--add", "--remove", "--replace", "-z", "--stdin", stdin=paths, index=index)
    if not done.returncode:
        return []
    # update-index stops at the first path it cannot read; add goes on, and status then says what is missing
    said = add_what_goes(git, index, [*tracked, *untracked])
    left = scan(git, index, ignored=False)
    bad = set(left.changed) & set(tracked)
    if bad or left.conflicts:
        first = os.fsdecode(min(bad or left.conflicts))
        raise GitFailed(f"cannot record '{first}': {last_words(said or done.stderr)}")
    unread = set(left.untracked) & set(untracked)
    top = os.fsencode(git.worktree or ".") + b"/"
    reasons = {path: "git cannot add it" if os.access(top + path, os.R_OK) else "cannot be read" for path in sorted(unread)}
    return [Skipped(os.fsdecode(path), 0, reason) for path, reason in reasons.items()]


def add_what_goes(git: Git, index: Path, paths: list[bytes]) -> bytes:
    """What git says of those of the paths that it cannot add; all others are in the index then."""
    words = ("--sparse", "--ignore-errors", "--pathspec-from-file=-", "--pathspec-file-nul")
    done = git.attempt("add", "--all", *words, stdin=b"".join(path + b"\0" for path in paths), index=index)
    half = len(paths) // 2
    if done.returncode < FATAL or not half:
        return done.stderr
    # a filter that fails ends git before it has added anything, whatever errors it is to ignore
    return b"".join(add_what_goes(git, index, part) for part in (paths[:half], paths[half:]))


def without_records(git: Git, objects: Objects, tree: str) -> str:
    """The tree without a `.gitrun` that the user happens to keep in git."""
    if objects.read(f"{tree}:{DIRECTORY}") is None:
        return tree
    from gitrun.git.objects import TreeMaker, edit_tree

    with TreeMaker(git) as maker:
        return edit_tree(objects, maker, tree, {os.fsencode(DIRECTORY): None})


def tree_of(objects: Objects, commit: str | None) -> str | None:
    """The tree of a commit."""
    found = objects.read(f"{commit}^{{tree}}") if commit else None
    return found.id if found else None


def commits_of(git: Git, index: Path, modules: list[bytes]) -> tuple[tuple[str, str], ...]:
    """The submodules that the index still has, each with the commit it is at."""
    listed = git.run("ls-files", "-s", "-z", "--", *map(os.fsdecode, modules), index=index) if modules else b""
    lines = (line for line in listed.split(b"\0") if line.startswith(b"160000 "))
    return tuple((os.fsdecode(line.partition(b"\t")[2]), line.split(b" ")[1].decode()) for line in lines)


def moved_modules(git: Git, modules: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """What to tell of submodules that a run had at these commits and that are at others, or not there, by now."""
    words = []
    for path, then in modules:
        place = (git.worktree or git.git_dir) / path
        if os.path.isabs(path) or ".." in path.split("/"):
            continue
        if not (place / ".git").exists():
            words.append(f"submodule {path} is not here; the run had it at {then[:9]}")
            continue
        now = git.at(place, place / ".git", {}).attempt("rev-parse", "--verify", "--quiet", "HEAD").stdout.decode().strip()
        if now != then:
            words.append(f"submodule {path} is at {now[:9] or 'no commit'} here; the run had it at {then[:9]}")
    return tuple(words)


def words_for(seen: Seen, skipped: list[Skipped], *, lent: bool) -> tuple[str, ...]:
    """Returns what the user should know about the snapshot before the program starts."""
    words = []
    still = " (your program still sees it)" if lent else ""
    for one in skipped[:NAMED]:
        fact = f"{safe_text(one.path)} is not recorded: {ABSENT.get(one.reason, 'it is ' + one.reason)}{still}"
        words.append(f"warning: {fact}. To hide this message: add it to .gitignore")
    if len(skipped) > NAMED:
        words.append(f"warning: {count_text(len(skipped) - NAMED, 'other file')} are not recorded. To list them: git run show")
    if seen.conflicts:
        words.append(f"warning: recorded with their conflict markers: {listing(seen.conflicts)}")
    if seen.dirty_modules:
        words.append(f"warning: changes inside submodules are not recorded: {listing(seen.dirty_modules)}")
    if seen.nested:
        words.append(f"warning: repositories inside this one are not recorded: {listing(seen.nested)}")
    return tuple(words)


def listing(paths: Sequence[bytes]) -> str:
    """The first few paths, for a message."""
    return ", ".join(os.fsdecode(path) for path in paths[:3]) + (", …" if len(paths) > 3 else "")

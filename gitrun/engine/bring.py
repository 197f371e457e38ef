"""Files of a run, as the program left them or as it found them: read, and put where a user wants them.

Never over a changed file unless the user says so, never through a link, never outside of where they are to go.
"""

from __future__ import annotations

import filecmp
import hashlib
import os
import secrets
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.engine.links import make_parents, prune
from gitrun.engine.produced import describe
from gitrun.errors import CannotRun, UnknownRun, UsageError
from gitrun.git.objects import COMMIT, EXECUTABLE, LINK, Objects, TreeMaker, entry_at
from gitrun.model import record
from gitrun.model.basis import read_steps
from gitrun.model.files import File, is_safe, kept_name
from gitrun.model.refs import run_ref, short
from gitrun.model.run import Run
from gitrun.store.carry import source_tree
from gitrun.store.commits import scratch
from gitrun.store.kept import unpack
from gitrun.store.results import kept
from gitrun.store.runs import attempts
from gitrun.store.tips import read_ref

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from gitrun.engine.road import Road
    from gitrun.git.exe import Git
    from gitrun.git.objects import Entry
    from gitrun.model.basis import StepRun
    from gitrun.model.plan import Outcome
    from gitrun.model.request import Request

DONE, LEFT, GONE = "done", "left", "gone"
PLAIN = {"core.sparseCheckout": "false", "core.fsmonitor": "false", "submodule.recurse": "false"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be brought: of what was produced or of the source, files and directories (none: all), and where to.

    `to` is a directory that need not be there (None: the working tree); with `force` changed files are written over.
    """

    paths: tuple[str, ...] = ()
    to: Path | None = None
    source: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class Brought:
    """Paths that were brought, those left because of something of the user's in their way, those that are not to be had."""

    done: tuple[str, ...]
    left: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """A file to bring: its path, how to write it anew somewhere (false: it is not to be had), whether a file is it already."""

    path: str
    write: Callable[[Path], bool]
    is_this: Callable[[Path], bool]


ALL = Wish()


def bring(git: Git, run: Run, wish: Wish = ALL) -> Brought:
    """Puts what is wished for where it is wished for. Raises UnknownRun if a path is not of the run.

    Of what was produced that is what the last attempt left, also of what it found from the attempt before and did not
    change. A file that is there is only written over if it is as the attempt found it, as the run left it, or, in the
    working tree, as the current commit has it.
    """
    top = wish.to or git.worktree
    if top is None:
        raise CannotRun("this repository has no working tree", "--to DIR names another place")
    if wish.to:
        require_outside_of_git(git, wish.to)
    found: dict[str, list[str]] = {DONE: [], LEFT: [], GONE: []}
    with ExitStack() as stack:
        objects = stack.enter_context(Objects(git))
        if wish.source:
            items = source_items(git, objects, run, wish, stack.enter_context(scratch(git)))
        else:
            items = produced_items(git, objects, run, wish)
        known = commits_known(git, run, wish)
        os.makedirs(top, exist_ok=True)

        def may_go(item: Item, target: Path) -> bool:
            return wish.force or is_known(git, objects, known, item.path, target)

        for item in items:
            found[put(top, item, may_go)].append(item.path)
    return Brought(*(tuple(found[name]) for name in (DONE, LEFT, GONE)))


def require_outside_of_git(git: Git, to: Path) -> None:
    """Raises UsageError if a directory is, or through links leads to, git's own directory, of whatever repository."""
    place = Path(os.path.realpath(to))
    tree = Path(os.path.realpath(git.worktree)) if git.worktree else None
    # a slot itself lies below git's directory; what is in it is an ordinary file
    parts = place.relative_to(tree).parts if tree and place.is_relative_to(tree) else place.parts
    own = (Path(os.path.realpath(one)) for one in (git.git_dir, git.common_dir))
    is_inside = len(parts) == len(place.parts) and any(place.is_relative_to(one) for one in own)
    if is_inside or any(part.lower() == ".git" for part in parts):
        raise UsageError(f"'{to}' is inside git's own directory", "--to DIR takes any other directory")


def bring_made(road: Road, request: Request, run: str, outcome: Outcome | None) -> list[Brought]:
    """What became of the files that the run and its steps produced, if the request or the settings say to bring them."""
    wanted = not request.in_place and (road.settings.bring if request.bring is None else request.bring)
    if not (wanted and outcome and (outcome.files or outcome.steps)):
        return []
    from gitrun.store.index import Index

    with Index(road.git) as index:
        found = [index.get(one) for one in (run, *parts(road.git, outcome.steps))]
    return [bring(road.git, one) for one in found if isinstance(one, Run)]


def parts(git: Git, steps: Iterable[StepRun]) -> Iterator[str]:
    """The runs of these steps, each after its own steps."""
    for step in steps:
        with Objects(git) as objects:
            found = objects.read(f"{run_ref(step.run)}:{record.RESULT}")
        yield from parts(git, read_steps(found.data) if found and found.data is not None else ())
        yield step.run


def commits_known(git: Git, run: Run, wish: Wish) -> tuple[str, ...]:
    """The commits whose files are no changes of the user's."""
    head = read_ref(git, "HEAD") if wish.to is None else None
    return (run.attempt.id, run.attempt.left, *([head] if head else []))


def chosen(run: Run, wish: Wish, prefix: str, paths: Iterable[str]) -> list[str]:
    """Those of the paths that are wished for, as seen from the current directory, else from the top. Raises UnknownRun."""
    there = list(paths)
    if not wish.paths:
        return there
    wanted: dict[str, None] = {}
    for typed in wish.paths:
        for path in (os.path.normpath(os.path.join(prefix, typed)), os.path.normpath(typed)):
            hits = [one for one in there if path in {".", one} or one.startswith(path + "/")]
            if hits:
                break
        else:
            name = short(run.id)
            what = f"the source of run {name} has" if wish.source else f"run {name} produced"
            raise UnknownRun(f"{what} no '{typed}'", f"git run ls {name} lists its files")
        wanted |= dict.fromkeys(hits)
    return list(wanted)


def produced_items(git: Git, objects: Objects, run: Run, wish: Wish) -> list[Item]:
    """What the run produced, as far as it is wished for."""
    files = {file.path: file for file in (*carried(git, objects, run), *run.attempt.files)}
    return [produced_item(git, objects, run, files[path]) for path in chosen(run, wish, git.prefix, files)]


def produced_item(git: Git, objects: Objects, run: Run, file: File) -> Item:
    """A file that the run produced."""

    def is_this(target: Path) -> bool:
        top = os.fsencode(target)[: -len(os.fsencode(file.path)) - 1]
        return describe(top, os.fsencode(file.path), file.stored) == file

    if file.stored == "local":
        return Item(file.path, lambda fresh: copy(git, run, file, fresh), is_this)
    return Item(file.path, lambda fresh: write(git, objects, run, file, fresh), is_this)


def source_items(git: Git, objects: Objects, run: Run, wish: Wish, place: Path) -> list[Item]:
    """The source of the last attempt, as far as it is wished for; git checks it out into `place` first."""
    with TreeMaker(git) as maker:
        tree = source_tree(objects, maker, run.attempt)
    modes = {}
    for line in git.run("ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0")[:-1]:
        head, _, path = line.partition(b"\t")
        modes[os.fsdecode(path)] = head.split(b" ")[0].decode()
    paths = chosen(run, wish, git.prefix, modes)
    staged = stage(git, tree, [path for path in paths if modes[path] != COMMIT and is_safe(path)], place)

    def item(path: str) -> Item:
        return Item(path, lambda fresh: take(staged / path, fresh), lambda target: is_same(staged / path, target))

    return [item(path) for path in paths]


def stage(git: Git, tree: str, paths: Iterable[str], place: Path) -> Path:
    """A directory with these files of the tree as git checks them out: with filters, line ends and modes."""
    staged = place / "tree"
    staged.mkdir()
    seen = git.at(staged, git.git_dir, PLAIN)
    seen.run("read-tree", tree, index=place / "index")
    asked = b"".join(os.fsencode(path) + b"\0" for path in paths)
    # that a filter does not give a file is found when the file is missed
    seen.attempt("checkout-index", "-q", "-z", "--stdin", stdin=asked, index=place / "index")
    return staged


def take(staged: Path, fresh: Path) -> bool:
    """Moves a staged file to its place; false if git could not check it out."""
    if not is_file(staged):
        return False
    shutil.move(staged, fresh)
    return True


def is_same(staged: Path, target: Path) -> bool:
    """Whether two files have the same bytes and may both, or neither, be executed; or are links to the same place."""
    if staged.is_symlink() or target.is_symlink():
        return staged.is_symlink() and target.is_symlink() and staged.readlink() == target.readlink()
    if not staged.is_file():
        return False
    same_mode = os.access(staged, os.X_OK) == os.access(target, os.X_OK)
    return same_mode and filecmp.cmp(staged, target, shallow=False)


def carried(git: Git, objects: Objects, run: Run) -> list[File]:
    """The files that the last attempt has from those before, as far as they are still there and in the repository.

    Size and sha256 are those of the attempt that wrote them, if it says so.
    """
    if not run.attempt.carried:
        return []
    listed = git.run("ls-tree", "-r", "-z", "--full-tree", "--name-only", run.attempt.left, "--", *run.attempt.carried)
    earlier = (file for attempt in attempts(git, objects, run)[:-1] for file in attempt.files if file.stored != "local")
    known: Mapping[str, File] = {file.path: file for file in earlier}
    return [known.get(path, File(path, -1, "", "git")) for path in map(os.fsdecode, listed.split(b"\0")[:-1])]


def put(top: Path, item: Item, may_go: Callable[[Item, Path], bool]) -> str:
    """Puts the file below `top`, over one that is there only if that `may_go`; whether it was done, left, or is gone."""
    target = top / item.path
    if not is_safe(item.path) or goes_through_a_link(top, target) or (target.is_dir() and not target.is_symlink()):
        return LEFT
    if is_file(target) and item.is_this(target):
        return DONE
    if os.path.lexists(target) and not may_go(item, target):
        return LEFT
    if not make_parents(os.fsencode(top), os.fsencode(item.path)):
        return LEFT
    # a name that no run can know: what lies at a name beforehand could be a link
    fresh = target.with_name(f".{secrets.token_hex(8)}.gitrun")
    try:
        if item.write(fresh):
            fresh.replace(target)
            return DONE
    finally:
        fresh.unlink(missing_ok=True)
    prune(os.fsencode(top), os.fsencode(item.path))
    return GONE


def goes_through_a_link(top: Path, target: Path) -> bool:
    """Whether a directory above the target, below `top`, is a link."""
    return any(parent.is_symlink() for parent in target.parents if parent != top and parent.is_relative_to(top))


def is_file(target: Path) -> bool:
    """Whether a file or a link is there."""
    return target.is_symlink() or target.is_file()


def is_known(git: Git, objects: Objects, commits: Iterable[str], path: str, target: Path) -> bool:
    """Whether the file at `target` is the one that one of the commits has at the path."""
    if not target.is_file() or target.is_symlink():
        return False
    entries: list[Entry | None] = [entry_at(objects, commit, os.fsencode(path)) for commit in commits]
    known = {entry.id for entry in entries if entry}
    data = target.read_bytes()
    if hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest() in known:  # every byte, as we store
        return True
    return bool(known) and git.run("hash-object", "--path", path, "--stdin", stdin=data).decode().strip() in known


def copy(git: Git, run: Run, file: File, target: Path) -> bool:
    """Copies a file that is kept beside the repository, a link as a link; false if it is not there any more."""
    unpack(git, run.id, run.attempt, (file.path,))
    source = kept(git, run.id, run.attempt.id) / kept_name(file.path)
    if not is_file(source):
        return False
    shutil.copy2(source, target, follow_symlinks=False)
    return True


def write(git: Git, objects: Objects, run: Run, file: File, target: Path) -> bool:
    """Writes a file that is in the repository as the run left it; false if it is not there."""
    entry = entry_at(objects, run.attempt.left, os.fsencode(file.path))
    raw = objects.read(entry.id) if entry else None
    if entry is None or raw is None:
        return False
    is_raw = raw.data is not None and (entry.mode == LINK or hashlib.sha256(raw.data).hexdigest() == file.sha256)
    data = raw.data if is_raw else content(git, run.attempt.left, file)
    if data is None:
        return False
    if entry.mode == LINK:
        target.symlink_to(os.fsdecode(data))
        return True
    target.write_bytes(data)
    target.chmod(0o777 & ~umask() if entry.mode == EXECUTABLE else 0o666 & ~umask())
    return True


def content(git: Git, commit: str, file: File) -> bytes | None:
    """The bytes of a produced file that is in the repository, as the program left them; None if it is not there."""
    stored = git.attempt("cat-file", "blob", f"{commit}:{file.path}")
    if stored.returncode or hashlib.sha256(stored.stdout).hexdigest() == file.sha256:
        return None if stored.returncode else stored.stdout
    return git.run("cat-file", "--filters", f"{commit}:{file.path}")


def umask() -> int:
    """The permissions that new files do not get."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask

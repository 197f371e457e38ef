"""Files of a run, as the program left or found them: read them, or write them where the user wants them.

A file with changes is overwritten only on request. Nothing is written through a link or outside of the target.
"""

from __future__ import annotations

import filecmp
import hashlib
import os
import secrets
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun import store
from gitrun.dataclass import dataclass
from gitrun.errors import UnknownRun, UsageError
from gitrun.git.objects import Objects, TreeMaker, entry_at
from gitrun.model import record_files
from gitrun.model.provenance import read_steps
from gitrun.model.run import File, Run, is_safe, kept_name, short_id
from gitrun.model.tree import COMMIT, EXECUTABLE, LINK
from gitrun.store.checkpoints import source_tree
from gitrun.store.commits import scratch_directory
from gitrun.store.kept_files import kept_directory, restore_kept
from gitrun.store.refs import read_ref, tip_of
from gitrun.store.runs import read_attempts
from gitrun.workspace.links import make_parents, remove_empty_parents
from gitrun.workspace.outputs import describe_file
from gitrun.workspace.run_files import read_produced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from gitrun.git.exe import Git
    from gitrun.git.objects import Entry
    from gitrun.model.plan import Outcome, Request
    from gitrun.model.provenance import StepRun
    from gitrun.workspace.session import Session


DONE, LEFT, GONE = "done", "left", "gone"
# a checkout into an empty directory: settings for the user's worktree do not apply
PLAIN_SETTINGS = {"core.sparseCheckout": "false", "core.fsmonitor": "false", "submodule.recurse": "false"}


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    """A request for files of a run: produced files or source, the paths (none means all), and the target.

    `to` is a directory that need not exist; None means the working tree. `force` overwrites files with changes.
    """

    paths: tuple[str, ...] = ()
    to: Path | None = None
    source: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class CheckoutResult:
    """The result of a request: paths written, paths left because of a user's file, paths no longer available."""

    done: tuple[str, ...]
    left: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One file to write. `write` creates it at a path (false: not available), `is_this` recognizes a copy of it."""

    path: str
    write: Callable[[Path], bool]
    is_this: Callable[[Path], bool]


ALL_FILES = CheckoutRequest()


def check_out_files(git: Git, run: Run, request: CheckoutRequest = ALL_FILES) -> CheckoutResult:
    """Writes the requested files. Raises UnknownRun if a path does not belong to the run.

    Produced files are those of the last attempt, with the unchanged ones of earlier attempts. An existing file is overwritten
    only if the attempt, its result or, in the working tree, the current commit has it with these bytes.
    """
    top = request.to or git.require_top("To copy elsewhere: --to DIR")
    if request.to:
        require_outside_of_git(git, request.to)
    paths_by_outcome: dict[str, list[str]] = {DONE: [], LEFT: [], GONE: []}
    with ExitStack() as stack:
        objects = stack.enter_context(Objects(git))
        if request.source:
            items = source_items(git, objects, run, request, stack.enter_context(scratch_directory(git)))
        else:
            items = produced_items(git, objects, run, request)
        replaceable = replaceable_commits(git, run, request)
        os.makedirs(top, exist_ok=True)

        def may_go(item: Item, target: Path) -> bool:
            return request.force or is_in_commits(git, objects, replaceable, item.path, target)

        for item in items:
            paths_by_outcome[write_item(top, item, may_go)].append(item.path)
    return CheckoutResult(*(tuple(paths_by_outcome[name]) for name in (DONE, LEFT, GONE)))


def require_outside_of_git(git: Git, to: Path) -> None:
    """Raises UsageError if `to` is, also through links, inside the git directory of any repository."""
    target = Path(os.path.realpath(to))
    tree = Path(os.path.realpath(git.worktree)) if git.worktree else None
    # a slot is below the git directory, but the files of its worktree are ordinary files
    parts = target.relative_to(tree).parts if tree and target.is_relative_to(tree) else target.parts
    own = (Path(os.path.realpath(one)) for one in (git.git_dir, git.common_dir))
    is_inside = len(parts) == len(target.parts) and any(target.is_relative_to(one) for one in own)
    # file systems that ignore case also accept .GIT
    if is_inside or any(part.lower() == ".git" for part in parts):
        raise UsageError(f"cannot copy to '{to}': it is inside git's own directory", "To copy elsewhere: --to DIR")


def check_out_outputs(session: Session, request: Request, run_id: str, outcome: Outcome | None) -> list[CheckoutResult]:
    """Writes the produced files of a run and its steps to the working tree, if the request or the settings ask for it."""
    is_wanted = not request.in_place and (session.settings.bring if request.bring is None else request.bring)
    if not (is_wanted and outcome and (outcome.files or outcome.steps)):
        return []

    with store.index.Index(session.git) as index:
        runs = [index.get(one) for one in (run_id, *list_step_runs(session.git, outcome.steps))]
    return [check_out_files(session.git, one) for one in runs if isinstance(one, Run)]


def list_step_runs(git: Git, steps: Iterable[StepRun]) -> Iterator[str]:
    """Yields the runs of these steps, the steps of a step before the step itself."""
    for step in steps:
        with Objects(git) as objects:
            data = objects.read(f"{tip_of(git, step.run_id) or step.run_id}:{record_files.RESULT}")
        yield from list_step_runs(git, read_steps(data.data) if data and data.data is not None else ())
        yield step.run_id


def replaceable_commits(git: Git, run: Run, request: CheckoutRequest) -> tuple[str, ...]:
    """Returns the commits whose files may be overwritten, because they are no changes of the user's."""
    head = read_ref(git, "HEAD") if request.to is None else None
    return (run.attempt.id, run.attempt.left, *([head] if head else []))


def choose_paths(run: Run, request: CheckoutRequest, prefix: str, paths: Iterable[str]) -> list[str]:
    """Returns the requested ones of `paths`, resolved from the current directory first, from the top second.

    Raises UnknownRun if a requested path matches none.
    """
    there = list(paths)
    if not request.paths:
        return there
    paths_chosen: dict[str, None] = {}
    for typed in request.paths:
        # users type paths from where they are, and copy paths from `git run ls`
        for path in (os.path.normpath(os.path.join(prefix, typed)), os.path.normpath(typed)):
            hits = [one for one in there if path in {".", one} or one.startswith(path + "/")]
            if hits:
                break
        else:
            name = short_id(run.id)
            what = f"the source of run {name} has" if request.source else f"run {name} produced"
            raise UnknownRun(f"{what} no '{typed}'", f"To list its files: git run ls {name}")
        paths_chosen |= dict.fromkeys(hits)
    return list(paths_chosen)


def produced_items(git: Git, objects: Objects, run: Run, request: CheckoutRequest) -> list[Item]:
    """Returns the requested files among those that the run produced."""
    files = {file.path: file for file in (*inherited_files(git, objects, run), *run.attempt.files)}
    return [produced_item(git, objects, run, files[path]) for path in choose_paths(run, request, git.prefix, files)]


def produced_item(git: Git, objects: Objects, run: Run, file: File) -> Item:
    """Returns a file that the run produced, read from the repository or from the kept files beside it."""

    def is_this(target: Path) -> bool:
        top = os.fsencode(target)[: -len(os.fsencode(file.path)) - 1]
        return describe_file(top, os.fsencode(file.path), file.stored) == file

    if file.stored == "local":
        return Item(file.path, lambda fresh: copy_kept(git, run, file, fresh), is_this)
    return Item(file.path, lambda fresh: write_recorded(git, objects, run, file, fresh), is_this)


def source_items(git: Git, objects: Objects, run: Run, request: CheckoutRequest, directory: Path) -> list[Item]:
    """Returns the requested files of the last attempt's source. git checks them out below `directory` first."""
    with TreeMaker(git) as maker:
        tree = source_tree(objects, maker, run.attempt)
    modes = {}
    for line in git.run("ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0")[:-1]:
        # 100644 blob <id>\tsrc/a.py
        head, _, path = line.partition(b"\t")
        modes[os.fsdecode(path)] = head.split(b" ")[0].decode()
    paths = choose_paths(run, request, git.prefix, modes)
    staged = stage_source(git, tree, [path for path in paths if modes[path] != COMMIT and is_safe(path)], directory)

    def item(path: str) -> Item:
        return Item(path, lambda fresh: move_staged(staged / path, fresh), lambda target: are_same(staged / path, target))

    return [item(path) for path in paths]


def stage_source(git: Git, tree_id: str, paths: Iterable[str], directory: Path) -> Path:
    """Returns a directory with these files as git checks them out: with filters, line ends and modes."""
    staged = directory / "tree"
    staged.mkdir()
    git_staged = git.at(staged, git.git_dir, PLAIN_SETTINGS)
    git_staged.run("read-tree", tree_id, index=directory / "index")
    stdin = b"".join(os.fsencode(path) + b"\0" for path in paths)
    # a failing filter is not an error here: `move_staged` notices the missing file
    git_staged.attempt("checkout-index", "-q", "-z", "--stdin", stdin=stdin, index=directory / "index")
    return staged


def move_staged(staged: Path, fresh: Path) -> bool:
    """Moves a staged file to `fresh`. Returns false if git could not check it out."""
    if not is_file_or_link(staged):
        return False
    # the target may be on another file system, where rename fails with EXDEV
    shutil.move(staged, fresh)
    return True


def are_same(staged: Path, target: Path) -> bool:
    """Returns whether two files have the same bytes and executable bit, or are links with the same target."""
    if staged.is_symlink() or target.is_symlink():
        return staged.is_symlink() and target.is_symlink() and staged.readlink() == target.readlink()
    if not staged.is_file():
        return False
    same_mode = os.access(staged, os.X_OK) == os.access(target, os.X_OK)
    # a shallow comparison would take equal size and mtime for equal contents
    return same_mode and filecmp.cmp(staged, target, shallow=False)


def inherited_files(git: Git, objects: Objects, run: Run) -> list[File]:
    """Returns the files that the last attempt inherited, as far as its result still has them.

    Size and sha256 come from the attempt that wrote the file. They are -1 and empty if no attempt recorded them.
    """
    if not run.attempt.carried:
        return []
    listing = git.run("ls-tree", "-r", "-z", "--full-tree", "--name-only", run.attempt.left, "--", *run.attempt.carried)
    earlier = (file for attempt in read_attempts(git, objects, run)[:-1] for file in attempt.files if file.stored != "local")
    files: Mapping[str, File] = {file.path: file for file in earlier}
    return [files.get(path, File(path, -1, "", "git")) for path in map(os.fsdecode, listing.split(b"\0")[:-1])]


def write_item(top: Path, item: Item, may_go: Callable[[Item, Path], bool]) -> str:
    """Writes the file below `top`. An existing file is replaced only if `may_go` allows it. Returns DONE, LEFT or GONE."""
    target = top / item.path
    if not is_safe(item.path) or goes_through_a_link(top, target) or (target.is_dir() and not target.is_symlink()):
        return LEFT
    if is_file_or_link(target) and item.is_this(target):
        return DONE
    if os.path.lexists(target) and not may_go(item, target):
        return LEFT
    if not make_parents(os.fsencode(top), os.fsencode(item.path)):
        return LEFT
    # an unpredictable name: a run could have planted a link at a fixed one
    fresh = target.with_name(f".{secrets.token_hex(8)}.gitrun")
    try:
        if item.write(fresh):
            # renamed over the target, which is never seen half written
            fresh.replace(target)
            return DONE
    finally:
        fresh.unlink(missing_ok=True)
    remove_empty_parents(os.fsencode(top), os.fsencode(item.path))
    return GONE


def goes_through_a_link(top: Path, target: Path) -> bool:
    """Returns whether a directory between `top` and the target is a link."""
    return any(parent.is_symlink() for parent in target.parents if parent != top and parent.is_relative_to(top))


def is_file_or_link(target: Path) -> bool:
    """Returns whether the path is a regular file or a link, also a broken one."""
    return target.is_symlink() or target.is_file()


def is_in_commits(git: Git, objects: Objects, commits: Iterable[str], path: str, target: Path) -> bool:
    """Returns whether the file at `target` has the content that one of the commits has at `path`."""
    if not target.is_file() or target.is_symlink():
        return False
    entries: list[Entry | None] = [entry_at(objects, commit, os.fsencode(path)) for commit in commits]
    ids = {entry.id for entry in entries if entry}
    data = target.read_bytes()
    # first without filters, as gitrun stores produced files
    if git.object_format.hash(b"blob %d\0" % len(data) + data).hexdigest() in ids:
        return True
    return bool(ids) and git.run("hash-object", "--path", path, "--stdin", stdin=data).decode().strip() in ids


def copy_kept(git: Git, run: Run, file: File, target: Path) -> bool:
    """Copies a file that is kept beside the repository; a link stays a link. Returns false if it is gone."""
    restore_kept(git, run.id, run.attempt, (file.path,))
    source = kept_directory(git, run.id, run.attempt.id) / kept_name(file.path)
    if not is_file_or_link(source):
        return False
    shutil.copy2(source, target, follow_symlinks=False)
    return True


def write_recorded(git: Git, objects: Objects, run: Run, file: File, target: Path) -> bool:
    """Writes a file of the repository as the run left it. Returns false if the repository does not have it."""
    entry = entry_at(objects, run.attempt.left, os.fsencode(file.path))
    raw = objects.read(entry.id) if entry else None
    if entry is None or raw is None:
        return False
    # recorded without filters if its hash is that of the raw bytes
    is_raw = raw.data is not None and (entry.mode == LINK or hashlib.sha256(raw.data).hexdigest() == file.sha256)
    data = raw.data if is_raw else read_produced(git, run.attempt.left, file)
    if data is None:
        return False
    if entry.mode == LINK:
        target.symlink_to(os.fsdecode(data))
        return True
    target.write_bytes(data)
    # git records only the executable bit; the rest follows the user's umask
    target.chmod(0o777 & ~read_umask() if entry.mode == EXECUTABLE else 0o666 & ~read_umask())
    return True


def read_umask() -> int:
    """Returns the process's umask. Sets it for a moment, because POSIX has no call that only reads it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask

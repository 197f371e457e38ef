"""Dependencies of a run: needed files of other runs, and inputs. Finds and hashes them before the start."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from gitrun import source, views
from gitrun.dataclass import replace
from gitrun.errors import MissingInput, UsageError
from gitrun.git.locks import make_private_directory
from gitrun.git.trees import GitTree
from gitrun.model.batch import PLUS, Objective
from gitrun.model.flags import Typed
from gitrun.model.provenance import NO_BASIS, Dependency, InputFile
from gitrun.model.run import BATCH, COMPLETED, short_id
from gitrun.model.run_names import find_marked
from gitrun.model.tree import TREE, is_regular_file
from gitrun.store.index import Index
from gitrun.store.kept_files import kept_directory as stored_at
from gitrun.store.kept_files import restore_kept
from gitrun.store.resolve import find_run
from gitrun.store.runs import read_states
from gitrun.store.trust import require_trusted, trusted_runs
from gitrun.workspace.checkout import inherited_files
from gitrun.workspace.links import is_cache

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gitrun.git.exe import Git
    from gitrun.git.objects import Objects
    from gitrun.model.entry import Input, Need
    from gitrun.model.plan import Plan, Request
    from gitrun.model.run import File, Run
    from gitrun.workspace.session import Session

MOST = 100_000
"""Files of an input directory above which hashing before each start takes too long. Also the size of the hash cache."""


def add_dependencies(session: Session, objects: Objects, request: Request, plan: Plan) -> Plan:
    """Returns the plan with needed runs and inputs, all verified to exist. Raises UsageError, CannotRun, UnknownRun.

    A restart keeps the runs that the previous attempt used, unless the entry or the request says otherwise.
    """
    definition = plan.definition
    if definition is None or not (definition.needs or definition.inputs):
        return plan
    dependencies: list[Dependency] = []
    basis = plan.basis or NO_BASIS
    for need in definition.needs:
        run_name = request.flags.get(need.operation)
        recorded = [one for one in basis.needs if one.operation == need.operation and not need.always]
        if run_name is None and recorded:
            dependencies += (find_need(session.git, objects, need, plan.operation, one) for one in recorded)
        else:
            dependencies += find_needs(session.git, objects, need, plan.operation, run_name)
    input_entries = {one.path: one for one in basis.inputs}
    entries: Sequence[Input] = definition.inputs
    if request.worker:  # executes what was handed out, and nothing else
        entries = [replace(one, sha256=input_entries[one.path].sha256) if one.path in input_entries else one for one in entries]
    inputs = tuple(find_input(session, objects, one, plan.source.whole, plan.operation) for one in entries)
    # a changed input is no error: the new hash is recorded
    for one in inputs:
        if one.path in input_entries and input_entries[one.path].sha256 != one.sha256:
            session.say(f"note: input {one.path} has changed since the previous attempt")
    return replace(plan, basis=replace(basis, needs=tuple(dependencies), inputs=inputs))


def find_needs(git: Git, objects: Objects, need: Need, operation: str, run_name: object = None) -> list[Dependency]:
    """Returns the dependencies that a need stands for: one run, the best trial of a batch, or each trial. Raises GitrunError.

    `run_name` is the name of a run or batch, or None to choose one.
    """
    if not need.takes_batch:
        return [find_need(git, objects, need, operation, run_name)]
    with Index(git) as index:
        batch = choose_batch(index, need, run_name, operation, git)
        if batch.attempt.kind != BATCH:
            return [find_need(git, objects, need, operation, batch.id)]
        trials = views.batches.list_trials(git, index, batch)
    # a trial whose value its caller computed has no files
    ran = {number: run for number, run in trials.items() if run.operation == need.operation and run.status == COMPLETED}
    hint = f"To list its trials: git run list --trials {short_id(batch.id)}"
    if not ran:
        raise MissingInput(f"{operation} needs a completed trial of batch {short_id(batch.id)} of {need.operation}", hint)
    if need.each:
        return [
            replace(find_need(git, objects, need, operation, run.id), directory=f"{need.operation}{PLUS}/{number}")
            for number, run in ran.items()
        ]
    best = next(iter(views.batches.best_first(ran.values(), objective_of(git, need, batch))), None)
    if best is None:
        raise MissingInput(f"no completed trial of batch {short_id(batch.id)} has the metric {need.best!r}", hint)
    return [find_need(git, objects, need, operation, best.id)]


def objective_of(git: Git, need: Need, batch: Run) -> Objective:
    """Returns what is best by the need: in its own direction, else in that of the batch, else the smallest value."""
    if need.direction:
        return Objective(need.best, minimize=need.direction == "minimize")
    objectives = (one for one in views.batches.read_definition(git, batch).objectives if one.metric == need.best)
    return next(objectives, Objective(need.best))


def choose_batch(index: Index, need: Need, run_name: object, operation: str, git: Git) -> Run:
    """Returns the batch to use: the named one, else the marked one, else the latest completed and trusted one.

    A single run of the operation is used if it is named, or, for `best`, if there is no batch.
    """
    name = f"{need.operation}{PLUS}"
    if run_name is not None:
        run = find_run(index, text_of(run_name), git.prefix)
        if run.operation != name:
            return choose_run(index, need, run.id, operation, git) if need.best else refuse_run(need, run, operation)
        return run
    ended = [run for run in index.of_operation(name) if run.status == COMPLETED]
    if not ended and need.best:
        return choose_run(index, need, None, operation, git)
    if not ended:
        raise MissingInput(
            f"{operation} needs the trials of a completed batch of {need.operation}, but no such batch exists",
            f"To make one: git run {need.operation} FLAG=[VALUE,VALUE]",
        )
    return find_marked(ended) or next(trusted_runs(git, ended), ended[0])


def text_of(value: object) -> str:
    """Returns the name of a run as text."""
    return value.text if isinstance(value, Typed) else str(value)


def refuse_run(need: Need, run: Run, operation: str) -> NoReturn:
    """Raises UsageError: the operation cannot take files from this run."""
    kind = "batch" if need.each else "run"
    hint = f"To list them: git run list --op {need.operation}{PLUS if need.each else ''}"
    if run.operation == f"{need.operation}{PLUS}":
        hint = f'To use its best trial, in gitrun.toml: {need.operation} = {{ best = "loss", files = ["FILE"] }}'
    raise UsageError(
        f"{operation} needs a {kind} of {need.operation}, but {short_id(run.id)} is a run of {run.operation}", hint
    )


def find_need(git: Git, objects: Objects, need: Need, operation: str, chosen_run: object) -> Dependency:
    """Returns the dependency of an operation with its run and files. Raises GitrunError.

    `chosen_run` is the name of a run, the dependency of the previous attempt, or None to choose a run.
    """
    recorded = chosen_run if isinstance(chosen_run, Dependency) else None
    run_name = recorded.run_id if recorded else chosen_run
    with Index(git) as index:
        run = choose_run(index, need, run_name, operation, git)
    if recorded:
        run = state_with_used_files(git, objects, run, recorded)
    else:  # foreign files can steer the program; those used before are pinned by their hashes in a trusted run
        require_trusted(git, run)
    files = list_left_files(git, objects, run)
    dependency = select_needed(need, run, files, recorded, operation)
    paths = {path for path, _ in dependency.files}
    # small kept files of a fetched run are still in its commit
    restore_kept(git, run.id, run.attempt, paths)
    for file in files:
        if file.path in paths and file.stored == "local" and not os.path.lexists(kept_path(git, run, file)):
            raise MissingInput(
                f"{operation} needs '{file.path}' of run {short_id(run.id)} of {need.operation}, which is not on this machine",
                "The machine that made it has the file: it is too large for git, or ignored",
            )
    return dependency


def state_with_used_files(git: Git, objects: Objects, run: Run, need: Dependency) -> Run:
    """Returns the run's latest state that still has all files used before; its current state if no state has."""
    # a later attempt of the needed run can have replaced the files that were used
    used = set(need.files)

    def has_them(state: Run) -> bool:
        return used <= {(file.path, file.sha256) for file in list_left_files(git, objects, state)}

    if has_them(run):
        return run
    return next((state for state in reversed(read_states(git, objects, run)) if has_them(state)), run)


def list_left_files(git: Git, objects: Objects, run: Run) -> tuple[File, ...]:
    """Returns the files present when the run's attempt had ended: its own and those inherited from earlier attempts."""
    return tuple({file.path: file for file in (*inherited_files(git, objects, run), *run.attempt.files)}.values())


def kept_path(git: Git, run: Run, file: File) -> Path:
    """Returns the path of a file of the run that is kept outside git."""
    return stored_at(git, run.id, run.attempt.id) / file.path


def choose_run(index: Index, need: Need, run_name: object, operation: str, git: Git) -> Run:
    """Returns the run to use: the named one, else the marked one, else the latest completed and trusted one."""
    if run_name is not None:
        run = find_run(index, text_of(run_name), git.prefix)
        return run if run.operation == need.operation else refuse_run(need, run, operation)
    ended = [run for run in index.of_operation(need.operation) if run.status == COMPLETED]
    if not ended:
        raise MissingInput(
            f"{operation} needs files of a completed run of {need.operation}, but no such run exists",
            f"To make one: git run {need.operation}",
        )
    # an untrusted run is returned too, so that the caller can refuse it by its name
    return find_marked(ended) or next(trusted_runs(git, ended), ended[0])


def select_needed(need: Need, run: Run, produced: Sequence[File], recorded: Dependency | None, operation: str) -> Dependency:
    """Selects the needed files among those that the run left.

    Raises CannotRun if a pattern matches none, or a file used by the previous attempt has changed.
    """
    used = [file for file in produced if recorded and file.path in dict(recorded.files)]
    if all(match_files(used, pattern) for pattern in need.patterns):
        produced = used  # ignore files that the run got after they were used
    files = [file for pattern in need.patterns for file in match_files(produced, pattern)]
    for pattern in need.patterns:
        if not match_files(produced, pattern):
            raise MissingInput(
                f"{operation} needs '{pattern}' of {need.operation}, but run {short_id(run.id)} has no such file",
                f"To list its files: git run ls {short_id(run.id)}",
            )
    hashes = {file.path: file.sha256 for file in files}
    changed = sorted(path for path, sha256 in (recorded.files if recorded else ()) if hashes.get(path) != sha256)
    if changed:
        raise MissingInput(
            f"no attempt here of run {short_id(run.id)} of {need.operation} has '{changed[0]}' as {operation} used it",
            f"To fetch attempts made elsewhere: git run fetch. "
            f"To use the file as it is now: {need.operation}={short_id(run.id)}",
        )
    return Dependency(need.operation, run.id, tuple(sorted(hashes.items())), recorded.directory if recorded else "")


def match_files(files: Iterable[File], pattern: str) -> list[File]:
    """Returns the files that a pattern matches: a path, a directory, or a glob in which `*` also matches `/`."""
    plain = pattern.rstrip("/")
    return [file for file in files if fnmatch.fnmatchcase(file.path, pattern) or f"{file.path}/".startswith(f"{plain}/")]


def find_input(session: Session, objects: Objects, entry: Input, tree_id: str, operation: str) -> InputFile:
    """Returns an input of an operation with its hash. `tree_id` is the tree of its source.

    Raises CannotRun if the input is missing or does not have the hash that its entry states.
    """
    if entry.url:
        size = source.downloads.download_input(session.git, entry, operation, session.settings).stat().st_size
        return InputFile(entry.path, size, entry.sha256, entry.url)
    tree = GitTree(objects, tree_id)
    if not is_outside(entry.path) and is_regular_file(tree, entry.path):
        file = hash_in_git(session.git, tree, entry.path)
    else:
        file = find_fetched(session.git, entry) or hash_on_disk(session.git, tree, entry.path, operation)
    if entry.sha256 and entry.sha256 != file.sha256:
        raise MissingInput(
            f"input {entry.path} of {operation} is not the file that its entry describes",
            f"Its sha256 is {file.sha256}",
        )
    return file


def find_fetched(git: Git, entry: Input) -> InputFile | None:
    """Returns an input of another machine that a worker has fetched; None if the working tree has a file there."""
    kept, top = source.input_cache.cached_input(git, entry.sha256), git.worktree or git.git_dir
    if not entry.sha256 or is_outside(entry.path) or os.path.lexists(top / entry.path) or not kept.is_file():
        return None
    return InputFile(entry.path, kept.stat().st_size, entry.sha256)


def is_outside(path: str) -> bool:
    """Returns whether an input is named by an absolute path or from the home directory."""
    return os.path.isabs(path) or path.startswith("~")


def hash_in_git(git: Git, tree: GitTree, path: str) -> InputFile:
    """Returns a file of the source as the program will find it: as git checks it out, with filters."""
    # git-lfs stores a pointer in git, but the program reads the content
    data = git.run("cat-file", "--filters", f"{tree.name}:{path}")
    pointer = views.contents.POINTER.fullmatch(data)
    # git 2.39 reads attributes in the working tree, which may be another source's
    if pointer and "filter.lfs.smudge" in git.config and b"filter=lfs" in (tree.read(".gitattributes", 1 << 20) or b""):
        return InputFile(path, int(pointer["size"]), pointer["sha256"].decode())
    return InputFile(path, len(data), hashlib.sha256(data).hexdigest())


def hash_on_disk(git: Git, tree: GitTree, path: str, operation: str) -> InputFile:
    """Returns the input in the working tree or elsewhere. A directory's hash covers its paths and their hashes.

    Files of a directory that the tree of the source also has are hashed as in the tree.
    """
    inside = not is_outside(path)
    hashed = {file.path: file for file in hash_below(git, tree, path)} if inside else {}
    top = git.worktree or git.git_dir
    there = Path(git.environ.get("HOME", "/") + path[1:]) if path.startswith("~/") else top / path
    if not there.exists() and not hashed:
        raise MissingInput(f"input {path} of {operation} does not exist", "Its entry in the project file names it")
    # the program sees source files as its snapshot has them, not as the working tree does
    output = git.run("ls-files", "-zco", "--exclude-standard", "--", path).split(b"\0") if inside else ()
    of_source = set(map(os.fsdecode, output))
    with Hashes(git) as hashes:
        if there.is_file():
            return InputFile(path, there.stat().st_size, hashes.of(there))
        for file in walk_files(there):
            name = f"{path}/{file.relative_to(there)}"
            if name not in hashed and name not in of_source and not is_cache(os.fsencode(name)):
                hashed[name] = InputFile(name, file.stat().st_size, hashes.of(file))
            # stop early: hashing millions of files would block the start
            if len(hashed) > MOST:
                raise MissingInput(
                    f"input {path} of {operation} has more than {MOST:,} files", "To use a part: name the files that are read"
                )
    # <sha256> sub/a.csv: sorted, since os.walk yields names in the order of the file system
    lines = "".join(f"{hashed[name].sha256} {name[len(path) + 1 :]}\n" for name in sorted(hashed))
    # names of files need not be UTF-8
    whole = hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()
    return InputFile(path, sum(file.size for file in hashed.values()), whole)


def hash_below(git: Git, tree: GitTree, directory: str) -> Iterator[InputFile]:
    """Yields the files below a directory of the tree; none if it is missing."""
    for name in tree.names(directory):
        path = f"{directory}/{name}"
        if tree.mode(path) == TREE:
            yield from hash_below(git, tree, path)
        elif is_regular_file(tree, path):
            yield hash_in_git(git, tree, path)


def walk_files(top: Path) -> Iterator[Path]:
    """Yields the files in a directory and below it."""
    for directory, _, names in os.walk(top):
        # reading a FIFO would wait for a writer; is_file is false for it
        yield from (Path(directory, name) for name in names if Path(directory, name).is_file())


class Hashes:
    """SHA-256 of files, cached by size, mtime and inode. The cache is written when the `with` ends."""

    def __init__(self, git: Git) -> None:
        self._path = git.state / "cache" / "hashes.json"
        self._known = load_hashes(self._path)
        self._new = False

    def __enter__(self) -> Hashes:
        return self

    def __exit__(self, *_: object) -> None:
        if self._new:
            make_private_directory(self._path.parent)
            # other processes may write the cache too; the rename keeps it whole for readers
            fresh = self._path.with_name(f"hashes.{os.getpid()}")
            fresh.write_text(json.dumps(dict(list(self._known.items())[-MOST:])))
            fresh.replace(self._path)

    def of(self, path: Path) -> str:
        """Returns the SHA-256 of a file in hex."""
        status = path.stat()
        # a file renamed over this one has another inode, even with the same size and mtime
        stamp = [status.st_size, status.st_mtime_ns, status.st_ino]
        entry = self._known.get(str(path))
        if entry and entry[0] == stamp:
            return str(entry[1])
        with path.open("rb") as file:
            digest = hash_file(file)
        self._known[str(path)] = [stamp, digest]
        self._new = True
        return digest


def hash_file(file: BinaryIO) -> str:
    """Returns the SHA-256 of an open file in hex."""
    digest = hashlib.sha256()
    while data := file.read(1 << 20):
        digest.update(data)
    return digest.hexdigest()


def load_hashes(path: Path) -> dict[str, list[object]]:
    """Returns the cached hashes; empty if the cache is missing or damaged."""
    try:
        hashes = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    pairs = hashes.items() if isinstance(hashes, dict) else ()
    return {key: value for key, value in pairs if isinstance(value, list) and len(value) == 2}

"""What a run needs before it starts: files of other operations' runs, and inputs; found, hashed, and named in its record."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from gitrun.engine.bring import carried
from gitrun.engine.operations import require_there
from gitrun.errors import CannotRun, UsageError
from gitrun.git.objects import EXECUTABLE, FILE, entry_at
from gitrun.model.flags import Typed
from gitrun.model.plan import Dependency, InputFile
from gitrun.model.refs import short
from gitrun.model.run import COMPLETED
from gitrun.store.finding import find
from gitrun.store.index import Index

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gitrun.engine.road import Road
    from gitrun.git.exe import Git
    from gitrun.git.objects import Objects
    from gitrun.model.definitions import Input, Need
    from gitrun.model.plan import Plan
    from gitrun.model.request import Request
    from gitrun.model.run import File, Run

MOST = 100_000
"""Files of an input directory above which it is no input that can be hashed before each start."""
PATIENCE = 60.0
"""Seconds after which a server that sends nothing is given up."""


def with_dependencies(road: Road, objects: Objects, request: Request, plan: Plan) -> Plan:
    """The plan with the runs that it needs and its inputs, all of them there. Raises UsageError, CannotRun, UnknownRun.

    What an attempt before has needed is kept, unless the entry or the request says otherwise.
    """
    definition = plan.definition
    if definition is None or not (definition.needs or definition.inputs):
        return plan
    found = []
    before = {need.operation: need for need in plan.basis.needs}
    with Index(road.git) as index:
        for need in definition.needs:
            named = request.flags.get(need.operation)
            kept = None if named is not None or need.always else before.get(need.operation)
            run = find(index, kept.run) if kept else run_for(index, need, named, plan.operation, road.git.prefix)
            files = (*carried(road.git, objects, run), *run.attempt.files)
            found.append(files_of(need, run, files, kept, plan.operation))
    inputs = tuple(input_file(road, objects, one, plan) for one in definition.inputs)
    known = {one.path: one for one in plan.basis.inputs}
    for one in inputs:
        if one.path in known and known[one.path].sha256 != one.sha256:
            road.say(f"input {one.path} has changed since the attempt before")
    return replace(plan, basis=replace(plan.basis, needs=tuple(found), inputs=inputs))


def run_for(index: Index, need: Need, named: object, operation: str, prefix: str) -> Run:
    """The run whose files are needed: the one named, else the marked, else the latest completed one."""
    if named is not None:
        run = find(index, named.text if isinstance(named, Typed) else str(named), prefix)
        if run.operation != need.operation:
            raise UsageError(
                f"{operation} needs a run of {need.operation}, and {short(run.id)} is one of {run.operation}",
                f"git run list --op {need.operation} lists them",
            )
        return run
    ended = [run for run in index.of_operation(need.operation) if run.status == COMPLETED]
    marked = [run for run in ended if run.notes.marked]
    if not ended:
        raise CannotRun(
            f"{operation} needs files of a completed run of {need.operation}, and there is none",
            f"git run {need.operation} makes one",
        )
    return (marked or ended)[0]


def files_of(need: Need, run: Run, left: Sequence[File], kept: Dependency | None, operation: str) -> Dependency:
    """Those of the files that a run left that are needed.

    Raises CannotRun if a pattern finds none, or they are no longer as they were.
    """
    files = [file for pattern in need.patterns for file in matching(left, pattern)]
    for pattern in need.patterns:
        if not matching(left, pattern):
            raise CannotRun(
                f"{operation} needs '{pattern}' of {need.operation}, and run {short(run.id)} has no such file",
                f"git run ls {short(run.id)} lists its files",
            )
    found = {file.path: file.sha256 for file in files}
    changed = sorted(path for path, sha256 in (kept.files if kept else ()) if found.get(path) != sha256)
    if changed:
        raise CannotRun(
            f"run {short(run.id)} of {need.operation} has been restarted, and '{changed[0]}' is not what {operation} used",
            f"{need.operation}={short(run.id)} takes what is there now",
        )
    return Dependency(need.operation, run.id, tuple(sorted(found.items())))


def matching(files: Iterable[File], pattern: str) -> list[File]:
    """The files that a pattern means: a path, a directory, or names with `*`, `?` and `[...]` (`*` also goes over `/`)."""
    plain = pattern.rstrip("/")
    return [file for file in files if fnmatch.fnmatchcase(file.path, pattern) or f"{file.path}/".startswith(f"{plain}/")]


def input_file(road: Road, objects: Objects, one: Input, plan: Plan) -> InputFile:
    """The input with its hash. Raises CannotRun if it is not there, or is not what the entry says."""
    if one.url:
        size = download(road.git, one, plan.operation).stat().st_size
        return InputFile(one.path, size, one.sha256, one.url)
    found = in_tree(objects, plan.source.tree, one.path) or on_disk(road.git, one.path, plan.operation)
    if one.sha256 and one.sha256 != found.sha256:
        raise CannotRun(
            f"input {one.path} of {plan.operation} is not the one that its entry names",
            f"its sha256 is {found.sha256}",
        )
    return found


def in_tree(objects: Objects, tree: str, path: str) -> InputFile | None:
    """The input as the source has it; None if it is not part of the source."""
    if os.path.isabs(path) or path.startswith("~"):
        return None
    entry = entry_at(objects, tree, os.fsencode(os.path.normpath(path)))
    if entry is None or entry.mode not in {FILE, EXECUTABLE}:
        return None
    data = require_there(objects, entry.id).data
    return None if data is None else InputFile(path, len(data), hashlib.sha256(data).hexdigest())


def on_disk(git: Git, path: str, operation: str) -> InputFile:
    """The input as it lies in the working tree, or elsewhere; a directory's hash is that of its paths and their hashes."""
    top = git.worktree or git.git_dir
    place = Path(git.environ.get("HOME", "/") + path[1:]) if path.startswith("~/") else top / path
    if not place.exists():
        raise CannotRun(f"input {path} of {operation} is not there", "its entry in the project file names it")
    with Hashes(git) as hashes:
        if place.is_file():
            return InputFile(path, place.stat().st_size, hashes.of(place))
        files = sorted(files_below(place))
        if len(files) > MOST:
            raise CannotRun(f"input {path} of {operation} has more than {MOST:,} files", "name what of it is read")
        lines = "".join(f"{hashes.of(file)} {file.relative_to(place)}\n" for file in files)
        whole = hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()
        return InputFile(path, sum(file.stat().st_size for file in files), whole)


def files_below(place: Path) -> Iterator[Path]:
    """The files in a directory and those below it."""
    for directory, _, names in os.walk(place):
        yield from (Path(directory, name) for name in names if Path(directory, name).is_file())


class Hashes:
    """sha256 of files, remembered by their size, mtime and inode, so that what did not change is not read again."""

    def __init__(self, git: Git) -> None:
        self._path = git.state / "cache" / "hashes.json"
        self._known = read_hashes(self._path)
        self._new = False

    def __enter__(self) -> Hashes:
        return self

    def __exit__(self, *_: object) -> None:
        if self._new:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = self._path.with_name(f"hashes.{os.getpid()}")
            fresh.write_text(json.dumps(dict(list(self._known.items())[-MOST:])))
            fresh.replace(self._path)

    def of(self, path: Path) -> str:
        """The sha256 of a file, in hex."""
        status = path.stat()
        stamp = [status.st_size, status.st_mtime_ns, status.st_ino]
        known = self._known.get(str(path))
        if known and known[0] == stamp:
            return str(known[1])
        with path.open("rb") as file:
            found = digest(file)
        self._known[str(path)] = [stamp, found]
        self._new = True
        return found


def digest(file: BinaryIO) -> str:
    """The sha256 of what an open file holds, in hex."""
    found = hashlib.sha256()
    while data := file.read(1 << 20):
        found.update(data)
    return found.hexdigest()


def read_hashes(path: Path) -> dict[str, list[object]]:
    """What was remembered; nothing if that does not read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    pairs = found.items() if isinstance(found, dict) else ()
    return {key: value for key, value in pairs if isinstance(value, list) and len(value) == 2}


def cached(git: Git, sha256: str) -> Path:
    """Where a download of that hash is kept."""
    return git.state / "inputs" / sha256


def download(git: Git, one: Input, operation: str) -> Path:
    """The downloaded input, read-only; it is had once. Raises CannotRun."""
    target = cached(git, one.sha256)
    if target.is_file():
        return target
    import shutil
    import urllib.request

    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        with urllib.request.urlopen(one.url, timeout=PATIENCE) as source, fresh.open("wb") as sink:  # noqa: S310 - the entry's scheme was checked
            shutil.copyfileobj(source, sink)
        with fresh.open("rb") as file:
            found = digest(file)
        if found != one.sha256:
            raise CannotRun(
                f"input {one.path} of {operation} is not what its entry says: {one.url} gave another file",
                f"the sha256 of what came is {found}",
            )
        fresh.chmod(0o444)
        fresh.replace(target)
    except OSError as error:
        raise CannotRun(f"input {one.path} of {operation} cannot be had from {one.url}: {error}") from error
    finally:
        fresh.unlink(missing_ok=True)
    return target

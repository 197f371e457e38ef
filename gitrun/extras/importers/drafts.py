"""Drafts of imported runs: everything of a run's first commit, with its id, before anything is written."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass, replace
from gitrun.errors import GitrunError, UsageError
from gitrun.extras.importers.foreign_files import clean_text, path_fault
from gitrun.extras.importers.hashing import Hasher
from gitrun.extras.importers.imported import ImportedFile, LeftOut
from gitrun.git.objects import Entry, edit_tree
from gitrun.model import encode, record_files
from gitrun.model.decode import MAX_TOML
from gitrun.model.digest import sha256
from gitrun.model.flags import Flags, copy_value, is_flag_name
from gitrun.model.plan import Plan, Source
from gitrun.model.provenance import Basis, Dependency
from gitrun.model.run import DIRECTORY, STEPS, Skipped
from gitrun.model.secrets import is_secret_file
from gitrun.model.settings import read_settings
from gitrun.model.tree import EXECUTABLE, FILE
from gitrun.process.output_lines import open_regular
from gitrun.store.attempts import plan_files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from gitrun.extras.importers.imported import ImportedRun
    from gitrun.git.exe import Git
    from gitrun.git.objects import Objects
    from gitrun.model.settings import Settings

NAME, ADDRESS = "import", "import@gitrun.invalid"
"""Author of runs whose makers are not recorded; `.invalid` is nobody's domain (RFC 2606)."""
LONGEST = 4_000
"""Most characters of a name or a word of a run."""
MOST_IN_GIT = 1 << 30
"""Most bytes of the files of one run that go into git. Further ones are kept beside it."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A file for git: path, mode, id, and where its content is."""

    path: str
    mode: str
    id: str
    content: bytes | Path


@dataclass(frozen=True, slots=True)
class Draft:
    """An imported run with the id that it will have: its first attempt's commit, the files of that, and the files produced.

    `stored` are produced files for git, `kept` those for beside it. `author` is the line of author or committer without
    the time. `tree` is the id of the attempt's tree.
    """

    run: ImportedRun
    run_id: str
    plan: Plan
    message: bytes
    author: str
    blobs: tuple[Blob, ...]
    stored: tuple[ImportedFile, ...]
    kept: tuple[ImportedFile, ...]

    @property
    def has_source(self) -> bool:
        """Returns whether there is something that a restart could execute."""
        return bool(self.run.source or self.run.source_tree)

    @property
    def large(self) -> int:
        """Returns the bytes of the files that are kept beside git."""
        return sum(file_size(file.content) for file in self.kept)


class Drafter:
    """Makes drafts of runs in an order in which each comes after the runs that it names.

    `refused` are the keys of runs of which none could be made, with the reason; `left_out` are parts of runs.
    """

    def __init__(self, git: Git, objects: Objects, commits: frozenset[str]) -> None:
        self.refused: dict[str, str] = {}
        self.left_out: list[LeftOut] = []
        self._objects, self._commits = objects, commits
        self._hasher = Hasher(git)
        self._settings: Settings = read_settings(git.config)
        self._drafts: dict[str, Draft] = {}
        self._digests: dict[tuple[str, str], str] = {}

    def draft(self, run: ImportedRun) -> Draft | None:
        """Returns the draft of a run; None if it cannot be recorded, with the reason in `refused`."""
        try:
            draft = self._draft(run)
        # tomli_w has no form for some values, and fsencode none for some paths
        except (GitrunError, OSError, ValueError, TypeError, OverflowError) as error:
            self.refused[run.key] = str(error) or type(error).__name__
            return None
        self._drafts[run.key] = draft
        return draft

    def _draft(self, run: ImportedRun) -> Draft:
        if run.source_tree:
            top = self._objects.read(f"{run.source_tree}^{{tree}}")
            if top is None:
                raise UsageError("its source is not in this repository")
            run = replace(run, source_tree=top.id)
        source, skipped = self._divide_source(run)
        blobs = [blob for file in source if (blob := self._blob(run, file))]
        own_paths = {blob.path for blob in blobs}
        source_tree = self._tree(run, blobs)
        plan = self._plan(run, source_tree, skipped)
        records = {**plan_files(plan), record_files.LENT: b""}
        records[record_files.RUN] += origin_table(run)
        records[record_files.ENV] = encode.encode_table(dict(run.environment))
        for name, data in records.items():
            if len(data) > MAX_TOML and name not in {record_files.BATCH, record_files.POINTS}:
                raise UsageError(f"{name} would be larger than 1 MiB")
            blobs.append(Blob(name, FILE, self._hasher.identify("blob", data), data))
        message = encode.commit_message(encode.attempt_subject(plan), "attempt")
        author = author_text(run.author)
        tree = self._tree(run, blobs)
        parent = f"parent {plan.source.base}\n" if plan.source.base else ""
        stamp = f"{author} {seconds(run.created)} +0000"
        head = f"tree {tree}\n{parent}author {stamp}\ncommitter {stamp}\n\n".encode()
        stored, kept = self._divide_produced(run, own_paths)
        return Draft(run, self._hasher.identify("commit", head + message), plan, message, author, tuple(blobs), stored, kept)

    def _plan(self, run: ImportedRun, tree: str, skipped: tuple[Skipped, ...]) -> Plan:
        """Returns the plan that run.toml records. The nonce is the run's key: it is the same at each import."""
        base = run.base if run.base in self._commits else None
        if run.base and not base:
            self.left_out.append(LeftOut(run.key, "its base commit is not in this repository"))
        batch = self._drafts.get(run.batch)
        parent = self._drafts.get(run.parent)
        return Plan(
            operation=clean_text(run.operation, LONGEST) or run.tool,
            kind=run.kind,
            command=tuple(clean_text(word, LONGEST) for word in run.command),
            cwd=run.cwd,
            flags=self._flags(run),
            params=run.params,
            source=Source(tree, base, clean_text(run.branch, LONGEST) or None, skipped=skipped),
            created=run.created,
            nonce=f"{run.tool}:{clean_text(run.key, 200)}",
            given=tuple(name for name in run.given if is_flag_name(name)),
            # readers look for steps only in runs of entries, which all pipelines are
            basis=Basis(run.is_entry or run.kind == STEPS, tuple(self._needs(run)), parent=parent.run_id if parent else ""),
            batch=batch.run_id if batch else None,
            trial=run.trial if batch else None,
            batch_definition=run.batch_definition,
        )

    def _flags(self, run: ImportedRun) -> Flags:
        """Returns the flags that a run can hold."""
        flags = {}
        for name, value in run.flags.items():
            try:
                copy = None if value is None else copy_value(name, value)
            except UsageError:
                copy = None
            if is_flag_name(name) and (copy is not None or value is None):
                flags[name] = copy
            else:
                self.left_out.append(LeftOut(run.key, f"flag {clean_text(name, 60)!r}: no flag can have this name or value"))
        return Flags(flags)

    def _needs(self, run: ImportedRun) -> Iterator[Dependency]:
        """Yields the dependencies of a run on runs of this import, with the digests of the files."""
        for need in run.needs:
            other = self._drafts.get(need.key)
            if other is None:
                self.left_out.append(LeftOut(run.key, "a run whose files it used is not among these"))
                continue
            files = {file.path: file for file in other.run.produced}
            digests = ((path, self._digest(other, files[path])) for path in need.paths if path in files)
            yield Dependency(need.operation, other.run_id, tuple((path, digest) for path, digest in digests if digest))

    def _digest(self, draft: Draft, file: ImportedFile) -> str:
        """Returns the sha256 of a produced file; empty if it cannot be read."""
        key = draft.run.key, file.path
        if key not in self._digests:
            content = open_content(file.content)
            digest = sha256()
            for piece in content:
                digest.update(piece)
            self._digests[key] = digest.hexdigest()
        return self._digests[key]

    def _divide_source(self, run: ImportedRun) -> tuple[list[ImportedFile], tuple[Skipped, ...]]:
        """Returns the files of the source that are recorded, and those left out, as a snapshot would leave them out."""
        files, skipped = [], list(run.skipped)
        for file in without_conflicts(run.source):
            size = file_size(file.content)
            if fault := path_fault(file.path):
                self.left_out.append(LeftOut(run.key, fault))
            elif is_secret_file(file.path, self._settings.secrets):
                skipped.append(Skipped(file.path, size, "it looks like a secret"))
            elif size > self._settings.max_untracked:
                skipped.append(Skipped(file.path, size, "it is large"))
            else:
                files.append(file)
        self.left_out += (LeftOut(run.key, f"a source file: {one.reason}") for one in skipped)
        return files, tuple(skipped)

    def _divide_produced(
        self, run: ImportedRun, own_paths: set[str]
    ) -> tuple[tuple[ImportedFile, ...], tuple[ImportedFile, ...]]:
        """Returns the produced files for git, and those for beside it: large ones, and what looks like a secret."""
        stored, kept, room = [], [], MOST_IN_GIT
        for file in without_conflicts(run.produced, own_paths):
            size = file_size(file.content)
            if fault := path_fault(file.path):
                self.left_out.append(LeftOut(run.key, fault))
            elif size > min(self._settings.max_produced, room) or is_secret_file(file.path, self._settings.secrets):
                kept.append(file)
            else:
                room -= size
                stored.append(file)
        return tuple(stored), tuple(kept)

    def _blob(self, run: ImportedRun, file: ImportedFile) -> Blob | None:
        """Returns a source file as a blob; None if it cannot be read."""
        try:
            data = b"".join(open_content(file.content))
        except OSError:
            self.left_out.append(LeftOut(run.key, "a source file that cannot be read"))
            return None
        mode = EXECUTABLE if file.is_executable else FILE
        return Blob(file.path, mode, self._hasher.identify("blob", data), file.content)

    def _tree(self, run: ImportedRun, blobs: Sequence[Blob]) -> str:
        """Returns the id of the tree with these files, over the one of the source. Records of runs there are no part of it."""
        own: Mapping[bytes, Entry | None] = {os.fsencode(blob.path): Entry(blob.mode, blob.id) for blob in blobs}
        without = {os.fsencode(path): None for path in (DIRECTORY, *run.source_without)}
        return edit_tree(self._objects, self._hasher, run.source_tree or None, {**without, **own} if run.source_tree else own)


def without_conflicts(files: Sequence[ImportedFile], own_paths: Collection[str] = ()) -> Iterator[ImportedFile]:
    """Yields the files whose paths fit into one tree with `own_paths`: no file is a directory of another."""
    directories = {above for path in own_paths for above in directories_of(path)}
    paths = set(own_paths)
    for file in files:
        above = directories_of(file.path)
        if file.path in directories or paths.intersection(above) or (file.path in paths and file.path not in own_paths):
            continue
        directories.update(above)
        paths.add(file.path)
        yield file


def directories_of(path: str) -> list[str]:
    """Returns the directories above a path: `a` and `a/b` for `a/b/c`."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def origin_table(run: ImportedRun) -> bytes:
    """Returns the table of run.toml that says where the run comes from."""
    return b"\n[imported]\n" + encode.encode_table({"tool": run.tool, "id": clean_text(run.key, 200)})


def author_text(author: tuple[str, str] | None) -> str:
    """Returns name and address as git writes them in a commit."""
    name, address = (clean_identity(part) for part in (author or (NAME, ADDRESS)))
    return f"{name or NAME} <{address or ADDRESS}>"


def clean_identity(text: str) -> str:
    """Returns a name or address without the characters that would end it in a commit."""
    return " ".join("".join(char for char in clean_text(text, 200) if char not in "<>\n\0").split())


def seconds(time: datetime) -> int:
    """Returns whole seconds since 1970."""
    return int(time.astimezone(timezone.utc).timestamp())


def file_size(content: bytes | Path) -> int:
    """Returns the size of a content in bytes; 0 if it cannot be read."""
    if isinstance(content, bytes):
        return len(content)
    try:
        return content.lstat().st_size
    except OSError:
        return 0


def open_content(content: bytes | Path, piece: int = 1 << 20) -> Iterator[bytes]:
    """Yields a content in pieces. Raises OSError if it is not a regular file any more."""
    if isinstance(content, bytes):
        yield content
        return
    file = open_regular(os.fspath(content))
    if file is None:
        raise OSError(f"cannot read {content}")
    with file:
        while data := file.read(piece):
            yield data

"""Runs of `datalad run`: commits whose message has the record of a command as JSON, and whose changes are its outputs."""

from __future__ import annotations

import json
import os
import posixpath
import re
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gitrun.dataclass import dataclass
from gitrun.errors import GitFailed, UsageError
from gitrun.extras.importers.foreign_files import clean_text
from gitrun.extras.importers.imported import ImportedFile, ImportedRun, LeftOut, read_time
from gitrun.git.objects import Objects
from gitrun.model.run import COMMAND, COMPLETED, ERROR, is_safe
from gitrun.model.tree import EXECUTABLE, LINK, REGULAR

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from gitrun.extras.importers.imported import Context

TOOL = "datalad"
# datalad/core/local/run.py; of `datalad rerun` too
RECORD = re.compile(
    r"\[DATALAD RUNCMD\] ?(.*?)\n\n?=== Do not change lines below ===\n(.*?)\n\^\^\^ Do not change lines above \^\^\^",
    re.DOTALL,
)
# ../.git/annex/objects/x1/2Z/MD5E-s4--abc.txt/MD5E-s4--abc.txt
ANNEX = re.compile(rb"(?:\.\./)*\.git/annex/objects/([0-9A-Za-z]{2})/([0-9A-Za-z]{2})/([^/\0]{1,400})/\3")
LARGEST, MOST_FILES, MOST_RUNS = 10 << 20, 5_000, 100_000


@dataclass(frozen=True, slots=True)
class RunCommit:
    """A commit of `datalad run`: its id, tree, parent and the parent's tree, its author, what it did, and its record."""

    commit: str
    parent: str
    author: tuple[str, str]
    created: datetime
    title: str
    record: Mapping[str, Any]


def read_runs(context: Context) -> Iterator[ImportedRun | LeftOut]:
    """Yields the runs in the history of a commit or range (default: HEAD). Raises UsageError if there is no such commit."""
    revision = context.source or "HEAD"
    if context.source.startswith("-"):
        raise UsageError(f"'{context.source}' is no commit", "For example: git run import datalad main")
    form = "%H%x00%P%x00%an%x00%ae%x00%at%x00%B"
    words = (
        "log",
        "-z",
        "--reverse",
        f"--format={form}%x01",
        "--fixed-strings",
        "--grep=[DATALAD RUNCMD]",
        f"--max-count={MOST_RUNS}",
        revision,
        "--",
    )
    try:
        output = context.git.run(*words)
    except GitFailed as error:
        raise UsageError(f"no commit '{revision}' here", "For example: git run import datalad main") from error
    with Objects(context.git) as objects:
        for one in output.split(b"\x01\0"):
            fields = one.decode(errors="replace").rstrip("\x01\0").split("\0", 5)
            if len(fields) == 6:
                yield read_message(context, objects, fields)


def read_message(context: Context, objects: Objects, fields: list[str]) -> ImportedRun | LeftOut:
    """Returns the run of a commit, or the reason why there is none."""
    commit, parents, name, address, time, message = fields
    match, created = RECORD.search(message), read_time(float(time) if time.isdecimal() else None)
    record: object = None
    with suppress(ValueError, RecursionError):
        record = json.loads(match[2]) if match else None
    if not isinstance(record, dict) or created is None or match is None:
        # with `record-sidecar` the message has a name in place of the record
        return LeftOut(commit, "its message has no record of a command")
    if not parents or " " in parents:
        return LeftOut(commit, "a command with other than one commit before it")
    one = RunCommit(commit, parents, (name, address), created, " ".join(match[1].split()), record)
    return read_recorded_run(context, objects, one)


def read_recorded_run(context: Context, objects: Objects, one: RunCommit) -> ImportedRun:
    """Returns the run of a commit with a record."""
    cmd, directory = one.record.get("cmd"), clean_text(one.record.get("pwd"), 1_000)
    words = tuple(clean_text(word, 4_000) for word in cmd) if isinstance(cmd, list) else ("sh", "-c", clean_text(cmd, 4_000))
    typed = shlex.join(words) if isinstance(cmd, list) else clean_text(cmd, 4_000)
    exit_status, left_out = one.record.get("exit"), list[str]()
    code = exit_status if isinstance(exit_status, int) and abs(exit_status) < 256 else 0
    produced = tuple(read_outputs(context, objects, one, left_out))
    tree = context.git.run("rev-parse", "--verify", f"{one.parent}^{{tree}}").decode().strip()
    links = list_links(context, objects, one)
    inputs = [
        ImportedFile(path, location) for path in list_paths(one, "inputs", "extra_inputs") if (location := links.get(path))
    ]
    return ImportedRun(
        key=one.commit, tool=TOOL, operation=typed or TOOL, kind=COMMAND, command=words, created=one.created,
        cwd=directory if directory not in {"", "."} and is_safe(directory) else "", base=one.parent,
        # links into the annex lead nowhere in the worktree of a run, so that it gets the files themselves
        source=tuple(inputs), source_tree=tree, source_without=tuple(links.keys() & {*list_paths(one, "outputs")}),
        status=ERROR if code else COMPLETED, exit_status=code, produced=produced, label=one.title[:200] or None,
        author=one.author if context.with_authors else None, left_out=tuple(dict.fromkeys(left_out)),
    )  # fmt: skip


def read_outputs(context: Context, objects: Objects, one: RunCommit, left_out: list[str]) -> Iterator[ImportedFile]:
    """Yields the files that the commit added or changed. Adds the reason to `left_out` if one has no content here."""
    # :100644 120000 <old> <new> M NUL path NUL
    output = context.git.run(
        "diff-tree", "-r", "-z", "--no-renames", "--no-commit-id", "--diff-filter=d", one.parent, one.commit
    )
    parts = output.split(b"\0")
    for head, path in list(zip(parts[::2], parts[1::2], strict=False))[:MOST_FILES]:
        mode, blob = head.split()[1].decode(), head.split()[3].decode()
        name = path.decode(errors="surrogateescape")
        content = objects.read(blob, LARGEST) if mode in {*REGULAR, LINK} else None
        if content is None or content.data is None:
            left_out.append(f"{name}: a submodule, or larger than 10 MiB")
        elif mode != LINK:
            yield ImportedFile(name, content.data, mode == EXECUTABLE)
        elif not ANNEX.fullmatch(content.data):
            left_out.append(f"{name}: a symbolic link")
        elif location := find_content(context, content.data):
            yield ImportedFile(name, location)
        else:
            left_out.append(f"{name}: its content is not in the annex of this repository")


def find_content(context: Context, link: bytes) -> Path | None:
    """Returns where the annex of this repository has the content that a link names; None if it has not, or it is none."""
    match = ANNEX.fullmatch(link)
    if match is None:
        return None
    parts = (os.fsdecode(part) for part in (match[1], match[2], match[3], match[3]))
    location = context.git.common_dir.joinpath("annex", "objects", *parts)
    return location if location.is_file() and not location.is_symlink() else None


def list_links(context: Context, objects: Objects, one: RunCommit) -> dict[str, Path | None]:
    """Returns the inputs and outputs that were links into the annex when the command started, each with its content."""
    paths = list_paths(one, "inputs", "extra_inputs", "outputs")
    # 120000 blob <id> TAB path NUL
    listed = context.git.run("ls-tree", "-r", "-z", one.parent, "--", *paths) if paths else b""
    rows = [row.partition(b"\t") for row in listed.split(b"\0")[:MOST_FILES] if row.startswith(LINK.encode())]
    links = ((path, objects.read(head.split()[2].decode(), 4_096)) for head, _, path in rows)
    return {
        os.fsdecode(path): find_content(context, link.data)
        for path, link in links
        if link and link.data and ANNEX.fullmatch(link.data)
    }


def list_paths(one: RunCommit, *keys: str) -> list[str]:
    """Returns the paths of a record below the top, without patterns."""
    lists = (one.record.get(key) for key in keys)
    paths = [clean_text(path, 1_000) for items in lists if isinstance(items, list) for path in items[:MOST_FILES]]
    directory = clean_text(one.record.get("pwd"), 1_000)
    plain = (posixpath.normpath(posixpath.join(directory, path)) for path in paths if path and not set(path) & set("*?["))
    return [path for path in dict.fromkeys(plain) if is_safe(path)]

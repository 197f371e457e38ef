"""What a run from elsewhere must look like before it may be one here: decisions about names, shapes and budgets; no I/O."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gitrun.errors import BadRun
from gitrun.model import reading, record
from gitrun.model.modules import outermost
from gitrun.model.text import path_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

INCOMING, OUTBOX = "refs/gitrun/incoming/", "refs/gitrun/outbox/"
COMMITS = 20_000
"""Commits of one run, its attempts, results and annotations, above which it is none of ours."""
ENTRIES = 1_000_000
"""Files and directories of a tree, counted as a checkout would unfold them: a tree of 11 objects can have 10^10."""
DEPTH = 200
"""Directories within each other."""
TREE = 32 << 20
"""Bytes of one directory's object."""
COMMIT = 1 << 20
"""Bytes of a commit."""
OUTPUT = 16 << 20
"""Bytes of recorded output; gitrun itself leaves out the middle of more than 10 MiB."""
NAME = 255
"""Bytes of a name that file systems take."""
TABLES = frozenset({record.FLAGS, record.RUN, record.ENV, record.LENT, record.RESULT, record.NOTES})
SIZES: Mapping[str, int] = {
    **dict.fromkeys(TABLES, reading.LIMIT), record.RESULT: record.LONGEST, record.OUTPUT: OUTPUT, record.METRICS: 64 << 20,
}  # fmt: skip
"""The largest size in bytes of each of our own files."""
MODES = frozenset({b"40000", b"100644", b"100755", b"100664", b"120000", b"160000"})
IGNORED = dict.fromkeys((*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF))
"""The characters that HFS+ does not see in a name (git's utf8.c)."""
NTFS_GIT = re.compile(rb"(?:\.git|git~1)[ .]*(?:[\\:].*)?", re.IGNORECASE | re.DOTALL)
NTFS_MODULES = re.compile(rb"(?:\.gitmodules|gitmod~[1-4]|gi7eba~[1-9])[ .]*(?::.*)?", re.IGNORECASE | re.DOTALL)
FORMAT = re.compile(rb"^Gitrun-Format: ([1-9][0-9]{0,8})$", re.MULTILINE)
KINDS: Mapping[str, tuple[int, ...]] = {"attempt": (0, 1, 2), "result": (1,), "annotation": (1,), "merge": (2,)}
"""How many parents a commit of each kind has."""


def wrong_name(name: bytes) -> str:
    """Why a tree's entry may not have this name; empty if it may. Control characters may be in it: they are shown escaped."""
    if name in {b"", b".", b".."} or b"/" in name:
        return "a name that leads elsewhere"
    if len(name) > NAME:
        return "a name that is too long for a file system"
    if NTFS_GIT.fullmatch(name) or any(NTFS_GIT.fullmatch(part) for part in name.split(b"\\") if part != name):
        return "a name that is a form of '.git'"
    if not name.isascii() and hfs_form(name) == ".git":
        return "a name that is a form of '.git'"
    return ""


def wrong_mode(mode: bytes, name: bytes) -> str:
    """Why a tree's entry may not be of this kind; empty if it may."""
    if mode not in MODES:
        return f"an entry of mode {mode[:10].decode(errors='replace')}"
    if mode == b"120000" and (NTFS_MODULES.fullmatch(name) or hfs_form(name) == ".gitmodules"):
        return "'.gitmodules' that is a symbolic link"
    return ""


def hfs_form(name: bytes) -> str:
    """The name as HFS+ compares it."""
    text = name.decode(errors="surrogateescape").translate(IGNORED)
    return unicodedata.normalize("NFC", text).casefold()


def wrong_shape(kind: str, parents: Sequence[str]) -> str:
    """Why a commit of this kind may not have these parents; empty if it may."""
    if len(parents) not in KINDS[kind]:
        return f"a commit of kind {kind} with {len(parents)} parents"
    return f"a {kind} of a commit with itself" if len(set(parents)) < len(parents) else ""


def behind(commit: str, kind: str, parents: Sequence[str], run: str) -> tuple[str, ...]:
    """The commits of the run that a commit of it was made on; from DESIGN.md section 2."""
    if kind == "attempt":
        return () if commit == run else tuple(parents[-1:])
    return tuple(parents)


def began(created: datetime, committed: datetime, received: datetime | None = None) -> datetime:
    """When an attempt from elsewhere was made, as far as anybody here can believe it: the earliest of the three.

    Its maker chose the first two; a commit's date has whole seconds. Without this a date in the year 9000 would make a
    run the newest for ever.
    """
    found = created if created < committed + timedelta(seconds=1) else committed
    return min(found, received) if received else found


@dataclass(frozen=True, slots=True)
class Claim:
    """What an attempt says of its own tree: which tree its source is, and which paths besides came from the one before.

    If the source has files of submodules, `content` is its tree with them, and `modules` has the commits that stand in
    their place in `source`.
    """

    source: str
    carried: frozenset[bytes]
    content: str = ""
    modules: Mapping[bytes, str] = field(default_factory=dict)


def read_table(data: bytes, name: str) -> dict[str, Any]:
    """One of our own files. Raises BadRun if it may not have this content."""
    found = reading.parse_toml(data, name)
    form = found.get("format", 1)
    if name in {record.RUN, record.RESULT} and (isinstance(form, bool) or not isinstance(form, int) or form < 1):
        raise BadRun(f"{name} is of no format")
    if name == record.RUN and not reading.text(found, "operation"):
        raise BadRun(f"{name} names no operation")
    return found


def claim_of(run: Mapping[str, Any]) -> Claim:
    """What run.toml says of the attempt's tree."""
    source = reading.table(run, "source")
    carried = frozenset(os.fsencode(path_of(path)) for path in reading.texts(source, "carried"))
    tree, content = reading.text(source, "tree") or "", reading.text(source, "content") or ""
    if not content:
        return Claim(tree, carried)
    listed = reading.table(source, "submodules").items()
    known = outermost((path_of(path), commit if isinstance(commit, str) else "") for path, commit in listed)
    return Claim(tree, carried, content, {os.fsencode(path): commit for path, commit in known.items()})

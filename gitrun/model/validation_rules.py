"""Rules for runs from elsewhere: names, shapes and sizes that a run must have to be accepted. No I/O."""

from __future__ import annotations

import os
import re
import unicodedata
from datetime import timedelta

from gitrun.dataclass import dataclass, field
from gitrun.errors import BadRun
from gitrun.lazy import lazy_pattern
from gitrun.model import decode
from gitrun.model.record_files import (
    BATCH,
    ENV,
    FLAGS,
    LENT,
    MAX_BATCH,
    MAX_RESULT,
    METRICS,
    NOTES,
    OUTPUT,
    POINTS,
    RESULT,
    RUN,
)
from gitrun.model.submodules import outermost_modules
from gitrun.model.text import decode_path
from gitrun.model.toml import is_simple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any

MAX_COMMITS = 20_000
"""Most commits of one run: its attempts, results and annotations."""
MAX_ENTRIES = 1_000_000
"""Most files and directories of a tree, counted as in a checkout: 11 objects can unfold to 10^10 files."""
MAX_DEPTH = 200
"""Deepest nesting of directories."""
MAX_TREE = 32 << 20
"""Most bytes of one tree object."""
MAX_COMMIT = 1 << 20
"""Most bytes of a commit object."""
MAX_OUTPUT = 16 << 20
"""Most bytes of recorded output; gitrun itself keeps about 10 MiB and drops the middle."""
MAX_NAME = 255
"""Most bytes of a name that common file systems accept."""
TABLES = frozenset({FLAGS, RUN, ENV, LENT, RESULT, NOTES})
MAX_SIZES: Mapping[str, int] = {
    **dict.fromkeys(TABLES, decode.MAX_TOML),
    RESULT: MAX_RESULT, OUTPUT: MAX_OUTPUT, METRICS: 64 << 20, BATCH: MAX_BATCH, POINTS: MAX_BATCH,
}  # fmt: skip
"""Largest size in bytes of each file of gitrun's own."""
# early versions of git wrote 100664 for files that the group may write
MODES = frozenset({b"40000", b"100644", b"100755", b"100664", b"120000", b"160000"})
IGNORED = dict.fromkeys((*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF))
"""Characters that HFS+ ignores in names (from git's utf8.c)."""
# .git   git~1 (its short name)   .git. .   .git::$INDEX_ALLOCATION
NTFS_GIT = lazy_pattern(rb"(?:\.git|git~1)[ .]*(?:[\\:].*)?", re.IGNORECASE | re.DOTALL)
# gitmod~1 and gi7eba~1 are short names that NTFS can give .gitmodules
NTFS_MODULES = lazy_pattern(rb"(?:\.gitmodules|gitmod~[1-4]|gi7eba~[1-9])[ .]*(?::.*)?", re.IGNORECASE | re.DOTALL)
# Gitrun-Format: 1, a trailer of each commit's message, which is never the first line of the commit.
# A pattern that begins with ^ would be tried at each byte
FORMAT = lazy_pattern(rb"\nGitrun-Format: ([1-9][0-9]{0,8})$", re.MULTILINE)
FIRST_LINE = b"format = 1\n"
# an attempt has its base, the tip before it, both or neither
KINDS: Mapping[str, tuple[int, ...]] = {"attempt": (0, 1, 2), "result": (1,), "annotation": (1,), "merge": (2,)}
"""Allowed numbers of parents for each kind of commit."""


def name_fault(name: bytes) -> str:
    """Returns the reason to refuse a tree entry's name; empty if there is none.

    Control characters are allowed: they are escaped when they are shown.
    """
    # git fetch refuses most such names only if transfer.fsckObjects is set
    if name in {b"", b".", b".."} or b"/" in name:
        return "a name that leads out of the tree"
    if len(name) > MAX_NAME:
        return "a name that is too long for a file system"
    # on NTFS a backslash separates directories
    if NTFS_GIT.fullmatch(name) or any(NTFS_GIT.fullmatch(part) for part in name.split(b"\\") if part != name):
        return "a name that is a form of '.git'"
    if not name.isascii() and hfs_form(name) == ".git":
        return "a name that is a form of '.git'"
    return ""


def mode_fault(mode: bytes, name: bytes) -> str:
    """Returns the reason to refuse a tree entry's mode; empty if there is none."""
    if mode not in MODES:
        return f"an entry of mode {mode[:10].decode(errors='replace')}"
    # git reads .gitmodules, and by a link it would read any file; git fsck refuses it too
    if mode == b"120000" and (NTFS_MODULES.fullmatch(name) or hfs_form(name) == ".gitmodules"):
        return "'.gitmodules' that is a symbolic link"
    return ""


def hfs_form(name: bytes) -> str:
    """Returns the name as HFS+ compares it."""
    text = name.decode(errors="surrogateescape").translate(IGNORED)
    return unicodedata.normalize("NFC", text).casefold()


def shape_fault(kind: str, parents: Sequence[str]) -> str:
    """Returns the reason to refuse these parents for a commit of this kind; empty if there is none."""
    if len(parents) not in KINDS[kind]:
        return f"a commit of kind {kind} with {len(parents)} parents"
    return f"a {kind} of a commit with itself" if len(set(parents)) < len(parents) else ""


def own_parents(commit_id: str, kind: str, parents: Sequence[str], run_id: str) -> tuple[str, ...]:
    """Returns the parents of a commit that belong to the run itself.

    An attempt's last parent is the run's previous tip; the first attempt has none, its parent is the base.
    """
    if kind == "attempt":
        return () if commit_id == run_id else tuple(parents[-1:])
    return tuple(parents)


def credible_start(created: datetime, committed: datetime, received: datetime | None = None) -> datetime:
    """Returns the credible creation time of a foreign attempt: the earliest of the three times.

    Its author chose the first two. The date of a commit has whole seconds, so `created` may be up to a second later. Otherwise
    a date in the year 9000 would keep a run on top of the list for ever.
    """
    # a commit's date has whole seconds, `created` has microseconds
    start = created if created < committed + timedelta(seconds=1) else committed
    return min(start, received) if received else start


@dataclass(frozen=True, slots=True)
class Claim:
    """The statements of run.toml about the attempt's tree: the source tree, and paths from the attempt before.

    With files of submodules, `content` is the source tree that includes them. `modules` maps the path of each submodule to its
    commit in `source`.
    """

    source: str
    carried: frozenset[bytes]
    content: str = ""
    modules: Mapping[bytes, str] = field(default_factory=dict)


def parse_record(data: bytes, name: str) -> dict[str, Any]:
    """Parses one of gitrun's own TOML files. Raises BadRun if its content is not allowed."""
    table = decode.parse_toml(data, name)
    form = table.get("format", 1)
    # true is an int in Python
    if name in {RUN, RESULT} and (isinstance(form, bool) or not isinstance(form, int) or form < 1):
        raise BadRun(f"{name} has no valid format number")
    if name == RUN and not decode.get_text(table, "operation"):
        raise BadRun(f"{name} names no operation")
    return table


def check_record(data: bytes, name: str) -> Claim | None:
    """Checks one of gitrun's own TOML files. Returns the claim of a run.toml. Raises BadRun as `parse_record` does."""
    if name == RUN:
        return read_claim(parse_record(data, name))
    # nobody asks what the others say
    if not is_simple(data) or (name == RESULT and not data.startswith(FIRST_LINE)):
        parse_record(data, name)
    return None


def read_claim(run: Mapping[str, Any]) -> Claim:
    """Returns the claim of a parsed run.toml."""
    source = decode.get_table(run, "source")
    carried = frozenset(os.fsencode(decode_path(path)) for path in decode.get_texts(source, "carried"))
    tree, content = decode.get_text(source, "tree") or "", decode.get_text(source, "content") or ""
    if not content:
        return Claim(tree, carried)
    modules = decode.get_table(source, "submodules").items()
    # a commit that is no text becomes empty, and equals none in the tree
    outermost = outermost_modules((decode_path(path), commit if isinstance(commit, str) else "") for path, commit in modules)
    return Claim(tree, carried, content, {os.fsencode(path): commit for path, commit in outermost.items()})

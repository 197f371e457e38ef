"""Ignored files lent to a run: the `[[lent]]` tables of lent.toml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitrun.dataclass import dataclass
from gitrun.model.run import is_safe
from gitrun.model.text import count_text, decode_path, encode_path, size_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

COPY, LINK = "copy", "link"
MAX_ENTRIES = 1_000
"""Most entries that lent.toml lists; it only counts the rest."""
NUMBER_LIMIT = 1 << 63
"""Above every number of files or bytes."""


@dataclass(frozen=True, slots=True)
class Lent:
    """An ignored path as git names it (a directory ends with `/`), and how the run got it: copy or link.

    `files` and `size` (bytes) count the copies; for a link to a directory they are 0, because nothing walks it. `digest` is a
    SHA-256 over names, sizes and contents of the copies; empty for links and for secrets. `links` counts the links inside a
    copied directory.
    """

    path: str
    how: str
    files: int = 0
    size: int = 0
    digest: str = ""
    links: int = 0


def encode_lent(entries: Iterable[Lent]) -> dict[str, Any]:
    """Returns the content of lent.toml; equal entries give equal tables."""
    # in a fixed order, so that equal entries make an equal blob
    ordered = sorted(entries, key=lambda entry: entry.path)
    rows = []
    for entry in ordered[:MAX_ENTRIES]:
        row: dict[str, Any] = {"path": encode_path(entry.path), "how": entry.how}
        # nothing walks a linked directory, so its counts are unknown
        if entry.how == COPY or not entry.path.endswith("/"):
            row |= {"files": entry.files, "bytes": entry.size}
        row |= {"digest": entry.digest} if entry.digest else {}
        row |= {"links": entry.links} if entry.links else {}
        rows.append(row)
    hidden = len(ordered) - len(rows)
    return {"lent": rows, **({"left_out": hidden} if hidden else {})}


def read_lent(table: Mapping[str, Any]) -> tuple[Lent, ...]:
    """Returns the first entries of a parsed lent.toml, which may come from elsewhere, each path once.

    Passes over what does not read, and paths that lead out of the tree or into what is git's and ours.
    """
    rows = table.get("lent")
    lent: dict[str, Lent] = {}
    for row in rows if isinstance(rows, list) else ():
        if not isinstance(row, dict) or not isinstance(row.get("path"), str) or row.get("how") not in {COPY, LINK}:
            continue
        path = decode_path(row["path"])
        # is_safe refuses empty parts, so the slash of a directory is cut before
        if "\0" in path or not is_safe(path.removesuffix("/")) or len(lent) >= MAX_ENTRIES:
            continue
        numbers = [row.get(key) for key in ("files", "bytes", "links")]
        # isinstance would accept True
        files, size, links = (n if type(n) is int and 0 <= n < NUMBER_LIMIT else 0 for n in numbers)
        digest = row.get("digest")
        entry = Lent(path, row["how"], files, size, digest if isinstance(digest, str) else "", links)
        lent.setdefault(path, entry)
    return tuple(lent.values())


def describe_lent(entry: Lent) -> str:
    """Returns the entry in words, such as `data/ (copy of 3 files, 12 KiB)`."""
    if entry.how == LINK:
        return f"{entry.path} (link)"
    links = f", {count_text(entry.links, 'link')}" if entry.links else ""
    return f"{entry.path} (copy of {count_text(entry.files, 'file')}, {size_text(entry.size)}{links})"


def describe_changes(before: Iterable[Lent], now: Mapping[str, Lent]) -> tuple[str, ...]:
    """Returns a sentence for each recorded entry that has changed. Linked directories are only checked to exist."""
    parts = []
    for entry in before:
        current = now.get(entry.path)
        if current is None:
            parts.append(f"{entry.path} was lent to the run and is not here")
        elif entry.how == COPY and current.how == COPY and entry.digest != current.digest:
            then, today = (f"{count_text(one.files, 'file')}, {size_text(one.size)}" for one in (entry, current))
            parts.append(
                f"{entry.path} has changed since the run"
                + (f" ({then} then, {today} now)" if then != today else " (its content)")
            )
        elif entry.how == COPY and current.how == LINK:
            parts.append(f"{entry.path} was copied for the run, and is now too large for a copy")
        # a linked file has no digest, only its size
        elif entry.how == LINK and not entry.path.endswith("/") and current.how == LINK and entry.size != current.size:
            parts.append(
                f"{entry.path} has changed since the run ({size_text(entry.size)} then, {size_text(current.size)} now)"
            )
    return tuple(parts)

"""What looks like a secret in runs that are about to leave this machine: names of files, and well-known shapes of keys."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fnmatch import translate
from typing import TYPE_CHECKING

from gitrun.model.record import DIRECTORY
from gitrun.model.text import path_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gitrun.git.exe import Git

SMALL = 256 << 10
"""Bytes up to which a file is looked into."""
SHAPES = re.compile(
    rb"(?P<aws>\b(?:AKIA|ASIA)[0-9A-Z]{16}\b)"
    rb"|(?P<github>\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_[A-Za-z0-9_]{50,})"
    rb"|(?P<gitlab>\bglpat-[A-Za-z0-9_-]{20})"
    rb"|(?P<slack>\bxox[abprs]-[A-Za-z0-9-]{20,})"
    rb"|(?P<hub>\bhf_[A-Za-z0-9]{34}\b)"
    rb"|(?P<api>\bsk-[A-Za-z0-9_-]{32,})"
    rb"|(?P<google>\bAIza[0-9A-Za-z_-]{35}\b)"
    rb"|(?P<private>-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----)"
)
NAMES = {
    "aws": "an AWS access key", "github": "a GitHub token", "gitlab": "a GitLab token", "slack": "a Slack token",
    "hub": "a Hugging Face token", "api": "an API key", "google": "a Google API key", "private": "a private key",
}  # fmt: skip
MARKS = (
    b"AKIA", b"ASIA", b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_", b"glpat-", b"xox", b"hf_", b"sk-", b"AIza",
    b"PRIVATE KEY",
)  # fmt: skip
"""What is in each shape: to look for that first takes a tenth of the time."""
FLAG = re.compile(
    rb"""^["']?[\w.-]*(?:password|passwd|secret|api[_-]?key|(?:access|auth|api)[_-]?token)["']?\s*=\s*["'][^"'\n]{6,}""",
    re.IGNORECASE | re.MULTILINE,
)
HEADER = "%(objectname) %(objecttype) %(objectsize) %(rest)"


@dataclass(frozen=True, slots=True)
class Finding:
    """A file in runs that looks like a secret, and what it looks like."""

    path: str
    reason: str


def scan(git: Git, tips: Sequence[str], patterns: Sequence[str]) -> list[Finding]:
    """What looks like a secret in what these commits have and no branch, tag or remote branch has."""
    asked = "".join(f"{tip}\n" for tip in tips).encode()
    listed = ("rev-list", "--objects", f"--filter=blob:limit={SMALL}", "--stdin", "--not", "--branches", "--tags", "--remotes")
    named = re.compile("|".join(map(translate, patterns)) or r"(?!)")
    names: dict[bytes, bool] = {}
    found: dict[Finding, None] = {}
    for path, data in objects(git.piped(listed, ("cat-file", f"--batch={HEADER}"), asked)):
        name = path.rpartition(b"/")[2]
        if name not in names:
            names[name] = named.match(os.fsdecode(name)) is not None
        if names[name] and not path.startswith(DIRECTORY.encode() + b"/"):
            found[Finding(path_text(os.fsdecode(path)), "its name looks like that of a secret")] = None
        elif reason := shape(path, data):
            found[Finding(path_text(os.fsdecode(path)), f"it holds what looks like {reason}")] = None
    return list(found)


def shape(path: bytes, data: bytes) -> str:
    """What in the content looks like a secret; empty if nothing does."""
    match = SHAPES.search(data) if any(mark in data for mark in MARKS) else None
    if match and b"\0" not in data[:8000]:
        return NAMES[match.lastgroup or "api"]
    if path == b".gitrun/flags.toml" and FLAG.search(data):
        return "a password in a flag"
    return ""


def objects(pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Path and content of each blob in what `git cat-file --batch` writes."""
    rest = b""
    place = 0
    for piece in pieces:
        rest, place = rest[place:] + piece, 0
        while (end := rest.find(b"\n", place)) >= 0:
            fields = rest[place:end].split(b" ", 3)
            if len(fields) < 4 or not fields[2].isdigit():  # an object that is missing
                place = end + 1
                continue
            stop = end + 1 + int(fields[2])
            if len(rest) <= stop:
                break
            if fields[1] == b"blob":
                yield fields[3], rest[end + 1 : stop]
            place = stop + 1

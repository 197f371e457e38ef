"""Scans runs for secrets before they leave this machine, by the rules of `model/secrets.py`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gitrun import model
from gitrun.dataclass import dataclass
from gitrun.model.record_files import FLAGS, RUN
from gitrun.model.run import DIRECTORY
from gitrun.model.secrets import Scanner, is_secret_file, secrets_in_flags, secrets_in_words
from gitrun.model.text import encode_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gitrun.git.exe import Git

# rev-list --objects writes "<id> <path>", and %(rest) hands the path on
HEADER = "%(objectname) %(objecttype) %(objectsize) %(rest)"
READABLE = 1 << 20
"""Bytes of flags.toml and run.toml that are read; gitrun's own are never longer."""


@dataclass(frozen=True, slots=True)
class SecretFinding:
    """A file in a run that looks like a secret, and the reason."""

    path: str
    reason: str


def scan_for_secrets(
    git: Git, tips: Sequence[str], patterns: Sequence[str], published: Sequence[str] = ()
) -> list[SecretFinding]:
    """Finds possible secrets in what the tips reach and `published` (words of git rev-list) does not.

    A tip with `^` before it is excluded with its history. Files are read as streams, to their end.
    """
    stdin = "".join(f"{tip}\n" for tip in tips).encode()
    words = ("rev-list", "--objects", "--ignore-missing", "--stdin", *(("--not", *published) if published else ()))
    names: dict[bytes, bool] = {}
    findings: dict[SecretFinding, None] = {}
    for path, content in read_blobs(git.pipe(words, ("cat-file", f"--batch={HEADER}"), stdin)):
        text = os.fsdecode(path)
        reasons = secrets_in_content(text, content)
        # a path comes once for each version of its file
        if path not in names:
            names[path] = not text.startswith(f"{DIRECTORY}/") and is_secret_file(text, patterns)
        if names[path]:
            reasons = ["its name looks like that of a secret"]
        findings |= dict.fromkeys(SecretFinding(encode_path(text), reason) for reason in reasons)
    return list(findings)


def secrets_in_content(path: str, content: Iterator[bytes]) -> list[str]:
    """Returns the reasons why a file's content looks like a secret. Reads the content to its end."""
    scanner, window = Scanner(), bytearray()
    for piece in content:
        scanner.feed(piece)
        if path in {FLAGS, RUN} and len(window) < READABLE:
            window += piece
    reasons = list(secrets_in_values(path, bytes(window))) if window else []
    findings = scanner.close()
    # reasons from values name the flag or word, which tells more than the kind of secret
    return reasons or ([f"it holds what looks like {findings}"] if findings else [])


def secrets_in_values(path: str, data: bytes) -> Iterator[str]:
    """Yields the reasons why flags, or the words of a command, look like secrets."""
    try:
        table = model.toml.parse_text(data.decode())
    except (ValueError, RecursionError):
        return
    if path == FLAGS:
        for name, what in secrets_in_flags(table):
            yield f"it holds what looks like {'a password' if what == 'a secret' else what} in a flag ({name})"
    elif isinstance(words := table.get("command"), list):
        for name, what in secrets_in_words([word for word in words if isinstance(word, str)]):
            yield f"it holds what looks like {'a password' if what == 'a secret' else what} in the command ({name})"


def read_blobs(pieces: Iterator[bytes]) -> Iterator[tuple[bytes, Iterator[bytes]]]:
    """Yields path and content of each blob in the output of `git cat-file --batch`.

    The content is an iterator of pieces.
    """
    reader = BufferedReader(pieces)
    while line := reader.line():
        # <id> blob 1234 src/train.py
        fields = line.split(b" ", 3)
        if len(fields) < 4 or not fields[2].isdigit():  # a missing object
            continue
        content = reader.content(int(fields[2]))
        if fields[1] == b"blob":
            yield fields[3], content
        # skip the rest, so that the next line read is a header again
        for _ in content:
            pass
        reader.line()


class BufferedReader:
    """A buffered reader of lines and of contents of known size."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""
        self._position = 0

    def line(self) -> bytes | None:
        """Returns the next line without its end; None at the end of input."""
        # an offset, because slicing after each line would copy the rest of the piece every time
        while (end := self._rest.find(b"\n", self._position)) < 0:
            piece = next(self._pieces, b"")
            if not piece:
                return None
            self._rest, self._position = self._rest[self._position :] + piece, 0
        line = self._rest[self._position : end]
        self._position = end + 1
        return line

    def content(self, size: int) -> Iterator[bytes]:
        """Yields the next `size` bytes in pieces."""
        while size:
            piece = self._rest[self._position : self._position + size]
            if piece:
                self._position += len(piece)
                size -= len(piece)
                yield piece
                continue
            self._rest, self._position = next(self._pieces, b""), 0
            if not self._rest:
                return

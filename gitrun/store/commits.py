"""The commits of runs, one at a time: read, and made of files that are on their way into the repository."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from gitrun.errors import CannotRun
from gitrun.git.exe import last_words
from gitrun.git.objects import FILE, Entry, fsync
from gitrun.model.settings import truth
from gitrun.store.places import make_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.git.objects import Object

KIND = re.compile(rb"^Gitrun-Kind: (attempt|result|annotation|merge)$", re.MULTILINE)
HEAD = re.compile(
    rb"tree ([0-9a-f]{40})\n((?:parent [0-9a-f]{40}\n)*)author ([^\n]*>)[^\n>]*\ncommitter [^\n]*> ([0-9]{1,11})(?= |\n|\Z)"
)


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit of a run says of itself."""

    id: str
    kind: str
    tree: str
    parents: tuple[str, ...]
    time: datetime
    author: str


def read_commit(found: Object | None) -> Commit | None:
    """A commit of a run; None for everything else."""
    if found is None or found.kind != "commit" or found.data is None:
        return None
    head, _, message = found.data.partition(b"\n\n")
    said, kind = HEAD.match(head), KIND.findall(message)
    if not said or not kind:
        return None
    tree, parents, author, stamp = said.groups()
    return Commit(
        id=found.id,
        kind=kind[-1].decode(),
        tree=tree.decode(),
        parents=tuple(parents.decode().split()[1::2]),
        time=datetime.fromtimestamp(int(stamp), timezone.utc),
        author=author.decode(errors="replace"),
    )


@contextmanager
def scratch(git: Git) -> Iterator[Path]:
    """A private directory for files on their way into the repository; it goes away with the `with`."""
    place = git.state / "tmp" / os.urandom(8).hex()  # importing tempfile takes longer than what is done here
    make_private(place)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def write_blobs(git: Git, directory: Path, contents: Mapping[str, bytes]) -> dict[bytes, Entry]:
    """The tree entries of these files, whose content is then in the repository; `directory` is a private place for them."""
    paths = []
    for number, data in enumerate(contents.values()):
        path = directory / f"blob.{number}"
        path.write_bytes(data)
        paths.append(path)
    ids = hash_files(git, paths)
    return {os.fsencode(name): Entry(FILE, made) for name, made in zip(contents, ids, strict=True)}


def hash_files(git: Git, paths: Sequence[Path], kind: str = "blob") -> list[str]:
    """The ids of new objects of the files as they are, written into the repository without filters."""
    if not paths:
        return []
    asked = b"".join(os.fsencode(path) + b"\n" for path in paths)
    return git.run("hash-object", "-w", "-t", kind, "--no-filters", "--stdin-paths", stdin=asked).decode().split()


def import_blobs(git: Git, contents: Iterable[bytes]) -> list[str]:
    """The ids of new objects with these contents, all in one pack: a file each takes git an fsync each.

    The contents are asked for one by one, and held in memory one by one.
    """

    def stream() -> Iterator[bytes]:
        for number, data in enumerate(contents, 1):
            yield b"blob\nmark :%d\ndata %d\n" % (number, len(data))
            yield data
            yield b"\n"
        yield b"done\n"

    with scratch(git) as place:
        marks = place / "marks"
        words = ("--quiet", "--done", "--depth=0", f"--export-marks={marks}")
        git.feed("-c", "fastimport.unpackLimit=1", "fast-import", *words, pieces=stream())
        pairs = (line.split() for line in marks.read_text().splitlines())
        ids = {int(mark[1:]): made for mark, made in pairs}
    if git.durable:
        fsync(git.common_dir / "objects" / "pack")
    return [ids[number] for number in sorted(ids)]


def commit_tree(git: Git, tree: str, parents: Iterable[str | None], message: bytes) -> str:
    """The id of a new commit of the tree."""
    words = [word for parent in parents if parent for word in ("-p", parent)]
    made = git.run("-c", "i18n.commitEncoding=UTF-8", "commit-tree", tree, *words, "-F", "-", stdin=message)
    return made.decode().strip()


def is_wanted(git: Git) -> bool:
    """Whether attempts and results are to be signed (`gitrun.sign`)."""
    return truth(git.config, "gitrun.sign", default=False)


def commit_signed(git: Git, tree: str, parents: Iterable[str | None], message: bytes) -> str:
    """The id of a new commit of the tree that is signed as git is set up to sign. Raises CannotRun if it cannot be."""
    words = [word for parent in parents if parent for word in ("-p", parent)]
    utf8 = ("-c", "i18n.commitEncoding=UTF-8")
    done = git.attempt(*utf8, "commit-tree", "--gpg-sign", tree, *words, "-F", "-", stdin=message)
    if done.returncode:
        raise CannotRun(
            f"the run cannot be signed: {last_words(done.stderr)}",
            "git config user.signingkey names a key, git config gitrun.sign false signs nothing",
        )
    return done.stdout.decode().strip()

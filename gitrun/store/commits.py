"""Single commits of runs: reads their headers, and writes blobs and commits into the repository."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from datetime import datetime, timezone

from gitrun.dataclass import dataclass
from gitrun.errors import CannotSign
from gitrun.git.exe import failure_reason
from gitrun.git.identity import format_identities
from gitrun.git.locks import make_private_directory
from gitrun.git.objects import Entry, Loose, Objects, fsync, small_packs
from gitrun.lazy import lazy_pattern, shutil
from gitrun.model.run import ID_DIGITS
from gitrun.model.settings import get_bool
from gitrun.model.tree import FILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.git.objects import Object


LARGEST_HERE = 4 << 20
"""Bytes of a file up to which it is written here, in memory, and not by a git process."""
GOOD = frozenset("GU")
"""Git's verdicts for a valid signature by a usable key, of known (G) or unknown (U) ownership."""
WORDS = {
    "G": "good", "U": "good, by an unknown key", "B": "bad", "X": "good, but expired",
    "Y": "good, by a key that has expired", "R": "good, by a key that was revoked", "E": "cannot be verified",
}  # fmt: skip
HEADER = lazy_pattern(rb"^gpgsig(?:-sha256)? ", re.MULTILINE)

# the trailer "Gitrun-Kind: result" in the message
KIND = lazy_pattern(rb"\nGitrun-Kind: (attempt|result|annotation|merge)$", re.MULTILINE)
# tree <id>, parent <id> (any number), author A <a@b.c> 1700000000 +0100, committer A <a@b.c> 1700000000 +0100
HEAD = lazy_pattern(
    rf"tree ({ID_DIGITS})\n((?:parent {ID_DIGITS}\n)*)author ([^\n]*>)[^\n>]*\n"
    r"committer [^\n]*> ([0-9]{1,11})(?= |\n|\Z)".encode()
)


@dataclass(frozen=True, slots=True)
class Commit:
    """The header of a run's commit: id, kind, tree, parents, committer time (UTC), author.

    `kind` is attempt, result, annotation or merge, from the trailer `Gitrun-Kind`.
    """

    id: str
    kind: str
    tree: str
    parents: tuple[str, ...]
    time: datetime
    author: str


def read_commit(commit: Object | None) -> Commit | None:
    """Parses a commit of a run. Returns None for any other object, and for a commit without our trailer."""
    if commit is None or commit.kind != "commit" or commit.data is None:
        return None
    # an empty line ends the header, and the message begins with the second of the two line ends
    end = commit.data.find(b"\n\n")
    match = HEAD.match(commit.data, 0, end) if end > 0 else None
    kind = KIND.findall(commit.data, end + 1) if match else None
    if not match or not kind:
        return None
    tree, parents, author, stamp = match.groups()
    return Commit(
        # trailers end a message, so the last match is ours
        id=commit.id,
        kind=kind[-1].decode(),
        tree=tree.decode(),
        parents=tuple(parents.decode().split()[1::2]),
        time=datetime.fromtimestamp(int(stamp), timezone.utc),
        author=author.decode(errors="replace"),
    )


@contextmanager
def scratch_directory(git: Git) -> Iterator[Path]:
    """Makes a private directory for files to be imported. It is removed at the end of the `with`."""
    directory = git.state / "tmp" / os.urandom(8).hex()  # importing tempfile takes longer than what is done here
    make_private_directory(directory)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def write_blobs(git: Git, directory: Path, contents: Mapping[str, bytes]) -> dict[bytes, Entry]:
    """Stores the contents (path -> bytes) as blobs. Returns their tree entries by path.

    `directory` is a private place for temporary files.
    """
    paths = []
    for number, data in enumerate(contents.values()):
        path = directory / f"blob.{number}"
        path.write_bytes(data)
        paths.append(path)
    ids = hash_files(git, paths)
    return {os.fsencode(name): Entry(FILE, blob_id) for name, blob_id in zip(contents, ids, strict=True)}


def hash_files(git: Git, paths: Sequence[Path], kind: str = "blob") -> list[str]:
    """Writes files into the repository as objects of `kind`, unfiltered. Returns their ids in order."""
    if not paths:
        return []
    stdin = b"".join(quote_path(os.fsencode(path)) + b"\n" for path in paths)
    # --no-filters: the user's clean filters would change what was recorded
    return git.run("hash-object", "-w", "-t", kind, "--no-filters", "--stdin-paths", stdin=stdin).decode().split()


def quote_path(path: bytes) -> bytes:
    """Quotes a path for git's line input, in C style. Needed for a CR or LF, and for a double quote at the beginning."""
    if b"\n" not in path and b"\r" not in path and not path.startswith(b'"'):
        return path
    escaped = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return b'"' + escaped + b'"'


def import_blobs(git: Git, contents: Iterable[bytes]) -> list[str]:
    """Stores contents as blobs in one pack. Returns their ids in order. Saves an fsync for each.

    Reads one content at a time from `contents`, so only one is in memory.
    """

    def stream() -> Iterator[bytes]:
        for number, data in enumerate(contents, 1):
            yield b"blob\nmark :%d\ndata %d\n" % (number, len(data))
            yield data
            yield b"\n"
        yield b"done\n"

    with scratch_directory(git) as directory:
        marks = directory / "marks"
        # --depth=0: the contents are unrelated, so looking for deltas is in vain
        words = ("--quiet", "--done", "--depth=0", f"--export-marks={marks}")
        # below 100 objects fast-import would write loose ones, each with an fsync
        git.feed("-c", "fastimport.unpackLimit=1", "fast-import", *words, pieces=stream())
        # the file of marks has lines such as :1 <id>
        pairs = (line.split() for line in marks.read_text().splitlines())
        ids = {int(mark[1:]): blob_id for mark, blob_id in pairs}
    if git.durable:
        fsync(git.common_dir / "objects" / "pack")
    return [ids[number] for number in sorted(ids)]


def data_command(content: bytes) -> bytes:
    """Formats bytes as a `data` command of fast-import."""
    return b"data %d\n%s\n" % (len(content), content)


def commit_tree(git: Git, tree: str, parents: Iterable[str | None], message: bytes) -> str:
    """Commits the tree without a signature. Returns the new id. Parents that are None are skipped."""
    words = [word for parent in parents if parent for word in ("-p", parent)]
    # messages are UTF-8, whatever the user has configured
    output = git.run("-c", "i18n.commitEncoding=UTF-8", "commit-tree", tree, *words, "-F", "-", stdin=message)
    return output.decode().strip()


def write_commit(writer: Loose, tree: str, parents: Iterable[str | None], message: bytes) -> str:
    """Commits the tree without a signature, in this process if that is possible. Returns the new id. Raises as `commit_tree`.

    Parents that are None are skipped. All must be full ids of commits.
    """
    unique_parents = list(dict.fromkeys(parent for parent in parents if parent))
    who = format_identities(writer.git)
    if who is None:
        commit_id = commit_tree(writer.git, tree, unique_parents, message)
        writer.ids.append(commit_id)
        return commit_id
    head = f"tree {tree}\n" + "".join(f"parent {parent}\n" for parent in unique_parents)
    return writer.write("commit", head.encode() + who + b"\n" + message)


def open_writer(git: Git) -> Loose:
    """Returns the writer for the objects of an attempt or result: of a small pack in a batch, else of loose objects."""
    packs = small_packs(git)
    # git makes the commits that are signed, or whose author it has to find out, and has to see their trees
    if packs is None or signing_wanted(git) or format_identities(git) is None:
        return Loose(git)
    return packs.open_writer(git)


def write_files(writer: Loose, paths: Iterable[Path]) -> list[str]:
    """Writes files as blobs, large ones by git. Returns their ids in order. Raises GitFailed, OSError."""
    ids = []
    for path in paths:
        if path.stat().st_size <= LARGEST_HERE:
            ids.append(writer.write("blob", path.read_bytes()))
        else:
            ids += hash_files(writer.git, [path])
            writer.ids.append(ids[-1])
    return ids


def signing_wanted(git: Git) -> bool:
    """Returns whether attempts and results are to be signed (`gitrun.sign`)."""
    return get_bool(git.config, "gitrun.sign", default=False)


def commit_signed(git: Git, tree: str, parents: Iterable[str | None], message: bytes) -> str:
    """Commits the tree, signed with the user's git configuration. Returns the id. Raises CannotRun if signing fails."""
    words = [word for parent in parents if parent for word in ("-p", parent)]
    utf8 = ("-c", "i18n.commitEncoding=UTF-8")
    result = git.attempt(*utf8, "commit-tree", "--gpg-sign", tree, *words, "-F", "-", stdin=message)
    if result.returncode:
        raise CannotSign(
            f"git cannot sign the run: {failure_reason(result.stderr)}",
            "To choose a key: git config user.signingkey KEY. To turn signing off: git config gitrun.sign false",
        )
    return result.stdout.decode().strip()


@dataclass(frozen=True, slots=True)
class Signature:
    """Git's verdict on a signature (a letter of `%G?`), signer, and fingerprints of key and primary key."""

    verdict: str
    signer: str
    key: str
    primary: str

    @property
    def is_good(self) -> bool:
        """Returns whether the content is what was signed, by a key that is still valid."""
        return self.verdict in GOOD

    @property
    def words(self) -> str:
        """Returns the signature in words. They name the signer only if the signature is good."""
        verdict_text = WORDS.get(self.verdict, "cannot be verified")
        if not self.is_good:
            return f"signature {verdict_text}"
        signer = self.verdict == "G" and self.signer
        return f"signed by {self.signer} ({self.key})" if signer else f"signed with {self.key}, {verdict_text}"


def read_signature(git: Git, commit: str) -> Signature | None:
    """Returns git's verdict on the commit's signature; None if it is unsigned."""
    with Objects(git) as objects:
        content = objects.read(commit, limit=1 << 20)
    if content is None or content.data is None or not HEADER.search(content.data.partition(b"\n\n")[0]):
        return None
    # log, because rev-list does not read gpg.* (git 2.39)
    words = ("log", "--max-count=1", "--no-show-signature", "--no-color", "--format=%G?%n%GF%n%GP%n%GS", commit, "--")
    # git log writes nothing if the commit is missing, so empty lines are added
    verdict, key, primary, signer = (git.attempt(*words).stdout.decode(errors="replace") + "\n\n\n\n").split("\n")[:4]
    return Signature(verdict or "E", signer, key, primary)

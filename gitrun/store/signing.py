"""Signatures on the commits of runs: made as git is set up to make them, read as git verifies them, never from the text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitrun.errors import CannotRun
from gitrun.git.exe import last_words
from gitrun.git.objects import Objects
from gitrun.model.settings import truth

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitrun.git.exe import Git

GOOD = frozenset("GU")
"""What git says of a signature that fits the content: the key is known to be somebody's, or is not."""
WORDS = {
    "G": "good", "U": "good, by a key that is not known to be anybody's", "B": "bad", "X": "good, but expired",
    "Y": "good, by a key that has expired", "R": "good, by a key that was revoked", "E": "cannot be verified",
}  # fmt: skip
HEADER = re.compile(rb"^gpgsig(?:-sha256)? ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Signature:
    """What git says of a commit's signature: a letter of `%G?`, who signed, fingerprint of the key and of its primary key."""

    verdict: str
    signer: str
    key: str
    primary: str

    @property
    def is_good(self) -> bool:
        """Whether the content is what was signed, by a key that is still good."""
        return self.verdict in GOOD

    @property
    def words(self) -> str:
        """The signature for people; who signed is told only if it is good."""
        said = WORDS.get(self.verdict, "cannot be verified")
        if not self.is_good:
            return f"signature {said}"
        known = self.verdict == "G" and self.signer
        return f"signed by {self.signer} ({self.key})" if known else f"signed with {self.key}, {said}"


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


def signature(git: Git, commit: str) -> Signature | None:
    """What git says of the commit's signature; None if it has none."""
    with Objects(git) as objects:
        found = objects.read(commit, limit=1 << 20)
    if found is None or found.data is None or not HEADER.search(found.data.partition(b"\n\n")[0]):
        return None
    # of what verifies a signature only log reads gpg.* (git 2.39: rev-list does not)
    words = ("log", "--max-count=1", "--no-show-signature", "--no-color", "--format=%G?%n%GF%n%GP%n%GS", commit, "--")
    verdict, key, primary, signer = (git.attempt(*words).stdout.decode(errors="replace") + "\n\n\n\n").split("\n")[:4]
    return Signature(verdict or "E", signer, key, primary)

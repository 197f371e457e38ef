"""Signatures on the commits of runs: made as git is set up to make them, read as git verifies them, never from the text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitrun.git.objects import Objects

if TYPE_CHECKING:
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

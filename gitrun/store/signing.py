"""Reads signatures of runs' commits. Git verifies them; gitrun never parses signatures itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitrun.git.objects import Objects

if TYPE_CHECKING:
    from gitrun.git.exe import Git

GOOD = frozenset("GU")
"""Git's verdicts for a valid signature by a usable key, of known (G) or unknown (U) ownership."""
WORDS = {
    "G": "good", "U": "good, by a key that is not known to be anybody's", "B": "bad", "X": "good, but expired",
    "Y": "good, by a key that has expired", "R": "good, by a key that was revoked", "E": "cannot be verified",
}  # fmt: skip
HEADER = re.compile(rb"^gpgsig(?:-sha256)? ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Signature:
    """Git's verdict on a signature (a letter of `%G?`), signer, and fingerprints of key and primary key."""

    verdict: str
    signer: str
    key: str
    primary: str

    @property
    def is_good(self) -> bool:
        """True if the content is what was signed, by a key that is still valid."""
        return self.verdict in GOOD

    @property
    def words(self) -> str:
        """The signature in words. Names the signer only if the signature is good."""
        said = WORDS.get(self.verdict, "cannot be verified")
        if not self.is_good:
            return f"signature {said}"
        known = self.verdict == "G" and self.signer
        return f"signed by {self.signer} ({self.key})" if known else f"signed with {self.key}, {said}"


def signature(git: Git, commit: str) -> Signature | None:
    """Returns git's verdict on the commit's signature; None if it is unsigned."""
    with Objects(git) as objects:
        found = objects.read(commit, limit=1 << 20)
    if found is None or found.data is None or not HEADER.search(found.data.partition(b"\n\n")[0]):
        return None
    # log, because rev-list does not read gpg.* (git 2.39)
    words = ("log", "--max-count=1", "--no-show-signature", "--no-color", "--format=%G?%n%GF%n%GP%n%GS", commit, "--")
    verdict, key, primary, signer = (git.attempt(*words).stdout.decode(errors="replace") + "\n\n\n\n").split("\n")[:4]
    return Signature(verdict or "E", signer, key, primary)

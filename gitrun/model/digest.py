"""SHA-256, the digest of files that a run records."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash


def sha256(data: bytes = b"") -> _Hash:
    """Returns a SHA-256 hash of the data, which can be updated with more."""
    # hashlib loads OpenSSL, 3 to 5 ms that most verbs do not need
    import hashlib

    return hashlib.sha256(data)

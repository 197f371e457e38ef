"""SHA-256, the digest of files that a run records, and SHA-1, that of git's objects."""

from __future__ import annotations

import sys

# CPython's own module, without OpenSSL; a Python that was built without it has hashlib alone
try:
    from _sha1 import sha1 as _sha1  # type: ignore[import-not-found]
except ImportError:
    from hashlib import sha1 as _sha1

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import _Hash


def sha256(data: bytes = b"") -> _Hash:
    """Returns a SHA-256 hash of the data, which can be updated with more."""
    # hashlib loads OpenSSL, 3 to 5 ms that most verbs do not need
    import hashlib

    return hashlib.sha256(data)


def sha1(data: bytes) -> _Hash:
    """Returns the SHA-1 hash of the data. git names objects by it; it protects nothing."""
    # once hashlib is loaded, OpenSSL is up to ten times as fast
    hashlib = sys.modules.get("hashlib")
    digest: _Hash = (hashlib.sha1 if hashlib else _sha1)(data, usedforsecurity=False)
    return digest


def load_openssl() -> None:
    """Makes `sha1` faster from now on, for a process that hashes much more than loading OpenSSL takes."""
    sha256()

"""SHA-256, the digest of files that a run records, and the hashes by which git names objects."""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib import import_module

from gitrun.lazy import hashlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from hashlib import _Hash

# CPython's own modules, without OpenSSL
OWN = {"sha1": "_sha1", "sha256": "_sha2" if sys.version_info >= (3, 12) else "_sha256"}


def sha256(data: bytes = b"") -> _Hash:
    """Returns a SHA-256 hash of the data, which can be updated with more."""
    return hashlib.sha256(data)


def hash_object(name: str, data: bytes) -> _Hash:
    """Returns the hash of the data by an algorithm of git's, `sha1` or `sha256`. It names objects, and protects nothing."""
    # once hashlib is loaded, OpenSSL is up to ten times as fast
    algorithm = getattr(hashlib, name) if "hashlib" in sys.modules else own_hash(name)
    digest: _Hash = algorithm(data, usedforsecurity=False)
    return digest


@lru_cache
def own_hash(name: str) -> Callable[..., _Hash]:
    """Returns Python's own hash of this name, which is loaded fast."""
    try:
        algorithm: Callable[..., _Hash] = getattr(import_module(OWN[name]), name)
    except ImportError:  # a Python that was built without it
        algorithm = getattr(hashlib, name)
    return algorithm


def load_openssl() -> None:
    """Makes `hash_object` faster from now on, for a process that hashes much more than loading OpenSSL takes."""
    sha256()

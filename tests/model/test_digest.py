"""Digests of what a run records, and git's names of objects."""

from __future__ import annotations

import hashlib

from gitrun.model.digest import sha1, sha256


def test_sha1_names_objects_as_git_does(repo) -> None:
    data = (repo.path / "echo.py").read_bytes()
    assert sha1(b"blob %d\0" % len(data) + data).hexdigest() == repo.git("rev-parse", "HEAD:echo.py")


def test_sha256_grows_with_the_data() -> None:
    digest = sha256(b"a")
    digest.update(b"b")
    assert digest.hexdigest() == hashlib.sha256(b"ab").hexdigest() != sha256(b"a").hexdigest()

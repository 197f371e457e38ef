"""Digests of what a run records, and git's names of objects."""

from __future__ import annotations

import hashlib

from gitrun.model.digest import sha256
from gitrun.model.object_format import format_of


def test_digest_of_an_object_is_its_name_in_git(repo) -> None:
    data, blob = (repo.path / "echo.py").read_bytes(), repo.git("rev-parse", "HEAD:echo.py")
    assert format_of(blob).hash(b"blob %d\0" % len(data) + data).hexdigest() == blob


def test_sha256_grows_with_the_data() -> None:
    digest = sha256(b"a")
    digest.update(b"b")
    assert digest.hexdigest() == hashlib.sha256(b"ab").hexdigest() != sha256(b"a").hexdigest()

"""Digests of what a run records, and git's names of objects."""

from __future__ import annotations

import hashlib
import subprocess
import sys

from gitrun.model.digest import sha256
from gitrun.model.object_format import format_of

ONE_ID = """
import sys
from gitrun.model.digest import load_openssl, sha1
before = sha1(b"blob 0\\0").hexdigest()
assert "hashlib" not in sys.modules
load_openssl()
print(before == sha1(b"blob 0\\0").hexdigest(), type(sha1(b"")).__module__)
"""


def test_digest_of_an_object_is_its_name_in_git(repo) -> None:
    data, blob = (repo.path / "echo.py").read_bytes(), repo.git("rev-parse", "HEAD:echo.py")
    assert format_of(blob).hash(b"blob %d\0" % len(data) + data).hexdigest() == blob


def test_sha256_grows_with_the_data() -> None:
    digest = sha256(b"a")
    digest.update(b"b")
    assert digest.hexdigest() == hashlib.sha256(b"ab").hexdigest() != sha256(b"a").hexdigest()


def test_sha1_is_the_same_once_openssl_makes_it_faster() -> None:
    words = (sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{ONE_ID}")
    assert subprocess.check_output(words, text=True) == f"True {hashlib.sha1().__class__.__module__}\n"

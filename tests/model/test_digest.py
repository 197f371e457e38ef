"""Digests of what a run records, and git's names of objects."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from gitrun.model.digest import OWN, own_hash, sha256
from gitrun.model.object_format import FORMATS, format_of

ONE_ID = """
import sys
from gitrun.model.digest import hash_object, load_openssl
name = sys.argv[1]
before = hash_object(name, b"blob 0\\0").hexdigest()
assert "hashlib" not in sys.modules
load_openssl()
print(before == hash_object(name, b"blob 0\\0").hexdigest(), type(hash_object(name, b"")).__module__)
"""


def test_digest_of_an_object_is_its_name_in_git(repo) -> None:
    data, blob = (repo.path / "echo.py").read_bytes(), repo.git("rev-parse", "HEAD:echo.py")
    assert format_of(blob).hash(b"blob %d\0" % len(data) + data).hexdigest() == blob


def test_sha256_grows_with_the_data() -> None:
    digest = sha256(b"a")
    digest.update(b"b")
    assert digest.hexdigest() == hashlib.sha256(b"ab").hexdigest() != sha256(b"a").hexdigest()


@pytest.mark.parametrize("name", FORMATS)
def test_a_hash_is_the_same_once_openssl_makes_it_faster(name) -> None:
    words = (sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{ONE_ID}", name)
    assert subprocess.check_output(words, text=True) == f"True {type(hashlib.new(name)).__module__}\n"


@pytest.mark.parametrize("name", FORMATS)
def test_a_python_without_hashes_of_its_own_takes_those_of_hashlib(name, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, OWN[name], None)
    assert own_hash.__wrapped__(name) is getattr(hashlib, name)

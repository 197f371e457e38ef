"""The form of object ids."""

from __future__ import annotations

import subprocess

import pytest

from gitrun.model.object_format import FORMATS, format_of, is_absent


@pytest.mark.parametrize("name", FORMATS)
def test_each_object_format_is_that_of_git(tmp_path, name):
    asked = FORMATS[name]
    subprocess.run(["git", "init", "-q", f"--object-format={name}", tmp_path], check=True)
    words = ["git", "hash-object", "-t", "tree", "/dev/null"]
    empty_tree = subprocess.run(words, cwd=tmp_path, capture_output=True, check=True, text=True).stdout.strip()
    assert (asked.empty_tree, asked.digits) == (empty_tree, len(empty_tree))
    assert asked.hash(b"tree 0\0").hexdigest() == empty_tree
    assert len(asked.hash(b"").digest()) == asked.size
    assert format_of(empty_tree) is asked
    assert is_absent(asked.zero) and len(asked.zero) == asked.digits  # noqa: PT018 - both are of the same id
    assert not is_absent(empty_tree)

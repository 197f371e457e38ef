"""Packs that are written in this process, as git reads them."""

from __future__ import annotations

import os
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitrun.errors import GitFailed
from gitrun.git.exe import open_repository
from gitrun.git.objects import Entry
from gitrun.git.pack import PackWriter
from gitrun.model.tree import FILE


@pytest.fixture
def git(repo):
    return open_repository(repo.path, os.environ)


def packs(git) -> int:
    return len(list((git.common_dir / "objects" / "pack").glob("*.pack")))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.binary(max_size=5_000), min_size=1, max_size=20))
def test_git_reads_each_object_of_a_pack(git, contents) -> None:
    writer = PackWriter(git)
    ids = [writer.write("blob", content) for content in contents]
    writer.finish()

    assert [git.run("cat-file", "blob", object_id) for object_id in ids] == contents


@pytest.mark.parametrize("size", [0, 15, 16, 2_047, 2_048, 300_000])
def test_objects_of_all_sizes_are_read(git, size) -> None:
    writer = PackWriter(git)
    object_id = writer.write("blob", os.urandom(size))
    writer.finish()

    assert int(git.run("cat-file", "-s", object_id)) == size


def test_many_objects_are_one_pack(repo, git) -> None:
    before = packs(git)
    writer = PackWriter(git)
    blobs = [writer.write("blob", b"%d" % number) for number in range(100)]
    tree = writer.make({b"%d" % number: Entry(FILE, blob) for number, blob in enumerate(blobs)})
    writer.finish()
    writer.finish()

    assert packs(git) == before + 1
    assert len(git.run("ls-tree", tree).splitlines()) == 100
    assert subprocess.run(["git", "fsck", "--strict"], cwd=repo.path, check=True, capture_output=True).returncode == 0


def test_a_pack_that_cannot_be_written_is_an_error(git) -> None:
    writer = PackWriter(git)
    writer.write("blob", b"text")
    writer._entries = {name: entry[:-1] for name, entry in writer._entries.items()}

    with pytest.raises(GitFailed):
        writer.finish()

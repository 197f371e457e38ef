"""Packs that are written in this process, as git reads them."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitrun.errors import GitFailed
from gitrun.git.exe import keep_processes, open_repository
from gitrun.git.objects import Entry, small_packs
from gitrun.git.pack import FACTOR, LARGEST_PACKED, PackWriter, keep_packs, merge_packs, read_entries, write_pack
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


def written(git, content: bytes) -> str:
    """The id of a blob in a small pack of its own."""
    writer = small_packs(git).open_writer(git)
    object_id = writer.write("blob", content)
    writer.finish()
    assert writer.is_there()
    return object_id


def test_many_small_packs_are_merged_and_lose_no_object(repo, git) -> None:
    contents, before = [b"%d" % (number % 90) for number in range(2 * FACTOR + 5)], packs(git)
    with keep_processes(git) as kept, keep_packs(kept):
        ids, counts = [], []
        for content in contents:
            ids.append(written(kept, content))
            merge_packs(kept)
            counts.append(packs(git) - before)
        # those that were merged last are deleted by the next merge
        assert max(counts) <= 2 * FACTOR
        assert [kept.run("cat-file", "blob", object_id) for object_id in ids] == contents

    assert packs(git) == before + 1
    assert [git.run("cat-file", "blob", object_id) for object_id in ids] == contents
    assert subprocess.run(["git", "fsck", "--strict"], cwd=repo.path, check=True, capture_output=True).returncode == 0


@pytest.mark.parametrize("obstacle", ["gc.pid", "objects/pack/multi-pack-index"])
def test_packs_that_another_git_uses_are_not_merged(git, obstacle) -> None:
    before = packs(git)
    with keep_processes(git) as kept, keep_packs(kept):
        ids = [written(kept, b"%d" % number) for number in range(3)]
        (git.common_dir / obstacle).touch()

    assert packs(git) == before + 3
    assert len(ids) == 3


def test_large_objects_stay_out_of_small_packs(git) -> None:
    with keep_processes(git) as kept, keep_packs(kept):
        writer = small_packs(kept).open_writer(kept)
        large = writer.write("blob", os.urandom(LARGEST_PACKED))
        small = writer.write("blob", b"small")
        writer.finish()

    assert set(writer.packed) == {small}
    assert git.run("cat-file", "-s", large).strip() == b"%d" % LARGEST_PACKED


def test_a_damaged_pack_is_not_merged(git) -> None:
    object_id = "ab" * git.object_format.size
    path = Path(write_pack(git, {object_id: b"entry"}))
    assert read_entries(str(path), git.object_format) == {object_id: b"entry"}
    pack = path.with_suffix(".pack")
    pack.chmod(0o644)
    pack.write_bytes(pack.read_bytes().replace(b"entry", b"Entry"))

    with pytest.raises(GitFailed):
        read_entries(str(path), git.object_format)


def test_a_pack_that_gc_deleted_is_noticed(git) -> None:
    writer = PackWriter(git)
    writer.write("blob", b"text")
    writer.finish()
    assert writer.is_there()
    for path in (git.common_dir / "objects" / "pack").glob("*.idx"):
        path.unlink()

    assert not writer.is_there()


def test_a_pack_that_cannot_be_written_leaves_no_file(git) -> None:
    directory = git.common_dir / "objects" / "pack"
    before = sorted(directory.iterdir())
    writer = PackWriter(git)
    writer.write("blob", b"text")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match="large"):
            writer.finish()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)

    assert sorted(directory.iterdir()) == before

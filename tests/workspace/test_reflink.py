"""Copies of files, with shared blocks where the file system has them."""

from __future__ import annotations

import os

import pytest

from gitrun.workspace.reflink import copy_with_metadata, try_sharing_blocks


@pytest.mark.parametrize("share", [True, False])
def test_a_copy_has_content_time_and_permissions(tmp_path, share) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"content")
    source.chmod(0o640)
    os.utime(source, ns=(1, 1_700_000_000_123_456_789))
    shared = copy_with_metadata(os.fsencode(source), os.fsencode(target), share=share)
    status = target.stat()
    assert (target.read_bytes(), status.st_mode & 0o777, status.st_mtime_ns) == (b"content", 0o640, 1_700_000_000_123_456_789)
    assert shared is (share and try_sharing_blocks(tmp_path))


def test_a_copy_changes_apart_from_its_source(tmp_path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"content")
    copy_with_metadata(os.fsencode(source), os.fsencode(target), share=True)
    target.write_bytes(b"other")
    assert source.read_bytes() == b"content"


def test_a_link_is_copied_as_a_link(tmp_path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    copy_with_metadata(os.fsencode(tmp_path / "link"), os.fsencode(tmp_path / "copy"), share=False)
    assert (tmp_path / "copy").readlink().name == "nowhere"


def test_a_pipe_is_no_file_to_copy(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError):
        copy_with_metadata(os.fsencode(tmp_path / "pipe"), os.fsencode(tmp_path / "copy"), share=True)


def test_trying_leaves_no_file_behind(tmp_path) -> None:
    try_sharing_blocks(tmp_path)
    assert list(tmp_path.iterdir()) == []

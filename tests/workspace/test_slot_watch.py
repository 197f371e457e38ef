"""A watch on a slot tells of every change in it."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitrun.workspace.slot_watch import open_watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitrun.workspace.slot_watch import SlotWatch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
DIRECTORIES = (b"", b"d", b"e")


@pytest.fixture
def top(tmp_path: Path) -> Path:
    made = tmp_path / "top"
    for directory in ("d", "e"):
        (made / directory).mkdir(parents=True)
        (made / directory / "f").write_text("1")
    return made


def settled_watch(top: Path) -> SlotWatch:
    """A watch on all of `top`, in which nothing has happened yet."""
    watch = open_watch()
    assert watch is not None
    places = {b"": b"", b"d": b"d", b"e": b"e", b"d/f": b"d", b"e/f": b"e"}
    assert all(watch.add(os.fsencode(top) + b"/" + path, place) for path, place in places.items())
    assert list(watch.find_touched(DIRECTORIES)) == list(DIRECTORIES)
    for directory in DIRECTORIES:
        watch.settle(directory)
    assert list(watch.find_touched(DIRECTORIES)) == []
    return watch


def count_descriptors() -> int:
    """The open descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


def write_mapped(top: Path) -> None:
    with (top / "d/f").open("r+b") as file, mmap.mmap(file.fileno(), 1) as mapped:
        mapped[0:1] = b"2"


def write_by_second_name(top: Path) -> None:
    os.link(top / "d/f", top.parent / "second")
    (top.parent / "second").write_text("2")


def replace_by_rename(top: Path) -> None:
    (top.parent / "new").write_text("2")
    (top.parent / "new").rename(top / "d/f")


CHANGES: dict[str, Callable[[Path], object]] = {
    "written": lambda top: (top / "d/f").write_text("2"),
    "written by another process": lambda top: subprocess.run(["sh", "-c", "echo 2 >> d/f"], cwd=top, check=True),
    "written in memory": write_mapped,
    "written by a second name": write_by_second_name,
    "cut": lambda top: os.truncate(top / "d/f", 0),
    "touched": lambda top: os.utime(top / "d/f"),
    "made executable": lambda top: (top / "d/f").chmod(0o755),
    "deleted": lambda top: (top / "d/f").unlink(),
    "replaced": replace_by_rename,
    "a new file": lambda top: (top / "d/g").touch(),
    "a new directory": lambda top: (top / "d/g").mkdir(),
    "a new link": lambda top: (top / "d/g").symlink_to("f"),
    "a directory without permissions": lambda top: (top / "d").chmod(0o500),
    "a moved directory": lambda top: (top / "d").rename(top / "h"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_every_kind_of_change_touches_its_directory(top, change) -> None:
    watch = settled_watch(top)
    change(top)
    touched = set(watch.find_touched(DIRECTORIES))
    assert b"d" in touched
    assert b"e" not in touched
    assert b"d" in set(watch.find_touched(DIRECTORIES))  # until it is settled


def test_reading_touches_nothing(top) -> None:
    watch = settled_watch(top)
    assert (top / "d/f").read_text() == "1"
    assert [path.name for path in (top / "d").iterdir()] == ["f"]
    assert list(watch.find_touched(DIRECTORIES)) == []


def test_a_full_queue_touches_every_directory(top) -> None:
    watch = settled_watch(top)
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for number in range(most // 2 + 1):
        os.utime(top / "d/f")
        os.utime(top / ("d" if number % 2 else "e"))  # equal events in a row count once
    assert list(watch.find_touched(DIRECTORIES)) == list(DIRECTORIES)
    watch.settle(b"d")
    assert list(watch.find_touched(DIRECTORIES)) == list(DIRECTORIES)


def test_what_cannot_be_watched_is_no_error(top) -> None:
    watch = settled_watch(top)
    assert not watch.add(os.fsencode(top) + b"/missing", b"")


def test_the_descriptor_is_closed_with_the_watch(top) -> None:
    before = count_descriptors()
    watch = settled_watch(top)
    assert count_descriptors() == before + 1
    del watch
    assert count_descriptors() == before

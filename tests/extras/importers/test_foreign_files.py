"""Files of other tools are read within budgets, and no link is followed."""

from __future__ import annotations

import os
import time
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitrun.extras.importers import foreign_files
from gitrun.extras.importers.foreign_files import (
    clean_text,
    is_directory,
    list_files,
    parse_yaml,
    path_fault,
    read_bytes,
    read_json,
)


def test_listing_follows_no_links(tmp_path) -> None:
    (tmp_path / "run/sub").mkdir(parents=True)
    (tmp_path / "run/sub/a").write_text("x")
    (tmp_path / "run/etc").symlink_to("/etc")
    (tmp_path / "run/sub/passwd").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "run/pipe")
    listing = list_files(tmp_path / "run")
    assert [file.path for file in listing.files] == ["sub/a"]
    assert (listing.links, listing.left_out) == (["etc", "sub/passwd"], [("pipe", "not a regular file")])


def test_listing_of_a_deep_directory_ends(tmp_path) -> None:
    deep = tmp_path
    for _ in range(120):
        deep /= "d"
    deep.mkdir(parents=True)
    (deep / "a").write_text("x")
    listing = list_files(tmp_path)
    assert (listing.files, [reason for _, reason in listing.left_out]) == ([], ["more than 90 nested directories"])


def test_files_beyond_the_budget_are_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(foreign_files, "MOST_FILES", 3)
    for number in range(5):
        (tmp_path / str(number)).write_text("x")
    listing = list_files(tmp_path)
    assert (len(listing.files), listing.left_out) == (3, [("3", "the run has more than 3 files")])


def test_no_link_and_no_large_file_is_read(tmp_path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 11)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    os.mkfifo(tmp_path / "c")
    assert [read_bytes(tmp_path / name, 11) for name in "abc"] == [b"x" * 11, None, None]
    assert read_bytes(tmp_path / "a", 10) is None


BOMB = b"a: &a [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (c + 1, c + 1, b",".join([b"*%c" % c] * 10)) for c in b"abcdefg"
)
HOSTILE = {
    "an object": b"!!python/object/apply:os.system ['touch owned']",
    "a new object": b"!!python/object/new:os.path.join []",
    "a bomb of references": BOMB,
    "what contains itself": b"&a [*a]",
    "deep brackets": b"[" * 100_000,
    "deep dashes": b"- " * 50_000,
    "deep keys": b"? " * 50_000,
    "a long number to base 60": b"1" + b":1" * 50_000,
    "a long number": b"1" * 100_000,
    "a date that is none": b"2024-13-45",
    "a list as a key": b"[a]: b",
    "many documents": b"a\n---\nb\n",
    "bytes": b"\xff\xfe\x00",
    "a tab": b"a:\n\t- b",
}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_yaml_is_nothing_at_once(text, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    began = time.process_time()
    assert parse_yaml(text) is None
    assert (time.process_time() - began < 2, list(tmp_path.iterdir())) == (True, [])


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_yaml_or_nothing(data) -> None:
    value = parse_yaml(data)
    assert isinstance(value, None | bool | int | float | str | bytes | list | dict | set | date), type(value)


def test_json_that_is_none_is_nothing(tmp_path) -> None:
    (tmp_path / "a").write_text("[" * 100_000)
    assert read_json(tmp_path / "a") is None


@pytest.mark.parametrize(
    "path", ["../a", "/a", "a/../b", ".git/x", "a/.git/x", ".gitrun/x", "", "a//b", "a\\.git\\x", "x" * 256]
)
def test_paths_out_of_a_run_are_faults(path) -> None:
    assert path_fault(path)


def test_ordinary_paths_are_no_faults() -> None:
    assert [path_fault(path) for path in ("a", "a/b.c", ".guild/x", "a\udcff", "ü")] == [""] * 5


def test_texts_are_valid_unicode() -> None:
    assert [clean_text(value, 5) for value in ("abcdefg", "a\ud800b", "a\0b", 3, None)] == ["abcde", "a?b", "a\ufffdb", "", ""]


def test_directory_behind_a_link_is_none(tmp_path) -> None:
    (tmp_path / "real/.guild/attrs").mkdir(parents=True)
    (tmp_path / "real/.guild/attrs/file").touch()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "half").mkdir()
    (tmp_path / "half/.guild").symlink_to(tmp_path / "real/.guild")
    names = {name for name in ("real", "link", "half", "none") if is_directory(tmp_path, name, ".guild", "attrs")}
    assert names == {"real"}
    listing = list_files(tmp_path / "half/.guild")
    assert (listing.files, listing.links, listing.reasons()) == ([], [".guild"], ("a symbolic link",))


def test_json_of_very_many_empty_lists_is_not_parsed(tmp_path) -> None:
    (tmp_path / "bomb.json").write_bytes(b"[" + b"[]," * 2_000_000 + b"0]")
    assert read_json(tmp_path / "bomb.json", 1 << 26) is None

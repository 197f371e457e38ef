"""Files in the cache of DVC."""

from __future__ import annotations

import hashlib
import json

import pytest

from gitrun.extras.importers.dvc_files import Cache, find_cache


def put(top, content: bytes, ending: str = "", layout: str = "files/md5") -> str:
    """Puts a content into a cache, and returns its md5 as dvc.lock has it."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    place = top / layout / md5[:2] / f"{md5[2:]}{ending}"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return md5 + ending


def take(top, **entry: object):
    left_out: list[str] = []
    return [(file.path, file.content.read_bytes()) for file in Cache(top).files(entry, left_out)], left_out


@pytest.mark.parametrize("layout", ["files/md5", "."])
def test_file_and_directory_are_found_in_both_layouts(tmp_path, layout) -> None:
    md5 = put(tmp_path, b"weights", layout=layout)
    assert take(tmp_path, path="model.bin", md5=md5) == ([("model.bin", b"weights")], [])
    listing = json.dumps([{"md5": md5, "relpath": "a/b.bin"}, {"md5": "0" * 32, "relpath": "gone"}]).encode()
    files, left_out = take(tmp_path, path="data", md5=put(tmp_path, listing, ".dir", layout))
    assert (files, left_out) == ([("data/a/b.bin", b"weights")], ["data/gone is not in DVC's cache"])


def test_text_with_other_line_ends_is_what_dvc_2_hashed(tmp_path) -> None:
    md5 = put(tmp_path, b"a\nb\n")
    (tmp_path / "files/md5" / md5[:2] / md5[2:]).write_bytes(b"a\r\nb\r\n")
    assert take(tmp_path, path="a.txt", md5=md5)[0] == [("a.txt", b"a\r\nb\r\n")]


@pytest.mark.parametrize(
    "entry",
    [
        {}, {"path": "a"}, {"path": "a", "md5": "../../../etc/passwd"}, {"path": "../a", "md5": "{md5}"},
        {"path": ".git/config", "md5": "{md5}"}, {"path": "/a", "md5": "{md5}"}, {"path": 7, "md5": 7},
        {"path": "a", "md5": "0" * 32}, {"path": "a", "md5": "0" * 32 + ".dir"},
    ],
)  # fmt: skip
def test_entry_that_lies_gives_no_file(tmp_path, entry) -> None:
    md5 = put(tmp_path, b"weights")
    files, left_out = take(
        tmp_path, **{key: value.format(md5=md5) if isinstance(value, str) else value for key, value in entry.items()}
    )
    assert (files, len(left_out)) == ([], 1)


def test_directory_of_too_many_files_is_left_out_whole(tmp_path) -> None:
    listing = json.dumps([{"md5": put(tmp_path, b"a"), "relpath": str(number)} for number in range(2_001)]).encode()
    files, left_out = take(tmp_path, path="data", md5=put(tmp_path, listing, ".dir"))
    assert (files, left_out) == ([], ["data has more than 2,000 files, and stays in DVC's cache"])


@pytest.mark.parametrize(
    ("settings", "cache"),
    [
        ({}, "p/.dvc/cache"), ({"config": "[cache]\n    dir = ../big\n"}, "p/big"),
        ({"config": "[cache]\ndir = a\n['remote \"x\"']\nurl = s3://a/%b\n", "config.local": "[cache]\ndir = '/b'\n"}, "/b"),
        ({"config": "no settings [", "../../home/dvc/config": "[cache]\ndir = /c\n"}, "/c"),
        ({"config": "\0" * 9}, "p/.dvc/cache"),
    ],
)  # fmt: skip
def test_cache_is_where_the_settings_say(tmp_path, settings, cache) -> None:
    (tmp_path / "p/.dvc").mkdir(parents=True)
    for name, text in settings.items():
        (tmp_path / "p/.dvc" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "p/.dvc" / name).write_text(text)
    cache_found = find_cache(tmp_path / "p/.dvc", {"XDG_CONFIG_HOME": str(tmp_path / "home")})
    assert cache_found.resolve() == (tmp_path / cache).resolve()


def test_large_file_stays_in_the_cache(tmp_path) -> None:
    md5 = put(tmp_path, bytes((10 << 20) + 1))
    assert take(tmp_path, path="model.bin", md5=md5) == ([], ["model.bin is larger than 10 MiB, and stays in DVC's cache"])

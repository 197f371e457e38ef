"""Files of other projects that ship with gitrun: their versions, licences and checksums."""

from __future__ import annotations

import hashlib
from pathlib import Path

import tomli

VIEW = Path(__file__).parent.parent / "gitrun" / "share" / "view"
VENDORED = tomli.loads((VIEW / "vendor.toml").read_text("utf-8"))


def test_vendored_files_are_those_that_were_published() -> None:
    for name, project in VENDORED.items():
        for file, checksum in project["sha256"].items():
            assert hashlib.sha256((VIEW / file).read_bytes()).hexdigest() == checksum, f"{name}: {file} was changed"


def test_each_minified_file_is_listed_with_its_licence() -> None:
    listed = {file for project in VENDORED.values() for file in project["sha256"]}

    assert {path.name for path in VIEW.iterdir() if ".min." in path.name} <= listed
    assert all(f"{name}-LICENSE" in project["sha256"] for name, project in VENDORED.items())
    assert VENDORED["uPlot"]["licence"] == "MIT"

"""Modules as parsed text."""

from __future__ import annotations

import pytest
from script_constants import flags_of

from gitrun.scripts.discover import Script, read_script


def test_the_encoding_that_the_source_names_is_honoured() -> None:
    source = "# coding: latin-1\nz = 'é'\n".encode("latin-1")
    assert read_script(source, "t.py").flags[0].default == "é"


@pytest.mark.parametrize(
    "source",
    [
        b"x = 1\n(",
        b"x = 1\0",
        b"\xff",
        b"# coding: no-such\nx = 1",
        b"x = " + b"-" * 200_000 + b"1",
        b"(" * 9_999,
    ],
)
def test_a_script_that_does_not_parse_has_no_flags(source: bytes) -> None:
    assert read_script(source, "t.py") == Script((), "globals")


def test_a_warning_about_the_source_is_not_shown() -> None:
    assert flags_of("x = '\\d'\nassert (1, 2)\n1 is 1") == {"x": ("\\d", "str")}

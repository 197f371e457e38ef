"""Which flags a script declares, and how their values are handed to it: argparse itself is the judge."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from script_constants import PARSER

from gitrun.model.flags import Flag
from gitrun.scripts.discover import Script, changed_constants, read_script

ECHO = b'x = 1.0\ny = 2\nz = "a"\nprint("%r %r %r" % (x, y, z))\n'


def test_the_literals_of_a_module_are_its_flags() -> None:
    flags = (Flag("x", 1.0, "number"), Flag("y", 2, "number"), Flag("z", "a", "str"))
    assert read_script(ECHO, "echo.py") == Script(flags, "globals")


@given(st.binary() | st.text().map(str.encode) | st.sampled_from([ECHO, PARSER.encode()]).map(lambda s: s[7:-9]))
@example(b"x = a.add_argument('--', '-')\n")
def test_no_source_is_refused(source: bytes) -> None:
    assert read_script(source, "t.py").style in ("globals", "args")


def test_only_changed_globals_are_replaced() -> None:
    declared = read_script(ECHO, "echo.py").flags
    assert changed_constants(declared, {"x": 1.0, "y": 2, "z": "a"}) == {}
    assert changed_constants(declared, {"x": 2.0, "y": 2, "z": "b"}) == {"x": 2.0, "z": "b"}


def test_an_int_for_a_float_is_set_as_an_int() -> None:
    declared = read_script(b"x = 10.0\nl = [1]", "t.py").flags
    assert repr(changed_constants(declared, {"x": 10, "l": [True]})) == "{'x': 10, 'l': [True]}"


def test_an_absent_flag_is_none_and_a_forced_one_is_set() -> None:
    declared = read_script(b"x = 1\ny = None", "t.py").flags
    assert changed_constants(declared, {"a": 0}) == {"x": None, "a": 0}

"""Constants of a module that are flags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from script_constants import flags_of

from gitrun.scripts.discover import read_script

if TYPE_CHECKING:
    from gitrun.model.flags import Value


@pytest.mark.parametrize(
    ("line", "default", "kind"),
    [
        ("x = -1", -1, "number"), ("x = +1.5", 1.5, "number"), ("x = True", True, "bool"),
        ("x = None", None, "any"), ("x = [1, (2, 'a')]", [1, [2, "a"]], "list"), ("x: int = 1", 1, "int"),
        ("x: float = 1", 1, "float"), ("x: 'str' = 'a'", "a", "str"), ("x: list[int] = [1]", [1], "list"),
        ("x: 'list[int]' = []", [], "list"), ("x: typing.Tuple[int] = ()", [], "list"),
        ("x: Optional[int] = 1", 1, "number"), ("x: bool = False", False, "bool"),
        ("x: int | None = None", None, "any"), ("x = 'a' 'b'", "ab", "str"), ("x = '\\0'", "\0", "str"),
    ],
)  # fmt: skip
def test_an_assigned_literal_gives_default_and_kind(line: str, default: Value | None, kind: str) -> None:
    assert repr(flags_of(line)) == repr({"x": (default, kind)})


@pytest.mark.parametrize(
    "line",
    [
        "_x = 1", "x = b'a'", "x = 1j", "x = {}", "x = {1}", "x = ...", "x = [None]", "x.y = 1", "x += 1", "x: int",
        "def f(): x = 1", "class A: x = 1", "for x in [1]: y = 2", "x = '\\ud800'", "x = 0x" + "f" * 999,
        "x = [" * 40 + "]" * 40, "x = [" * 90 + "]" * 90, "(x := 1)", "x = f()", "x = y", "x = 1 / 0", "x = 'a' + 1",
        "x = 9 ** 9 ** 9", "x = [0] * 10 ** 9", "x = 'a' * 10 ** 9", "x = 1 << 10 ** 9", "x = '%99999999d' % 1",
        "x = f'{1:99999999}'", "x = f() if y else 1", "x = [*y]", "x = lambda: 1", "while 1: x = 1",
    ],
)  # fmt: skip
def test_what_is_no_constant_of_a_module_is_no_flag(line: str) -> None:
    assert flags_of(line) == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = y = 1", {"x": 1, "y": 1}),
        ("x, (y, z) = 1, (2, f())", {"x": 1, "y": 2}),
        ("if 1: x = 1", {"x": 1}),
        ("if 1:\n    x = 1\nelse:\n    x = 2", {"x": 1}),
        ("if __name__ == '__main__':\n    x = 1", {"x": 1}),
        ("if a():\n    x = 1\nelse:\n    x = 1", {"x": 1}),
        ("if a():\n    x = 1\nelse:\n    x = 2", {"x": None}),
        ("x = 1\nif a():\n    x = 2", {"x": None}),
        ("x = 'a' if a() else 'b'", {"x": None}),
        ("try:\n    import torch\n    x = 'a'\nexcept ImportError:\n    x = 'b'", {"x": None}),
        ("try:\n    x = 1\nexcept OSError:\n    raise", {"x": 1}),
        ("try:\n    x = 1\nfinally:\n    y = 2", {"x": 1, "y": 2}),
        ("x = 1\ntry:\n    x = 2\nexcept OSError:\n    pass", {"x": None}),
        ("with open(f) as g:\n    x = 1", {"x": 1}),
        ("x = 1\ny = x * 2", {"x": 1, "y": None}),
        ("x = True\ny = 'a' if x else 'b'", {"x": True, "y": None}),
        ("x = 1\ny = [x, 2]\nz = f'{y}'", {"x": 1, "y": None, "z": None}),
    ],
)
def test_a_constant_whose_value_the_program_alone_knows_has_no_default(source: str, expected: dict[str, Value]) -> None:
    assert {name: default for name, (default, _) in flags_of(source).items()} == expected


def test_all_values_that_a_constant_may_have_make_its_kind() -> None:
    assert flags_of("if a():\n    x = 'a'\nelse:\n    x = 'b'\ny = 1 if a() else 'c'\nz = 1 if a() else 2.5") == {
        "x": (None, "str"), "y": (None, "any"), "z": (None, "number"),
    }  # fmt: skip


def test_all_values_that_a_constant_may_have_are_its_help() -> None:
    source = "if a():\n    x, y, z = 'a', 1, 2\nelse:\n    x, y, z = 'b', 1, y * 2\n"
    assert [flag.help for flag in read_script(source.encode(), "t.py").flags] == [
        "default: 'a' or 'b'",
        "",
        "default: 2 or y * 2",
    ]

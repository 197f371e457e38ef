"""Which flags a script declares, and how their values are handed to it: argparse itself is the judge."""

from __future__ import annotations

import argparse
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitrun.errors import UsageError
from gitrun.model.flags import Flag, Value, default_values
from gitrun.scripts.discover import Script, argument_words, changed_constants, read_script

ECHO = b'x = 1.0\ny = 2\nz = "a"\nprint("%r %r %r" % (x, y, z))\n'
PARSER = """
import argparse
parser = argparse.ArgumentParser()
group = parser.add_argument_group("g").add_mutually_exclusive_group()
parser.add_argument("data", nargs="?")
parser.add_argument("--lr", "-l", type=float, default=0.1, help="learning " "rate")
parser.add_argument("-b", "--batch-size", type=int, default=-1)
parser.add_argument("-n", type=int)
parser.add_argument("--opt", choices=["adam", "sgd"], default="adam")
group.add_argument("--fast", action="store_true")
group.add_argument("--no-cache", action="store_false")
parser.add_argument("--amp", action=argparse.BooleanOptionalAction, default=True)
parser.add_argument("--old", type=bool, default=True)
parser.add_argument("-v", "--verbose", action="count", default=1)
parser.add_argument("--tag", action="append", default=["a"])
parser.add_argument("--layers", nargs="+", type=int, default=(1, 2))
parser.add_argument("--pair", nargs=2)
parser.add_argument("--version", action="version", version="1")
parser.add_argument("--name", required=False)
parser.add_argument("--steps", type=int, default="5")
"""


def flags_of(source: str) -> dict[str, tuple[Value | None, str]]:
    return {flag.name: (flag.default, flag.kind) for flag in read_script(source.encode(), "t.py").flags}


def parsed(flags: dict[str, Value]) -> dict[str, Any]:
    """What the program of PARSER sees if it is given these flags over its defaults."""
    names: dict[str, Any] = {}
    exec(PARSER, names)
    declared = read_script(PARSER.encode(), "t.py").flags
    return dict(vars(names["parser"].parse_args(argument_words(declared, default_values(declared) | flags))))


def test_a_negative_number_in_a_list_is_no_option_and_no_text_is_the_name_of_a_file() -> None:
    source = "import argparse\nparser = argparse.ArgumentParser(fromfile_prefix_chars='@', prefix_chars='-+')\n"
    source += "parser.add_argument('--rng', nargs=2, type=float)\nparser.add_argument('--name')\nparser.add_argument('+n')\n"
    names: dict[str, Any] = {}
    exec(source, names)
    given: dict[str, Value] = {"rng": [-1e-05, 1], "name": "@x", "n": "+y"}
    words = argument_words(read_script(source.encode(), "t.py"), given)
    assert vars(names["parser"].parse_args(words)) == given


def test_the_literals_of_a_module_are_its_flags() -> None:
    flags = (Flag("x", 1.0, "number"), Flag("y", 2, "number"), Flag("z", "a", "str"))
    assert read_script(ECHO, "echo.py") == Script(flags, "globals")


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
    ("value", "default", "kind"),
    [
        ("10 * 1000", 10_000, "number"), ("2 ** 10 // 3", 341, "number"), ("1e-3 * 2", 0.002, "number"),
        ("'a' + 'b' * 2", "abb", "str"), ("[0.1] * 2", [0.1, 0.1], "list"), ("(1,) + (2, 3)", [1, 2, 3], "list"),
        ("not 1", False, "bool"), ("~1", -2, "number"), ("f'a{1}'", "a1", "str"), ("int('1')", 1, "number"),
        ("int(1e4)", 10_000, "number"), ("float('inf')", float("inf"), "number"), ("3 > 2", True, "bool"),
        ("'a' if 1 > 2 else 'b'", "b", "str"), ("0 or 'b'", "b", "str"), ("1 and 2", 2, "number"),
        ("max(2, 3)", 3, "number"), ("7 % 4", 3, "number"), ("1 << 4", 16, "number"),
    ],
)  # fmt: skip
def test_a_computed_constant_has_the_value_that_the_program_has(value: str, default: Value, kind: str) -> None:
    names: dict[str, Any] = {}
    exec(f"x = {value}", names)
    assert flags_of(f"x = {value}") == {"x": (default, kind)}
    assert repr(default) == repr(list(names["x"]) if isinstance(names["x"], tuple) else names["x"])


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


@pytest.mark.parametrize(
    "again",
    [
        "x += 1", "x = 2", "x = f()", "x, y = f()", "for x in y: pass", "while a():\n    x = 2", "del x",
        "def f():\n    global x\n    x = 2", "class A:\n    def f(self):\n        global x\n        x += 1",
        "with open(f) as x: pass", "with open(f) as (x, y): pass", "try:\n    f()\nexcept E as x:\n    pass",
        "print(x := 2)", "if (x := f()): pass", "[x := y for y in z]", "import x", "from a import b as x", "def x(): pass",
        "class x: pass", "match a:\n    case x: pass", "match a:\n    case [1, *x]: pass", "x.append(1)", "x[0] = 2",
        "def f(): x.append(1)", "if a():\n    x = f()", "async def f():\n    async for y in z:\n        x.extend(y)",
        "x: int = 2", "if a():\n    x += 1", "y = x = 2", "from a import *",
    ],
)  # fmt: skip
def test_a_name_that_the_module_assigns_again_is_a_variable(again: str) -> None:
    assert "x" not in flags_of(f"x = 1\n{again}")


@pytest.mark.parametrize(
    "other",
    [
        "def f(): x = 2", "def f(x): x += 1", "class A:\n    x = 2", "[x for x in y]", "def f(x): x.append(1)",
        "def f():\n    x = []\n    x.append(1)\n    def g(): x.append(2)", "f(x=2)", "y.x = 2", "lambda x: (x := 2)",
        "def f():\n    for x in y: pass", "print(x)", "x.upper()",
    ],
)  # fmt: skip
def test_a_name_of_another_namespace_leaves_the_constant(other: str) -> None:
    assert flags_of(f"x = 1\n{other}") == {"x": (1, "number")}


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


@given(st.binary() | st.text().map(str.encode) | st.sampled_from([ECHO, PARSER.encode()]).map(lambda s: s[7:-9]))
@example(b"x = a.add_argument('--', '-')\n")
def test_no_source_is_refused(source: bytes) -> None:
    assert read_script(source, "t.py").style in ("globals", "args")


def test_the_options_of_a_parser_are_its_flags() -> None:
    assert read_script(PARSER.encode(), "t.py").style == "args"
    assert flags_of(PARSER) == {
        "data": (None, "str"), "lr": (0.1, "float"), "batch-size": (-1, "int"), "n": (None, "int"), "opt": ("adam", "str"),
        "fast": (False, "bool"), "no-cache": (True, "bool"), "amp": (True, "bool"), "old": (True, "bool"),
        "verbose": (1, "int"), "tag": (["a"], "list"), "layers": ([1, 2], "list"), "pair": (None, "list"),
        "name": (None, "str"), "steps": (5, "int"),
    }  # fmt: skip


def test_an_option_keeps_its_help_choices_and_spelling() -> None:
    flags = {flag.name: flag for flag in read_script(PARSER.encode(), "t.py").flags}
    assert flags["lr"].help == "learning rate"
    assert flags["opt"].choices == ("adam", "sgd")
    assert (flags["batch-size"].option, flags["n"].option) == ("--batch-size", "-n")
    assert flags["tag"].many
    assert flags["layers"].many


@pytest.mark.parametrize(
    ("call", "default", "kind"),
    [
        ("'--x', type=Path", None, "str"), ("'--x', default=1", 1, "number"),
        ("'--x', default=f()", None, "str"), ("'--x', default=True", True, "any"),
        ("'--x', action=Mine", None, "any"), ("'--x', **more", None, "any"),
        ("'--x', action='store_true', default=None", None, "bool"),
        ("'-x', type=str, default='1'", "1", "str"), ("'--x', choices=range(3), type=int", None, "int"),
        ("'--x', action='extend', nargs='*'", None, "list"),
    ],
)  # fmt: skip
def test_an_option_gives_default_and_kind(call: str, default: Value | None, kind: str) -> None:
    assert flags_of(f"y = 1\ndef f(p):\n    p.add_argument({call})") == {"x": (default, kind)}


def test_the_first_of_two_options_of_one_name_counts() -> None:
    assert flags_of("a.add_argument('--x', default=1)\nb.add_argument('--x', default=2)") == {"x": (1, "number")}


def test_a_parser_of_positional_arguments_only_leaves_the_globals() -> None:
    assert flags_of("x = 1\nparser.add_argument('file')") == {"x": (1, "number")}


def test_defaults_are_not_passed() -> None:
    declared = read_script(PARSER.encode(), "t.py").flags
    assert argument_words(declared, default_values(declared)) == []
    assert argument_words(declared, {}) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr", 1e-05), ("lr", -1.0), ("lr", 1), ("batch-size", 7), ("n", -3), ("opt", "sgd"), ("fast", True),
        ("no-cache", False), ("amp", False), ("old", False), ("verbose", 3), ("tag", ["a", "b", "-c"]),
        ("layers", [3]), ("layers", [-3]), ("layers", [3, 4]), ("pair", ["a", "b c"]), ("name", "-x"),
        ("data", "d"), ("data", "-d"), ("name", ""), ("name", "a b=c"), ("name", "--lr"), ("steps", 6),
    ],
)  # fmt: skip
def test_the_program_sees_the_value_of_the_flag(name: str, value: Value) -> None:
    before, after = parsed({}), parsed({name: value})
    assert after == before | {"no_cache" if name == "no-cache" else name.replace("-", "_"): value}


@pytest.mark.parametrize(("name", "value"), [("verbose", 0), ("verbose", 10**9), ("tag", []), ("tag", ["b"]), ("name", "\0")])
def test_a_value_that_no_words_give_is_refused(name: str, value: Value) -> None:
    with pytest.raises(UsageError):
        parsed({name: value})


def test_a_switch_that_is_on_cannot_be_put_off() -> None:
    declared = [Flag("x", True, "bool", option="--x", action="store_true")]
    with pytest.raises(UsageError, match="flag 'x' cannot be false"):
        argument_words(declared, {"x": False})


def test_a_required_option_is_passed_though_it_is_the_default() -> None:
    declared = read_script(b"p.add_argument('--x', default=1, required=True)", "t.py").flags
    assert argument_words(declared, {"x": 1}) == ["--x", "1"]


def test_forced_names_are_passed_as_they_are_and_a_switch_that_is_off_is_not() -> None:
    flags: dict[str, Value] = {"a": True, "b": -1, "c": [1, "x"], "d": "y z", "e": False}
    words = ["--a", "--b=-1", "--c", "1", "x", "--d", "y z"]
    assert argument_words([], flags) == words


def test_a_switch_that_is_forced_to_text_is_given_the_text() -> None:
    assert argument_words([Flag("x", False, option="--x", action="store_true")], {"x": "a"}) == ["--x", "a"]


def test_every_kind_of_action_is_known_to_argparse() -> None:
    actions = {flag.action for flag in read_script(PARSER.encode(), "t.py").flags}
    known = argparse.ArgumentParser()._registries["action"]
    assert actions - known.keys() == {"boolean_optional", "type_bool", "positional"}


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

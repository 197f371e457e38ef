"""The words that give a program its flags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from script_constants import PARSER
from script_text import CONFIG, IMPORTS, kinds, read

from gitrun.errors import UsageError
from gitrun.model.flags import Flag, Value, default_values
from gitrun.scripts.discover import argument_words, read_script

if TYPE_CHECKING:
    from gitrun.model.flags import Value


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
    with pytest.raises(UsageError, match="flag 'x' cannot be false") as caught:
        argument_words(declared, {"x": False})
    assert caught.value.hint == "By default it is true, and its option only turns it on"


@pytest.mark.parametrize(
    ("declared", "value", "hint"),
    [
        (
            Flag("x", None, "bool", option="--x", action="store_true"),
            False,
            "It has no known default, and its option only turns it on",
        ),
        (
            Flag("x", None, "bool", option="-x", action="boolean_optional"),
            False,
            "It has no known default, and its option only turns it on",
        ),
        (
            Flag("x", False, "bool", option="--x", action="store_false"),
            True,
            "By default it is false, and its option only turns it off",
        ),
        (
            Flag("x", None, "bool", action="switch", words=("--no-x",)),
            True,
            "It has no known default, and its option only turns it off",
        ),
        (Flag("x", 3, "int", option="-x", action="count"), 1, "By default it is 3, and its option only adds to it"),
        (
            Flag("x", "a", choices=("f", "g"), option="--f", action="const", words=("--f", "--g")),
            "h",
            "Its options stand for f, g",
        ),
    ],
)
def test_a_refusal_tells_what_the_option_can_do(declared: Flag, value: Value, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        argument_words([declared], {"x": value})
    assert caught.value.hint == hint


def test_a_required_option_is_passed_though_it_is_the_default() -> None:
    declared = read_script(b"p.add_argument('--x', default=1, required=True)", "t.py").flags
    assert argument_words(declared, {"x": 1}) == ["--x", "1"]


def test_forced_names_are_passed_as_they_are_and_a_switch_that_is_off_is_not() -> None:
    flags: dict[str, Value] = {"a": True, "b": -1, "c": [1, "x"], "d": "y z", "e": False}
    words = ["--a", "--b=-1", "--c", "1", "x", "--d", "y z"]
    assert argument_words([], flags) == words


def test_a_switch_that_is_forced_to_text_is_given_the_text() -> None:
    assert argument_words([Flag("x", False, option="--x", action="store_true")], {"x": "a"}) == ["--x", "a"]


@pytest.mark.parametrize("nargs", ["argparse.REMAINDER", "'...'"])
def test_options_stand_before_words_that_an_argument_would_take_with_them(nargs: str) -> None:
    source = "p.add_argument('--n', type=int, default=1)\np.add_argument('--xs', nargs='+')\n"
    script = read(IMPORTS["argparse"] + source + f"p.add_argument('cmd', nargs={nargs})")
    given: dict[str, Value] = {"n": 2, "xs": ["a", "b"]}
    assert argument_words(script, given, ["foo", "--bar"]) == ["--xs", "a", "b", "--n", "2", "foo", "--bar"]
    assert argument_words(script, {"n": 2, "cmd": ["foo", "--bar"]}) == ["--n", "2", "foo", "--bar"]


def test_options_of_click_stand_before_words_if_it_wants_them_there() -> None:
    source = "@click.command(context_settings=dict(allow_interspersed_args=False))\n@click.option('--n', default=1)\n"
    source += "@click.argument('cmd', nargs=-1, type=click.UNPROCESSED)\ndef f(n, cmd): ..."
    assert argument_words(read(IMPORTS["click"] + source), {"n": 2}, ["foo", "--bar"]) == ["--n", "2", "foo", "--bar"]


def test_options_begin_with_what_the_parser_says() -> None:
    script = read("import argparse\np = argparse.ArgumentParser(prefix_chars='-+')\np.add_argument('+x', type=int, default=1)")
    assert kinds(script) == {"x": (1, "int")}
    assert argument_words(script, {"x": 2}) == ["+x", "2"]


@pytest.mark.parametrize("call", ["import tyro\ntyro.cli(C)\n", "import jsonargparse\njsonargparse.CLI(C)\n"])
def test_null_is_for_flags_that_can_be_none_and_its_text_for_others(call: str) -> None:
    word = "None" if "tyro" in call else "null"
    script = read(f"{CONFIG}class C:\n    a: str = 'x'\n    b: Optional[str] = 'x'\n    _c: int = 1\n{call}")
    own = default_values(script.flags)
    with pytest.raises(UsageError, match="flag 'a' cannot be null"):
        argument_words(script, {"b": "x", "_c": 1})
    with pytest.raises(UsageError, match="flag 'b' cannot be"):
        argument_words(script, {**own, "b": word})
    assert argument_words(script, {"a": word, "_c": 2}) == [f"--a={word}", f"--b={word}", "--_c=2"]

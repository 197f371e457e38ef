"""What an option of argparse takes, by its call."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest
from script_constants import PARSER, flags_of
from script_text import IMPORTS, read

from gitrun.model.flags import Typed, Value, default_values, resolve_flags
from gitrun.scripts.discover import argument_words, read_script

if TYPE_CHECKING:
    from gitrun.model.flags import Value


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


def test_every_kind_of_action_is_known_to_argparse() -> None:
    actions = {flag.action for flag in read_script(PARSER.encode(), "t.py").flags}
    known = argparse.ArgumentParser()._registries["action"]
    assert actions - known.keys() == {"boolean_optional", "type_bool", "positional"}


def test_a_group_of_a_sub_command_is_of_that_sub_command() -> None:
    source = "tr = p.add_subparsers().add_parser('train')\ng = tr.add_mutually_exclusive_group()\n"
    script = read(IMPORTS["argparse"] + source + "g.add_argument('--gpu', type=int, default=0)")
    assert argument_words(script, {"gpu": 2}, ["train"]) == ["train", "--gpu", "2"]


TYPED = """
p.add_argument('--path', type=Path)
p.add_argument('--out', type=argparse.FileType('w'))
p.add_argument('--own', type=own)
p.add_argument('--on', type=own, default=False)
p.add_argument('--rate', type=own, default=.5)
p.add_argument('--tags', nargs='+')
p.add_argument('--sizes', nargs='+', type=int)
"""


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("path", "1.10", "1.10"),
        ("out", "yes", "yes"),
        ("own", "1.10", "1.10"),
        ("own", "yes", "yes"),
        ("own", "1e-3", 0.001),
        ("own", "3", 3),
        ("own", "null", None),
        ("on", "yes", True),
        ("rate", "0.10", 0.1),
        ("tags", "[yes, 1.10, 'a b']", ["yes", "1.10", "a b"]),
        ("sizes", "[1, 2]", [1, 2]),
    ],
)
def test_what_a_program_is_given_as_text_stays_as_it_was_typed(name: str, text: str, value: Value) -> None:
    script = read(IMPORTS["argparse"] + TYPED)
    assert resolve_flags(script.flags, {name: Typed(text)}, operation="tool.py") == {name: value}


STR2BOOL = "def str2bool(text): return text == 'True'\n"


@pytest.mark.parametrize(
    "source",
    [
        "def add(p, name, default=True): p.add_argument('--' + name, type=str2bool, default=default)\nadd(p, 'amp')",
        "def add(p, *, name, **more): p.add_argument(name, type=str2bool, **more)\nadd(p, name='--amp', default=True)",
        "def add(p, more):\n    for k in more: p.add_argument('--' + k, type=str2bool, default=True)\nadd(p, list(lib.NAMES))",
        "import os\ndef add(p):\n    for k in os.environ: p.add_argument(f'--{k}', type=str2bool, default=True)\nadd(p)",
    ],
)
@pytest.mark.parametrize("value", [True, False])
def test_what_has_a_type_is_given_a_value_also_if_a_function_adds_it(source: str, value: bool) -> None:
    script = read(IMPORTS["argparse"] + STR2BOOL + source)
    given = {**default_values(script.flags), "amp": value}
    assert argument_words(script, given) in (["--amp", str(value)], [] if value else None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rate (default: %(default)s)", "rate"),
        ("rate, 50%% [Default %(default)d]", "rate, 50%"),
        ("rate (default: %(default).1f)", "rate (default: %(default).1f)"),
        ("Default is %(default)s.", "Default is %(default)s."),
        ("(default: 3)", "(default: 3)"),
    ],
)
def test_help_is_that_of_argparse_without_the_default(text: str, shown: str) -> None:
    source = (
        f"import argparse\np = argparse.ArgumentParser()\np.add_argument('--x', default=1, help={text!r})\np.parse_args()\n"
    )
    assert [flag.help for flag in read_script(source.encode(), "t.py").flags] == [shown]

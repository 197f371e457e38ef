"""Options of argparse, read from the text of a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from script_constants import PARSER, flags_of
from script_text import IMPORTS, LR, kinds, read

from gitrun.errors import UnknownFlag
from gitrun.model.flags import resolve_flags
from gitrun.scripts.discover import argument_words, read_script, read_words, unchecked_warning

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('for n in ("a", "b"): p.add_argument(f"--{n}", type=int)', {"a": (None, "int"), "b": (None, "int")}),
        ('D = {"a": 1, "b": 0.5}\nfor n, v in D.items():\n    p.add_argument("--" + n, default=v)',
         {"a": (1, "number"), "b": (0.5, "number")}),
        ('N = 2**10\np.add_argument("--a", type=int, default=N // 2)', {"a": (512, "int")}),
        ('p.add_argument("--a", type=int)\np.set_defaults(a=7)', {"a": (7, "int")}),
        ('p.add_argument("--a", action="store_const", const=3, dest="m", default=1)', {"m": (1, "any")}),
        ('g = p.add_argument_group().add_mutually_exclusive_group()\ng.add_argument("--a")', {"a": (None, "str")}),
        ('def add(q): q.add_argument("--a")\nadd(p)', {"a": (None, "str")}),
        ('c = argparse.ArgumentParser(add_help=False)\nc.add_argument("--a")\nd = argparse.ArgumentParser(parents=[c])',
         {"a": (None, "str")}),
        ('if True:\n    p.add_argument("--a", default=-1)\nelse:\n    p.add_argument("--b")',
         {"a": (-1, "number"), "b": (None, "str")}),
        ('class C:\n    lr = 3\np.add_argument("--a", default=C.lr)', {"a": (3, "number")}),
    ],
)  # fmt: skip
def test_options_of_argparse_are_followed(source: str, expected: dict[str, object]) -> None:
    script = read(IMPORTS["argparse"] + source)
    assert (kinds(script), script.partial) == (expected, "")


ON, OFF = "'--amp', action='store_true'", "'-n', '--no-amp', dest='amp', action='store_false'"
PARENT = "c = argparse.ArgumentParser(add_help=False)\nc.add_argument({})\np = argparse.ArgumentParser(parents=[c])\n"
ONE_DEST = [
    (f"p.add_argument({ON})\np.add_argument({OFF})", {"amp": "amp"}),
    (f"p.add_argument({OFF})\np.add_argument({ON})", {"amp": "amp"}),
    (f"p.add_argument({ON})\np.add_argument({OFF})\np.set_defaults(amp=True)", {"amp": "amp"}),
    (f"{PARENT.format(ON)}p.add_argument({OFF})", {"amp": "amp"}),
    (f"p.add_argument({OFF})\np.add_argument('--gpu', dest='amp', action='store_true')", {"gpu": "amp"}),
    ("p.add_argument('--no_aux_loss', dest='aux_loss', action='store_false')", {"aux_loss": "aux_loss"}),
    ("p.add_argument('-q', dest='verbose', action='store_false')", {"verbose": "verbose"}),
    ("p.add_argument('--no-shuffle', action='store_false')", {"no-shuffle": "no_shuffle"}),
    ("p.add_argument('--wd', '--decay', dest='weight_decay', default=1)\np.set_defaults(weight_decay=3)",
     {"wd": "weight_decay"}),
]  # fmt: skip


@pytest.mark.parametrize(("source", "names"), ONE_DEST)
def test_a_flag_has_the_value_that_argparse_gives_its_dest(source: str, names: dict[str, str]) -> None:
    script = read(IMPORTS["argparse"] + source)
    names_there: dict[str, Any] = {}
    exec(IMPORTS["argparse"] + source, names_there)

    def parse(words: list[str]) -> dict[str, object]:
        values = vars(names_there["p"].parse_args(words))
        return {name: values[dest] for name, dest in names.items()}

    assert {flag.name: flag.default for flag in script.flags} == parse([])
    for flag in script.flags if script.flags[0].kind == "bool" else ():
        for word in (flag.option, *flag.aliases, *flag.words):
            if word:
                given: dict[str, Any] = dict(read_words(script, [word]).flags)
                assert given == parse([word])
                assert parse(argument_words(script, given)) == given
        assert parse(argument_words(script, {flag.name: bool(flag.default)})) == parse([])


BRANCH = "ready = False\n"
CHANGED = "a = p.add_argument('--a', type=int, default=1)\n"
SPELLED = "p.add_argument('--lr', dest='rate', type=float, default=0.1)\n"
DEFAULTS = [
    ("p = argparse.ArgumentParser(argument_default=argparse.SUPPRESS)\np.add_argument('--amp', action='store_true')\n"
     "p.add_argument('--no-log', action='store_false')\np.add_argument('--n', type=int)\n"
     "p.add_argument('--m', type=int, default=3)"),
    ("p = argparse.ArgumentParser(argument_default=5)\np.add_argument('--amp', action='store_true')\n"
     "p.add_argument('--n', type=int)\n"
     "p.add_argument('--b', action=argparse.BooleanOptionalAction)\np.add_argument('-v', action='count')"),
    ("g = p.add_argument_group('g', argument_default=argparse.SUPPRESS)\ng.add_argument('--amp', action='store_true')\n"
     "p.add_argument('--b', action='store_true')"),
    f"{SPELLED}p.add_argument('--learning-rate', '-l', dest='rate', type=float, default=0.5)",
    f"{SPELLED}p.add_argument('--rate', type=float)",
    f"{SPELLED}p.add_argument('--rate', type=int, default=3)",
    f"{SPELLED}p.add_argument('--fast', '-f', dest='rate', action='store_const', const=9.0)",
    f"{SPELLED}p.add_argument('--fast', '-f', dest='rate', action='store_const', const=abs(-9.0))",
    f"{SPELLED}p.add_argument('--off', dest='rate', action='store_false')",
    "p.add_argument('--fast', dest='mode', action='store_const', const='f')\np.add_argument('--mode', default='s')",
    ("p.add_argument('--fast', dest='mode', action='store_const', const='f')\n"
     "p.add_argument('-s', '--slow', dest='mode', action='store_const', const='s', default='s')"),
    ("p.add_argument('--fast', dest='mode', action='store_const', const=abs(1))\n"
     "p.add_argument('--slow', dest='mode', action='store_const', const='s', default='s')"),
    "p.add_argument('--amp', action='store_true')\np.add_argument('--half', dest='amp', action='store_const', const='h')",
    ("p.add_argument('--amp', action='store_true')\np.add_argument('--no-amp', dest='amp', action='store_false')\n"
     "p.add_argument('--half', dest='amp', action='store_const', const='h')"),
    "p.add_argument('--tag', type=int, action='append')\np.add_argument('--best', dest='tag', action='append_const', const=2)",
    ("p.add_argument('--best', dest='tag', action='append_const', const=2)\n"
     "p.add_argument('--tag', type=int, nargs='*', default=[1])"),
    "p.add_argument('-v', action='count', default=1)\np.add_argument('--more', dest='v', action='count')",
    ("p.add_argument('--amp', action=argparse.BooleanOptionalAction)\n"
     "p.add_argument('--half', dest='amp', action=argparse.BooleanOptionalAction)"),
    "p.add_argument('-c', action=argparse.BooleanOptionalAction, default=True)",
    "p.add_argument('--resume', nargs='?', const=True, default=False)\np.add_argument('--b', type=int)",
    "p.add_argument('--evolve', nargs='?', type=int, const=300)\np.add_argument('--tag', nargs='?', const='x')",
    "p.add_argument('--resume', nargs='?', const=abs(1), default=False)\np.add_argument('--b', nargs='?')",
    f"{CHANGED}a.default = 7",
    f"{CHANGED}a.default = '7'",
    f"{CHANGED}a.default = abs(-7)",
    f"{CHANGED}a.type = str",
    f"{BRANCH}{CHANGED}if ready:\n    a.default = 7",
    f"{CHANGED}if not a.required:\n    a.default = 7",
    f"{CHANGED}p.add_argument('--b', type=int, default=2).default = 5",
    f"{CHANGED}for b in p._actions:\n    if b.dest == 'a':\n        b.default = 7",
    f"{CHANGED}p._option_string_actions['--a'].default = 7",
    "p.set_defaults(a=7)\np.add_argument('--a', type=int, default=1)",
    "p.set_defaults(a=7)\np.add_argument('--a', type=int)",
    f"{BRANCH}{CHANGED}if ready:\n    p.set_defaults(a=7)",
    f"{CHANGED}if not a.required:\n    p.set_defaults(a=7)",
]  # fmt: skip


@pytest.mark.parametrize("source", DEFAULTS)
def test_what_is_recorded_is_what_argparse_parses(source: str) -> None:
    script = read(IMPORTS["argparse"] + source)
    names_there: dict[str, Any] = {}
    exec(IMPORTS["argparse"] + source, names_there)
    parser = names_there["p"]
    dests = {option: action.dest for action in parser._actions for option in action.option_strings}
    named = {flag.name: dests[flag.option or flag.words[0]] for flag in script.flags}

    def parsed(words: list[str], values: Mapping[str, object]) -> dict[str, object]:
        result = vars(parser.parse_args(words))
        return {name: result.get(named[name]) for name in values}

    recorded = {flag.name: flag.default for flag in script.flags if flag.default is not None}
    assert recorded == parsed([], recorded)
    calls = [
        [option, *values]
        for option, action in parser._option_string_actions.items()
        for values in {0: [[]], "?": [[], ["a" if action.type is None else "3"]]}.get(action.nargs, [["3"]])
        if action.dest != "help"
    ]
    for words in calls:
        read_there = read_words(script, words)
        given = {
            name: resolve_flags(script.flags, {name: value}, operation="a")[name] for name, value in read_there.flags.items()
        }
        now = {name: value for name, value in (recorded | given).items() if name not in read_there.unsure}
        assert now == parsed(words, now), words
        passed: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        assert parsed(argument_words(script, passed), given) == given


@pytest.mark.parametrize("more", ["", "p.add_argument(name())\n", "p.add_argument(name(), type=int)\n"])
def test_an_abbreviation_is_that_option_or_makes_it_unsure(more: str) -> None:
    script = read(f"{IMPORTS['argparse']}p.add_argument('--learning-rate', type=float, default=0.1)\n{more}")
    words = read_words(script, ["--lea", "3"])
    assert (dict(words.flags) == {}, words.unsure) == ((True, {"learning-rate"}) if more else (False, set()))


def test_an_option_that_must_be_given_may_be_changed_to_one_that_need_not() -> None:
    source = "a = p.add_argument('--a', required=True, choices=['x'])\n"
    flags = [read(IMPORTS["argparse"] + source + more).flags[0] for more in ("", "a.required = False\na.choices = ['y']")]
    assert [(flag.required, flag.choices) for flag in flags] == [(True, ("x",)), (False, ("y",))]
    loop = "for b in p._actions:\n    b.required = False"
    assert not read(IMPORTS["argparse"] + source + loop).flags[0].required


def test_defaults_of_sub_commands_that_are_set_elsewhere_are_not_known() -> None:
    source = "s = p.add_subparsers().add_parser('s')\ns.add_argument('--a', default=1)\ns.set_defaults(**read())"
    assert [flag.default for flag in read(IMPORTS["argparse"] + source).commands[0].flags] == [None]


RESOLVING = "p = argparse.ArgumentParser(conflict_handler='resolve')\n"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("p.add_argument('--a', default=1)\np.set_defaults(**{'a': 7})", {"a": 7}),
        ("p.add_argument('--a', default=1)\nmore = dict(a=7)\np.set_defaults(**more)", {"a": 7}),
        ("p.add_argument('--a', default=1)\np.set_defaults(a=read())", {"a": None}),
        ("p.add_argument('--a', default=1)\np.set_defaults(**read())", {"a": None}),
        ("p.add_argument('--a', default=1)\nif ready:\n    p.set_defaults(**read())", {"a": None}),
        ("if ready:\n    p.add_argument('--a', default=1)\nelse:\n    p.add_argument('--a', default=2)", {"a": None}),
        ("if ready:\n    p.add_argument('--a', default=1)\nelse:\n    p.add_argument('--a', default=1)", {"a": 1}),
        (f"{RESOLVING}p.add_argument('--a', default=1)\np.add_argument('--a', default=2)", {"a": 2}),
        ("p.add_argument('--a', type=bool, default='False')", {"a": True}),
    ],
)  # fmt: skip
def test_a_default_is_the_one_that_counts_or_is_not_known(source: str, expected: dict[str, object]) -> None:
    assert {flag.name: flag.default for flag in read(IMPORTS["argparse"] + source).flags} == expected


# timm does so
FILE_DEFAULTS = """
import yaml
c = argparse.ArgumentParser(add_help=False)
c.add_argument("-c", "--config", default="", type=str)
p.add_argument("--lr", type=float, default=0.1)
p.add_argument("--amp", action="store_true")
def parse():
    args, rest = c.parse_known_args()
    if args.config:
        with open(args.config) as file:
            p.set_defaults(**yaml.safe_load(file))
    return p.parse_args(rest)
"""


@pytest.mark.parametrize(
    ("words", "values", "default"),
    [
        ((), {}, 0.1),
        ((), {"config": "a.yaml"}, None),
        (("-c", "a"), {}, None),
        (("--config=a",), {}, None),
        (("--lr", "3"), {}, 0.1),
    ],
)
def test_defaults_are_not_known_where_an_option_names_their_file(
    words: tuple[str, ...], values: dict[str, str], default: float | None
) -> None:
    script = read(IMPORTS["argparse"] + FILE_DEFAULTS)
    flags = {flag.name: flag for flag in script.chosen(words, values).flags}
    assert flags["lr"].default == default
    assert argument_words(script, {"config": "a.yaml", "lr": 0.5}) == ["--lr", "0.5", "--config", "a.yaml"]


def test_an_option_that_sets_a_value_of_another_makes_that_unsure() -> None:
    source = "p.add_argument('--mode', default='a')\np.add_argument('--fast', dest='mode', action='store_const', const='f')"
    given = read_words(read(IMPORTS["argparse"] + source), ["--fast"])
    assert (given.flags, given.rest, given.unsure) == ({}, ("--fast",), {"mode"})


def test_an_option_that_turns_something_off_is_named_where_it_is_given_as_a_flag() -> None:
    script = read(IMPORTS["argparse"] + "p.add_argument('--no-amp', dest='amp', action='store_false')")
    with pytest.raises(UnknownFlag) as caught:
        resolve_flags(script.flags, {"no_amp": True}, operation="a.py")
    assert caught.value.hint.startswith("To pass --no-amp: amp=false")
    script = read(IMPORTS["argparse"] + "p.add_argument('-a', '--amp', '--half', action=argparse.BooleanOptionalAction)")
    with pytest.raises(UnknownFlag) as caught:
        resolve_flags(script.flags, {"no-half": True}, operation="a.py")
    assert caught.value.hint.startswith("To pass --no-half: amp=false")


@pytest.mark.parametrize(
    "source",
    [
        "common = {'default': 3}\np.add_argument('--n', **common)",
        "p.add_argument('--n', **dict(default=3))",
        "more = dict(default=3)\ncommon = {**more, 'help': h}\np.add_argument('--n', **common)",
        "for n, more in {'n': {'default': 3}}.items(): p.add_argument('--' + n, **more)",
    ],
)
def test_what_two_asterisks_give_an_option_is_read(source: str) -> None:
    script = read(IMPORTS["argparse"] + source)
    assert (kinds(script), script.partial) == ({"n": (3, "number")}, "")


def test_an_option_that_is_given_what_is_not_known_takes_anything() -> None:
    script = read(IMPORTS["argparse"] + "def add(name, **more):\n    p.add_argument('--fast', **more)\n")
    assert (kinds(script), script.partial) == ({"fast": (None, "any")}, "what an option takes is computed")
    assert (argument_words(script, {"fast": True}), argument_words(script, {"fast": 3})) == (["--fast"], ["--fast", "3"])


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ("range(3)", (0, 1, 2)),
        ("SIZES", (1, 2)),
        ("list(Color)", ("r", "g")),
        ("[c.upper() for c in 'ab']", ("A", "B")),
        ("f()", ()),
    ],
)
def test_choices_are_folded(choices: str, expected: tuple[object, ...]) -> None:
    source = "import enum\nSIZES = (1, 2)\nclass Color(enum.Enum):\n    RED = 'r'\n    GREEN = 'g'\n"
    assert read(f"{source}{IMPORTS['argparse']}p.add_argument('--a', choices={choices})").flags[0].choices == expected


def test_the_sub_command_is_that_of_the_words() -> None:
    source = "p.add_argument('--seed', type=int)\ns = p.add_subparsers()\nt = s.add_parser('train', aliases=['t'])\n"
    source += "t.add_argument('--lr', type=float)\ne = s.add_parser('eval')\ne.add_argument('--k', type=int)\n"
    script = read(IMPORTS["argparse"] + source)
    assert [command.name for command in script.commands] == ["train", "eval"]
    assert list(kinds(script.chosen(["t"]))) == ["seed", "lr"]
    assert list(kinds(script.chosen(["--seed", "3", "eval"]))) == ["seed", "k"]
    assert [flag.name for flag in script.all_flags()] == ["seed", "lr", "k"]
    assert argument_words(script, {"lr": 0.5, "seed": 1}, ["train", "x"]) == ["--seed", "1", "train", "x", "--lr", "0.5"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import sys\np.add_argument(sys.argv[1])", "computed"),
        ("for n in names(): p.add_argument('--' + n)", "computed"),
        ("import lib\nlib.add(p)", "lib.add may add options"),
        ("import lib\nq = argparse.ArgumentParser(parents=[lib.p])", "parents"),
        ("p.add_argument(*names)", "computed"),
    ],
)
def test_what_cannot_be_read_is_said(source: str, reason: str) -> None:
    script = read(IMPORTS["argparse"] + source)
    assert reason in script.partial
    assert resolve_flags(script.flags, {"new": 1}, operation="tool.py", partial=True) == {"new": 1}
    assert reason in unchecked_warning(script, "tool.py", {"new": 1})
    assert unchecked_warning(script, "tool.py", {}) == ""


def test_add_argument_can_have_another_name() -> None:
    script = read(IMPORTS["argparse"] + "add = p.add_argument\nadd('--lr', type=float, default=.1)\nargs = p.parse_args()")
    assert (kinds(script), script.partial) == (LR, "")


@pytest.mark.parametrize("source", ["from lib import p\np.parse_args()", "def main():\n    o = Options().parse_args()\nmain()"])
def test_a_program_whose_parser_was_not_met_is_given_words(source: str) -> None:
    script = read("LIMIT = 3\n" + source)
    assert (script.style, script.flags, script.partial) == ("args", (), "its options are not in its source")


def test_a_parser_of_a_module_that_is_not_there_is_partial() -> None:
    script = read("from lib import make\nx = 1\np = make()\nargs = p.parse_args()")
    assert (script.style, script.flags, script.partial) == ("args", (), "its parser is made by lib.make")


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


def test_two_options_of_one_name_have_a_default_if_it_is_the_same() -> None:
    assert flags_of("a.add_argument('--x', default=1)\nb.add_argument('--x', default=2)") == {"x": (None, "number")}
    assert flags_of("a.add_argument('--x', default=1)\nb.add_argument('--x', default=1)") == {"x": (1, "number")}


def test_a_parser_of_positional_arguments_only_leaves_the_globals() -> None:
    assert flags_of("x = 1\nparser.add_argument('file')") == {"x": (1, "number")}

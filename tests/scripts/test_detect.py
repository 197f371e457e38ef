"""Which flags the front ends declare, by the text of a program alone."""

from __future__ import annotations

import ast
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitrun.errors import UsageError
from gitrun.model.flags import Flag, Typed, default_values, resolve_flags
from gitrun.model.tree import MemoryTree
from gitrun.scripts.discover import argument_words, read_script, unchecked_warning

if TYPE_CHECKING:
    from gitrun.model.flags import Value
    from gitrun.scripts.discover import Script


def around(files: dict[str, str]) -> MemoryTree:
    """Files that lie around a script."""
    return MemoryTree({path: text.encode() for path, text in files.items()})


def read(source: str, **files: str) -> Script:
    return read_script(
        source.encode(),
        "tool.py",
        around({(name if "/" in name else name.replace("__", "/")) + ".py": text for name, text in files.items()}),
    )


def kinds(script: Script) -> dict[str, tuple[object, str]]:
    return {flag.name: (flag.default, flag.kind) for flag in script.flags}


IMPORTS = {
    "argparse": "import argparse\np = argparse.ArgumentParser()\n",
    "click": "import click\n",
    "absl": "from absl import flags\n",
}


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


def test_what_two_asterisks_give_an_option_of_click_is_read() -> None:
    source = "common = dict(is_flag=True)\n@click.command()\n@click.option('--fast', **common)\ndef f(fast): ..."
    assert kinds(read(IMPORTS["click"] + source)) == {"fast": (False, "bool")}
    script = read(IMPORTS["click"] + source.replace("dict(", "make("))
    assert (kinds(script), script.partial) == ({"fast": (None, "any")}, "what an option takes is computed")


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


@pytest.mark.parametrize(
    "source",
    [
        "import click\n@click.command()\n@click.option('--x', multiple=True)\ndef f(x): ...",
        "from absl import flags\nflags.DEFINE_list('x', [], 'x')",
        "import typer\nfrom typing import List\ndef f(x: List[str]): ...\ntyper.run(f)",
        "import tyro\ndef f(x: tuple[str, ...] = ()): ...\ntyro.cli(f)",
    ],
)
def test_items_of_a_list_of_text_stay_as_they_were_typed(source: str) -> None:
    given = {"x": Typed("[yes, 1.10]")}
    assert resolve_flags(read(source).flags, given, operation="tool.py") == {"x": ["yes", "1.10"]}


def test_text_for_a_type_of_click_that_is_not_known_stays_as_it_was_typed() -> None:
    script = read("import click\n@click.command()\n@click.option('--func', type=lambda text: text)\ndef f(func): ...")
    settled = resolve_flags(script.flags, {"func": Typed("yes")}, operation="tool.py")
    assert argument_words(script, {"func": settled["func"] or ""}) == ["--func", "yes"]


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


def test_a_loop_over_what_is_not_known_does_not_go_on_with_the_loop_before() -> None:
    source = "for n in ['a', 'b']: p.add_argument('--' + n)\nfor n in EXTRA: p.add_argument('--' + n, type=int)"
    script = read(IMPORTS["argparse"] + source)
    assert (kinds(script), script.partial) == (
        {"a": (None, "str"), "b": (None, "str")},
        "an option has a name that is computed",
    )


def test_options_begin_with_what_the_parser_says() -> None:
    script = read("import argparse\np = argparse.ArgumentParser(prefix_chars='-+')\np.add_argument('+x', type=int, default=1)")
    assert kinds(script) == {"x": (1, "int")}
    assert argument_words(script, {"x": 2}) == ["+x", "2"]


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


def test_options_of_a_module_of_the_repository_are_read() -> None:
    options = "import argparse\ndef get_args():\n    p = argparse.ArgumentParser()\n"
    options += "    p.add_argument('--lr', default=1)\n    return p.parse_args()\n"
    script = read("from pkg.options import get_args\nargs = get_args()", pkg__options=options)
    assert (script.style, kinds(script)) == ("args", {"lr": (1, "number")})
    script = read("import options\nx = 3\nargs = options.get_args()", options=options)
    assert kinds(script) == {"lr": (1, "number")}


GET_ARGS = """
import argparse
def get_parser():
    p = argparse.ArgumentParser()
    p.add_argument('--lr', type=float, default=.1)
    return p
def get_args():
    return get_parser().parse_args()
parser = get_parser()
def other(): ...
"""
LR = {"lr": (0.1, "float")}


@pytest.mark.parametrize(
    "source",
    [
        "from pkg.opts import get_args\ndef main(): print(get_args())",
        "from pkg.opts import get_parser\ndef main():\n    p = get_parser()\n    print(p.parse_args())",
        "import pkg.opts as o\ndef main(): print(o.get_args())",
        "import pkg.opts\ndef main(): print(pkg.opts.get_args())",
        "from pkg import opts\ndef main(): print(opts.get_args())",
        "from pkg import get_args\ndef main(): print(get_args())",
        "from pkg.opts import parser\nprint(parser.parse_args())",
        "from pkg.opts import parser\ndef main(): print(parser.parse_args())",
        "from pkg.settings import args\nprint(args.lr)",
        "import pkg.settings as s\ndef main(): print(s.args.lr)",
        "from pkg.settings import lr\nprint(lr)",
        "class A:\n    def run(self):\n        from pkg.opts import get_args\n        print(get_args())",
    ],
)
def test_a_parser_of_another_module_is_read_wherever_it_is_used(source: str) -> None:
    settings = GET_ARGS + "args = get_args()\nlr = args.lr\n"
    files = {"pkg__opts": GET_ARGS, "pkg/__init__": "from .opts import get_args\n", "pkg__settings": settings}
    script = read("LIMIT = 3\n" + source, **files)
    assert (script.style, kinds(script), script.partial) == ("args", LR, "")


@pytest.mark.parametrize(
    "source",
    [
        "from pkg.opts import other\nLIMIT = 3\nother()",
        "from tool2 import LIST\nLIMIT = 3\nprint(LIST)",
        "import argparse\nLIMIT = 3\np = argparse.ArgumentParser()\np.parse_args()",
    ],
)
def test_what_only_lies_beside_a_parser_leaves_the_globals(source: str) -> None:
    tool = "import argparse\nLIST = [1]\nif __name__ == '__main__':\n    p = argparse.ArgumentParser()\n"
    tool += "    p.add_argument('--a')\n    p.parse_args()"
    script = read(source, pkg__opts=GET_ARGS, tool2=tool)
    assert (script.style, kinds(script)) == ("globals", {"LIMIT": (3, "number")})


BASE_OPTIONS = """
import argparse
import models
class BaseOptions:
    def initialize(self, parser):
        parser.add_argument('--name', default='exp')
        return parser
    def gather(self):
        parser = argparse.ArgumentParser()
        parser = self.initialize(parser)
        return parser.parse_args()
    def parse(self):
        return self.gather()
"""
TRAIN_OPTIONS = """
from .base_options import BaseOptions
class TrainOptions(BaseOptions):
    def initialize(self, parser):
        parser = BaseOptions.initialize(self, parser)
        parser.add_argument('--lr', type=float, default=.1)
        return parser
"""


def test_the_options_of_a_class_are_those_of_its_parents_too() -> None:
    source = "from options.train_options import TrainOptions\nif __name__ == '__main__':\n    opt = TrainOptions().parse()\n"
    files = {"options__base_options": BASE_OPTIONS, "options__train_options": TRAIN_OPTIONS}
    script = read(source, **files)
    assert (kinds(script), script.partial) == ({"name": ("exp", "str"), **LR}, "")
    setter = "        setter = models.setter()\n        parser = setter(parser)\n        return parser.parse_args()"
    more = BASE_OPTIONS.replace("        return parser.parse_args()", setter)
    assert read(source, **files | {"options__base_options": more}).partial == "setter may add options"
    lost = "from lib import Options\nclass Mine(Options):\n    def add(self, p):\n"
    lost += "        p.add_argument('--lr', type=float, default=.1)\nMine().parse()"
    assert (kinds(read(lost)), read(lost).partial) == (LR, "Options may add options")


def test_add_argument_can_have_another_name() -> None:
    script = read(IMPORTS["argparse"] + "add = p.add_argument\nadd('--lr', type=float, default=.1)\nargs = p.parse_args()")
    assert (kinds(script), script.partial) == (LR, "")


@pytest.mark.parametrize("source", ["from lib import p\np.parse_args()", "def main():\n    o = Options().parse_args()\nmain()"])
def test_a_program_whose_parser_was_not_met_is_given_words(source: str) -> None:
    script = read("LIMIT = 3\n" + source)
    assert (script.style, script.flags, script.partial) == ("args", (), "its options are not in its source")


def test_modules_that_import_each_other_end() -> None:
    text = "from {} import get_args as g\ndef get_args():\n    p.add_argument('--{}')\n    return g()\nargs = get_args()\n"
    a, b = text.format("b", "x") + "c = d", text.format("a", "y") + "from a import c as d"
    assert list(kinds(read("from a import args, d\nimport b\nprint(args, b.args, b.d, d)", a=a, b=b))) == ["x", "y"]


def test_a_parser_of_a_module_that_is_not_there_is_partial() -> None:
    script = read("from lib import make\nx = 1\np = make()\nargs = p.parse_args()")
    assert (script.style, script.flags, script.partial) == ("args", (), "its parser is made by lib.make")


def test_options_of_click() -> None:
    source = """
import click
MODES = ["a", "b"]
@click.command()
@click.option("--lr", "-l", default=0.1, show_default=True, help="learning " "rate")
@click.option("-n", type=click.IntRange(1, max=5), default=2)
@click.option("--shout/--no-shout", " /-S", default=True)
@click.option("--mode", type=click.Choice(MODES), required=True)
@click.option("--tag", multiple=True)
@click.argument("path", nargs=-1)
@click.version_option("1")
def main(**given): ...
"""
    flags = {flag.name: flag for flag in read(source).flags}
    assert flags["lr"] == Flag("lr", 0.1, "float", help="learning rate", option="--lr", action="any_order")
    assert (flags["n"].least, flags["n"].most, flags["n"].kind) == (1, 5, "int")
    assert (flags["shout"].default, flags["shout"].words) == (True, ("--no-shout",))
    assert (flags["mode"].choices, flags["mode"].required) == (("a", "b"), True)
    assert (flags["tag"].kind, flags["path"].kind, flags["path"].action) == ("list", "list", "positional")
    assert read(source).partial == ""


def test_an_option_of_click_that_may_stand_alone_takes_values() -> None:
    source = "import click\n@click.command()\n@click.option('--log', is_flag=False, flag_value='on', default='off')\n"
    assert kinds(read(f"{source}def f(log): ...\n")) == {"log": ("off", "str")}


def test_a_decorator_of_another_module_is_partial() -> None:
    script = read("import click\nfrom lib import common\n@click.command()\n@common\n@click.option('--a')\ndef f(): ...\n")
    assert (list(kinds(script)), script.partial) == (["a"], "@common may add options")


def test_groups_of_click_and_typer_have_commands() -> None:
    click = "import click\n@click.group()\n@click.option('--seed')\ndef cli(): ...\n"
    click += "@cli.command('fit')\n@click.option('--lr')\ndef f(): ...\n"
    typer = "import typer\napp = typer.Typer()\n@app.command()\ndef fit(lr: float = 1.0): ...\n"
    typer += "@app.command()\ndef make_data(n: int = 2): ...\n"
    assert [command.name for command in read(click).commands] == ["fit"]
    assert list(kinds(read(click).chosen(["fit"]))) == ["seed", "lr"]
    assert [command.name for command in read(typer).commands] == ["fit", "make-data"]
    assert argument_words(read(typer), {"n": 3}, ["make-data"]) == ["make-data", "--n", "3"]


def test_defaults_of_absl_tyro_and_fire_are_those_of_the_source() -> None:
    absl = "from absl import flags\nflags.DEFINE_float('lr', '0.5', 'rate', upper_bound=1)\n"
    absl += "flags.DEFINE_multi_string('s', 'a', '')\n"
    assert kinds(read(absl)) == {"lr": (0.5, "float"), "s": (["a"], "list")}
    tyro = "import tyro\nclass B:\n    x: int = 1\nclass C(B):\n    y: 'float | None' = None\n    z: B = B(x=4)\ntyro.cli(C)\n"
    assert kinds(read(tyro)) == {"x": (1, "int"), "y": (None, "float"), "z.x": (4, "int")}
    fire = "import fire\nclass T:\n    def __init__(self, a=1): ...\n    def fit(self, lr=0.1): ...\nfire.Fire(T)\n"
    assert list(kinds(read(fire).chosen(["fit"]))) == ["a", "lr"]


def test_a_value_outside_the_choices_is_refused() -> None:
    script = read(
        "import jsonargparse\nfrom typing import Literal\ndef f(m: Literal['a', 'b'] = 'a'): ...\njsonargparse.CLI(f)\n"
    )
    with pytest.raises(UsageError, match="must be one of a, b, not 'c'"):
        resolve_flags(script.flags, {"m": "c"}, operation="tool.py")


def test_a_tuple_of_fixed_length_is_one_option_with_so_many_words() -> None:
    source = "import typer\nfrom typing import Tuple\n"
    source += "def f(pair: Tuple[int, str] = (1, 'a'), many: tuple[int, ...] = (1,)): ...\ntyper.run(f)\n"
    script = read(source)
    assert argument_words(script, {"pair": [2, "z"], "many": [3, 4]}) == ["--pair", "2", "z", "--many", "3", "--many", "4"]
    with pytest.raises(UsageError, match="of 2 values"):
        resolve_flags(script.flags, {"pair": [2]}, operation="tool.py")


def test_a_union_takes_values_of_each_of_its_kinds() -> None:
    source = "import tyro\nfrom dataclasses import dataclass\n@dataclass\nclass C:\n    k: 'int | str' = 1\n"
    source += "    n: 'int | None | float' = 1\n    p: 'str | Path' = 'a'\ntyro.cli(C)\n"
    assert kinds(read(source)) == {"k": (1, "any"), "n": (1, "number"), "p": ("a", "str")}


CONFIG = "from dataclasses import dataclass, field\nfrom typing import Annotated, Optional, Union\n@dataclass\n"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("from tyro.extras import subcommand_cli_from_dict as cli\nlr = 1\ncli({'a': f})", "subcommand_cli_from_dict"),
        ("import tyro\nlr = 1\napp = tyro.extras.SubcommandApp()\napp.cli()", "SubcommandApp"),
        (f"import tyro\n{CONFIG}class C:\n    lr: int = 1\ntyro.cli(C, config=(tyro.conf.OmitArgPrefixes,))", "tyro.cli"),
        (
            f"import tyro\n{CONFIG}class C:\n    p: tyro.conf.Positional[int] = 1\ntyro.cli(C)",
            "marked with tyro.conf.Positional",
        ),
        (f"import tyro\n{CONFIG}class A: ...\nclass C:\n    a: Optional[A] = None\ntyro.cli(C)", "a is a sub-command"),
        (f"import tyro\n{CONFIG}class A: ...\nclass C:\n    a: Union[A, 'A'] = A()\ntyro.cli(C)", "a is a sub-command"),
        (f"import simple_parsing\n{CONFIG}class C:\n    lr: int = 1\nsimple_parsing.parse(C, nested_mode=1)", "name options"),
    ],
)
def test_options_that_tyro_or_simple_parsing_make_in_another_way_are_passed_on(source: str, reason: str) -> None:
    script = read(source)
    assert (script.style, script.flags) == ("args", ())
    assert reason in script.partial


def test_names_and_defaults_of_tyro_are_those_of_its_markers_and_instances() -> None:
    source = f"import tyro\n{CONFIG}class A:\n    x: int = 1\n    y: int = 2\ndef make(): ...\nB = A(5)\nclass C:\n"
    source += "    n: Annotated[int, tyro.conf.arg(name='alpha')] = 1\n    s: tyro.conf.Suppress[int] = 1\n"
    source += "    a: A = B\n    b: A = field(default_factory=make)\ntyro.cli(C)\n"
    script = read(source)
    assert kinds(script) == {
        "alpha": (1, "int"), "a.x": (5, "int"), "a.y": (2, "int"), "b.x": (None, "int"), "b.y": (None, "int"),
    }  # fmt: skip
    assert argument_words(script, {**default_values(script.flags), "alpha": 3}) == ["--alpha=3"]


def test_what_makes_fields_of_simple_parsing_tells_their_defaults() -> None:
    source = f"import simple_parsing\nfrom simple_parsing import choice, list_field, field as f\n{CONFIG}class C:\n"
    source += "    a: str = choice('x', 'y', default='y')\n    b: list[int] = list_field(1, 2)\n    c: int = f(default=3)\n"
    assert kinds(read(f"{source}simple_parsing.parse(C)\n")) == {"a": ("y", "str"), "b": ([1, 2], "list"), "c": (3, "int")}


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


def test_names_of_simple_parsing_are_as_long_as_they_must_be() -> None:
    source = f"import simple_parsing\n{CONFIG}class S:\n    lr: int = 1\n{CONFIG}class A:\n    lr: int = 2\n    n: int = 3\n"
    source += f"    s: S = field(default_factory=S)\n{CONFIG}class T:\n    a: A = field(default_factory=A)\n"
    source += "    b: A = field(default_factory=A)\n    n: int = 4\n    only: int = 5\nsimple_parsing.parse(T)\n"
    names = ["a.lr", "a.n", "a.s.lr", "b.lr", "b.n", "b.s.lr", "n", "only"]
    assert list(kinds(read(source))) == names
    assert read(source).flags[2].option == "--a.s.lr"


FIRE = """
import fire
from lib import other
class Base:
    def __init__(self, a=1):
        self.inner = Base()
    def fit(self, e=1): ...
class Calc(Base):
    def add(self, b=2): ...
    @property
    def view(self): ...
def loose(k=1, **more): ...
def plain(x=1): ...
"""


@pytest.mark.parametrize(
    ("words", "names", "partial"),
    [
        ("calc add", ["a", "b"], ""),
        ("calc fit", ["a", "e"], ""),
        ("calc inner go", ["a"], "inner is an object in Calc"),
        ("calc view go", ["a"], "view is a property of Calc"),
        ("made add", ["b"], ""),
        ("loose", ["k"], "loose() takes any name"),
        ("plain", ["x"], ""),
        ("other", [], "Fire is given other that is not in the source"),
    ],
)
def test_each_command_of_fire_says_what_it_takes(words: str, names: list[str], partial: str) -> None:
    listed = "{'calc': Calc, 'made': Calc(), 'loose': loose, 'plain': plain, 'other': other}"
    script = read(f"{FIRE}fire.Fire({listed})\n").chosen(words.split())
    assert (list(kinds(script)), script.partial) == (names, partial)
    if words.startswith("calc "):
        assert read(f"{FIRE}fire.Fire()\n").chosen(["Calc", *words.split()[1:]]).flags == script.flags
        assert read(f"{FIRE}fire.Fire(Calc)\n").chosen(words.split()[1:]).flags == script.flags


HYDRA = "import hydra\n@hydra.main(config_path='conf', config_name='c')\ndef main(cfg): ...\n"


def hydra(**files: str) -> Script:
    return read_script(
        HYDRA.encode(),
        "src/tool.py",
        around({f"src/conf/{name.replace('__', '/')}.yaml": text for name, text in files.items()}),
    )


def test_groups_of_hydra_are_choices_that_bring_their_own_flags() -> None:
    files = {
        "db__a": "host: x\nport: 1",
        "db__b": "url: u",
        "c": "defaults:\n  - db: a\n  - base\nlr: 1e-3\ndb:\n  port: 9",
        "base": "seed: 1",
    }
    script = hydra(**files)
    assert next(flag for flag in script.flags if flag.name == "db").choices == ("a", "b")
    assert kinds(script.chosen()) == {
        "db.host": ("x", "any"), "db.port": (9, "any"), "db": ("a", "any"), "seed": (1, "any"), "lr": (0.001, "any"),
    }  # fmt: skip
    assert "db.url" in kinds(script.chosen((), {"db": "b"}))


EXPERIMENT = {
    "exp__a": "# @package _global_\ndefaults:\n  - override /db: b\nepochs: 99",
    "exp__b": "# @package foo.bar\nlr: 1",
    "db__a": "host: x\ndefaults:\n  - kind: k",
    "db__b": "url: u",
    "db__kind__k": "n: 1",
}


def test_a_file_of_hydra_says_itself_where_its_values_stand_and_an_experiment_chooses_options() -> None:
    script = hydra(c="defaults:\n  - _self_\n  - db: a\n  - optional exp: null\nepochs: 10", **EXPERIMENT)
    plain = {"epochs": (10, "any"), "db": ("a", "any"), "exp": (None, "any")}
    a = {"db.host": ("x", "any"), "db/kind": ("k", "any"), "db.kind.n": (1, "any")}
    b = {"db.url": ("u", "any")}
    assert kinds(script.chosen()) == plain | a
    assert kinds(script.chosen((), {"exp": "a"})) == plain | b | {"epochs": (99, "any"), "db": ("b", "any")}
    assert kinds(script.chosen((), {"exp": "a", "db": "a"})) == plain | a | {"epochs": (99, "any"), "db": ("b", "any")}
    assert kinds(script.chosen((), {"exp": "b"})) == plain | a | {"foo.bar.lr": (1, "any")}
    assert script.partial == ""


def test_a_config_that_comes_after_an_experiment_has_the_last_word() -> None:
    script = hydra(c="defaults:\n  - exp: a\n  - _self_\nepochs: 10", **EXPERIMENT)
    assert kinds(script.chosen())["epochs"] == (10, "any")


def test_names_that_the_config_lacks_are_added_to_it() -> None:
    assert argument_words(hydra(c="lr: 1"), {"lr": 2, "new.x": "a b"}) == ["lr=2", "++new.x='a b'"]


def test_a_config_that_is_not_there_is_partial() -> None:
    script = hydra()
    assert (script.frontend, script.partial) == ("hydra", "its configuration c is not in the source")
    assert argument_words(script, {"lr": 2}) == ["lr=2"]


BOMBS = [
    "a = [1]\n" + "\n".join(f"a{n} = [a{n - 1 if n else ''}, a{n - 1 if n else ''}]" for n in range(60))
    + "\np.add_argument('--x', default=a59)",
    "a = b\nb = a\np.add_argument('--x', default=a)",
    "for a in range(10**9): p.add_argument(f'--{a}')",
    "for a in range(900):\n  for b in range(900):\n    for c in range(900): p.add_argument(f'--x{a}{b}{c}')",
    "def f(): f(); f(); p.add_argument('--x')\nf()",
    "p.add_argument('--x', default=9**9**9**9)",
    "p.add_argument('--x', default='a' * 10**9)",
    "p.add_argument('--x', default=" + "+".join(["1"] * 2000) + ")",
    "p" + ".add_argument('-x')" * 900,
    "class A(A): x: 'A' = 1\nimport tyro\ntyro.cli(A)",
    "import click\n@g.command()\ndef g(): ...\n",
    "p.add_argument('--x', default=[[[[x for x in y] for y in z] for z in w] for w in range(99)])",
    "from options import *\nparse_args()",
    "import fire\nfire.Fire({**x})",
    "import fire\nfire.Fire(lambda: 1)",
    "import tyro\ntyro.cli(a.b[c])",
    "from absl import flags\nflags.DEFINE_enum_class(*a)\nflags.DEFINE_list()",
    "import typer\n@app.command\ndef f(*a, b: 'x y' = typer.Option(...)): ...\n",
    "import hydra\n@hydra.main(1, None)\ndef f(): ...\n",
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(BOMBS)))
def test_no_source_is_much_work(number: int) -> None:
    begun = time.process_time()
    read(IMPORTS["argparse"] + BOMBS[number])
    assert time.process_time() - begun < 2


PIECES = st.sampled_from([
    "import click\n", "import typer\n", "import fire\n", "import hydra\n", "import tyro\n", "import argparse\n",
    "from absl import flags\n",
    "import jsonargparse\n", "@click.command()\n", "@click.option('--a', default=[1])\n",
    "def f(a: int = 1, *b, c=(), **d): pass\n",
    "@hydra.main(config_name='c')\n", "p.add_argument('--x')\n", "p = argparse.ArgumentParser()\n", "s = p.add_subparsers()\n",
    "s.add_parser(x)\n", "for i in range(3): p.add_argument(f'--{i}a')\n", "fire.Fire(f)\n", "typer.run(f)\n", "tyro.cli(C)\n",
    "class C(enum.Enum):\n  A = auto()\n", "jsonargparse.CLI()\n", "flags.DEFINE_bool('x', None)\n", "x = 1\n",
    "app = typer.Typer()\n",
    "@app.command()\n", "class C:\n  a: list[int] = field(default_factory=list)\n", "@app.callback\n",
    "p.set_defaults(**k)\n", "OmegaConf.from_cli()\n",
])  # fmt: skip


@given(st.lists(PIECES, max_size=12).map("".join))
def test_no_mixture_of_front_ends_is_refused(source: str) -> None:
    assert read(source).style in ("globals", "args")


def test_a_long_script_is_read_fast() -> None:
    body = "".join(f"def f{n}(a):\n" + "    b = g(a, 1)\n" * 19 for n in range(500))
    source = IMPORTS["argparse"] + body + "p.add_argument('--lr', type=float, default=0.1)\n"
    floor, times = [], []
    for _ in range(5):
        begun = time.process_time()
        ast.parse(source)
        parsed = time.process_time()
        assert kinds(read(source)) == {"lr": (0.1, "float")}
        floor.append(parsed - begun)
        times.append(time.process_time() - parsed)
    assert min(times) < 1.6 * min(floor)  # ten thousand lines: hardly more than Python itself takes to parse them


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


def test_a_function_adds_options_of_the_names_and_defaults_it_is_given() -> None:
    source = "def add(p, name, default=1): p.add_argument('--' + name, type=int, default=default)\nadd(p, 'a')\nadd(p, 'b', 2)"
    script = read(IMPORTS["argparse"] + source)
    assert (kinds(script), script.partial) == ({"a": (1, "int"), "b": (2, "int")}, "")


CONFIGARGPARSE = """
import configargparse
p = configargparse.ArgParser({})
p.add("-c", "--conf", is_config_file=True)
p.add("--lr", type=float, default=0.1, required=True)
p.add_argument("--n", env_var="N", default=1)
p.parse_args()
"""


@pytest.mark.parametrize(
    ("told", "file", "expected"),
    [
        ("", "", {"lr": 0.1, "n": None}),
        ("default_config_files=['a.py']", "lr = 0.5\nn = 3\n", {"lr": 0.5, "n": None}),
        ("default_config_files=['a.py']", "[section]\n# lr = 1\nlr: 7 # rate\n", {"lr": 7, "n": None}),
        ("default_config_files=['~/.a', 'a.py']", "lr = 0.5\n", {"lr": None, "n": None}),
        ("default_config_files=['conf/*.ini']", "", {"lr": None, "n": None}),
        ("auto_env_var_prefix='A_'", "", {"lr": None, "n": None}),
        ("config_file_parser_class=configargparse.YAMLConfigFileParser", "", {"lr": None, "n": None}),
    ],
)
def test_defaults_of_configargparse_are_those_that_the_program_has(told: str, file: str, expected: dict[str, object]) -> None:
    script = read(CONFIGARGPARSE.format(told), a=file)
    assert {name: default for name, (default, _) in kinds(script).items() if name != "conf"} == expected
    assert not any(flag.required for flag in script.flags)
    assert {flag.default for flag in script.chosen(given={"conf": "b.ini"}).flags} == {None}
    assert {flag.default for flag in script.chosen(["--conf", "b.ini"]).flags} == {None}


LIGHTNING = """
from lightning.pytorch.cli import LightningCLI
from net import Net
class Data:
    def __init__(self, batch_size: int = 32): ...
"""


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("def main():\n    cli = LightningCLI(Net, Data)", ["fit"]),
        ("class Own(LightningCLI): ...\nOwn(model_class=Net, datamodule_class=Data)", ["test"]),
        ("LightningCLI(Net, Data, run=False)", []),
    ],
)
def test_parameters_of_model_and_data_are_flags_of_lightning(call: str, words: list[str]) -> None:
    script = read(LIGHTNING + call, net="class Net:\n    def __init__(self, lr: float = 0.1, **more): ...\n").chosen(words)
    assert kinds(script) == {"model.lr": (0.1, "float"), "data.batch_size": (32, "int")}
    assert "Trainer" in script.partial
    given: dict[str, Value] = {**default_values(script.flags), "model.lr": 0.5, "trainer.max_epochs": 3}
    assert argument_words(script, given, words) == [*words, "--model.lr=0.5", "--trainer.max_epochs=3"]


@pytest.mark.parametrize(
    "source",
    [
        "class S(BaseSettings, cli_parse_args=True):\n    lr: float = 0.1\nS()",
        "class S(BaseSettings):\n    model_config = {'cli_parse_args': True}\n    lr: float = 0.1\nS()",
        "class S(BaseSettings):\n    lr: float = 0.1\nS(_cli_parse_args=True)",
        "from pydantic_settings import CliApp\nclass S(BaseSettings):\n    lr: float = 0.1\nCliApp.run(S)",
        "class A(BaseSettings): ...\nclass S(A, cli_parse_args=True):\n    lr: float = 0.1\nS()",
    ],
)
def test_settings_that_parse_the_command_line_have_flags(source: str) -> None:
    script = read("from pydantic_settings import BaseSettings\n" + source)
    assert (script.style, kinds(script), script.advice) == ("args", {"lr": (None, "float")}, "")
    assert argument_words(script, {"lr": -0.5}) == ["--lr=-0.5"]


def test_settings_of_the_environment_leave_the_constants_and_say_what_works() -> None:
    source = "from pydantic_settings import BaseSettings\nN = 3\nclass S(BaseSettings):\n    lr: float = 0.1\nS()"
    script = read(source)
    assert (script.style, kinds(script)) == ("globals", {"N": (3, "number")})
    assert "from the environment. To set one: NAME=VALUE git run tool.py" in script.advice


def test_sacred_that_is_run_by_the_program_itself_leaves_the_constants() -> None:
    source = "from sacred import Experiment\nex = Experiment()\nN = 3\n@ex.config\ndef c():\n    lr = 1\n"
    assert kinds(read(source + "ex.run(config_updates={'lr': 2})")) == {"N": (3, "number")}
    assert kinds(read(source + "@ex.automain\ndef main(lr): ...")) == {"lr": (1, "number"), "seed": (None, "int")}

"""How the options of click are read: click itself is the judge."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from click.testing import CliRunner
from script_text import IMPORTS, kinds, read

from gitrun.errors import UsageError
from gitrun.model.flags import Flag, Typed, resolve_flags, same_value
from gitrun.scripts.discover import argument_words, read_script

BOOLS = [
    '"--b", default=True',
    '"--b", default=False',
    '"--b", "-b", "b", default=True',
    '"--b/", default=True',
    '"--b", is_flag=False, default=True',
    '"--b", type=bool',
    '"--b", type=bool, default=True',
    '"--b", type=click.BOOL, default=False',
    '"--b", default=True, required=True',
    '"--b/--no-b"',
    '"--b/--no-b", default=True',
    '"-b/-B", default=True',
    '"--b", is_flag=True',
    '"--b", is_flag=True, default=True',
    '"--b", flag_value=True',
    '"--b", flag_value=False, default=True',
]


def received(source: str, words: list[str]) -> Any:
    """What the command of click gets for its option `b`."""
    names: dict[str, Any] = {}
    exec(source, names)
    done = CliRunner().invoke(names["main"], words)
    assert done.exit_code == 0, done.output
    return ast.literal_eval(done.output.splitlines()[-1])


@pytest.mark.parametrize("option", BOOLS)
def test_a_bool_of_click_reaches_the_command_as_it_was_given(option: str) -> None:
    source = f"import click\n@click.command()\n@click.option({option})\ndef main(b): print(repr(b))\n"
    (flag,) = read_script(source.encode(), "t.py").flags
    assert same_value(received(source, []), flag.default) or received(source, []) is flag.default is None
    reached = 0
    for value in (True, False):
        try:
            words = argument_words([flag], {"b": value})
        except UsageError:  # an option that is a switch cannot be put off
            assert "default=True" in option or value is False
            continue
        assert received(source, words) is value
        reached += 1
    assert reached == (1 if "is_flag=True, default=True" in option else 2)


def test_what_two_asterisks_give_an_option_of_click_is_read() -> None:
    source = "common = dict(is_flag=True)\n@click.command()\n@click.option('--fast', **common)\ndef f(fast): ..."
    assert kinds(read(IMPORTS["click"] + source)) == {"fast": (False, "bool")}
    script = read(IMPORTS["click"] + source.replace("dict(", "make("))
    assert (kinds(script), script.partial) == ({"fast": (None, "any")}, "what an option takes is computed")


def test_text_for_a_type_of_click_that_is_not_known_stays_as_it_was_typed() -> None:
    script = read("import click\n@click.command()\n@click.option('--func', type=lambda text: text)\ndef f(func): ...")
    settled = resolve_flags(script.flags, {"func": Typed("yes")}, operation="tool.py")
    assert argument_words(script, {"func": settled["func"] or ""}) == ["--func", "yes"]


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


COMMAND = "import click\n@click.command()\n@click.option({})\ndef main(**given): ...\n"
TYPER = "import typer\ndef main(x: {} = typer.Option({})): ...\ntyper.run(main)\n"
ELSEWHERE = ["context_settings={'default_map': {'x': 9}}", "context_settings=dict(auto_envvar_prefix='APP')"]


@pytest.mark.parametrize(
    ("source", "default"),
    [
        (COMMAND.format("'--x', default=1"), 1),
        (COMMAND.format("'--x', default=1, envvar='X'"), None),
        (COMMAND.format("'--x', is_flag=True, envvar='X'"), None),
        (COMMAND.format("'--x', type=bool, default='yes'"), True),
        (COMMAND.format("'--x', type=float, default='3'"), 3),
        (COMMAND.format("'--x', type=str, default=5"), "5"),
        *((COMMAND.format("'--x', default=1").replace("command()", f"command({given})"), None) for given in ELSEWHERE),
        (TYPER.format("float", "1"), 1),
        (TYPER.format("float", "1, envvar='X'"), None),
        (TYPER.format("bool", "False, '--x/--y', envvar='X'"), None),
    ],
)
def test_a_default_is_the_one_that_click_gives_or_is_not_known(source: str, default: object) -> None:
    (flag,) = read(source).flags
    assert flag.default == default
    assert type(flag.default) is type(default) or isinstance(default, int)

"""How the options of click are read: click itself is the judge."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from click.testing import CliRunner

from gitrun.errors import UsageError
from gitrun.model.flags import same_value
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

"""Commands and options of Typer, read from the text of a program."""

from __future__ import annotations

import pytest
from script_text import kinds, read

from gitrun.errors import UsageError
from gitrun.model.flags import resolve_flags
from gitrun.scripts.discover import argument_words


def test_groups_of_click_and_typer_have_commands() -> None:
    click = "import click\n@click.group()\n@click.option('--seed')\ndef cli(): ...\n"
    click += "@cli.command('fit')\n@click.option('--lr')\ndef f(): ...\n"
    typer = "import typer\napp = typer.Typer()\n@app.command()\ndef fit(lr: float = 1.0): ...\n"
    typer += "@app.command()\ndef make_data(n: int = 2): ...\n"
    assert [command.name for command in read(click).commands] == ["fit"]
    assert list(kinds(read(click).chosen(["fit"]))) == ["seed", "lr"]
    assert [command.name for command in read(typer).commands] == ["fit", "make-data"]
    assert argument_words(read(typer), {"n": 3}, ["make-data"]) == ["make-data", "--n", "3"]


def test_a_tuple_of_fixed_length_is_one_option_with_so_many_words() -> None:
    source = "import typer\nfrom typing import Tuple\n"
    source += "def f(pair: Tuple[int, str] = (1, 'a'), many: tuple[int, ...] = (1,)): ...\ntyper.run(f)\n"
    script = read(source)
    assert argument_words(script, {"pair": [2, "z"], "many": [3, 4]}) == ["--pair", "2", "z", "--many", "3", "--many", "4"]
    with pytest.raises(UsageError, match="of 2 values"):
        resolve_flags(script.flags, {"pair": [2]}, operation="tool.py")

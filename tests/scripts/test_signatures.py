"""Parameters of functions, with their types."""

from __future__ import annotations

import pytest
from script_text import kinds, read

from gitrun.model.flags import Typed, resolve_flags


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


def test_a_union_takes_values_of_each_of_its_kinds() -> None:
    source = "import tyro\nfrom dataclasses import dataclass\n@dataclass\nclass C:\n    k: 'int | str' = 1\n"
    source += "    n: 'int | None | float' = 1\n    p: 'str | Path' = 'a'\ntyro.cli(C)\n"
    assert kinds(read(source)) == {"k": (1, "any"), "n": (1, "number"), "p": ("a", "str")}

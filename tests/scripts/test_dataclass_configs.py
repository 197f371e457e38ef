"""Options that tyro and simple-parsing make of dataclasses."""

from __future__ import annotations

import pytest
from script_text import CONFIG, kinds, read

from gitrun.model.flags import default_values
from gitrun.scripts.discover import argument_words


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


def test_names_of_simple_parsing_are_as_long_as_they_must_be() -> None:
    source = f"import simple_parsing\n{CONFIG}class S:\n    lr: int = 1\n{CONFIG}class A:\n    lr: int = 2\n    n: int = 3\n"
    source += f"    s: S = field(default_factory=S)\n{CONFIG}class T:\n    a: A = field(default_factory=A)\n"
    source += "    b: A = field(default_factory=A)\n    n: int = 4\n    only: int = 5\nsimple_parsing.parse(T)\n"
    names = ["a.lr", "a.n", "a.s.lr", "b.lr", "b.n", "b.s.lr", "n", "only"]
    assert list(kinds(read(source))) == names
    assert read(source).flags[2].option == "--a.s.lr"

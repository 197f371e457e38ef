"""Options that tyro, simple-parsing and HfArgumentParser make of dataclasses."""

from __future__ import annotations

import pytest
from script_text import CONFIG, kinds, read

from gitrun.model.flags import Typed, default_values
from gitrun.model.tree import MemoryTree
from gitrun.scripts.discover import argument_words, read_script, read_words


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


HUGGING = """
import sys
from dataclasses import dataclass, field
from typing import List, Optional
from transformers import HfArgumentParser, TrainingArguments
@dataclass
class Arguments:
    lr: float = 0.1
    fast: bool = field(default=True)
    fp16: bool = False
    layers: List[int] = field(default_factory=lambda: [1, 2])
    max_len: int = field(default=128, metadata={"aliases": ["--seq", "-s"]})
"""
PARSING = "parser = HfArgumentParser(Arguments)\n"
EITHER = f"""{PARSING}
if len(sys.argv) == 2 and sys.argv[1].endswith(".json"):
    args, = parser.parse_json_file(sys.argv[1])
else:
    args, = parser.parse_args_into_dataclasses()
"""
OWN = {"lr": 0.1, "fast": True, "fp16": False, "layers": [1, 2], "max_len": 128}


# as transformers 5 reads these words
@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["--lr", "3"], {"lr": "3"}),
        (["--fp16"], {"fp16": True}),
        (["--fp16", "--lr", "3"], {"fp16": True, "lr": "3"}),
        (["--fp16", "no"], {"fp16": False}),
        (["--no_fast"], {"fast": False}),
        (["--no-fast"], {"fast": False}),
        (["--seq", "5"], {"max_len": "5"}),
        (["-s", "5"], {"max_len": "5"}),
        (["--max-len", "5"], {"max_len": "5"}),
        (["--layers", "3", "4"], {"layers": [3, 4]}),
    ],
)
def test_words_of_an_hf_argument_parser_are_its_fields(words: list[str], values: dict[str, object]) -> None:
    script = read(HUGGING + EITHER)
    assert default_values(script.flags) == OWN
    given = read_words(script, words)
    assert {name: value.text if isinstance(value, Typed) else value for name, value in given.flags.items()} == values
    assert (given.rest, given.unsure) == ((), set())


def test_a_file_that_the_only_word_names_may_set_any_field() -> None:
    script = read(HUGGING + EITHER)
    assert read_words(script, ["config.json"]).unsure == set(OWN)
    library = read(HUGGING + "HfArgumentParser((Arguments, TrainingArguments)).parse_args_into_dataclasses()")
    # a field of the library's class sets none of the others
    assert read_words(library, ["--output_dir", "out", "--no_fast"]).unsure == set()
    assert argument_words(library, {**OWN, "bf16": False, "eval_on_start": True}) == [
        "--bf16", "False", "--eval_on_start", "True",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("parent", "is_read"),
    [("", True), ("(Base)", True), ("(Generic[T])", True), ("(transformers.TrainingArguments)", False), ("(Derived)", False)],
)
def test_a_class_has_more_fields_if_its_parent_is_not_in_the_source(parent: str, is_read: bool) -> None:
    classes = (
        "class Base: ...\nclass Derived(TrainingArguments): ...\n@dataclass\nclass C" + parent + ":\n    lr: float = 0.1\n"
    )
    script = read(f"{HUGGING}{classes}HfArgumentParser((Arguments, C)).parse_args_into_dataclasses()")
    assert (script.partial == "", default_values(script.flags)) == (is_read, OWN)


@pytest.mark.parametrize("call", ["parse_yaml_file('c.yaml')", "parse_json_file('c.json')", "parse_dict({'lr': 3})"])
def test_fields_that_only_a_file_sets_are_no_flags(call: str) -> None:
    assert read(f"{HUGGING}{PARSING}args, = parser.{call}").flags == ()


def test_defaults_of_fields_are_not_known_where_a_file_has_words_or_defaults() -> None:
    source = f"{HUGGING}{PARSING}args, = parser.parse_args_into_dataclasses()\n"
    beside = MemoryTree({"tool.args": b"--lr 3"})
    assert default_values(read_script(source.encode(), "tool.py", beside).flags) == {}
    unread = source.replace("classes()", "classes(look_for_args_file=False)")
    assert default_values(read_script(unread.encode(), "tool.py", beside).flags) == OWN
    assert default_values(read(source.replace("classes()", "classes(args_filename='other.args')")).flags) == {}
    flagged = read(source.replace("classes()", "classes(args_file_flag='--cfg')"))
    for script, option in ((flagged, "cfg"), (read(source.replace("HfArgumentParser", "TrlParser")), "config")):
        assert default_values(script.chosen().flags) == OWN
        assert default_values(script.chosen(values={option: "a"}).flags) == {}
        assert dict(read_words(script, [f"--{option}", "a"]).flags) == {option: Typed("a")}

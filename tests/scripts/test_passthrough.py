"""Words behind `--`, read as each front end reads them: what gives a flag, and what stays a word."""

from __future__ import annotations

import pytest

from gitrun.model.flags import Typed
from gitrun.scripts.discover import argument_words, read_script, read_words

ARGPARSE = """
import argparse
p = argparse.ArgumentParser()
p.add_argument("--lr", "-l", type=float, default=0.1)
p.add_argument("-v", "--verbose", action="store_true")
p.add_argument("-q", action="store_true")
p.add_argument("--cache", action=argparse.BooleanOptionalAction, default=True)
p.add_argument("--count", action="count", default=0)
p.add_argument("--more", action="append", default=["a"])
p.add_argument("--sizes", nargs="+", type=int)
p.parse_args()
"""
CLICK = """
import click
@click.command()
@click.option("--lr", "-l", default=0.1)
@click.option("--shout/--no-shout", default=True)
@click.option("--tag", "-t", multiple=True)
@click.option("--pair", nargs=2, type=int)
@click.argument("path")
def main(**given): ...
"""
ABSL = """
from absl import app, flags
flags.DEFINE_float("lr", 0.1, "")
flags.DEFINE_bool("log", True, "")
flags.DEFINE_list("names", ["a"], "")
app.run(main)
"""
FIRE = """
import fire
def main(lr=0.1, name="a", on=False): ...
fire.Fire(main)
"""


SHORT = """
@click.command()
@click.option("--amp/--no-amp", "-a/-A", default=False)
@click.option("-f/-F", "--fast/--slow", default=True)
def main(**given): ...
"""
TYPER = """
import typer
def main(lr: float = typer.Option(0.1, "--rate", "-r"), amp: bool = typer.Option(False, "--amp/--no-amp", "-a/-A")): ...
typer.run(main)
"""
NAMED = """
from absl import app, flags
flags.DEFINE_float("lr", 0.1, "", short_name="l")
flags.DEFINE_alias("rate", "lr")
flags.DEFINE_bool("log", True, "", short_name="g")
flags.DEFINE_alias(name="quiet", original_name="log")
app.run(main)
"""
TYRO = """
import dataclasses, tyro
from typing import Annotated
@dataclasses.dataclass
class Config:
    lr: Annotated[float, tyro.conf.arg(aliases=["-l"])] = 0.1
tyro.cli(Config)
"""
SIMPLE = """
from dataclasses import dataclass
from simple_parsing import field, parse
@dataclass
class Config:
    source: str = field("in", alias="-i")
    target: str = field("out", alias=["-o", "--out"])
    debug: bool = field(alias="-d", action="store_true")
    log: bool = field(default=True, action="store_false")
parse(Config)
"""


def read(source: str, *words: str) -> tuple[dict, tuple[str, ...], set[str]]:
    found = read_words(read_script(source.encode(), "t.py"), words)
    plain = {name: value.text if isinstance(value, Typed) else value for name, value in found.flags.items()}
    return plain, found.rest, set(found.unsure)


@pytest.mark.parametrize(
    ("source", "words", "flags"),
    [
        (ARGPARSE, "--lr 5", {"lr": "5"}),
        (ARGPARSE, "--lr=5", {"lr": "5"}),
        (ARGPARSE, "-l 5", {"lr": "5"}),
        (ARGPARSE, "-l5", {"lr": "5"}),
        (ARGPARSE, "-l=5", {"lr": "5"}),
        (ARGPARSE, "--lr -1e-3", {"lr": "-1e-3"}),
        (ARGPARSE, "--lr 4 --lr 5", {"lr": "5"}),
        (ARGPARSE, "--verb", {"verbose": True}),
        (ARGPARSE, "-vq", {"verbose": True, "q": True}),
        (ARGPARSE, "--no-cache", {"cache": False}),
        (ARGPARSE, "--count --count", {"count": 2}),
        (ARGPARSE, "--more b --more c", {"more": ["a", "b", "c"]}),
        (ARGPARSE, "--sizes 1 2 3", {"sizes": [1, 2, 3]}),
        (CLICK, "--lr -3 a", {"lr": "-3", "path": "a"}),
        (CLICK, "-l5", {"lr": "5"}),
        (CLICK, "--no-shout", {"shout": False}),
        (CLICK, "-t a --tag b", {"tag": ["a", "b"]}),
        (CLICK, "--pair 1 2 x", {"pair": [1, 2], "path": "x"}),
        (ABSL, "--lr=5 --nolog", {"lr": "5", "log": False}),
        (ABSL, "-lr 5 --log=false", {"lr": "5", "log": False}),
        (ABSL, "--names=a,b", {"names": ["a", "b"]}),
        ("import click" + SHORT, "-a -F", {"amp": True, "fast": False}),
        ("import click" + SHORT, "-A -f", {"amp": False, "fast": True}),
        ("import click" + SHORT, "--slow", {"fast": False}),
        (TYPER, "-r 3 -a", {"rate": "3", "amp": True}),
        (TYPER, "--rate 3 -A", {"rate": "3", "amp": False}),
        (NAMED, "-l 5 -g", {"lr": "5", "log": True}),
        (NAMED, "--rate=5 --nog", {"lr": "5", "log": False}),
        (NAMED, "--noquiet", {"log": False}),
        (TYRO, "-l 5", {"lr": "5"}),
        (SIMPLE, "-i a --out b -d --log", {"source": "a", "target": "b", "debug": True, "log": False}),
        (SIMPLE, "-o b", {"target": "b"}),
        (FIRE, "--lr=5 --name=b", {"lr": 5, "name": "b"}),
        (FIRE, "--lr 1e-3 --on True", {"lr": 0.001, "on": True}),
    ],
)
def test_words_that_the_front_end_knows_are_flags(source, words, flags) -> None:
    assert read(source, *words.split()) == (flags, (), set())


@pytest.mark.parametrize(
    ("source", "words", "unsure"),
    [
        (ARGPARSE, "--other 3", set()),
        (ARGPARSE, "-- --lr 5", set()),
        (ARGPARSE, "--lr", {"lr"}),
        (ARGPARSE, "--c 3", {"cache", "count"}),
        (ARGPARSE, "-vx", {"verbose"}),
        (CLICK, "--other a", {"lr", "shout", "tag", "pair", "path"}),
        (ABSL, "--other", {"lr", "log", "names"}),
        (ABSL + "flags.DEFINE_float(other, 1, '')\n", "--other=2", set()),
        (FIRE, "--lr={1:2}", {"lr"}),
    ],
)
def test_words_with_no_single_meaning_stay(source, words, unsure) -> None:
    assert read(source, *words.split()) == ({}, tuple(words.split()), unsure)


def test_words_of_a_subcommand_are_read_and_its_name_stays() -> None:
    source = "import click\n@click.group()\n@click.option('--seed', default=1)\ndef cli(): ...\n"
    source += "@cli.command('fit')\n@click.option('--lr', default=0.1)\n@click.argument('path')\ndef f(**k): ...\n"
    words = ["--seed", "2", "fit", "--lr", "3", "a"]
    found = read_words(read_script(source.encode(), "t.py").chosen(words), words)
    assert (set(found.flags), found.rest) == ({"seed", "lr", "path"}, ("fit",))


def test_what_the_argument_takes_that_takes_all_the_rest_stays() -> None:
    source = ARGPARSE.replace("p.parse", "p.add_argument('cmd', nargs='...')\np.parse")
    assert read(source, "-v", "tool", "--lr", "3")[:2] == ({"verbose": True}, ("tool", "--lr", "3"))


def test_constants_are_no_options() -> None:
    assert read("lr = 0.1\n", "--lr", "5") == ({}, ("--lr", "5"), set())


def test_a_switch_of_simple_parsing_is_not_required() -> None:
    script = read_script(SIMPLE.encode(), "t.py")
    assert {flag.name: (flag.default, flag.required) for flag in script.flags if flag.kind == "bool"} == {
        "debug": (False, False),
        "log": (True, False),
    }
    assert argument_words(script, {"debug": True, "log": False}) == ["--debug", "--log"]


@pytest.mark.parametrize(
    ("source", "words", "given", "rest"),
    [
        (SIMPLE, "--nolog -d", {"debug": True}, ("--nolog",)),
        (ARGPARSE, "--c 3 --cache", {"cache": True}, ("--c", "3")),
    ],
)
def test_a_flag_that_a_word_gives_is_not_lost_behind_an_unclear_word(source, words, given, rest) -> None:
    flags, words_left, unsure = read(source, *words.split())
    assert (flags, words_left) == (given, rest)
    assert not unsure & given.keys()


# as Fire 0.7 calls the function with these words
@pytest.mark.parametrize(
    ("words", "flags", "unsure"),
    [
        (["--nobest"], {"best": False}, set()),
        (["--best"], {"best": True}, set()),
        (["--best", "--lr", "3"], {"best": True, "lr": 3}, set()),
        (["--lr", "3", "-best"], {"best": True, "lr": 3}, set()),
        (["-lr", "3"], {"lr": 3}, set()),
        (["-b"], {}, {"best"}),
        (["-l", "3"], {}, {"lr", "layers"}),
        (["--nobest", "3"], {}, {"best"}),
        (["--lr"], {}, {"lr"}),
        (["--other", "3"], {}, set()),
    ],
)
def test_options_of_fire_need_no_value_and_one_dash(words: list[str], flags: dict[str, object], unsure: set[str]) -> None:
    source = "import fire\ndef main(lr=0.1, layers=(1, 2), best=False): ...\nfire.Fire(main)\n"
    given = read_words(read_script(source.encode(), "tool.py"), words)
    assert (dict(given.flags), given.unsure) == (flags, unsure)


@pytest.mark.parametrize(("prefix", "word"), [("'@'", "@args.txt"), ("'+%'", "%args.txt"), ("PREFIX", "@args.txt")])
def test_a_file_of_arguments_may_set_any_flag(prefix, word) -> None:
    source = f"import argparse\np = argparse.ArgumentParser(fromfile_prefix_chars={prefix})\n"
    source += (
        "p.add_argument('--lr', type=float, default=0.1)\np.add_argument('name', nargs='?', default='a')\np.parse_args()\n"
    )
    words = ("--lr", "3", word)
    given = read_words(read_script(source.encode(), "t.py"), words)
    assert (given.flags, given.rest, given.unsure) == ({}, words, {"lr", "name"})
    assert read_words(read_script(source.encode(), "t.py"), ("--lr", "3", "b")).rest == ()


def test_a_word_that_names_no_file_of_arguments_is_one() -> None:
    source = "import argparse\np = argparse.ArgumentParser(fromfile_prefix_chars=None)\n"
    source += (
        "p.add_argument('--lr', type=float, default=0.1)\np.add_argument('name', nargs='?', default='a')\np.parse_args()\n"
    )
    assert read_words(read_script(source.encode(), "t.py"), ("@args.txt",)).unsure <= {"name"}

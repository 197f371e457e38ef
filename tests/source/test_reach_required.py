"""What a script must be given is asked for before anything is written; the real libraries are the judges."""

from __future__ import annotations

import subprocess
import sys

import pytest
from sampled import sampled

ARGPARSE = "import argparse\np = argparse.ArgumentParser()\n"
CLICK = "import click\n@click.command()\n"
ABSL = "from absl import app, flags\n"
PRINT = "print(p.parse_args().need)\n"
MAIN = "def main(need): print(need)\nmain()\n"
RUN = "app.run(lambda _: print(flags.FLAGS.need))\n"
PROGRAMS = {
    "an option of argparse": f"{ARGPARSE}p.add_argument('--need', required=True)\n{PRINT}",
    "an argument of argparse": f"{ARGPARSE}p.add_argument('need')\np.add_argument('--lr')\n{PRINT}",
    "several arguments of argparse": f"{ARGPARSE}p.add_argument('need', nargs='+')\nprint(*p.parse_args().need)\n",
    "an option of click": f"{CLICK}@click.option('--need', required=True)\n{MAIN}",
    "an argument of click": f"{CLICK}@click.argument('need')\n{MAIN}",
    "an argument of typer": "import typer\ndef main(need: str): print(need)\ntyper.run(main)\n",
    "an option of typer": "import typer\ndef main(need: str = typer.Option(...)): print(need)\ntyper.run(main)\n",
    "a field of tyro": "import tyro\ndef main(need: str): print(need)\ntyro.cli(main)\n",
    "a parameter of Fire": "import fire\ndef main(need): print(need)\nfire.Fire(main)\n",
    "a parameter of jsonargparse": "from jsonargparse import CLI\ndef main(need: str): print(need)\nCLI(main)\n",
    "a flag of absl": f"{ABSL}flags.DEFINE_string('need', None, 'n', required=True)\n{RUN}",
    "a marked flag of absl": f"{ABSL}flags.DEFINE_string('need', None, 'n')\nflags.mark_flags_as_required(['need'])\n{RUN}",
}


@pytest.fixture(params=sampled(6, PROGRAMS))
def script(request, empty_repo):
    empty_repo.write("t.py", PROGRAMS[request.param])
    empty_repo.git("config", "gitrun.python", sys.executable)
    return empty_repo


LIGHTNING = """\
from lightning.pytorch.cli import LightningCLI
class Model:
    def __init__(self, lr: float = 0.1, width: int = 3): ...
class Data:
    def __init__(self, batch: int = 4, width: int = 4): ...
LightningCLI(Model, Data)
"""
NESTED = """\
from jsonargparse import CLI
class Opt:
    def __init__(self, lr: float = 0.1): ...
def main(opt: Opt): ...
CLI(main)
"""
DOCOPT = """\
'''Trains.

Usage: t.py [options] <data-set> [<out>] [--lr=<lr>]

Options:
  --lr=<lr>  rate [default: 0.1]
'''
from docopt import docopt
docopt(__doc__)
"""


@pytest.mark.parametrize(
    ("source", "words", "told"),
    [
        (LIGHTNING, ["lr=1"], "has no flag 'lr'. To set model.lr: git run t.py model.lr=VALUE -- fit\n"),
        (LIGHTNING, ["width=1"], "has no flag 'width'. It has no flags. "),
        (LIGHTNING, ["model.lr=1"], "flag 'model.lr' of t.py belongs to a sub-command: fit, validate, test, predict. "),
        (NESTED, ["lr=1"], "has no flag 'lr'. To set opt.lr: opt.lr=VALUE. "),
        (
            DOCOPT,
            ["data-set=x"],
            "has no flag 'data-set'. Its flags: lr. To pass its arguments: git run t.py -- DATA-SET OUT\n",
        ),
    ],
)
def test_refusal_of_a_flag_names_what_works(empty_repo, source, words, told) -> None:
    empty_repo.write("t.py", source)
    ended = empty_repo.run("t.py", *words)
    assert (ended.returncode, refs(empty_repo)) == (129, "")
    assert told in ended.stderr


def test_flag_passed_on_beside_a_nested_one_is_noted(empty_repo) -> None:
    empty_repo.write("t.py", LIGHTNING)
    assert ". To set model.lr: model.lr=VALUE" in empty_repo.run("t.py", "lr=1", "--", "fit").stderr


@pytest.mark.parametrize("name", ["gitrun.link", "gitrun.lend"])
def test_setting_with_a_path_out_of_the_repository_is_refused(empty_repo, name) -> None:
    empty_repo.write("t.py", "print(1)\n")
    empty_repo.git("config", name, "../..")
    ended = empty_repo.run("t.py")
    assert (ended.returncode, refs(empty_repo)) == (129, "")
    assert f"setting {name} must be paths inside the repository, relative to its top, not '../..'" in ended.stderr


def refs(repo) -> str:
    return repo.git("for-each-ref")


def test_what_is_missing_is_refused_before_anything_is_written(script) -> None:
    plain = subprocess.run([sys.executable, "t.py"], cwd=script.path, capture_output=True, check=False)
    ended = script.run("t.py")
    assert plain.returncode != 0
    assert (ended.returncode, ended.stdout, refs(script)) == (129, "", "")
    hint = "To give it: need=VALUE. To leave it to the program: --force-flags"
    assert ended.stderr == f"gitrun: error: t.py needs the flag 'need'. {hint}\n"


def test_what_is_needed_and_given_is_received(script) -> None:
    many = "nargs" in (script.path / "t.py").read_text()
    assert script.run("t.py", "need=[abc]" if many else "need=abc", check=True).stdout == "abc\n"


def test_what_is_needed_and_was_given_is_received_by_a_restart(empty_repo) -> None:
    empty_repo.write("t.py", PROGRAMS["several arguments of argparse"])
    empty_repo.git("config", "gitrun.python", sys.executable)
    empty_repo.run("t.py", "need=[abc]", check=True)
    assert empty_repo.run("--restart", "1", check=True).stdout == "abc\n"


def test_what_is_needed_and_given_behind_the_dashes_is_received(empty_repo) -> None:
    empty_repo.git("config", "gitrun.python", sys.executable)
    for name in ("an option of argparse", "an argument of argparse", "several arguments of argparse", "an argument of click"):
        empty_repo.write("t.py", PROGRAMS[name])
        words = ["--need", "abc"] if "option" in name else ["abc"]
        assert empty_repo.run("t.py", "--", *words, check=True).stdout == "abc\n"


HELP = f"{ARGPARSE}p.add_argument('--need', required=True)\np.parse_args()\n"
FROM_FILE = ARGPARSE.replace("Parser()", "Parser(fromfile_prefix_chars='@')")
MANY = "@click.argument('a', nargs=-1)\n@click.argument('b', default='x')\n@click.argument('c', envvar='NEED')\n"
OPTIONAL = [
    (HELP, ("--", "--help")),
    (f"{FROM_FILE}p.add_argument('--need', required=True)\n{PRINT}", ("--", "@words")),
    (f"{ARGPARSE}p.add_argument('a', nargs='?')\np.add_argument('--b')\np.parse_args()\n", ()),
    (f"{ARGPARSE}p.add_argument('a', nargs='*')\np.add_argument('--b')\np.parse_args()\n", ()),
    (f"{CLICK}{MANY}def main(a, b, c): ...\nmain()\n", ()),
    (f"{CLICK}@click.option('--a', required=True, envvar='NEED')\ndef main(a): ...\nmain()\n", ()),
]


@pytest.mark.parametrize(("source", "words"), sampled(3, OPTIONAL))
def test_what_can_be_had_in_another_way_is_not_asked_for(empty_repo, source, words) -> None:
    empty_repo.write("t.py", source)
    empty_repo.write("words", "--need\nabc\n")
    empty_repo.git("config", "gitrun.python", sys.executable)
    empty_repo.run("t.py", *words, check=True, env={"NEED": "abc"})
    assert len(empty_repo.git("for-each-ref", "refs/runs").splitlines()) == 1


def test_force_flags_leaves_it_to_the_program(empty_repo) -> None:
    empty_repo.write("t.py", HELP)
    ended = empty_repo.run("--force-flags", "t.py")
    assert (ended.returncode, "the following arguments are required: --need" in ended.stderr) == (2, True)


def test_argument_of_a_script_with_constants_is_asked_for_as_a_word(empty_repo) -> None:
    empty_repo.write("t.py", f"{ARGPARSE}k = 1\np.add_argument('path')\nprint(k, p.parse_args().path)\n")
    ended = empty_repo.run("t.py", "k=2")
    assert (ended.returncode, refs(empty_repo)) == (129, "")
    assert ended.stderr == "gitrun: error: t.py needs the argument 'path'. To give it: git run t.py -- PATH\n"
    assert empty_repo.run("t.py", "k=2", "--", "abc", check=True).stdout == "2 abc\n"
    assert empty_repo.run("t.py", "-h", check=True).stdout == "t.py   needs words after --: path\n  k=1\n"

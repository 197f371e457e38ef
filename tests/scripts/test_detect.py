"""Which flags the front ends declare, by the text of a program alone."""

from __future__ import annotations

import ast
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from script_text import IMPORTS, kinds, read

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
    for _ in range(9):
        begun = time.process_time()
        ast.parse(source)
        parsed = time.process_time()
        assert kinds(read(source)) == {"lr": (0.1, "float")}
        floor.append(parsed - begun)
        times.append(time.process_time() - parsed)
        if min(times) < 1.6 * min(floor):  # beside other work single times are long
            break
    assert min(times) < 1.6 * min(floor)  # ten thousand lines: hardly more than Python itself takes to parse them


ARGPARSE = "import argparse, sys\nn = 3\np = argparse.ArgumentParser()\np.add_argument('--lr', default=0.1)\n"


@pytest.mark.parametrize(
    "source",
    [
        ARGPARSE + "p.parse_args([])",
        ARGPARSE + "p.parse_args(args=['--lr', '3'])",
        ARGPARSE + "p.parse_args('')",
        ARGPARSE + "sys.argv = ['t.py', '--lr', '3']\np.parse_args()",
        ARGPARSE + "a, rest = p.parse_known_args('--lr 3'.split())",
        ARGPARSE + "def parse_args():\n    return p.parse_args([])\nparse_args()",
        "import fire\nn = 3\ndef f(lr=0.1): ...\nfire.Fire(f, command=['--lr', '3'])",
        "import tyro\nn = 3\ndef f(lr: float = 0.1): ...\ntyro.cli(f, args=[])",
        "'''Usage: t [--lr=<x>]'''\nfrom docopt import docopt\nn = 3\ndocopt(__doc__, argv=['--lr=3'])",
    ],
)
def test_options_of_a_script_that_never_reads_its_command_line_are_no_flags(source) -> None:
    assert kinds(read(source)) == {"n": (3, "number")}


@pytest.mark.parametrize(
    "call",
    [
        "p.parse_args()",
        "p.parse_args(None)",
        "p.parse_args(sys.argv[1:])",
        "p.parse_args(namespace=n)",
        "p.parse_args([] if 'ipykernel' in sys.modules else None)",
        "p.parse_args(['--lr', '3']) if n else p.parse_args()",
        "def main(args=None): p.parse_args(args)\nmain([])",
        "p.parse_args([*sys.argv])",
        "p.parse_args()\nsys.argv = ['t.py']",
        "sys.argv = [sys.argv[0], *sys.argv[2:]]\np.parse_args()",
        "if n > 3:\n    sys.argv = ['t.py']\np.parse_args()",
    ],
)
def test_a_script_that_may_read_its_command_line_has_its_options(call) -> None:
    assert list(kinds(read(ARGPARSE + call))) == ["lr"]

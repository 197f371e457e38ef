"""Helpers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.scripts.discover import read_script

if TYPE_CHECKING:
    from gitrun.model.flags import Value

PARSER = """
import argparse
parser = argparse.ArgumentParser()
group = parser.add_argument_group("g").add_mutually_exclusive_group()
parser.add_argument("data", nargs="?")
parser.add_argument("--lr", "-l", type=float, default=0.1, help="learning " "rate")
parser.add_argument("-b", "--batch-size", type=int, default=-1)
parser.add_argument("-n", type=int)
parser.add_argument("--opt", choices=["adam", "sgd"], default="adam")
group.add_argument("--fast", action="store_true")
group.add_argument("--no-cache", action="store_false")
parser.add_argument("--amp", action=argparse.BooleanOptionalAction, default=True)
parser.add_argument("--old", type=bool, default=True)
parser.add_argument("-v", "--verbose", action="count", default=1)
parser.add_argument("--tag", action="append", default=["a"])
parser.add_argument("--layers", nargs="+", type=int, default=(1, 2))
parser.add_argument("--pair", nargs=2)
parser.add_argument("--version", action="version", version="1")
parser.add_argument("--name", required=False)
parser.add_argument("--steps", type=int, default="5")
"""


def flags_of(source: str) -> dict[str, tuple[Value | None, str]]:
    return {flag.name: (flag.default, flag.kind) for flag in read_script(source.encode(), "t.py").flags}

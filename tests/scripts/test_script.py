"""The flags of a script whose parser is elsewhere."""

from __future__ import annotations

import pytest
from script_text import LR, kinds, read

GET_ARGS = """
import argparse
def get_parser():
    p = argparse.ArgumentParser()
    p.add_argument('--lr', type=float, default=.1)
    return p
def get_args():
    return get_parser().parse_args()
parser = get_parser()
def other(): ...
"""


@pytest.mark.parametrize(
    "source",
    [
        "from pkg.opts import get_args\ndef main(): print(get_args())",
        "from pkg.opts import get_parser\ndef main():\n    p = get_parser()\n    print(p.parse_args())",
        "import pkg.opts as o\ndef main(): print(o.get_args())",
        "import pkg.opts\ndef main(): print(pkg.opts.get_args())",
        "from pkg import opts\ndef main(): print(opts.get_args())",
        "from pkg import get_args\ndef main(): print(get_args())",
        "from pkg.opts import parser\nprint(parser.parse_args())",
        "from pkg.opts import parser\ndef main(): print(parser.parse_args())",
        "from pkg.settings import args\nprint(args.lr)",
        "import pkg.settings as s\ndef main(): print(s.args.lr)",
        "from pkg.settings import lr\nprint(lr)",
        "class A:\n    def run(self):\n        from pkg.opts import get_args\n        print(get_args())",
    ],
)
def test_a_parser_of_another_module_is_read_wherever_it_is_used(source: str) -> None:
    settings = GET_ARGS + "args = get_args()\nlr = args.lr\n"
    files = {"pkg__opts": GET_ARGS, "pkg/__init__": "from .opts import get_args\n", "pkg__settings": settings}
    script = read("LIMIT = 3\n" + source, **files)
    assert (script.style, kinds(script), script.partial) == ("args", LR, "")


@pytest.mark.parametrize(
    "source",
    [
        "from pkg.opts import other\nLIMIT = 3\nother()",
        "from tool2 import LIST\nLIMIT = 3\nprint(LIST)",
        "import argparse\nLIMIT = 3\np = argparse.ArgumentParser()\np.parse_args()",
    ],
)
def test_what_only_lies_beside_a_parser_leaves_the_globals(source: str) -> None:
    tool = "import argparse\nLIST = [1]\nif __name__ == '__main__':\n    p = argparse.ArgumentParser()\n"
    tool += "    p.add_argument('--a')\n    p.parse_args()"
    script = read(source, pkg__opts=GET_ARGS, tool2=tool)
    assert (script.style, kinds(script)) == ("globals", {"LIMIT": (3, "number")})

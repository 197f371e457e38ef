"""Modules of the repository that a script imports."""

from __future__ import annotations

from script_text import kinds, read


def test_options_of_a_module_of_the_repository_are_read() -> None:
    options = "import argparse\ndef get_args():\n    p = argparse.ArgumentParser()\n"
    options += "    p.add_argument('--lr', default=1)\n    return p.parse_args()\n"
    script = read("from pkg.options import get_args\nargs = get_args()", pkg__options=options)
    assert (script.style, kinds(script)) == ("args", {"lr": (1, "number")})
    script = read("import options\nx = 3\nargs = options.get_args()", options=options)
    assert kinds(script) == {"lr": (1, "number")}


def test_modules_that_import_each_other_end() -> None:
    text = "from {} import get_args as g\ndef get_args():\n    p.add_argument('--{}')\n    return g()\nargs = get_args()\n"
    a, b = text.format("b", "x") + "c = d", text.format("a", "y") + "from a import c as d"
    assert list(kinds(read("from a import args, d\nimport b\nprint(args, b.args, b.d, d)", a=a, b=b))) == ["x", "y"]

"""Flags of absl, read from the text of a program."""

from __future__ import annotations

from script_text import kinds, read


def test_defaults_of_absl_tyro_and_fire_are_those_of_the_source() -> None:
    absl = "from absl import flags\nflags.DEFINE_float('lr', '0.5', 'rate', upper_bound=1)\n"
    absl += "flags.DEFINE_multi_string('s', 'a', '')\n"
    assert kinds(read(absl)) == {"lr": (0.5, "float"), "s": (["a"], "list")}
    tyro = "import tyro\nclass B:\n    x: int = 1\nclass C(B):\n    y: 'float | None' = None\n    z: B = B(x=4)\ntyro.cli(C)\n"
    assert kinds(read(tyro)) == {"x": (1, "int"), "y": (None, "float"), "z.x": (4, "int")}
    fire = "import fire\nclass T:\n    def __init__(self, a=1): ...\n    def fit(self, lr=0.1): ...\nfire.Fire(T)\n"
    assert list(kinds(read(fire).chosen(["fit"]))) == ["a", "lr"]


def test_configuration_of_ml_collections_may_have_more_flags() -> None:
    start = "from absl import flags\nfrom ml_collections import config_flags\nflags.DEFINE_float('lr', 0.5, '')\n"
    file = read(start + "config_flags.DEFINE_config_file('config', 'base.py')\n")
    assert (kinds(file), bool(file.partial)) == ({"lr": (0.5, "float"), "config": ("base.py", "str")}, True)
    nested = read(start + "config_flags.DEFINE_config_dict('config', CONFIG)\n")
    assert (kinds(nested), bool(nested.partial)) == ({"lr": (0.5, "float")}, True)

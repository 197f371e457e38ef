"""Calls, loops and functions whose effect is known without running them."""

from __future__ import annotations

from script_text import IMPORTS, LR, kinds, read


def test_a_loop_over_what_is_not_known_does_not_go_on_with_the_loop_before() -> None:
    source = "for n in ['a', 'b']: p.add_argument('--' + n)\nfor n in EXTRA: p.add_argument('--' + n, type=int)"
    script = read(IMPORTS["argparse"] + source)
    assert (kinds(script), script.partial) == (
        {"a": (None, "str"), "b": (None, "str")},
        "an option has a name that is computed",
    )


BASE_OPTIONS = """
import argparse
import models
class BaseOptions:
    def initialize(self, parser):
        parser.add_argument('--name', default='exp')
        return parser
    def gather(self):
        parser = argparse.ArgumentParser()
        parser = self.initialize(parser)
        return parser.parse_args()
    def parse(self):
        return self.gather()
"""


TRAIN_OPTIONS = """
from .base_options import BaseOptions
class TrainOptions(BaseOptions):
    def initialize(self, parser):
        parser = BaseOptions.initialize(self, parser)
        parser.add_argument('--lr', type=float, default=.1)
        return parser
"""


def test_the_options_of_a_class_are_those_of_its_parents_too() -> None:
    source = "from options.train_options import TrainOptions\nif __name__ == '__main__':\n    opt = TrainOptions().parse()\n"
    files = {"options__base_options": BASE_OPTIONS, "options__train_options": TRAIN_OPTIONS}
    script = read(source, **files)
    assert (kinds(script), script.partial) == ({"name": ("exp", "str"), **LR}, "")
    setter = "        setter = models.setter()\n        parser = setter(parser)\n        return parser.parse_args()"
    more = BASE_OPTIONS.replace("        return parser.parse_args()", setter)
    assert read(source, **files | {"options__base_options": more}).partial == "setter may add options"
    lost = "from lib import Options\nclass Mine(Options):\n    def add(self, p):\n"
    lost += "        p.add_argument('--lr', type=float, default=.1)\nMine().parse()"
    assert (kinds(read(lost)), read(lost).partial) == (LR, "Options may add options")


def test_a_function_adds_options_of_the_names_and_defaults_it_is_given() -> None:
    source = "def add(p, name, default=1): p.add_argument('--' + name, type=int, default=default)\nadd(p, 'a')\nadd(p, 'b', 2)"
    script = read(IMPORTS["argparse"] + source)
    assert (kinds(script), script.partial) == ({"a": (1, "int"), "b": (2, "int")}, "")

"""Commands of Fire, read from the text of a program."""

from __future__ import annotations

import pytest
from script_text import kinds, read

FIRE = """
import fire
from lib import other
class Base:
    def __init__(self, a=1):
        self.inner = Base()
    def fit(self, e=1): ...
class Calc(Base):
    def add(self, b=2): ...
    @property
    def view(self): ...
def loose(k=1, **more): ...
def plain(x=1): ...
"""


@pytest.mark.parametrize(
    ("words", "names", "partial"),
    [
        ("calc add", ["a", "b"], ""),
        ("calc fit", ["a", "e"], ""),
        ("calc inner go", ["a"], "inner is an object in Calc"),
        ("calc view go", ["a"], "view is a property of Calc"),
        ("made add", ["b"], ""),
        ("loose", ["k"], "loose() takes any name"),
        ("plain", ["x"], ""),
        ("other", [], "Fire is given other that is not in the source"),
    ],
)
def test_each_command_of_fire_says_what_it_takes(words: str, names: list[str], partial: str) -> None:
    listed = "{'calc': Calc, 'made': Calc(), 'loose': loose, 'plain': plain, 'other': other}"
    script = read(f"{FIRE}fire.Fire({listed})\n").chosen(words.split())
    assert (list(kinds(script)), script.partial) == (names, partial)
    if words.startswith("calc "):
        assert read(f"{FIRE}fire.Fire()\n").chosen(["Calc", *words.split()[1:]]).flags == script.flags
        assert read(f"{FIRE}fire.Fire(Calc)\n").chosen(words.split()[1:]).flags == script.flags

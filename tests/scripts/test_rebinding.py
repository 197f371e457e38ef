"""Names that a module assigns again, and names of other namespaces."""

from __future__ import annotations

import pytest
from script_constants import flags_of


@pytest.mark.parametrize(
    "again",
    [
        "x += 1", "x = 2", "x = f()", "x, y = f()", "for x in y: pass", "while a():\n    x = 2", "del x",
        "def f():\n    global x\n    x = 2", "class A:\n    def f(self):\n        global x\n        x += 1",
        "with open(f) as x: pass", "with open(f) as (x, y): pass", "try:\n    f()\nexcept E as x:\n    pass",
        "print(x := 2)", "if (x := f()): pass", "[x := y for y in z]", "import x", "from a import b as x", "def x(): pass",
        "class x: pass", "match a:\n    case x: pass", "match a:\n    case [1, *x]: pass", "x.append(1)", "x[0] = 2",
        "def f(): x.append(1)", "if a():\n    x = f()", "async def f():\n    async for y in z:\n        x.extend(y)",
        "x: int = 2", "if a():\n    x += 1", "y = x = 2", "from a import *",
    ],
)  # fmt: skip
def test_a_name_that_the_module_assigns_again_is_a_variable(again: str) -> None:
    assert "x" not in flags_of(f"x = 1\n{again}")


@pytest.mark.parametrize(
    "other",
    [
        "def f(): x = 2", "def f(x): x += 1", "class A:\n    x = 2", "[x for x in y]", "def f(x): x.append(1)",
        "def f():\n    x = []\n    x.append(1)\n    def g(): x.append(2)", "f(x=2)", "y.x = 2", "lambda x: (x := 2)",
        "def f():\n    for x in y: pass", "print(x)", "x.upper()",
    ],
)  # fmt: skip
def test_a_name_of_another_namespace_leaves_the_constant(other: str) -> None:
    assert flags_of(f"x = 1\n{other}") == {"x": (1, "number")}

"""Computed constants, with the values that Python gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from script_constants import flags_of

if TYPE_CHECKING:
    from gitrun.model.flags import Value


@pytest.mark.parametrize(
    ("value", "default", "kind"),
    [
        ("10 * 1000", 10_000, "number"), ("2 ** 10 // 3", 341, "number"), ("1e-3 * 2", 0.002, "number"),
        ("'a' + 'b' * 2", "abb", "str"), ("[0.1] * 2", [0.1, 0.1], "list"), ("(1,) + (2, 3)", [1, 2, 3], "list"),
        ("not 1", False, "bool"), ("~1", -2, "number"), ("f'a{1}'", "a1", "str"), ("int('1')", 1, "number"),
        ("int(1e4)", 10_000, "number"), ("float('inf')", float("inf"), "number"), ("3 > 2", True, "bool"),
        ("'a' if 1 > 2 else 'b'", "b", "str"), ("0 or 'b'", "b", "str"), ("1 and 2", 2, "number"),
        ("max(2, 3)", 3, "number"), ("7 % 4", 3, "number"), ("1 << 4", 16, "number"),
    ],
)  # fmt: skip
def test_a_computed_constant_has_the_value_that_the_program_has(value: str, default: Value, kind: str) -> None:
    names: dict[str, Any] = {}
    exec(f"x = {value}", names)
    assert flags_of(f"x = {value}") == {"x": (default, kind)}
    assert repr(default) == repr(list(names["x"]) if isinstance(names["x"], tuple) else names["x"])

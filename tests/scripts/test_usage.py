"""Whether a source sees a value that was put under a global name before it runs."""

from __future__ import annotations

import pytest

from gitrun.scripts.usage import sees_global


@pytest.mark.parametrize(
    "source",
    [
        b"print(lr)",
        b"def f():\n    return lr",
        b"def f():\n    def g():\n        return [lr for _ in range(3)]",
        b"print(globals()['l' + 'r'])",
        b"import __main__\nprint(__main__.lr)",
    ],
)
def test_a_name_that_is_read_is_seen(source: bytes) -> None:
    assert sees_global(source, "lr")


@pytest.mark.parametrize(
    "source",
    [
        b"lr = 1\nprint(lr)",
        b"from lib import lr\nprint(lr)",
        b"def f(lr):\n    return lr",
        b"print(a.lr, 'lr')",
        b"for lr in range(3):\n    print(lr)",
        b"print(lr",
        b"\xff",
    ],
)
def test_a_name_that_is_assigned_or_not_read_is_not_seen(source: bytes) -> None:
    assert not sees_global(source, "lr")

"""Submodules as paths with commits."""

from __future__ import annotations

import pytest

from gitrun.model.submodules import outermost_modules, parent_directories


def test_nested_submodules_belong_to_the_outer_one() -> None:
    modules = [("lib", "1"), ("lib/inner", "2"), ("library", "3"), ("a/b", "4"), ("a/b/c/d", "5")]
    assert outermost_modules(modules) == {"lib": "1", "library": "3", "a/b": "4"}


@pytest.mark.parametrize(("path", "above"), [("a", []), ("a/b", ["a"]), ("a/b/c", ["a", "a/b"])])
def test_directories_above_a_path_are_listed(path, above) -> None:
    assert parent_directories(path) == above

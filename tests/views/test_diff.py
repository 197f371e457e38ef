"""How values differ."""

from __future__ import annotations

from runs_made_up import made_up

from gitrun.model.run import File
from gitrun.views.contents import Change
from gitrun.views.diff import differing_files, differing_values, flatten


def test_differing_compares_by_value_and_knows_what_is_missing() -> None:
    old, new = {"a": 1, "b": True, "c": float("nan"), "d": "x"}, {"a": 1.0, "b": 1, "c": float("nan"), "e": [1]}
    assert differing_values(old, new) == {"b": (True, 1), "d": ("x", None), "e": (None, [1])}


def test_flat_names_what_is_nested() -> None:
    assert flatten({"python": {"version": "3", "deep": {"x": 1}}, "n": 2}) == {
        "python.version": "3",
        "python.deep.x": 1,
        "n": 2,
    }


def test_files_differ_by_content_not_by_where_they_are_kept() -> None:
    old = made_up(files=(File("same", 1, "a" * 64, "git"), File("gone", 1, "b" * 64, "git"), File("other", 1, "c" * 64, "git")))
    new = made_up(
        files=(File("same", 1, "a" * 64, "local"), File("fresh", 1, "b" * 64, "git"), File("other", 1, "d" * 64, "git"))
    )
    assert differing_files(old, new) == [Change("fresh", "added"), Change("gone", "deleted"), Change("other", "changed")]

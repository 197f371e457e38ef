"""Names in trees that must not reach a working tree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitrun.model.validation_rules import name_fault


@pytest.mark.parametrize(
    "name", [b"a", b".gitignore", b".github", b"git", b"a.git", "ü".encode(), b"\x1b", b"\n", b"...", b"a\\b", b".gitx"]
)
def test_ordinary_names_pass(name) -> None:
    assert name_fault(name) == ""


@given(st.sampled_from([".git", "git~1", ".GIT", "Git~1"]), st.text(" .", max_size=4))
def test_forms_of_git_do_not_pass(name, tail) -> None:
    assert name_fault((name + tail).encode())


@given(
    st.lists(st.sampled_from(["\u200c", "\u200d", "\u202e", "\ufeff", "\u206f"]), min_size=5, max_size=5),
    st.sampled_from([".git", ".GiT"]),
)
def test_forms_of_git_for_apple_do_not_pass(ignored, name) -> None:
    assert name_fault("".join(a + b for a, b in zip(ignored, name + " ", strict=True)).rstrip().encode())


@given(st.binary(max_size=300))
def test_any_name_has_an_answer(name) -> None:
    assert isinstance(name_fault(name), str)

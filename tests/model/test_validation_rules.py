"""Names in trees that must not reach a working tree, and files of gitrun's own that are checked before anybody reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitrun.errors import BadRun
from gitrun.model.record_files import ENV, FLAGS, RESULT, RUN
from gitrun.model.validation_rules import check_record, name_fault


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


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (FLAGS, b"lr = 0.1\nlr = 0.2\n"),
        (FLAGS, b"lr = \xff\n"),
        (ENV, b"[python]\nversion = \n"),
        (RESULT, b"format = 0\n"),
        (RESULT, b"format = true\n"),
        (RESULT, b'format = "1"\n'),
        (RESULT, b"format = 1\nstarted = 2026-02-30 00:00:00+00:00\n"),
        (RUN, b"format = 1\n"),
        (RUN, b'format = 0\noperation = "a"\n'),
        (RUN, b'format = 1\noperation = "a"\n[source\n'),
    ],
)
def test_record_that_breaks_a_rule_is_refused(name, data) -> None:
    with pytest.raises(BadRun, match=name.removeprefix(".gitrun/")):
        check_record(data, name)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (FLAGS, b""),
        (FLAGS, b'name = "adam"\nsteps = [1, 2]\n'),
        (RESULT, b'status = "completed"\n'),
        (RESULT, b"format = 2\n[metrics]\nloss = 0.5\n"),
    ],
)
def test_record_that_keeps_the_rules_is_let_in(name, data) -> None:
    assert check_record(data, name) is None


def test_claim_is_that_of_the_source_table() -> None:
    claim = check_record(b'format = 1\noperation = "a"\ntree = "x"\n[source]\ntree = "y"\ncarried = ["b"]\n', RUN)
    assert claim is not None
    assert (claim.source, claim.carried) == ("y", {b"b"})

"""What a typed text means, which values are equal, and which values an operation takes."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitrun.errors import UsageError
from gitrun.model.flags import (
    Flag,
    Flags,
    Typed,
    Value,
    default_values,
    format_value,
    parse_flags,
    resolve_flags,
    split_assignment,
)

plain: st.SearchStrategy[Any] = st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8"))
tricky = st.text(st.sampled_from("[],'\"\\*0123456789.e-+_ \tnulltrueinfa=#:\x00\x1b\u202eé")).filter(lambda t: t)
values: st.SearchStrategy[Any] = st.recursive(plain | tricky, lambda inner: st.lists(inner, max_size=4), max_leaves=12)
mappings = st.dictionaries(st.text(st.sampled_from("abc-_"), min_size=1), values, max_size=4)
echo = (Flag("x", 1.0, "number"), Flag("y", 2, "number"), Flag("z", "a", "str"))


def exactly(value: object) -> tuple[type, str]:
    return type(value), repr(value)


def test_words_become_values_by_name() -> None:
    words = ["lr=0.1", "opt=adam", "x=null", "a-b/c.d_1=a=b", "größe=", "lr=0.2"]
    assert parse_flags(words) == {"lr": 0.2, "opt": "adam", "x": None, "a-b/c.d_1": "a=b", "größe": ""}
    assert split_assignment("x='1'") == ("x", "'1'")


@pytest.mark.parametrize(
    "word",
    [
        "x",
        "",
        "=1",
        "1x=1",
        "-x=1",
        "a b=1",
        "a\n=1",
        "x=\0",
        "x\0=1",
        "x=\udcff",
        "\udcff=1",
        "²=1",
        "a\x1b=1",
    ],
)
def test_a_word_that_is_no_flag_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="' is not a flag"):
        parse_flags([word])


def test_the_error_for_a_bad_word_says_what_to_write() -> None:
    with pytest.raises(UsageError) as caught:
        parse_flags(["x"])
    assert caught.value.message == "'x' is not a flag"
    assert caught.value.hint == "To set a flag: NAME=VALUE, for example lr=0.1"


def test_flags_equal_any_mapping_of_the_same_values() -> None:
    flags = Flags({"y": 2, "x": 1.0, "n": None})
    assert flags == {"x": 1, "y": 2.0}
    assert flags == {"x": 1, "y": 2.0}
    assert flags != {"x": True, "y": 2}
    assert flags != {"x": 1.0}
    assert flags != {"x": 1.0, "y": 2, "z": 1}
    assert flags != "x"
    assert hash(flags) == hash(Flags({"x": 1, "y": 2.0}))


@given(mappings)
def test_flags_equal_themselves_however_they_come(mapping: dict[str, Value]) -> None:
    flags = Flags(mapping)
    again = Flags(dict(reversed(mapping.items())))
    assert flags == again == mapping == pickle.loads(pickle.dumps(flags))
    assert hash(flags) == hash(again)
    assert repr(flags) == repr(again) == repr({name: mapping[name] for name in sorted(mapping)})


@given(mappings)
def test_the_text_of_flags_is_a_word_for_each_by_name(mapping: dict[str, Value]) -> None:
    flags = Flags(mapping)
    assert flags.text() == " ".join(f"{name}={format_value(flags[name])}" for name in sorted(mapping))


def test_flags_are_sorted_and_read_as_a_dict() -> None:
    flags = Flags({"z": "d", "y": 2, "x": 1.0})
    assert repr(flags) == "{'x': 1.0, 'y': 2, 'z': 'd'}"
    assert flags.text() == "x=1.0 y=2 z=d"
    assert list(flags) == ["x", "y", "z"]


def test_a_list_in_flags_cannot_be_changed_from_outside() -> None:
    mine: list[Value] = [1, [2]]
    flags = Flags({"x": mine})
    mine.append(3)
    taken: Any = flags["x"]
    taken[1].append(4)
    assert flags == {"x": [1, [2]]}


def test_put_makes_new_flags_and_none_takes_one_away() -> None:
    flags = Flags({"x": 1, "y": 2})
    assert flags.put({"x": None, "z": 3}) == {"y": 2, "z": 3}
    assert flags == {"x": 1, "y": 2}


def test_defaults_are_those_that_are_there() -> None:
    assert default_values([*echo, Flag("n")]) == {"x": 1.0, "y": 2, "z": "a"}


def test_given_values_settle_by_the_kind_that_is_declared() -> None:
    typed = {"x": Typed("10"), "y": Typed("null"), "z": Typed("'null'")}
    settled = resolve_flags(echo, typed, operation="echo.py")
    assert {name: exactly(value) for name, value in settled.items()} == {
        "x": exactly(10), "y": exactly(None), "z": exactly("'null'"),
    }  # fmt: skip


def test_an_open_set_takes_every_name_and_reads_what_was_typed() -> None:
    assert resolve_flags(None, {"a": Typed("1"), "b": "1", "c": None}, operation="ls") == {
        "a": 1,
        "b": "1",
        "c": None,
    }


@pytest.mark.parametrize("force", [True, False])
def test_a_name_that_no_flag_can_have_is_refused_in_an_open_set(force: bool) -> None:
    with pytest.raises(UsageError, match="'a b' cannot be the name of a flag"):
        resolve_flags(None, {"a b": 1}, operation="ls", force=force)


def test_hyphen_and_underscore_are_the_same_in_a_name() -> None:
    declared = [Flag("batch-size", 1), Flag("a-b"), Flag("a_b")]
    settled = resolve_flags(declared, {"batch_size": Typed("8"), "a_b": 1, "a-b": 2}, operation="t.py")
    assert settled == {"batch-size": 8, "a_b": 1, "a-b": 2}


def test_other_options_of_a_flag_name_it_where_no_flag_has_that_name() -> None:
    declared = [Flag("imgsz", 640, aliases=("--img", "--img-size", "-s")), Flag("s"), Flag("image_size")]
    settled = resolve_flags(declared, {"img_size": Typed("8"), "s": 2}, operation="t.py")
    assert settled == {"imgsz": 8, "s": 2}


def test_an_unknown_flag_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        resolve_flags(echo, {"a": Typed("0")}, operation="echo.py")
    assert caught.value.message == "echo.py has no flag 'a'"
    assert caught.value.hint == "Its flags: x, y, z. To pass it anyway: --force-flags"
    with pytest.raises(UsageError, match="It has no flags"):
        resolve_flags([], {"a": 1}, operation="echo.py")


@pytest.mark.parametrize(("typed", "meant"), [("seeed", "seed"), ("sed", "seed"), ("lrr", "lr"), ("bach_size", "batch-size")])
def test_a_mistyped_flag_is_answered_with_the_one_that_was_meant(typed, meant) -> None:
    declared = [Flag(name) for name in ("lr", "seed", "batch-size", "epochs")]
    with pytest.raises(UsageError) as caught:
        resolve_flags(declared, {typed: 1}, operation="t.py")
    assert caught.value.hint == f"To set {meant}: {meant}=VALUE. To pass it anyway: --force-flags"


def test_an_error_does_not_name_hundreds_of_flags() -> None:
    declared = [Flag(f"flag_{number}") for number in range(200)]
    with pytest.raises(UsageError, match="flag_38, flag_39 and 160 more") as caught:
        resolve_flags(declared, {"zzz": 1}, operation="t.py")
    assert "flag_40" not in str(caught.value.hint)


@pytest.mark.parametrize(
    ("kind", "text", "takes"),
    [
        ("number", "abc", "a number"), ("number", "true", "a number"), ("int", "1.0", "a whole number"),
        ("int", "yes", "a whole number"), ("float", "1_0", "a number"), ("bool", "1", "true or false"),
        ("list", "a", r"a list such as \[1, 2\]"),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused(kind: str, text: str, takes: str) -> None:
    with pytest.raises(UsageError, match=f"flag 'x' of train.py must be {takes}, not '{text}'"):
        resolve_flags([Flag("x", kind=kind)], {"x": Typed(text)}, operation="train.py")


def test_a_flag_of_text_refuses_a_python_value_of_another_type() -> None:
    with pytest.raises(UsageError, match=r"flag 'z' of echo\.py must be text, not 1"):
        resolve_flags(echo, {"z": 1}, operation="echo.py")


def test_a_choice_is_compared_by_value_and_others_are_refused() -> None:
    declared = [Flag("n", choices=(1, 2)), Flag("l", kind="list", choices=("a", "b"), many=True)]
    assert resolve_flags(declared, {"n": Typed("1.0"), "l": Typed("[a, b]")}, operation="t.py") == {
        "n": 1,
        "l": ["a", "b"],
    }
    with pytest.raises(UsageError, match=r"flag 'n' of t\.py must be one of 1, 2, not 'x'"):
        resolve_flags(declared, {"n": Typed("x")}, operation="t.py")
    with pytest.raises(UsageError, match="must be one of a, b, not "):
        resolve_flags(declared, {"l": ["c"]}, operation="t.py")


def test_the_default_is_taken_though_it_is_of_another_kind() -> None:
    assert resolve_flags([Flag("x", 1.5, "int")], {"x": Typed("1.5")}, operation="t.py") == {"x": 1.5}


def test_force_takes_unknown_names_and_wrong_kinds() -> None:
    given_values = {"a": Typed("[1]"), "x": Typed("abc"), "z": Typed("1")}
    assert resolve_flags(echo, given_values, operation="echo.py", force=True) == {"a": [1], "x": "abc", "z": "1"}


@pytest.mark.parametrize(
    ("least", "most", "text", "words"),
    [
        (1, None, "0", "must be a whole number of at least 1, not '0'"),
        (None, 9, "10", "must be a whole number of at most 9, not '10'"),
        (1, 9, "10", "must be a whole number from 1 to 9, not '10'"),
    ],
)
def test_a_number_out_of_its_range_is_refused_with_the_range(least, most, text, words):
    flag = Flag("n", 5, "int", least=least, most=most)
    with pytest.raises(UsageError, match=words):
        resolve_flags([flag], {"n": Typed(text)}, operation="train")
    assert resolve_flags([flag], {"n": Typed("5")}, operation="train") == {"n": 5}


def test_list_for_a_flag_of_one_value_is_told_how_to_try_several() -> None:
    with pytest.raises(UsageError) as caught:
        resolve_flags([Flag("lr", 0.1, "float")], {"lr": Typed("[1,2]")}, operation="train.py")
    assert caught.value.hint == "To try several values: git run train.py lr=[1,2]"

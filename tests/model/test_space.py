"""What a typed list or function means, which domains flags take, and that their text reads back."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gitrun
from gitrun.errors import BadValue
from gitrun.model.flags import Flag, Typed, Value, resolve_flags
from gitrun.model.space import Choice, Domain, Range, SpaceRequest, format_domain, read_space

DECLARED = (
    Flag("lr", 0.1, "number"), Flag("n", 1, "int"), Flag("z", "a", "str"), Flag("opt", "adam", "str", ("adam", "sgd")),
    Flag("layers", [1], "list"), Flag("deep", default=True, kind="bool"), Flag("batch_size", 8, "int", least=1, most=64),
    Flag("momentum", 0.9, "float", when=(("opt", ("sgd",)),)),
)  # fmt: skip
MANY = "the most is 1,000,000. To search in a range instead: x=[LOW:HIGH]"
AS_TEXT = "To give it as text: opt=\"'[1:2]'\""
FORCE = "To pass it anyway: --force-flags"
numbers = st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12)
plain: st.SearchStrategy[Any] = st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8"))
tricky = st.text(st.sampled_from("[],'\"\\*0123456789.e-+_ \tnulltruerangeinfa=#:\x00\x1b\u202eé"))
items: st.SearchStrategy[Any] = st.recursive(plain | tricky, lambda inner: st.lists(inner, max_size=3), max_leaves=6)


def read(word: str, declared: tuple[Flag, ...] | None = DECLARED, as_typed: str = "") -> SpaceRequest:
    name, _, text = word.partition("=")
    return read_space({name: Typed(text, as_typed)}, declared, operation="train.py")


def values_of(word: str, declared: tuple[Flag, ...] | None = DECLARED, as_typed: str = "") -> list[Value]:
    (domain,) = read(word, declared, as_typed).space.values()
    assert isinstance(domain, Choice)
    return list(domain.values)


def range_of(word: str) -> Domain:
    (domain,) = read(word).space.values()
    return domain


def exactly(value: object) -> str:
    # repr tells 1 from 1.0, True from 1 and 0.0 from -0.0
    return repr(value)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("[0.1,0.01]", [0.1, 0.01]), ("[ 1 , a, 'b c' ]", [1, "a", "b c"]), ("[1]", [1]), ("[1]*3", [1, 1, 1]),
        ("[1,2]*2", [1, 2, 1, 2]), ("[[1,2],[3]]", [[1, 2], [3]]), ("[true,no,'no']", [True, False, "no"]),
        ("range[1:4]", [1, 2, 3, 4]), ("range[5:1:-2]", [5, 3, 1]), ("range[3:3]", [3]),
        ("range[0:2:0.5]", [0.0, 0.5, 1.0, 1.5, 2.0]),
        ("range[0:0.3:0.1]", [0.0, 0.1, 0.2, 0.3]), ("range[0.3:0:-0.1]", [0.3, 0.2, 0.1, 0.0]), ("range[1:2]*2", [1, 2, 1, 2]),
        ("range[1e-3:3e-3:1e-3]", [0.001, 0.002, 0.003]), ("range[-1:1]", [-1, 0, 1]),
        ("linspace[0:1:5]", [0.0, 0.25, 0.5, 0.75, 1.0]), ("linspace[1:4:4]", [1, 2, 3, 4]),
        ("linspace[0:0.3:4]", [0.0, 0.1, 0.2, 0.3]),
        ("logspace[-4:-1:4]", [0.0001, 0.001, 0.01, 0.1]), ("logspace[0:3:4]", [1, 10, 100, 1000]),
        ("logspace[0:4:5:2]", [1, 2, 4, 8, 16]),
        ("[0,range[2:4],9]", [0, 2, 3, 4, 9]), ("[range[1:2]*2, linspace[0:1:3]]", [1, 2, 1, 2, 0.0, 0.5, 1.0]),
        ("['1:5']", ["1:5"]), ("[a:b]", ["a:b"]), ("[10, 1:5]", [10, "1:5"]), ("[08:30]", ["08:30"]),
    ],
)  # fmt: skip
def test_a_list_or_function_gives_these_values(text: str, values: list[Value]) -> None:
    assert exactly(values_of(f"x={text}")) == exactly(values)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("[1:8]", Range("int", 1, 8)), ("[0.1:8]", Range("float", 0.1, 8.0)), ("[1:8:2]", Range("int", 1, 8, initial=2)),
        ("uniform[-1:1]", Range("int", -1, 1)), ("uniform[ 0.0 : 1 : 0.5 ]", Range("float", 0.0, 1.0, initial=0.5)),
        ("loguniform[1e-5:1e-1]", Range("float", 1e-5, 0.1, log=True)), ("loguniform[1:100]", Range("int", 1, 100, log=True)),
        ("loguniform[1e-5:1e-1:1e-3]", Range("float", 1e-5, 0.1, log=True, initial=0.001)),
        ("[0:1.0::0.25]", Range("float", 0.0, 1.0, step=0.25)), ("[2:8:4:2]", Range("int", 2, 8, step=2, initial=4)),
    ],
)  # fmt: skip
def test_bounds_give_a_range_to_search(text: str, domain: Range) -> None:
    assert exactly(range_of(f"x={text}")) == exactly(domain)


@pytest.mark.parametrize("word", ["lr=[1:8]", "momentum=[1:8]"])
def test_whole_bounds_of_a_float_flag_search_floats(word: str) -> None:
    name = word.partition("=")[0]
    found = read_space({name: Typed("[1:8]"), "opt": "sgd"}, DECLARED).space[name]
    assert exactly(found) == exactly(Range("float", 1.0, 8.0))


@pytest.mark.parametrize(
    "text", ["data[0]", "[a", "a[b]c", "[a]b", "[1,,2]", "'[1,2]'", '"[1:5]"', "[a-z]+", "range(3)", "1", "", "[", "]"]
)
def test_other_words_with_brackets_stay_as_typed(text: str) -> None:
    assert read(f"x={text}") == SpaceRequest({"x": Typed(text)}, {})


def test_quotes_keep_an_expression_as_text() -> None:
    for text in ("[a,b]", "[1:5]", "range[1:5]", "uniform[0:1]", "[1]*3"):
        for quoted in (f"'{text}'", json.dumps(text)):
            assert read(f"z={quoted}").fixed == {"z": text}
            request = read(f"x={quoted}")
            assert not request.space
            assert resolve_flags(None, request.fixed, operation="t") == {"x": text}
    # other quotes are part of the text, as without brackets
    assert resolve_flags(DECLARED, read("z='[a'").fixed, operation="t") == {"z": "'[a'"}


def test_items_of_a_text_flag_stay_text() -> None:
    assert values_of("z=[1, 007,'b, c',true,range[1:2]]") == ["1", "007", "b, c", "true", "1", "2"]


def test_items_keep_their_spelling_where_the_program_receives_text() -> None:
    assert exactly(values_of("x=[1.10,1.5,yes]", None, "numbers")) == exactly(["1.10", 1.5, True])


def test_flag_declared_as_list_takes_one_list_as_value() -> None:
    for text in ("[1,2]", "[]", "[[1],2]", "[1:5]"):
        assert read(f"layers={text}") == SpaceRequest({"layers": Typed(text)}, {})
    assert values_of("layers=[[64,32],[]]") == [[64, 32], []]
    assert values_of("layers=[[1]*2]*2") == [[1, 1], [1, 1]]


def test_python_lists_and_domains_are_domains() -> None:
    given = {"lr": [0.1, 0.2], "n": gitrun.uniform(1, 8), "layers": [1, 2], "z": "[a,b]", "x": gitrun.choice("a", 1)}
    request = read_space(given, DECLARED)
    assert request.fixed == {"layers": [1, 2], "z": "[a,b]"}
    assert request.space == {"lr": Choice((0.1, 0.2)), "n": Range("int", 1, 8), "x": Choice(("a", 1))}
    assert read_space({"layers": [[1], [2]]}, DECLARED).space == {"layers": Choice(([1], [2]))}


def test_arrays_and_ranges_of_python_are_lists() -> None:
    given: dict[str, Any] = {"lr": np.linspace(0, 1, 3), "n": range(1, 4), "layers": np.array([1, 2]), "x": np.float64(0.5)}
    request = read_space(given, DECLARED)
    assert exactly(request.fixed) == exactly({"layers": [1, 2], "x": 0.5})
    assert exactly(request.space) == exactly({"lr": Choice((0.0, 0.5, 1.0)), "n": Choice((1, 2, 3))})


def test_python_functions_count_in_decimal() -> None:
    assert exactly(gitrun.range_(0, 0.3, 0.1).values) == "(0.0, 0.1, 0.2, 0.3)"
    assert gitrun.range_(3, 1, -1).values == (3, 2, 1)
    assert exactly(gitrun.loguniform(1e-5, 1, first=0.1)) == exactly(Range("float", 1e-5, 1.0, log=True, initial=0.1))
    with pytest.raises(BadValue, match="lower bound must be above 0"):
        gitrun.loguniform(0, 1)
    with pytest.raises(BadValue, match="no values"):
        gitrun.choice()


def test_names_are_those_declared() -> None:
    assert values_of("batch-size=[8,16]") == [8, 16]
    request = read_space({"batch-size": Typed("[8,16]"), "batch_size": Typed("4")}, DECLARED)
    assert request == SpaceRequest({"batch_size": Typed("4")}, {})


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("x=range[5:1]", "x=range[5:1] has no values. To count down: x=range[5:1:-1]"),
        ("x=range[1:5:-2]", "x=range[1:5:-2] has no values. To count up: x=range[1:5:2]"),
        ("x=range[1:5:0]", "the step of x=range[1:5:0] is 0. To count by 1: x=range[1:5]"),
        ("x=range[1:9:3]", "x=range[1:9:3] does not reach 9: its last value is 7. To end there: x=range[1:7:3]"),
        ("x=range[0:1:0.3]", "x=range[0:1:0.3] does not reach 1: its last value is 0.9. To end there: x=range[0:0.9:0.3]"),
        ("x=range[0:1:1e-9]", f"x=range[0:1:1e-9] has 1,000,000,001 values; {MANY}"),
        ("x=linspace[0:1:2000000]", f"x=linspace[0:1:2000000] has 2,000,000 values; {MANY}"),
        ("x=[1,2]*9999999", f"x=[1,2]*9999999 has 19,999,998 values; {MANY}"),
        ("x=[5:1]", "x=[5:1]: the lower bound is above the upper one. To search between them: x=[1:5]"),
        ("x=loguniform[0:1]", "x=loguniform[0:1]: the lower bound must be above 0. To search evenly: x=[0:1]"),
        ("x=[1:5:9]", "x=[1:5:9]: the first value, 9, is not between 1 and 5"),
        ("x=[1:5:2.5]", "x=[1:5:2.5] mixes whole numbers with others. To search in all numbers: x=[1.0:5.0]"),
        ("x=[0.0:1::0.3]", "x=[0.0:1::0.3] does not reach 1: its last value is 0.9"),
        ("x=[1:o]", "x=[1:o]: 'o' is not a number. To give it as text: x=\"'[1:o]'\""),
        ("x=range[a:b]", "x=range[a:b]: 'a' is not a number. To give it as text: x=\"'range[a:b]'\""),
        ("x=[0:inf]", "x=[0:inf]: inf is not finite"),
        (
            "x=uniform[1]",
            "x=uniform[1] needs 2 or 3 numbers. For example: lr=[0.001:0.1], or to start at 0.01: lr=[0.001:0.1:0.01]",
        ),
        ("x=range[1]", "x=range[1] needs 2 or 3 numbers. For example: range[1:9:2]"),
        ("x=logspace[0:400:3]", "x=logspace[0:400:3]: its values are too large or too small. For example: logspace[-4:-1:4]"),
        ("x=logspace[0:1:3:0]", "x=logspace[0:1:3:0]: the base must be above 0, not 0"),
        ("x=linspace[0:1:0]", "x=linspace[0:1:0]: the number of values must be a whole number above 0, not 0"),
        ("x=[]", "x=[] has no values. To try some: x=[VALUE,VALUE]"),
        ("x=[1,null]", "x=[1,null]: a list cannot hold null"),
        ("opt=[adam,adm]", f"flag 'opt' of train.py must be one of adam, sgd, not 'adm'. {FORCE}"),
        ("lr=[0.1,x]", f"flag 'lr' of train.py must be a number, not 'x'. {FORCE}"),
        ("n=range[0:1:0.5]", f"flag 'n' of train.py must be a whole number, not 0.0. {FORCE}"),
        ("n=[0.5:2]", f"flag 'n' of train.py must be a whole number, not 0.5. {FORCE}"),
        ("batch_size=[8:128]", f"flag 'batch_size' of train.py must be a whole number from 1 to 64, not 128. {FORCE}"),
        (
            "opt=[1:2]",
            f"opt=[1:2] is a range of numbers, but opt takes text. To try some of them: opt=[adam,sgd]. {AS_TEXT}",
        ),
        (
            "deep=[0:1]",
            "deep=[0:1] is a range of numbers, but deep takes true or false. To try some of them: deep=[true,false]",
        ),
        ("momentum=[0.1:0.9]", "flag 'momentum' exists only with opt=sgd. To try both: opt=[VALUE,VALUE]"),
    ],
)  # fmt: skip
def test_what_cannot_be_tried_is_refused_in_words(word: str, message: str) -> None:
    with pytest.raises(BadValue) as caught:
        read(word)
    assert str(caught.value) == message


def test_force_accepts_what_a_flag_refuses() -> None:
    assert read_space({"opt": Typed("[adam,adm]")}, DECLARED, force=True).space == {"opt": Choice(("adam", "adm"))}


def test_conditions_remain_for_flags_that_vary() -> None:
    both = {"opt": Typed("[adam,sgd]"), "momentum": Typed("[0.1:0.9]")}
    assert read_space(both, DECLARED).space["momentum"].when == {"opt": ("sgd",)}
    fixed = {"opt": Typed("sgd"), "momentum": Typed("[0.1:0.9]")}
    assert read_space(fixed, DECLARED).space["momentum"].when == {}


def test_conditions_remain_for_columns_of_a_file_that_vary() -> None:
    row = {"momentum": Typed("[0.1:0.9]")}
    assert read_space(row, DECLARED, columns=["opt"]).space["momentum"].when == {"opt": ("sgd",)}
    # a flag that is given wins over the file
    assert read_space({**row, "opt": "sgd"}, DECLARED, columns=["opt"]).space["momentum"].when == {}
    with pytest.raises(BadValue, match="exists only with opt=sgd"):
        read_space({**row, "opt": "adam"}, DECLARED, columns=["opt"])


def test_conditions_name_flags_with_either_joiner() -> None:
    declared = (Flag("a", when=(("batch-size", (8,)),)), Flag("batch_size", 8))
    assert read_space({"a": [1, 2], "batch-size": [8, 16]}, declared).space["a"].when == {"batch_size": (8,)}
    assert read_space({"a": [1, 2]}, declared).space["a"].when == {}


def test_condition_on_a_flag_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadValue, match="flag 'a' exists only with b=1"):
        read_space({"a": [1, 2]}, (Flag("a", when=(("b", (1,)),)),))


def test_flags_that_exist_only_with_each_other_are_refused() -> None:
    declared = (Flag("a", when=(("b", (1,)),)), Flag("b", when=(("a", (1,)),)))
    with pytest.raises(BadValue, match="flags exist only with each other: a, b"):
        read_space({"a": [1, 2], "b": [1, 2]}, declared)


@given(st.lists(items, min_size=1, max_size=6))
def test_text_of_a_list_reads_back(values: list[Any]) -> None:
    domain = Choice(tuple(values))
    text = format_domain(domain)
    found = read_space({"x": Typed(text)}, None)
    assert exactly(found.space) == exactly({"x": domain})
    assert exactly(read_space({"x": list(values)}, None).space) == exactly({"x": domain})


@given(st.lists(tricky | st.text(st.characters(codec="utf-8")), min_size=1, max_size=6))
def test_text_of_a_list_of_texts_reads_back(values: list[str]) -> None:
    domain = Choice(tuple(values))
    for declared in ([Flag("x", kind="str")], [Flag("x", as_typed="all")], [Flag("x", as_typed="numbers")]):
        assert exactly(read_space({"x": Typed(format_domain(domain))}, declared).space) == exactly({"x": domain})


@given(st.tuples(numbers, numbers).map(sorted), st.booleans(), st.none() | st.floats(0, 1))
def test_text_of_a_range_reads_back(bounds: list[float], log: bool, share: float | None) -> None:
    low, high = bounds
    if log and low <= 0:
        low, high = abs(low) + 1, abs(low) + abs(high) + 1
    kind = "int" if isinstance(low, int) and isinstance(high, int) else "float"
    low, high = (low, high) if kind == "int" else (float(low), float(high))
    first = None if share is None else min(max(type(low)(low + (high - low) * share), low), high)
    domain = Range(kind, low, high, log=log, initial=first)
    assert exactly(read_space({"x": Typed(format_domain(domain))}, None).space) == exactly({"x": domain})


@given(st.integers(-50, 50), st.integers(0, 40), st.integers(1, 30), st.integers(0, 4))
def test_ranges_are_exact_and_read_back(first: int, steps: int, step: int, places: int) -> None:
    def text(number: int) -> str:
        return f"{number}e-{places}" if places else str(number)

    word = f"x=range[{text(first)}:{text(first + steps * step)}:{text(step)}]"
    values = values_of(word, None)
    assert exactly(values) == exactly([json.loads(text(first + index * step)) for index in range(steps + 1)])
    assert exactly(values_of(f"x={format_domain(Choice(tuple(values)))}", None)) == exactly(values)


def test_many_numbers_are_written_as_a_range() -> None:
    assert format_domain(gitrun.range_(1, 1000)) == "range[1:1000]"
    assert format_domain(gitrun.range_(0, 1, 0.001)) == "range[0.0:1.0:0.001]"
    assert format_domain(gitrun.range_(1, 4)) == "[1, 2, 3, 4]"


@given(items, st.sampled_from(["any", "number", "int", "float", "str", "bool"]), st.sampled_from(["", "numbers", "all"]))
def test_a_trial_has_the_value_that_the_word_alone_gives(value: Any, kind: str, as_typed: str) -> None:
    text = format_domain(Choice((value,)))[1:-1]
    flag = Flag("x", kind=kind, as_typed=as_typed)
    # quotes around an item are the list's, not the text's
    if kind == "str" and text.startswith(("'", '"')):
        return
    try:
        alone = resolve_flags([flag], {"x": Typed(text)}, operation="t")["x"]
    except BadValue:
        with pytest.raises(BadValue):
            read_space({"x": Typed(f"[{text}]")}, [flag])
        return
    assert exactly(read_space({"x": Typed(f"[{text}]")}, [flag]).space["x"]) == exactly(Choice((alone,))) or alone is None


@given(st.floats(-300, 300), st.floats(-300, 300), st.integers(2, 50))
def test_logspace_goes_one_way_and_keeps_its_ends(first: float, last: float, count: int) -> None:
    values = values_of(f"x=logspace[{first!r}:{last!r}:{count}]", None)
    assert len(values) == count
    assert all(isinstance(value, float) and math.isfinite(value) for value in values)
    assert all((a <= b) if first <= last else (a >= b) for a, b in pairwise(values))


@given(st.text(st.sampled_from("[]:,*'\" \\0123456789.e-+rangeuniformlogspacelinfax"), max_size=30), st.sampled_from(DECLARED))
def test_any_text_is_a_domain_a_value_or_refused_in_words(text: str, flag: Flag) -> None:
    for word in (text, f"[{text}]", f"range[{text}]", f"loguniform[{text}]", f"[{text}:{text}]"):
        with suppress(BadValue):
            request = read_space({flag.name: Typed(word)}, [flag])
            assert len(request.fixed) + len(request.space) == 1


def test_a_first_value_between_whole_bounds_suits_a_number() -> None:
    assert read_space({"x": Typed("[0:1:0.5]")}, [Flag("x", 0.1)]).space == {"x": Range("float", 0.0, 1.0, initial=0.5)}
    with pytest.raises(BadValue, match="mixes whole numbers"):
        read_space({"x": Typed("[0:1:0.5]")}, [Flag("x", 1)])

"""Usual calls are read without click, and mean what click takes them for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitrun.commands import declared
from gitrun.commands.verbs import VERBS, load_command, load_verb

HOT = ("run", "list", "select", "show", "compare", "rm", "tag", "push")
VALUES = ("1", "20", "x=1", "train.py", "completed", "lr<0.1", "a b", "", "0.5", "x")


def values_of_click(verb: str, words: list[str]) -> dict[str, Any] | None:
    """The values that click reads; None for an error."""
    try:
        return load_command(verb).make_context("", [*words], obj=()).params
    except click.ClickException:
        return None


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_declared(verb):
    assert isinstance(load_verb(verb), declared.Verb)


@pytest.mark.parametrize("verb", HOT)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_words_read_without_click_mean_what_click_reads(verb, data):
    names = sorted({word for one in load_verb(verb).parameters for word in one.words if word.startswith("-")})
    word = st.one_of(st.sampled_from(names), st.sampled_from(VALUES), st.sampled_from(names).map(lambda name: f"{name}=1"))
    words = data.draw(st.lists(word, max_size=5))
    values = load_verb(verb).read(words)
    if values is not None:
        assert values == values_of_click(verb, words)


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("run", []),
        ("run", ["train.py", "lr=0.1"]),
        ("run", ["--restart", "3fa2", "lr=0.2", "--needed"]),
        ("run", ["--tag", "a", "--tag=b", "-l", "best", "train.py", "--max-trials", "3"]),
        ("list", []),
        ("list", ["--json", "-n", "5", "--status", "completed", "--where=lr<0.1"]),
        ("select", ["1"]),
        ("show", ["3fa2", "--json"]),
    ],
)
def test_usual_calls_need_no_click(verb, words):
    values = load_verb(verb).read(words)
    assert values is not None
    assert values == values_of_click(verb, words)


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("run", ["--lr", "0.3", "train.py"]),
        ("run", ["-yn", "train.py"]),
        ("run", ["--restart"]),
        ("run", ["--restart", "--needed"]),
        ("run", ["--needed=1"]),
        ("run", ["--label", "a", "--label", "b"]),
        ("run", ["--max-trials", "x"]),
        ("list", ["-n", "0"]),
        ("list", ["-n5"]),
        ("list", ["--trials"]),
        ("list", ["--color=always"]),
        ("list", ["--status", "done"]),
        ("list", ["--", "1"]),
        ("log", ["1"]),
    ],
)
def test_unusual_calls_are_left_to_click(verb, words):
    assert load_verb(verb).read(words) is None


def test_an_error_is_caught_by_its_name_only_if_click_was_imported(monkeypatch):
    assert declared.click_error("Abort") == (click.Abort,)
    monkeypatch.delitem(__import__("sys").modules, "click")
    assert declared.click_error("Abort") == ()


def test_filters_are_declared_before_the_options_of_a_verb():
    assert [one.name for one in import_module("gitrun.commands.list").command.parameters][:3] == [
        "runs",
        "operations",
        "labels",
    ]

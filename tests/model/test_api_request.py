"""What a Python program asks for is read, or refused in one line before anything is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from runs_made_up import made_up

from gitrun.errors import UsageError
from gitrun.model.api_request import READERS, request_from
from gitrun.model.plan import Request

REFUSED = {
    "run has no option 'lr'": {"lr": 3},
    "command must be a list of words, not 'echo hi'": {"command": "echo hi"},
    "command must be text, not 1": {"command": ["sleep", 1]},
    "flags must be a mapping from names to values": {"flags": ["lr=0.1"]},
    "flags must be a mapping with names that are text, not 1": {"flags": {1: 2}},
    "restart must be a run": {"restart": 1.5},
    "needed must be True or False, not 'no'": {"needed": "no"},
    "clean must be True or False, not 1": {"clean": 1},
    "label must be text, not 3": {"label": 3},
    "tags must be a list of texts, not 3": {"tags": 3},
    "tags must be text, not None": {"tags": ["a", None]},
    "stop_after must be a number of seconds, not True": {"stop_after": True},
    "stop_after must be a number of seconds, not nan": {"stop_after": float("nan")},
    "'soon' is not a duration": {"stop_after": "soon"},
    "random_seed must be a whole number, not 'x'": {"random_seed": "x"},
    "gpus must be text, not 0": {"gpus": 0},
    "background is only for the command line": {"background": True},
}


@pytest.mark.parametrize(("words", "options"), REFUSED.items(), ids=REFUSED)
def test_what_an_option_does_not_take_is_refused(words, options) -> None:
    with pytest.raises(UsageError) as raised:
        request_from("a.py", options)
    assert raised.value.message.startswith(words)


@pytest.mark.parametrize(
    ("option", "given", "found"),
    [
        ("command", ["echo", Path("a")], ("echo", "a")),
        ("tags", "abc", ("abc",)),
        ("tags", {"a": 1}.keys(), ("a",)),
        ("links", Path("data"), ("data",)),
        ("restart", made_up("b" * 40), "b" * 40),
        ("restart", 1, "1"),
        ("restart", np.int64(2), "2"),
        ("restart", "echo.py", "echo.py"),
        ("stop_after", "1h30m", 5400.0),
        ("stop_after", 30, 30.0),
        ("random_seed", np.int32(7), 7),
        ("bring", True, True),
    ],
)
def test_what_means_the_same_is_taken(option, given, found) -> None:
    assert getattr(request_from(None, {option: given}), option) == found


def test_every_field_of_a_request_is_an_option_and_none_is_not_given() -> None:
    # `Project.batch` sets the first one, a worker the next, and the command line the last
    assert set(READERS) == set(Request.__slots__) - {"needs_batch", "worker", "options_behind"}
    assert request_from(Path("a.py"), dict.fromkeys(set(READERS) - {"operation"})) == Request(operation="a.py")


def test_name_that_is_no_option_may_be_meant_as_a_flag() -> None:
    with pytest.raises(UsageError, match=r"flags=\{\"lr\": 3\}"):
        request_from("a.py", {"lr": 3})

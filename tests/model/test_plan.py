"""A request that contradicts itself is refused in one line that says what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitrun.errors import UsageError
from gitrun.model.plan import Request, check_request
from gitrun.model.settings import Settings

REFUSED = {
    "no operation given": {},
    "--restart and 'a.py' cannot be combined": {"restart": "1", "operation": "a.py"},
    "--restart and 'make test' cannot be combined": {"restart": "1", "command": ("make", "test")},
    "--gpus and --no-gpus cannot be combined": {"operation": "a.py", "gpus": "0", "no_gpus": True},
    "would overwrite your working tree": {"restart": "1", "in_place": True},
    "--stage cannot be combined with --background or --in-place": {"operation": "a.py", "stage": True, "background": True},
    "--clean needs --restart": {"operation": "a.py", "clean": True},
    "--link and --no-link cannot be combined": {"operation": "a.py", "links": ("d",), "no_link": True},
    "at most 64 bits": {"operation": "a.py", "random_seed": 1 << 63},
}


@pytest.mark.parametrize(("words", "fields"), REFUSED.items(), ids=REFUSED)
def test_contradiction_is_refused(words, fields) -> None:
    with pytest.raises(UsageError, match=words):
        check_request(Request(**fields))


def test_what_was_not_asked_for_is_not_given() -> None:
    request = Request(operation="a.py", no_gpus=False, random_seed=0)
    assert request.given_params() == {"no_gpus": False, "random_seed": 0}


@pytest.mark.parametrize(
    ("link", "lend", "asked", "lends"),
    [
        (True, True, Request(), True),
        (False, True, Request(), False),
        (True, False, Request(), False),
        (False, False, Request(links=("data",)), True),
        (True, True, Request(no_link=True), False),
        (True, True, Request(no_link=True, links=("data",)), False),
    ],
)
def test_files_are_lent_as_settings_and_request_say(link, lend, asked, lends) -> None:
    assert asked.lends_files(replace(Settings(), link=link, lend=lend)) is lends

"""What a retention keeps: all that nobody asked to be rid of, and what somebody holds dear."""

from __future__ import annotations

from datetime import timedelta

import pytest
from runs_made_up import WHEN, made_up

from gitrun.upkeep.gc import Retention, runs_to_delete

AFTER = (WHEN + timedelta(days=1)).timestamp()


def aged(number: int, **more):
    """The run that is `number`th from the newest."""
    return made_up(f"{number:040x}", created=WHEN - timedelta(days=number), **more)


def test_nothing_is_superfluous_unless_something_is_asked() -> None:
    assert runs_to_delete([aged(1), aged(2)], Retention()) == []


def test_runs_from_before_a_time_are_superfluous() -> None:
    runs = [aged(1), aged(2), aged(3)]
    assert runs_to_delete(runs, Retention(before=runs[1].attempt.created.timestamp())) == [runs[2]]


def test_newest_of_each_operation_are_kept() -> None:
    runs = [aged(1), aged(2, operation="other"), aged(3), aged(4, operation="other")]
    assert runs_to_delete(runs, Retention(keep=1)) == runs[2:]


def test_all_that_is_given_must_hold() -> None:
    runs = [aged(1, status="error"), aged(2), aged(3, status="error"), aged(4)]
    assert runs_to_delete(runs, Retention(before=AFTER, keep=1, statuses=("error",))) == [runs[2]]


@pytest.mark.parametrize("dear", [{"marked": True}, {"label": "best"}, {"status": "running"}, {"status": "staged"}])
def test_marked_labelled_and_unfinished_runs_are_kept(dear) -> None:
    assert runs_to_delete([aged(1, **dear)], Retention(before=AFTER)) == []


def test_staged_runs_go_if_asked_for() -> None:
    run = aged(1, status="staged")
    assert runs_to_delete([run], Retention(statuses=("staged",))) == [run]

"""`--needed`: each status of a run, with flags that are equal and that are not; from section 5 of the design."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from runs_made_up import made_up

from gitrun.model.flags import Flags
from gitrun.model.plan import MATCHES, UNCHANGED, Plan, Source, skip_restart, skip_start
from gitrun.model.run import Params

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)
OLD, NEW = "5" * 40, "6" * 40


def plan(flags, operation="echo.py", source=OLD) -> Plan:
    return Plan(operation, "script", (), "", Flags(flags), Params(), Source(source, None, None), NOW, "nonce")


@pytest.mark.parametrize("status", ["completed", "terminated"])
def test_ended_run_with_equal_flags_is_skipped(status) -> None:
    skip = skip_restart(made_up(flags={"x": 1.0}, status=status), plan({"x": 1}), [], same_source=False)
    assert skip is not None
    assert skip.lines == (UNCHANGED,)


@pytest.mark.parametrize("status", ["error", "pending", "staged"])
def test_run_without_success_is_always_run_again(status) -> None:
    other = made_up("e" * 40, flags={"x": 1})
    assert skip_restart(made_up(flags={"x": 1}, status=status), plan({"x": 1}), [other], same_source=False) is None


@pytest.mark.parametrize("flags", [{}, {"x": 2}, {"x": True}, {"x": 1, "y": 0}, {"x": "1"}])
def test_other_flags_are_run_when_nobody_has_them(flags) -> None:
    run = made_up(flags={"x": 1})
    assert skip_restart(run, plan(flags), [run], same_source=False) is None


def test_other_runs_with_the_new_flags_are_listed() -> None:
    run, first, second = made_up(flags={"x": 1}), made_up("a1" * 20, flags={"x": 2}), made_up("b2" * 20, flags={"x": 2.0})
    skip = skip_restart(run, plan({"x": 2}), [run, first, second], same_source=False)
    assert skip is not None
    assert skip.lines == (
        MATCHES,
        "  [a1a1a1a1]  echo.py  2026-11-22 10:14:03  completed  x=2",
        "  [b2b2b2b2]  echo.py  2026-11-22 10:14:03  completed  x=2.0",
    )


@pytest.mark.parametrize(
    "other", [{"status": "error"}, {"status": "running"}, {"status": "staged"}, {"operation": "other.py"}, {"flags": {"x": 3}}]
)
def test_runs_that_failed_or_are_of_another_operation_make_nothing_unnecessary(other) -> None:
    assert skip_start(plan({"x": 2}), [made_up(**{"flags": {"x": 2}, **other})], same_source=False) is None


def test_with_the_source_counted_another_source_is_run() -> None:
    run = made_up(flags={"x": 1})
    assert skip_start(plan({"x": 1}, source=NEW), [run], same_source=True) is None
    assert skip_restart(run, plan({"x": 1}, source=NEW), [run], same_source=True) is None
    assert skip_start(plan({"x": 1}), [run], same_source=True)


def test_skip_knows_that_the_source_is_another() -> None:
    run = made_up(flags={"x": 1})
    assert [skip_start(plan({"x": 1}, source=tree), [run], same_source=False).source_differs for tree in (OLD, NEW)] == [
        False,
        True,
    ]


def test_line_of_a_run_is_safe_for_a_terminal() -> None:
    run = made_up("a1" * 20, "\x1b[2J", flags={"\u202ex": 1})
    skip = skip_start(plan({"\u202ex": 1}, "\x1b[2J"), [run], same_source=False)
    assert skip is not None
    assert "\x1b" not in skip.lines[1]
    assert "\u202e" not in skip.lines[1]

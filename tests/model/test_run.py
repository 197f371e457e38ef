"""A run as a value: frozen, hashable, picklable; as JSON; and the two questions of a restart."""

from __future__ import annotations

import json
import pickle
from dataclasses import FrozenInstanceError
from datetime import datetime, timedelta, timezone

import pytest
from runs_made_up import made_up

from gitrun.model.metrics import Metrics
from gitrun.model.run import Params, as_json, attempt_as_json, restart_needed, rfc3339_text, run_params_for_restart

KEYS = {
    "id", "operation", "status", "flags", "given", "label", "tags", "comments", "marked", "started", "stopped", "duration",
    "exit_status", "metrics", "source", "base", "branch", "batch", "trial", "trials", "worker",
}  # fmt: skip


def test_run_is_frozen() -> None:
    run = made_up(metrics=Metrics({"loss": 1.0}))
    with pytest.raises(FrozenInstanceError):
        run.tip = "a"
    with pytest.raises(TypeError):
        run.metrics["loss"] = 2.0


def test_equal_runs_are_one_in_a_set_and_after_a_pickle() -> None:
    run, same = (made_up(flags={"x": [1]}, metrics=Metrics({"loss": float("nan")})) for _ in range(2))
    assert {run, same, pickle.loads(pickle.dumps(run))} == {run}


def test_json_of_a_run_and_of_an_attempt_has_exactly_the_keys_of_the_design() -> None:
    run = made_up(flags={"x": 1}, label="best")
    assert as_json(run).keys() == attempt_as_json(run.attempt).keys() == KEYS
    assert json.loads(json.dumps(as_json(run)))["label"] == "best"


def test_get_knows_every_key_of_the_json_and_no_other() -> None:
    run = made_up(flags={"x": 1})
    assert {name: run.get(name) for name in KEYS} == as_json(run)
    assert run.get("no such key") is None


def test_flags_that_get_returns_are_a_plain_dict_of_its_own() -> None:
    run = made_up(flags={"x": 1.0, "y": 2, "z": "d"})
    run.get("flags")["x"] = 7
    assert repr(run.get("flags")) == "{'x': 1.0, 'y': 2, 'z': 'd'}"


def test_times_are_rfc3339_in_utc() -> None:
    time = datetime(2026, 11, 22, 12, 14, 3, tzinfo=timezone(timedelta(hours=2)))
    assert rfc3339_text(time) == "2026-11-22T10:14:03.000000Z"


@pytest.mark.parametrize("status", ["error", "pending", "staged"])
def test_restart_is_needed_after_no_success_whatever_the_flags(status) -> None:
    assert restart_needed(made_up(flags={"x": 1}, status=status), {"x": 1})


@pytest.mark.parametrize("status", ["completed", "terminated"])
@pytest.mark.parametrize(
    ("flags", "needed"),
    [({"x": 1, "y": None}, False), ({"x": 1.0}, False), ({}, True), ({"x": True}, True), ({"x": 1, "a": 0}, True)],
)
def test_restart_is_needed_when_the_whole_of_the_flags_differs(status, flags, needed) -> None:
    assert restart_needed(made_up(flags={"x": 1}, status=status), flags) is needed


def test_params_for_restart_have_nine_keys_less_those_that_are_given() -> None:
    run = made_up(params=Params(gpus="0,1", random_seed=7))
    assert run_params_for_restart(run) == {
        "force_flags": False, "gpus": "0,1", "max_trials": None, "maximize": None, "minimize": None, "no_gpus": False,
        "opt_flags": [], "optimizer": None, "random_seed": 7,
    }  # fmt: skip
    assert run_params_for_restart(run, {"gpus", "random_seed"}).keys().isdisjoint({"gpus", "random_seed"})


@pytest.mark.parametrize(
    ("operation", "command", "words"),
    [
        ("-m pkg.cli+", ("{python}", "-m", "pkg.cli", "fit"), ("fit",)),
        ("train.py+", ("{python}", "train.py", "fit"), ("fit",)),
        ("size.sh+", ("sh", "size.sh", "a"), ("a",)),
        ("prog+", ("./prog", "a"), ("a",)),
        ("bin/prog+", ("bin/prog", "a"), ("a",)),
        ("sh -c echo {x}+", ("sh", "-c", "echo {x}"), ()),
        ("make+", ("make",), ()),
    ],
)
def test_words_of_a_batch_are_those_of_its_trials(operation: str, command: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert made_up(operation=operation, command=command, kind="batch").attempt.words_behind == words

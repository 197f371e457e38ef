"""The bytes of a batch: its definition, its points and its trials are read as they were written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs_made_up import WHEN

from gitrun.errors import BadRun
from gitrun.model import batch_record, decode, encode, record_files
from gitrun.model.batch import BatchDefinition, CommitTree, Objective, Trial, count_trials
from gitrun.model.batch_record import decode_batch, encode_batch, encode_points, read_sampler, read_trials
from gitrun.model.flags import Flags
from gitrun.model.plan import Outcome, Plan, Source
from gitrun.model.run import Params
from gitrun.model.space import Choice, Range
from gitrun.model.trial_counts import BestTrial, TrialCounts

BIG = (1 << 63) - 1
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
REAL = st.floats(allow_nan=False, allow_infinity=False)
WHOLE = st.integers(-BIG, BIG)
PLAIN = st.one_of(st.booleans(), WHOLE, st.floats(allow_nan=False), TEXT)
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
FLAGS = st.dictionaries(TEXT, VALUES, max_size=3)
WHENS = st.dictionaries(TEXT, st.lists(VALUES, max_size=2).map(tuple), max_size=2)
CHOICES = st.builds(Choice, st.lists(VALUES, max_size=4).map(tuple), WHENS)
RANGES = st.one_of(
    st.builds(Range, st.just("float"), REAL, REAL, st.booleans(), st.none() | REAL, st.none() | REAL, WHENS),
    st.builds(Range, st.just("int"), WHOLE, WHOLE, st.booleans(), st.none() | WHOLE, st.none() | WHOLE, WHENS),
)
NAMES = TEXT.filter(bool)
IDS = st.integers(0, 1 << 159).map("{:040x}".format)
DEFINITIONS = st.builds(
    BatchDefinition,
    sampler=NAMES,
    space=st.dictionaries(TEXT, CHOICES | RANGES, max_size=3),
    points=st.lists(FLAGS, max_size=3).map(tuple),
    objectives=st.lists(st.builds(Objective, NAMES, st.booleans()), max_size=2).map(tuple),
    max_trials=st.none() | st.integers(1, BIG),
    seed=WHOLE,
    prune=TEXT,
    learn=NAMES,
    repeat=st.integers(1, BIG),
    engine=TEXT,
    options=FLAGS,
    commits=st.lists(st.builds(CommitTree, IDS, IDS), max_size=2).map(tuple),
)
LOSS = (Objective("loss"),)
GRID = BatchDefinition("grid", {"lr": Choice((0.1, 0.2))})
PLAN = Plan("train.py", "script", ("{python}", "train.py"), "", Flags({"lr": 0.1}), Params(random_seed=7),
            Source("5" * 40, None, None), WHEN, "nonce", batch="b" * 40, trial=17)  # fmt: skip
ORIGIN = decode.Origin("c" * 40, "A <a@b>", WHEN, None, "d" * 40)


def written(definition: BatchDefinition) -> bytes:
    return encode.encode_table(encode_batch(definition))


def read_again(plan: Plan, outcome: Outcome | None = None):
    parts = {record_files.RUN: encode.encode_run(plan)}
    if outcome:
        parts[record_files.RESULT] = encode.encode_result(outcome)
    return decode.read_attempt(ORIGIN, parts, live=False, times=None)


@given(DEFINITIONS)
def test_definition_is_read_as_it_was_written(definition) -> None:
    found = decode_batch(written(definition), encode_points(definition.points), definition.seed)
    assert repr(found) == repr(replace(definition, space=dict(sorted(definition.space.items()))))


def test_definition_is_written_as_the_format_says() -> None:
    space = {"opt": Choice(("adam", "sgd")), "lr": Range("float", 0.0001, 0.1, log=True, initial=0.01),
             "momentum": Range("float", 0, 1, when={"opt": ("sgd",)})}  # fmt: skip
    text = written(BatchDefinition("tpe", space, (), (Objective("loss"),), 50, 7, "median", engine="optuna 5.0.0")).decode()
    assert text == (
        'format = 1\nsampler = "tpe"\nengine = "optuna 5.0.0"\nmax_trials = 50\nprune = "median"\nlearn = "batch"\nrepeat = 1\n'
        'objectives = [\n    { metric = "loss", direction = "minimize" },\n]\n\n'
        '[space.lr]\nkind = "float"\nlow = 0.0001\nhigh = 0.1\nlog = true\ninitial = 0.01\n\n'
        '[space.momentum]\nkind = "float"\nlow = 0.0\nhigh = 1.0\n\n[space.momentum.when]\nopt = [\n    "sgd",\n]\n\n'
        '[space.opt]\nkind = "choice"\nvalues = [\n    "adam",\n    "sgd",\n]\n'
    )


def test_unknown_keys_of_a_batch_are_ignored() -> None:
    later = b'colour = "red"\n' + written(GRID) + b"weight = 3\n[later]\nx = 1\n"
    assert decode_batch(later) == GRID


@pytest.mark.parametrize(("old", "new", "says"), [
    (b"format = 1", b"format = 2", "format 2, which is newer"),
    (b"format = 1", b"format = true", "no valid format"),
    (b'sampler = "grid"', b"sampler = 3", "no sampler"),
    (b'"choice"', b'"sphere"', "unknown kind 'sphere'"),
    (b'"choice"', b'"float"', "no valid bounds"),
    (b"values", b"value", "no list of values"),
    (b"0.1,", b"2026-01-01,", "cannot hold"),
    (b"[space.lr]", b"[space.lr", "not TOML"),
    (b"[space.lr]", b"objectives = [{ metric = 'loss', direction = 'up' }]\n[space.lr]", "objective"),
])  # fmt: skip
def test_unsound_batch_is_refused_with_its_reason(old, new, says) -> None:
    with pytest.raises(BadRun, match=says):
        decode_batch(written(GRID).replace(old, new))


@pytest.mark.parametrize(("rows", "says"), [(b'{"a": 1}\n[1]\n', "line 2 is not an object"), (b"{\n", "line 1 is not JSON"),
                                            (b'{"a": null}\n', "cannot hold"), (b'{"a": {}}\n', "cannot hold")])  # fmt: skip
def test_unsound_points_are_refused_with_their_line(rows, says) -> None:
    with pytest.raises(BadRun, match=says):
        decode_batch(written(GRID), rows)


def test_batch_larger_than_its_limit_is_refused() -> None:
    with pytest.raises(BadRun, match="larger than 16 MiB"):
        decode_batch(written(GRID), b"\n" * (record_files.MAX_BATCH + 1))


@given(st.binary(max_size=60))
def test_no_bytes_of_a_batch_crash_the_reader(data) -> None:
    with pytest.raises(BadRun, match=r"batch\.toml"):  # bytes that name no sampler are never a batch
        decode_batch(data, data)


def test_trial_names_its_batch_its_number_and_its_sampler() -> None:
    plan = replace(PLAN, sampler={"cma": "aGk=", "told": [1, 2]})
    attempt = read_again(plan)
    assert (attempt.batch, attempt.trial) == ("b" * 40, 17)
    assert read_sampler(encode.encode_run(plan)) == {"cma": "aGk=", "told": [1, 2]}


def test_plain_run_records_nothing_of_batches() -> None:
    plan = replace(PLAN, batch=None, trial=None)
    assert not {b"batch", b"trial", b"sampler"} & set(encode.encode_run(plan).split())
    attempt = read_again(plan, Outcome("completed", 0, WHEN, WHEN, 1.0))
    assert (attempt.batch, attempt.trial, attempt.pruned, attempt.counts) == (None, None, None, None)


def test_all_nine_parameters_are_read_as_written() -> None:
    params = Params(force_flags=True, gpus="0,1", max_trials=50, maximize="acc", minimize="loss", no_gpus=True,
                    opt_flags=("n=5", "m=x"), optimizer="tpe", random_seed=7)  # fmt: skip
    assert read_again(replace(PLAN, params=params)).params == params


def test_pruned_trial_is_terminated_and_shown_as_pruned() -> None:
    attempt = read_again(PLAN, Outcome("terminated", -15, WHEN, WHEN, 1.0, pruned=3))
    assert (attempt.status, attempt.pruned, attempt.shown_status) == ("terminated", 3, "pruned")
    claimed = read_again(PLAN, Outcome("completed", 0, WHEN, WHEN, 1.0, pruned=3))
    assert (claimed.pruned, claimed.shown_status) == (None, "completed")


TRIALS = (
    Trial(1, {}, "completed", "1" * 40, (0.5,)), Trial(2, {}, "pruned", "2" * 40), Trial(3, {}, "error", "3" * 40),
    Trial(4, {}, "completed", "4" * 40, (0.25,), reused=True), Trial(5, {}, "terminated", "5" * 40),
    Trial(6, {"lr": 0.1, "name": "[x]\n[[trials]]\n"}, "error", tree="6" * 40, reason="no flag 'x'"),
)  # fmt: skip


def batch_outcome(trials=TRIALS, total: int = 8, objectives=LOSS) -> Outcome:
    return Outcome("completed", 0, WHEN, WHEN, 1.0, counts=count_trials(trials, total, objectives), trials=trials)


def test_result_of_a_batch_is_read_as_it_was_written() -> None:
    outcome = batch_outcome()
    assert read_again(PLAN, outcome).counts == TrialCounts(8, 2, 1, 2, 1, 2, BestTrial(4, "4" * 40, 0.25))
    assert read_trials(encode.encode_result(outcome)) == TRIALS


def test_greatest_value_is_best_when_maximizing() -> None:
    assert count_trials(TRIALS, 5, (Objective("acc", minimize=False),)).best == BestTrial(1, "1" * 40, 0.5)


def test_batch_with_two_objectives_has_no_best_trial() -> None:
    trials = (Trial(1, {}, "completed", "1" * 40, (0.5, 2.0)),)
    objectives = (Objective("loss"), Objective("acc", minimize=False))
    outcome = batch_outcome(trials, 1, objectives)
    assert read_again(PLAN, outcome).counts == TrialCounts(1, 1)
    assert read_trials(encode.encode_result(outcome)) == trials


def test_ten_thousand_trials_fit_in_a_result() -> None:
    trials = tuple(Trial(number, {}, "completed", f"{number:040x}", (number / 7,)) for number in range(1, 10_001))
    data = encode.encode_result(batch_outcome(trials, 10_000))
    assert len(data) > decode.MAX_TOML
    assert read_trials(data) == trials
    assert decode.parse_toml(data, record_files.RESULT)["batch"]["total"] == 10_000


def test_counts_of_a_batch_are_read_without_its_trials() -> None:
    data = encode.encode_result(batch_outcome()).replace(b"number = 5", b"number = = 5")
    parts = {record_files.RUN: encode.encode_run(PLAN), record_files.RESULT: data}
    assert decode.read_attempt(ORIGIN, parts, live=False, times=None).counts.completed == 2
    with pytest.raises(BadRun):
        read_trials(data)


def test_trials_from_elsewhere_are_read_as_far_as_sound() -> None:
    data = b"""status = 'completed'
[[trials]]
number = 1
run = "refs/heads/main"
value = "x"
[[trials]]
number = "2"
[[trials]]
number = 3
values = [1, true, "x", 2.5]
"""
    assert read_trials(data) == (Trial(1, {}, "pending"), Trial(3, {}, "pending", values=(1.0, 2.5)))
    assert read_trials(None) == read_trials(b"") == ()


def test_module_names_every_ending_in_the_result() -> None:
    found = batch_record.encode_outcome(batch_outcome())
    assert sum(found["batch"][name] for name in ("completed", "pruned", "error", "terminated", "pending")) == 8

"""Pruners decide as Optuna does in a straight run: live, after an interruption, and at any pace of the steps."""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import optuna
import pytest
from sampled import sampled_values

from gitrun.errors import BadValue, MissingPackage
from gitrun.lifecycle import samplers
from gitrun.model.batch import BatchDefinition, Objective, Trial
from gitrun.model.space import Range

BATCH = "3f9c21aa3f9c21aa3f9c21aa3f9c21aa"
STRAIGHT = {
    "median": optuna.pruners.MedianPruner,
    "percentile": lambda: optuna.pruners.PercentilePruner(25.0),
    "halving": optuna.pruners.SuccessiveHalvingPruner,
    "hyperband": optuna.pruners.HyperbandPruner,
    "threshold": lambda: optuna.pruners.ThresholdPruner(upper=0.9),
}
SETTINGS = {"threshold": {"prune_upper": 0.9}}


def batch(name, **others):
    values = {"objectives": (Objective("loss"),), "prune": name, "options": SETTINGS.get(name, {}), **others}
    return BatchDefinition("random", {"x": Range("float", 0, 1)}, **values)


def curve(number, steps=27):
    """What trial `number` would log: better and worse ones in turn, some of which cross."""
    end, speed = (number * 37 % 11) / 11, 1 + number * 13 % 5
    return tuple((step, end + math.exp(-step * speed / 12) * (number * 7 % 3) / 3) for step in range(1, steps + 1))


def straight_run(name, count, minimize=True):
    """The steps that trials of Optuna itself get to. Its study is named for the batch."""
    study = optuna.create_study(
        study_name=BATCH, pruner=STRAIGHT[name](), direction="minimize" if minimize else "maximize",
        sampler=optuna.samplers.RandomSampler(0),
    )  # fmt: skip
    reached = []
    for number in range(1, count + 1):
        trial, last = study.ask(), 0
        for step, value in curve(number):
            last = step
            trial.report(value, step)
            if trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            study.tell(trial, curve(number)[-1][1])
        reached.append(last)
    return reached


def trial_until(number, steps):
    """Trial `number` as it is recorded once it has ended after some steps."""
    series = curve(number)[:steps]
    if steps < len(curve(number)):
        return Trial(number, {}, "pruned", series=series)
    return Trial(number, {}, "completed", values=(series[-1][1],), series=series)


def run_trial(pruner, number, known, pace=1):
    """The step at which the pruner ends the trial, whose steps are seen in portions."""
    series = curve(number)
    for seen in range(pace, len(series) + pace, pace):
        running = Trial(number, {}, "running", series=series[:seen])
        if pruner.should_stop(running, [*known, running]):
            return min(seen, len(series))
    return len(series)


@pytest.mark.parametrize("name", STRAIGHT)
@pytest.mark.parametrize("minimize", [True, False])
def test_live_pruner_decides_as_optuna_does(name, minimize):
    reached = straight_run(name, 24, minimize)
    assert len({*reached}) > 1
    pruner, known = samplers.make_pruner(batch(name, objectives=(Objective("loss", minimize),)), BATCH), []
    for number, steps in enumerate(reached, 1):
        assert run_trial(pruner, number, known) == steps, number
        known.append(trial_until(number, steps))


@pytest.mark.parametrize("name", STRAIGHT)
def test_pruner_of_another_process_decides_as_optuna_does(name):
    reached = straight_run(name, 24)
    known = [trial_until(number, steps) for number, steps in enumerate(reached, 1)]
    for number in range(1, 25):
        assert run_trial(samplers.make_pruner(batch(name), BATCH), number, known[: number - 1]) == reached[number - 1], number


@pytest.mark.parametrize("name", sampled_values(2, STRAIGHT))
def test_steps_that_arrive_together_are_judged_each(name):
    reached = straight_run(name, 24)
    known = [trial_until(number, steps) for number, steps in enumerate(reached, 1)]
    for number in range(1, 25):
        stopped = run_trial(samplers.make_pruner(batch(name), BATCH), number, known[: number - 1], pace=27)
        series = curve(number)
        assert stopped == len(series)
        whole = Trial(number, {}, "running", series=series)
        is_hopeless = samplers.make_pruner(batch(name), BATCH).should_stop(whole, known[: number - 1])
        assert is_hopeless == (reached[number - 1] < len(series)), number


def test_brackets_of_hyperband_depend_on_the_batch():
    known = [trial_until(number, 27) for number in range(1, 25)]

    def decisions(batch_id):
        pruner = samplers.make_pruner(batch("hyperband"), batch_id)
        return [run_trial(pruner, number, known[: number - 1]) for number in range(1, 25)]

    assert decisions(BATCH) == decisions(BATCH) != decisions("another")


def test_steps_of_all_running_trials_are_judged():
    known = [trial_until(number, 27) for number in range(1, 11)]
    bad = tuple((step, 50.0) for step in range(1, 10))
    running = [Trial(11, {}, "running", series=((1, -9.0), (2, -9.0))), Trial(12, {}, "running", series=bad)]
    pruner = samplers.make_pruner(batch("median"), BATCH)
    assert not pruner.should_stop(running[0], [*known, *running])
    assert pruner.should_stop(running[1], [*known, *running])


def test_trial_that_begins_again_is_judged_anew():
    known = [trial_until(number, 27) for number in range(1, 11)]
    pruner = samplers.make_pruner(batch("median"), BATCH)
    assert pruner.should_stop(Trial(11, {}, "running", series=((1, 50.0),)), known)
    assert not pruner.should_stop(Trial(11, {}, "running", series=((1, -50.0),)), known)


def test_numbers_without_a_trial_and_odd_steps_do_no_harm():
    known = [trial_until(number, 27) for number in (2, 5, 6, 9, 12, 13, 14)]
    odd = ((-1, 0.0), (1, math.nan), (1, 0.1), (2, math.inf))
    for name in STRAIGHT:
        pruner = samplers.make_pruner(batch(name), BATCH)
        assert pruner.should_stop(Trial(20, {}, "running", series=odd), known) in {True, False}
        assert not pruner.should_stop(Trial(21, {}, "running"), known)


def test_nothing_is_pruned_unless_asked():
    assert samplers.make_pruner(batch(""), BATCH) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prune": "mean"}, "no pruner 'mean'.*median, percentile, halving, hyperband, threshold"),
        ({"objectives": ()}, "needs a metric.*--minimize"),
        ({"objectives": (Objective("a"), Objective("b"))}, "several metrics cannot be pruned"),
        ({"prune": "threshold"}, "pruner threshold: .*prune_lower.*prune_upper"),
        ({"options": {"prune_speed": 1}}, "pruner median has no setting 'prune_speed'.*prune_n_warmup_steps"),
        ({"options": {"prune_n_warmup_steps": "x"}}, "must be a whole number"),
        ({"prune": "halving", "options": {"prune_reduction_factor": 1}}, "pruner halving: .*reduction_factor"),
    ],
)
def test_pruners_and_settings_that_there_are_not_are_refused(change, words):
    with pytest.raises(BadValue, match=words):
        samplers.check_sampler(replace(batch("median"), **change))


def test_settings_of_a_pruner_are_used():
    known = [trial_until(number, 27) for number in range(1, 3)]
    bad = Trial(3, {}, "running", series=((1, 50.0),))
    assert not samplers.make_pruner(batch("median"), BATCH).should_stop(bad, known)
    assert samplers.make_pruner(batch("median", options={"prune-n-startup-trials": 1}), BATCH).should_stop(bad, known)


def test_pruner_without_optuna_is_refused_with_the_words_that_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingPackage, match=r"--prune median needs Optuna.*git-run-tracker\[optuna\]"):
        samplers.check_sampler(batch("median"))


def test_pruners_write_nothing(capfd, recwarn):
    for name in STRAIGHT:
        run_trial(samplers.make_pruner(batch(name), BATCH), 4, [trial_until(number, 27) for number in range(1, 4)])
    assert (*capfd.readouterr(), list(recwarn)) == ("", "", [])

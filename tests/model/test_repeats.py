"""Points that are tried several times: the same flags in a row, and one value for the sampler."""

from __future__ import annotations

import pytest
from sampled import sampled_values

from gitrun.lifecycle.samplers import make_sampler
from gitrun.model.batch import BatchDefinition, Objective, Trial
from gitrun.model.repeats import has_repeats, merge_trials
from gitrun.model.space import Choice, Range


def search(name="random", space=None, repeat=3, **others):
    return BatchDefinition(name, space or {"x": Range("float", 0, 1)}, objectives=(Objective("loss"),), repeat=repeat, **others)


def go_on(definition, count, trials=()):
    trials = list(trials)
    sampler = make_sampler(definition)
    for number in range(len(trials) + 1, count + 1):
        proposal = sampler.propose(number, trials)
        if proposal is None:
            break
        noise = (number * 7 % 3) / 100
        flags = {"epochs": 3, **proposal.flags}
        trials.append(Trial(number, flags, "completed", values=(flags["x"] + noise,), attrs=proposal.attrs))
    return trials


def test_each_point_is_proposed_so_many_times_in_a_row():
    values = [trial.flags["x"] for trial in go_on(search(), 12)]
    assert values == [value for value in values[::3] for _ in range(3)]
    assert values[::3] == [trial.flags["x"] for trial in go_on(search(repeat=1), 4)]


@pytest.mark.parametrize("name", sampled_values(1, ["random", "tpe", "cmaes"]))
def test_repeated_proposals_are_the_same_after_an_interruption(name):
    definition = search(name, {"x": Range("float", 0, 1), "y": Range("float", 0, 1)})
    straight = go_on(definition, 45)
    for known in range(0, 45, 2):
        assert go_on(definition, 45, straight[:known]) == straight, known


def test_repeats_do_not_exhaust_the_space():
    assert len(go_on(search(space={"x": Choice((1, 2))}), 20)) == 6


def test_trial_that_was_deleted_is_proposed_again():
    trials = go_on(search(), 9)
    sampler = make_sampler(search())
    assert sampler.propose(4, trials[:3] + trials[4:]).flags["x"] == trials[3].flags["x"]
    assert sampler.propose(10, trials[:3] + trials[5:]).flags["x"] == trials[3].flags["x"]


@pytest.mark.parametrize(
    ("endings", "status", "values"),
    [
        ([("completed", 3.0), ("completed", 1.0), ("completed", 2.0)], "completed", (2.0,)),
        ([("completed", 3.0), ("error", None), ("completed", 1.0)], "completed", (2.0,)),
        ([("error", None), ("terminated", None), ("completed", None)], "error", ()),
        ([("error", None), ("pruned", None), ("error", None)], "pruned", ()),
        ([("completed", 3.0), ("completed", 1.0)], "running", ()),
        ([("completed", 3.0), ("completed", 1.0), ("running", None)], "running", ()),
    ],
)
def test_value_of_a_point_is_the_median_of_its_trials(endings, status, values):
    trials = [
        Trial(number, {"x": 1}, ended, values=() if value is None else (value,))
        for number, (ended, value) in enumerate(endings, 4)
    ]
    merged = merge_trials(2, trials, 3)
    assert (merged.number, merged.status, merged.values) == (2, status, values)


@pytest.mark.parametrize(
    ("values", "expected"), [((1, 2), False), ((1, 2, 1), True), ((1, 1.0), True), ((1, True), False), (([1], [1]), True)]
)
def test_equal_values_of_a_list_are_repeats(values, expected):
    assert has_repeats(BatchDefinition("grid", {"x": Choice(values)})) == expected
    assert has_repeats(BatchDefinition("grid", {}, points=tuple({"x": value} for value in values))) == expected
    assert not has_repeats(BatchDefinition("random", {"x": Choice(values)}))
    assert has_repeats(BatchDefinition("random", {"x": Choice(values)}, repeat=2))

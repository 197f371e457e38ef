"""Random points: the same again after any interruption, of the right kind, within the bounds, none twice."""

from __future__ import annotations

import math

import pytest
from searches import SPACE, search

from gitrun.model.batch import Trial
from gitrun.model.sampling import RandomSampler
from gitrun.model.space import Choice, Range


def propose_all(sampler, count, trials=()):
    """The flags of trials up to `count`, each told with all flags of its run before the next one is asked for."""
    trials = list(trials)
    for number in range(len(trials) + 1, count + 1):
        flags = sampler.propose(number, trials).flags
        trials.append(Trial(number, {"epochs": 3, **flags}, "completed", values=(0.5,)))
    return trials


@pytest.mark.parametrize("interrupted", range(12))
def test_random_proposals_are_the_same_after_an_interruption(interrupted):
    straight = propose_all(RandomSampler(search(SPACE)), 12)
    assert propose_all(RandomSampler(search(SPACE)), 12, straight[:interrupted]) == straight


def test_proposals_depend_on_seed_and_number_alone():
    sampler = RandomSampler(search(SPACE))
    flags = [sampler.propose(number, ()).flags for number in (1, 2, 3)]
    assert [sampler.propose(number, ()).flags for number in (3, 2, 1)] == flags[::-1]
    assert RandomSampler(search(SPACE, seed=8)).propose(1, ()).flags != flags[0]
    # a change of these values makes batches go on differently after an update
    assert RandomSampler(search({"n": Range("int", 0, 10**9)}, seed=0)).propose(1, ()).flags == {"n": 774_116_474}


def test_values_are_of_their_kind_and_within_the_bounds():
    for trial in propose_all(RandomSampler(search(SPACE)), 300):
        for name, value in trial.flags.items():
            domain = SPACE.get(name)
            if isinstance(domain, Range):
                assert type(value) is (int if domain.kind == "int" else float)
                assert domain.low <= value <= domain.high
        assert trial.flags["width"] % 16 == 0
        assert trial.flags["drop"] in {0.0, 0.1, 0.2, 0.3}


def test_bounds_of_a_stepped_range_are_reached():
    flags = [RandomSampler(search(SPACE, seed)).propose(1, ()).flags for seed in range(300)]
    assert {flag["drop"] for flag in flags} == {0.0, 0.1, 0.2, 0.3}
    assert {flag["layers"] for flag in flags} == set(range(1, 9))
    assert {16, 256} <= {flag["width"] for flag in flags}


def test_logarithmic_ranges_are_searched_evenly_in_the_logarithm():
    flags = [RandomSampler(search(SPACE, seed)).propose(1, ()).flags for seed in range(400)]
    for name, middle in (("lr", 1e-3), ("size", math.sqrt(1000))):
        assert 150 < sum(flag[name] < middle for flag in flags) < 250


def test_widest_range_of_floats_is_searched():
    values = [
        RandomSampler(search({"x": Range("float", -1.7e308, 1.7e308)}, seed)).propose(1, ()).flags["x"] for seed in range(20)
    ]
    assert all(map(math.isfinite, values))
    assert len(set(values)) == 20


def test_initial_value_is_that_of_the_first_trial_alone():
    space = {"x": Range("float", 0, 1, initial=0.25), "n": Range("int", 1, 10**6, initial=5), "y": Range("float", 0, 1)}
    trials = propose_all(RandomSampler(search(space)), 3)
    assert (trials[0].flags["x"], trials[0].flags["n"]) == (0.25, 5)
    assert all(trial.flags["x"] != 0.25 and trial.flags["n"] != 5 for trial in trials[1:])


def test_conditional_flag_is_absent_unless_its_condition_holds():
    trials = propose_all(RandomSampler(search(SPACE)), 60)
    assert {trial.flags["opt"] for trial in trials} == {"adam", "sgd"}
    assert all(("momentum" in trial.flags) == (trial.flags["opt"] == "sgd") for trial in trials)


def test_condition_of_a_condition_is_obeyed():
    space = {
        "a": Choice((1, True)),
        "b": Choice(("x", "y"), when={"a": (True,)}),
        "c": Range("int", 0, 9, when={"b": ("y",)}),
    }
    options = {"allow_repeats": True}
    flags = [trial.flags for trial in propose_all(RandomSampler(search(space, options=options)), 80)]
    assert all(("b" in flag) == (flag["a"] is True) for flag in flags)
    assert all(("c" in flag) == (flag.get("b") == "y") for flag in flags)
    assert any("c" in flag for flag in flags)


def test_default_value_of_an_absent_flag_makes_no_other_point():
    space = {"opt": Choice(("adam",)), "momentum": Range("float", 0, 1, when={"opt": ("sgd",)})}
    told = [Trial(1, {"opt": "adam", "momentum": 0.9}, "completed")]
    assert RandomSampler(search(space)).propose(2, told) is None


@pytest.mark.parametrize(
    ("space", "count"),
    [
        ({"x": Choice((1, 2, 3)), "y": Choice(("a", "b"))}, 6),
        ({"x": Range("int", 1, 40)}, 40),
        ({"x": Range("float", 0, 1, step=0.1)}, 11),
        ({"a": Choice((True, False)), "b": Choice((1, 2, 3), when={"a": (True,)})}, 4),
    ],
)
def test_each_point_is_proposed_once_until_the_space_is_exhausted(space, count):
    sampler, trials = RandomSampler(search(space)), []
    while proposal := sampler.propose(len(trials) + 1, trials):
        trials.append(Trial(len(trials) + 1, proposal.flags, "running"))
    assert len({tuple(trial.flags.items()) for trial in trials}) == len(trials) == count


def test_equal_points_are_proposed_if_repeats_are_allowed():
    space = {"x": Choice((1,))}
    trials = propose_all(RandomSampler(search(space, options={"allow_repeats": True})), 3)
    assert [trial.flags["x"] for trial in trials] == [1, 1, 1]


def test_true_and_one_are_different_points():
    sampler = RandomSampler(search({"v": Choice((True, 1))}))
    first = sampler.propose(1, ()).flags["v"]
    second = sampler.propose(2, [Trial(1, {"v": first}, "completed")]).flags["v"]
    assert {type(first), type(second)} == {bool, int}
    assert sampler.propose(3, [Trial(1, {"v": True}, "completed"), Trial(2, {"v": 1}, "completed")]) is None


def test_whole_number_and_equal_float_are_one_point():
    assert RandomSampler(search({"v": Choice((1, 1.0))})).propose(2, [Trial(1, {"v": 1.0}, "completed")]) is None


def test_trial_is_proposed_again_beside_its_own_record():
    sampler = RandomSampler(search({"x": Range("float", 0, 1)}))
    flags = sampler.propose(1, ()).flags
    assert sampler.propose(1, [Trial(1, flags, "terminated")]).flags == flags


def test_rows_of_a_file_are_drawn_whole():
    rows = ({"a": 1, "b": 10}, {"a": 2, "b": 20})
    definition = search({"x": Range("float", 0, 1), "a": Choice((5,))}, points=rows)
    flags = [trial.flags for trial in propose_all(RandomSampler(definition), 20)]
    assert {(flag["a"], flag["b"]) for flag in flags} == {(5, 10), (5, 20)}


def test_thousands_of_random_proposals_take_no_time():
    assert len(propose_all(RandomSampler(search(SPACE)), 2000)) == 2000

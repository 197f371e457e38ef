"""Samplers and pruners of the real Optuna: the same after any interruption, quiet, and told nothing that is not so."""

from __future__ import annotations

import math
import os
import pickle
import sys
from dataclasses import replace

import optuna
import pytest
from sampled import sampled_values

from gitrun.errors import BadValue, MissingPackage
from gitrun.lifecycle import samplers
from gitrun.model.batch import BatchDefinition, Objective, Trial
from gitrun.model.space import Choice, Range

SPACE = {
    "lr": Range("float", 1e-5, 0.1, log=True),
    "layers": Range("int", 1, 8),
    "drop": Range("float", 0.0, 0.3, step=0.1),
    "opt": Choice(("adam", "sgd")),
    "momentum": Range("float", 0.0, 1.0, when={"opt": ("sgd",)}),
}
NUMBERS = {"x": Range("float", -5, 5), "y": Range("float", -5, 5), "n": Range("int", 1, 64, log=True)}
LOSS = (Objective("loss"),)
HERE = ("tpe", "cmaes", "nsga2", "qmc")
SMALL = {"cmaes": {"popsize": 5}, "nsga2": {"population_size": 6}}


def search(name, space=SPACE, **others):
    values = {"seed": 3, "objectives": LOSS, "options": SMALL.get(name, {}), **others}
    return BatchDefinition(name, space, **values)


def loss(flags):
    found = (math.log10(flags["lr"]) + 3) ** 2 + abs(flags["layers"] - 4) + flags["drop"]
    return found + ((flags["momentum"] - 0.5) ** 2 if flags["opt"] == "sgd" else 0.5)


def bowl(flags):
    return (flags["x"] - 1) ** 2 + (flags["y"] + 2) ** 2 + abs(flags["n"] - 8) / 8


def end(trial, function=loss):
    return replace(trial, status="completed", values=(function(trial.flags),))


def go_on(definition, count, trials=(), function=loss):
    """The trials of one worker that knows `trials` already, as another process would go on."""
    sampler, trials = samplers.make_sampler(definition), list(trials)
    for number in range(len(trials) + 1, count + 1):
        proposal = sampler.propose(number, trials)
        trials.append(end(Trial(number, proposal.flags, "running", attrs=proposal.attrs), function))
    return trials


SPACES = {"conditional": (SPACE, loss), "numbers": (NUMBERS, bowl)}
BY_DEFAULT = {("tpe", "conditional"), ("cmaes", "numbers"), ("nsga2", "conditional"), ("qmc", "numbers")}


@pytest.mark.parametrize(
    ("name", "space", "function"),
    [
        pytest.param(name, *SPACES[space], id=f"{name}-{space}", marks=() if (name, space) in BY_DEFAULT else pytest.mark.slow)
        for name in HERE
        for space in SPACES
    ],
)
def test_proposals_are_the_same_after_an_interruption_at_any_trial(name, space, function):
    straight = go_on(search(name, space), 24, function=function)
    for known in range(24):
        # a sampler that has gone on for three trials has all that it keeps between them
        count = 24 if known % 8 == 0 else min(24, known + 3)
        assert go_on(search(name, space), count, straight[:known], function) == straight[:count], known


@pytest.mark.parametrize("name", sampled_values(1, ["tpe", "cmaes", "nsga2"]))
def test_proposals_of_several_workers_are_the_same_from_the_recorded_trials(name):
    definition, trials, rebuilt = search(name, NUMBERS), [], []
    sampler = samplers.make_sampler(definition)
    for number in range(1, 31):
        proposal = sampler.propose(number, trials)
        rebuilt.append(samplers.make_sampler(definition).propose(number, trials))
        assert rebuilt[-1] == proposal, number
        trials.append(Trial(number, proposal.flags, "running", attrs=proposal.attrs))
        # three at a time, which end in an order of their own
        running = [trial for trial in trials if trial.status == "running"]
        if len(running) == 3:
            ended = running[(number * 7) % 3]
            trials[ended.number - 1] = end(ended, bowl)
    assert any(proposal.attrs for proposal in rebuilt)


@pytest.mark.parametrize(("name", "enough"), [("tpe", 0.01), ("cmaes", 0.05)])
def test_samplers_learn_from_what_they_are_told(name, enough):
    definition = search(name, NUMBERS, options={})
    best = min(trial.values[0] for trial in go_on(definition, 80, function=bowl))
    drawn = min(trial.values[0] for trial in go_on(search("random", NUMBERS), 80, function=bowl))
    assert best < drawn / 2 or best < enough


def test_proposals_beside_running_trials_are_different():
    known = go_on(search("tpe", NUMBERS), 20, function=bowl)
    sampler, trials = samplers.make_sampler(search("tpe", NUMBERS)), list(known)
    for number in range(21, 25):
        trials.append(Trial(number, sampler.propose(number, trials).flags, "running"))
    points = [(trial.flags["x"], trial.flags["y"]) for trial in trials[20:]]
    assert min(math.dist(a, b) for index, a in enumerate(points) for b in points[:index]) > 0.05


def test_true_and_one_are_kept_apart():
    space = {"v": Choice((True, 1, 0, False)), "x": Range("float", 0, 1)}
    told = [
        Trial(n, {"v": (True, 1, 0, False)[n % 4], "x": n / 40}, "completed", values=(float(n % 4 != 1),)) for n in range(1, 41)
    ]
    sampler = samplers.make_sampler(search("tpe", space))
    values = [sampler.propose(number, told).flags["v"] for number in range(41, 61)]
    assert sum(value is not True and value == 1 for value in values) > 15


def test_values_are_of_their_kind_and_on_their_steps():
    for name in HERE:
        for trial in go_on(search(name), 30):
            assert type(trial.flags["lr"]) is type(trial.flags["drop"]) is float
            assert type(trial.flags["layers"]) is int
            assert trial.flags["drop"] in {0.0, 0.1, 0.2, 0.3}
            assert ("momentum" in trial.flags) == (trial.flags["opt"] == "sgd")


@pytest.mark.parametrize("name", HERE)
def test_initial_values_are_those_of_the_first_trial(name):
    space = {**NUMBERS, "x": Range("float", -5, 5, initial=0.25), "n": Range("int", 1, 64, log=True, initial=9)}
    trials = go_on(search(name, space), 12, function=bowl)
    assert (trials[0].flags["x"], trials[0].flags["n"]) == (0.25, 9)
    assert all(trial.flags["x"] != 0.25 for trial in trials[1:5])
    assert go_on(search(name, space), 12, trials[:5], bowl) == trials


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["tpe", "cmaes", "nsga2"])
def test_values_that_are_no_numbers_teach_nothing(name, value):
    known = go_on(search(name, NUMBERS), 20, function=bowl)
    odd = [replace(trial, values=(value,)) if trial.number % 5 == 0 else trial for trial in known]
    failed = [replace(trial, status="error", values=()) if trial.number % 5 == 0 else trial for trial in known]
    assert len({str(samplers.make_sampler(search(name, NUMBERS)).propose(21, told)) for told in (odd, failed)}) == 1


@pytest.mark.parametrize("name", HERE)
def test_search_goes_on_if_all_trials_fail(name):
    sampler, trials = samplers.make_sampler(search(name)), []
    for number in range(1, 20):
        trials.append(Trial(number, sampler.propose(number, trials).flags, "error"))
    assert len({str(trial.flags) for trial in trials}) == 19


def test_trials_outside_of_the_space_teach_nothing():
    known = go_on(search("tpe"), 20)
    flags = known[0].flags
    outside = ({"lr": 0.5}, {"drop": 0.05}, {"layers": 1.5}, {"layers": True}, {"opt": "rmsprop"}, {"lr": "fast"})
    odd = [Trial(0, {**flags, **changes}, "completed", values=(-9.0,)) for changes in outside]
    odd.append(Trial(0, {"epochs": 3}, "completed", values=(-9.0,)))
    proposals = [samplers.make_sampler(search("tpe")).propose(21, told) for told in (known, [*odd, *known])]
    assert proposals[0] == proposals[1]


def test_numbers_of_another_type_are_knowledge():
    known = [
        replace(trial, flags={**trial.flags, "x": float(round(trial.flags["x"]))})
        for trial in go_on(search("tpe", NUMBERS), 20, function=bowl)
    ]
    whole = [replace(trial, flags={**trial.flags, "x": int(trial.flags["x"]), "n": float(trial.flags["n"])}) for trial in known]
    proposals = [samplers.make_sampler(search("tpe", NUMBERS)).propose(21, told) for told in (known, whole)]
    assert proposals[0] == proposals[1]


def test_added_values_of_a_list_are_proposed_beside_old_knowledge():
    known = go_on(search("tpe"), 20)
    wider = {**SPACE, "opt": Choice(("rmsprop", "sgd", "adam"))}
    sampler, trials = samplers.make_sampler(search("tpe", wider)), list(known)
    for number in range(21, 51):
        flags = sampler.propose(number, trials).flags
        trials.append(Trial(number, flags, "completed", values=(-1.0 if flags["opt"] == "rmsprop" else 1.0,)))
    assert sum(trial.flags["opt"] == "rmsprop" for trial in trials[20:]) > 5


@pytest.mark.parametrize("name", ["tpe", "nsga2"])
def test_several_objectives_have_directions_of_their_own(name):
    objectives = (Objective("loss"), Objective("acc", minimize=False))
    space = {"x": Range("float", 0, 1), "y": Range("float", 0, 1)}
    definition = search(name, space, objectives=objectives, options={"population_size": 10} if name == "nsga2" else {})
    sampler, trials = samplers.make_sampler(definition), []
    for number in range(1, 101):
        flags = sampler.propose(number, trials).flags
        trials.append(Trial(number, flags, "completed", values=(flags["x"], -flags["y"])))
    late = [trial.flags["x"] + trial.flags["y"] for trial in trials[60:]]
    # drawn at random: 1.0
    assert sum(late) / len(late) < 0.75


def test_pruned_trials_are_knowledge_by_their_last_value():
    known = go_on(search("tpe", NUMBERS), 20, function=bowl)
    pruned = [replace(trial, status="pruned", values=(), series=((1, 99.0), (2, trial.values[0]))) for trial in known]
    failed = [replace(trial, status="error", values=()) for trial in known]
    ask = lambda told: samplers.make_sampler(search("tpe", NUMBERS)).propose(21, told)  # noqa: E731
    assert ask(pruned) != ask(failed)


def test_search_of_a_small_space_ends_when_it_is_exhausted():
    space = {"x": Choice((1, 2, 3)), "y": Choice(("a", "b"))}
    for name in HERE:
        sampler, trials = samplers.make_sampler(search(name, space)), []
        while proposal := sampler.propose(len(trials) + 1, trials):
            trials.append(Trial(len(trials) + 1, proposal.flags, "completed", values=(float(proposal.flags["x"]),)))
        assert len({str(trial.flags) for trial in trials}) == len(trials) == 6, name


def test_rows_of_a_file_are_searched():
    rows = ({"a": 1, "b": 10}, {"a": 2, "b": 20})
    for name in HERE:
        definition = search(name, {"x": Range("float", 0, 1)}, points=rows)
        trials = go_on(definition, 15, function=lambda flags: flags["a"] + flags["x"])
        assert {(trial.flags["a"], trial.flags["b"]) for trial in trials} == {(1, 10), (2, 20)}
        assert go_on(definition, 15, trials[:7], lambda flags: flags["a"] + flags["x"]) == trials


def test_what_runs_keep_for_a_sampler_is_never_executed(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    notes = {"cma:generation": 0, "cma:optimizer:0": pickle.dumps(Evil()).hex()}
    known = [replace(trial, attrs={**notes, "running": "all"}) for trial in go_on(search("cmaes", NUMBERS), 20, function=bowl)]
    assert samplers.make_sampler(search("cmaes", NUMBERS)).propose(21, known)
    assert not (tmp_path / "made").exists()


def test_optuna_writes_nothing_and_warns_of_nothing(capfd, recwarn):
    for name in HERE:
        go_on(search(name, options={}), 15)
    assert (*capfd.readouterr(), list(recwarn)) == ("", "", [])
    assert optuna.logging.get_verbosity() == optuna.logging.INFO


def test_engine_has_the_version():
    assert samplers.engine_of(search("tpe")) == f"optuna {optuna.__version__}"
    assert samplers.engine_of(search("random")) == ""


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("tpe", {"kappa": 1.6}, "optimizer tpe has no setting 'kappa'"),
        ("tpe", {"n_startup_trials": "many"}, "must be a whole number, not many"),
        ("tpe", {"n_startup_trials": True}, "must be a whole number, not true"),
        ("tpe", {"prev-trials": "sourcecode"}, "no setting 'prev-trials'.*--learn"),
        ("tpe", {"seed": 4}, "no setting 'seed'"),
        ("tpe", {"multivariate": False}, "optimizer tpe: .*group"),
        ("nsga2", {"population_size": 1}, "optimizer nsga2: .*population_size"),
        ("tpe", {"prune_lower": 1}, "for a pruner, and there is none.*--prune"),
    ],
)
def test_settings_that_a_sampler_does_not_take_are_refused(name, options, words):
    with pytest.raises(BadValue, match=words):
        samplers.check_sampler(search(name, options=options))


def test_settings_are_used_by_any_spelling():
    straight = go_on(search("tpe", NUMBERS, options={"n_startup_trials": 3}), 6, function=bowl)
    assert go_on(search("tpe", NUMBERS, options={"random-starts": 3}), 6, function=bowl) == straight
    assert go_on(search("tpe", NUMBERS), 6, function=bowl) != straight
    samplers.check_options("tpe", {"n-startup-trials": 5})
    samplers.check_options("nsga2", {"crossover_prob": 1})


@pytest.mark.parametrize(
    ("name", "package", "words"),
    [
        ("tpe", "optuna", "--optimizer tpe needs Optuna.*pip install 'git-run-tracker.optuna.'"),
        ("gp", "torch", "--optimizer gp needs torch beside Optuna.*pip install torch scipy.*--optimizer tpe"),
        ("cmaes", "cmaes", "--optimizer cmaes needs cmaes beside Optuna.*pip install cmaes"),
        ("qmc", "scipy", "--optimizer qmc needs scipy beside Optuna.*pip install scipy"),
    ],
)
def test_missing_packages_are_named_with_the_words_that_install_them(monkeypatch, name, package, words):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackage, match=words):
        samplers.make_sampler(search(name))


def test_search_is_random_with_a_note_if_optuna_is_missing(monkeypatch):
    assert (samplers.default_search(), samplers.default_search_note()) == ("tpe", "")
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert samplers.default_search() == "random"
    assert "pip install" in samplers.default_search_note()


def test_cmaes_takes_one_objective():
    with pytest.raises(BadValue, match=r"cmaes takes one metric.*nsga2"):
        samplers.make_sampler(search("cmaes", objectives=(Objective("a"), Objective("b"))))

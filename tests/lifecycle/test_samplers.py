"""Samplers of a batch, chosen by their names."""

from __future__ import annotations

import subprocess
import sys

import pytest
from searches import SPACE, search

from gitrun.errors import BadValue
from gitrun.lifecycle.samplers import check_options, find_sampler_name, make_sampler


@pytest.mark.parametrize(("name", "found"), [("grid", "grid"), ("+", "grid"), ("random", "random"), ("bayesian", "gp")])
def test_names_of_optimizers_are_found(name, found):
    assert find_sampler_name(name) == found


def test_unknown_optimizer_is_refused_with_the_list():
    with pytest.raises(BadValue, match="no optimizer 'gpp'") as error:
        find_sampler_name("gpp")
    assert error.value.hint.endswith("grid, random, tpe, gp, cmaes, nsga2, qmc")


@pytest.mark.parametrize("name", ["forest", "gbrt"])
def test_optimizers_without_an_equal_are_refused_with_the_way_out(name):
    with pytest.raises(BadValue, match=f"gitrun does not have Guild's {name}; tpe") as error:
        find_sampler_name(name)
    assert "--optimizer tpe" in error.value.hint


def test_random_search_refuses_settings_that_it_does_not_have():
    with pytest.raises(BadValue, match="random has no setting 'kappa'"):
        check_options("random", {"kappa": 1})
    with pytest.raises(BadValue, match="must be yes or no"):
        make_sampler(search(SPACE, options={"allow_repeats": 3}))


def test_grid_and_random_search_import_no_optuna():
    program = (
        "import sys\nfrom gitrun.model.batch import BatchDefinition\nfrom gitrun.model.space import Range\n"
        "from gitrun.lifecycle import samplers\n"
        "samplers.default_search(), samplers.default_search_note()\n"
        "sampler = samplers.make_sampler(BatchDefinition('random', {'x': Range('float', 0, 1)}))\n"
        "print(sampler.propose(1, ()).flags)\n"
        "samplers.check_sampler(BatchDefinition('grid', {'x': Range('int', 0, 1)}))\n"
        "sys.exit(bool({'optuna', 'numpy'} & set(sys.modules)))\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

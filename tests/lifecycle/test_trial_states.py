from __future__ import annotations

import pytest

from gitrun.lifecycle.cluster_pool import ClusterPool
from gitrun.lifecycle.trial_queue import Task
from gitrun.lifecycle.trial_states import EndedTrial, TrialPool
from gitrun.model.batch import Proposal
from gitrun.process.pool import ProgramPool


@pytest.mark.parametrize("pool", [ProgramPool, ClusterPool])
def test_pools_of_this_machine_and_of_a_cluster_are_pools_of_trials(pool):
    needed = {name for name in vars(TrialPool) if callable(getattr(TrialPool, name)) and name in vars(pool)}
    assert {"__enter__", "__exit__", "read_signals"} <= needed


def test_a_trial_of_this_machine_names_no_host():
    assert not EndedTrial(Task(1, Proposal({"lr": 0.1}), None), "a" * 40).host

"""Runs on their way through a cluster: what the driver takes for their results."""

from __future__ import annotations

import pytest
from clones import make_team, tip

from gitrun import Project
from gitrun.lifecycle.cluster import TaskEnd
from gitrun.lifecycle.cluster_pool import ClusterPool, ClusterTask, Place, read_ids
from gitrun.process.signals import Signals


class IdleCluster:
    """A cluster without workers."""

    descriptor, threads, workers, is_gone = -1, 1, frozenset[str](), False

    def lacks(self, _resources) -> bool:
        return False

    def submit(self, *_) -> None:
        pass

    def cancel(self, _keys) -> None:
        pass

    def read_ended(self) -> list[TaskEnd]:
        return []

    def ask_workers(self, _words, _workers=None) -> dict[str, TaskEnd]:
        return {}

    def close(self) -> None:
        pass


@pytest.mark.parametrize("change", ["none", "flags", pytest.param("source", marks=pytest.mark.slow)])
def test_only_a_result_of_what_was_handed_out_is_taken(tmp_path, change) -> None:
    team = make_team(tmp_path)
    team.ann.run("--stage", "echo.py", check=True)
    (run_id,) = tip(team.ann)
    team.ann.run("push", "--stage", "origin", check=True)
    team.bob.run("fetch", check=True)
    team.bob.run("trust", run_id, check=True)
    if change == "source":
        team.bob.write("echo.py", "print('loss: -1')\n")
    words = {"none": [], "source": ["--force-sourcecode"], "flags": ["x=3.0"]}[change]
    team.bob.run("--restart", run_id, *words, check=True)
    team.bob.run("push", "origin", run_id, check=True)
    with Signals() as signals:
        pool = ClusterPool(Project(team.ann.path).session(), signals, Place(IdleCluster(), "origin", ()))
        pool.watch(ClusterTask(run_id, run_id, None))
        while not (arrivals := pool.wait(5)):
            pass
    (arrival,) = arrivals
    assert arrival.is_ended is (change == "none")
    assert ("somebody has pushed another program" in arrival.problem) is (change != "none")


def test_what_a_worker_executes_is_read_from_its_list() -> None:
    assert read_ids(TaskEnd("", 0, b'[{"id": "a"}, {"id": "b"}]')) == {"a", "b"}
    assert read_ids(TaskEnd("", 0, b"no list")) == frozenset()

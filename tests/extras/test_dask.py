"""Dask as a cluster: tasks, their ends, and what cannot be reached."""

from __future__ import annotations

import os
import select
import sys

import pytest

pytest.importorskip("distributed")

from gitrun.errors import BadValue, CannotRun
from gitrun.extras.dask import connect, read_resources, start_local


@pytest.fixture
def local(tmp_path):
    cluster = start_local(2, dict(os.environ), str(tmp_path))
    yield cluster
    cluster.close()


def wait(cluster, count: int):
    """The ends of so many tasks."""
    ends = []
    while len(ends) < count:
        assert select.select([cluster.descriptor], [], [], 30)[0], "no task ended"
        ends += cluster.read_ended()
    return ends


def test_tasks_are_programs_in_the_directory_of_a_worker(local, tmp_path) -> None:
    assert local.threads == 2
    local.submit("a", [sys.executable, "-c", "import os; print(os.getcwd())"], {}, ())
    local.submit("b", [sys.executable, "-c", "import sys; sys.exit('no')"], {}, ())
    ends = {end.key: end for end in wait(local, 2)}
    assert (ends["a"].status, ends["a"].stdout.decode().strip()) == (0, str(tmp_path))
    assert (ends["b"].status, ends["b"].words) == (1, "no")
    assert {ends["a"].worker} == set(local.workers)


def test_a_program_that_is_not_there_is_a_lost_task(local) -> None:
    local.submit("a", ["no-such-program"], {}, ())
    (end,) = wait(local, 1)
    assert (end.status, end.is_cluster_gone) == (None, False)
    assert "no-such-program" in end.words


def test_all_workers_are_asked_at_once(local) -> None:
    (end,) = local.ask_workers([sys.executable, "-c", "print(1)"]).values()
    assert (end.status, end.stdout) == (0, b"1\n")


def test_resources_are_numbers_or_bytes() -> None:
    assert read_resources({"GPU": "1", "memory": "8 GB", "x": "0.5"}) == {"GPU": 1.0, "memory": 8e9, "x": 0.5}
    with pytest.raises(BadValue):
        read_resources({"GPU": "many"})


def test_a_worker_without_a_resource_lacks_it(local) -> None:
    assert local.lacks({"GPU": "1"})
    assert not local.lacks({})


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch) -> None:
    import dask  # an extra

    with dask.config.set({"distributed.comm.timeouts.connect": "500ms"}), pytest.raises(CannotRun) as caught:
        connect("tcp://127.0.0.1:1")
    assert "tcp://127.0.0.1:1" in caught.value.message

"""Dask as a cluster: tasks, their ends, and what cannot be reached."""

from __future__ import annotations

import select
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("distributed")

from gitrun.errors import BadValue, CannotRun
from gitrun.extras.dask import DaskCluster, connect, read_resources, start_local


@pytest.fixture
def local():
    """A scheduler and a worker of two threads in this process."""
    import distributed  # an extra

    own_port = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, scheduler_kwargs=own_port
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        found = DaskCluster(client)
        yield found
        found.close()


@pytest.fixture
def permits():
    found = start_local(2)
    yield found
    found.close()


def await_permits(permits, count: int) -> int:
    """Waits until so many permits are granted. Returns how many are."""
    granted = 0
    while granted < count:
        assert select.select([permits.descriptor], [], [], 30)[0], "no permit was granted"
        granted += permits.count_granted()
    return granted


def test_as_many_permits_are_granted_as_there_are_threads(permits) -> None:
    for _ in range(3):
        permits.request({})
    await_permits(permits, 2)
    assert not select.select([permits.descriptor], [], [], 0.3)[0]
    permits.release()
    await_permits(permits, 1)


def test_two_clusters_share_a_machine(permits) -> None:
    other = start_local(1)
    other.request({})
    permits.request({})
    assert (await_permits(other, 1), await_permits(permits, 1)) == (1, 1)
    other.close()


def test_permits_that_nobody_takes_do_not_keep_a_cluster() -> None:
    permits = start_local(2)
    for _ in range(5):
        permits.request({})
    assert await_permits(permits, 2) == 2
    begun = time.monotonic()
    permits.close()
    assert time.monotonic() - begun < 20


def wait(cluster, count: int):
    """The ends of so many tasks."""
    ends = []
    while len(ends) < count:
        assert select.select([cluster.descriptor], [], [], 30)[0], "no task ended"
        ends += cluster.read_ended()
    return ends


def test_tasks_are_programs_in_the_directory_of_a_worker(local) -> None:
    assert local.threads == 2
    local.submit("a", [sys.executable, "-c", "import os; print(os.getcwd())"], {}, ())
    local.submit("b", [sys.executable, "-c", "import sys; sys.exit('no')"], {}, ())
    ends = {end.key: end for end in wait(local, 2)}
    assert (ends["a"].status, ends["a"].stdout.decode().strip()) == (0, str(Path.cwd()))
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


@pytest.mark.parametrize("kind", ["local", "permits"])
def test_a_worker_without_a_resource_lacks_it(kind, request) -> None:
    cluster = request.getfixturevalue(kind)
    assert cluster.lacks({"GPU": "1"})
    assert not cluster.lacks({})


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch) -> None:
    import dask  # an extra

    with dask.config.set({"distributed.comm.timeouts.connect": "500ms"}), pytest.raises(CannotRun) as caught:
        connect("tcp://127.0.0.1:1")
    assert "tcp://127.0.0.1:1" in caught.value.message

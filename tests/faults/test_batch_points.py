"""A batch struck anywhere is completed by restarts: each point once, none lost. `striking_batches.py` strikes it everywhere."""

from __future__ import annotations

import math
import random
import sys

import pytest
from faults.striking import can_trace, strike
from faults.striking_batches import BatchPlace, check, finish, strike_at
from forms import asked_form
from sampled import sampled
from supervised import runs

SEED = 20261129
CASES = [("all", 1), ("full", 1), ("supervisor", 3), ("self", 1), ("ENOSPC", 3), ("EIO", 1)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """How to get what is struck."""
    made: list[BatchPlace] = []

    def make() -> BatchPlace:
        if not made:
            if not can_trace():
                pytest.skip("programs cannot be traced here: that needs Linux on x86-64, and ptrace allowed")
            made.append(BatchPlace.create(tmp_path_factory.mktemp("struck")))
        return made[0]

    return make


@pytest.mark.parametrize(("fault", "jobs"), sampled(2, CASES))
def test_a_batch_struck_at_any_point_is_completed_by_restarts(place, fault, jobs) -> None:
    here = place()
    points = strike_at(here, fault, 0, jobs).points
    at = math.ceil(random.Random(f"{SEED} {fault} {jobs}").random() * points)
    struck = strike_at(here, fault, at, jobs)
    sys.stdout.write(f"{fault} at {at} of {points}: {struck.struck}\n{struck.err}")  # pytest shows it if the test fails
    assert "Traceback" not in struck.err
    finish(here.repo, looks_first=bool(at % 2))
    check(here.repo)


def test_a_full_disk_in_the_middle_is_said_and_keeps_the_trials(place) -> None:
    here = place()
    points = strike_at(here, "full", 0).points
    struck = strike_at(here, "full", points // 2)
    assert struck.status not in {0, None}
    assert "No space left on device" in struck.err
    before = {run["id"] for run in trials(here.repo) if run["status"] == "completed"}
    assert before
    finish(here.repo, looks_first=False)
    check(here.repo)
    assert before <= {run["id"] for run in trials(here.repo)}


def test_a_trial_seldom_flushes_the_disk(empty_repo) -> None:
    if not can_trace():
        pytest.skip("programs cannot be traced here: that needs Linux on x86-64, and ptrace allowed")
    empty_repo.git("config", "gitrun.notes", "false")  # they are written by the clock
    flushes = {
        count: strike(
            empty_repo,
            ("git-run", f"n=range[1:{count}]", "--", "sh", "-c", "echo {n}"),
            within=str(empty_repo.path),
            flushes=True,
        ).points
        for count in (2, 6)
    }
    # for attempt and result each: a pack, its index, the directory of packs, a ref and the directory of refs; in place of a
    # ref a table and the list of tables, both again if git joins tables, and the table's end; and HEAD of the slot
    most = 11 if asked_form().refs == "files" else 20
    assert flushes[6] - flushes[2] <= 4 * most, flushes


def trials(repo):
    """The trials as JSON."""
    return [run for run in runs(repo, flat=True) if run["trial"]]

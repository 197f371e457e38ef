"""Killed, or refused by the disk, at whatever point: every run is absent or whole, and the doctor ends with nothing to say.

Here each command is struck at a few points; `python tests/faults/striking.py` strikes it at all of them.
"""

from __future__ import annotations

import math
import random
import sys

import pytest
from faults.striking import ARCHIVED, FAULTS, SCENES, Place, afterwards, can_trace, runs, strike, strike_at
from forms import asked_form
from sampled import sampled

from gitrun import Project

SEED = 20261122
SELDOM = {scene for scene in SCENES if scene.startswith(ARCHIVED)} - {"archived-tag"}
SAMPLE = [
    pytest.param(scene, fault, marks=[pytest.mark.slow] * ((number + turn) % 2 or scene in SELDOM))
    for number, scene in enumerate(SCENES)
    for turn, fault in enumerate((list(FAULTS)[number % 3], list(FAULTS)[3 + number % 3]))
]  # fmt: skip
"""Each command is killed in one of three ways, and refused in one of three; by default it is one or the other."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """How to get what is struck."""
    made: list[Place] = []

    def make() -> Place:
        if not made:
            if not can_trace():
                pytest.skip("programs cannot be traced here: that needs Linux on x86-64, and ptrace allowed")
            made.append(Place.create(tmp_path_factory.mktemp("struck")))
        return made[0]

    return make


@pytest.mark.parametrize(("scene", "fault"), SAMPLE)
def test_struck_at_any_point_every_run_is_absent_or_whole(place, scene, fault) -> None:
    here = place()
    before = here.before(scene)
    points = strike_at(here, scene, fault, 0).points
    at = math.ceil(random.Random(f"{SEED} {scene} {fault}").random() * points)
    struck = strike_at(here, scene, fault, at)
    sys.stdout.write(f"{scene}, {fault} at {at} of {points}: {struck.struck}")  # pytest shows it if the test fails
    afterwards(here, scene, before, struck, at)


def test_a_strike_is_felt(place) -> None:
    here = place()
    struck = strike_at(here, "run", "all", 40)
    assert (struck.points, struck.status, bool(struck.struck)) == (40, -9, True)
    struck = strike_at(here, "label", "full", 1)
    assert struck.status == 128
    assert struck.err.startswith("gitrun: ")
    assert struck.err.count("\n") == 1


@pytest.mark.parametrize("scene", sampled(1, ["run", "restart"]))
def test_a_disk_that_refuses_the_ref_of_an_attempt_leaves_no_run_half_begun(place, scene) -> None:
    here = place()
    before = here.before(scene)
    here.bring_back()
    refs = str(here.repo.path / ".git" / ("refs/runs" if asked_form().refs == "files" else "reftable"))
    points = strike(here.repo, SCENES[scene], within=refs, **FAULTS["EIO"]).points
    assert points > 2
    for at in range(1, points // 2 + 1):  # behind them come those of the result
        here.bring_back()
        struck = strike(here.repo, SCENES[scene], at=at, within=refs, **FAULTS["EIO"])
        afterwards(here, scene, before, struck, at)


def test_a_look_that_is_killed_while_it_writes_the_index_leaves_none_that_is_wrong(place) -> None:
    here = place()
    words = ("git-run", "list")

    def changed():
        here.bring_back()
        first, second, *_ = runs(here.repo)
        here.repo.git("update-ref", "-d", f"refs/runs/{first}")
        here.repo.git("update-ref", f"refs/runs/{second}", second)
        return strike

    points = changed()(here.repo, words).points
    for at in range(points // 2, points, 8):
        changed()(here.repo, words, at=at, victim="all")
        assert here.repo.run("list").returncode == 0
        assert not Project(here.repo.path).upkeep.examine(is_full=True).findings, f"{at} of {points}"

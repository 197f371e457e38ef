"""Curves: points of metrics over steps, few enough to draw."""

from __future__ import annotations

import json
import math
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from supervised import said, start, until

from gitrun import Project
from gitrun.model.points import Points
from gitrun.views.curves import Curve, LiveMetrics, thin_indexes

if TYPE_CHECKING:
    from pathlib import Path

    from repository import Repo

LOG = """
import json, os
with open(os.environ["GITRUN_METRICS"], "a") as file:
    for row in json.load(open("rows.json")):
        file.write(json.dumps(row) + "\\n")
print("ready", flush=True)
if "WAIT" in os.environ:
    input()
"""


def log_rows(repo: Repo, rows: list[dict[str, float | str]]) -> None:
    """Makes a run that logs these rows."""
    repo.write("log.py", LOG)
    repo.write("rows.json", json.dumps(rows))
    repo.run("log.py", check=True)


def curves_of(repo: Repo, *metrics: str, points: int = 1_000) -> list[Curve]:
    """The curves of all runs, the newest first."""
    project = Project(repo.path)
    return project.runs.read_curves(project.list_runs(), metrics, points)


def test_curves_are_those_of_each_run_in_the_given_order(repo) -> None:
    log_rows(repo, [{"step": 0, "loss": 3.5, "acc": 0}, {"step": 5, "loss": 1}])
    log_rows(repo, [{"step": 2, "loss": 8}])
    newest, oldest = (run.id for run in Project(repo.path).list_runs())
    assert curves_of(repo, "loss", "acc", "none", "loss") == [
        Curve(newest, "loss", (2,), (8,)), Curve(oldest, "loss", (0, 5), (3.5, 1)), Curve(oldest, "acc", (0,), (0,)),
    ]  # fmt: skip


def test_a_run_without_metrics_has_no_curves(repo) -> None:
    repo.run("echo.py", check=True)
    assert curves_of(repo, "loss") == []


def test_a_long_curve_keeps_its_ends_and_its_peaks(repo) -> None:
    rows = [{"step": step, "loss": 1 + step % 7 / 100} for step in range(9_000)]
    rows[4_321]["loss"], rows[4_323]["loss"], rows[8_000]["loss"] = 99, -99, "NaN"
    log_rows(repo, rows)
    (curve,) = curves_of(repo, "loss", points=50)
    assert len(curve.values) <= 50
    assert (curve.steps[0], curve.steps[-1]) == (0, 8_999)
    assert (curve.values[curve.steps.index(4_321)], curve.values[curve.steps.index(4_323)]) == (99, -99)
    assert math.isnan(curve.values[curve.steps.index(8_000)])


def test_a_running_run_has_the_points_that_it_logged_so_far(repo) -> None:
    repo.write("log.py", LOG)
    repo.write("rows.json", '[{"loss": 3}, {"loss": "Infinity"}]')
    run = start(repo, "log.py", stdin=subprocess.PIPE, env={**os.environ, "WAIT": "1"})
    said(run)
    (curve,) = curves_of(repo, "loss")
    assert (curve.steps, curve.values) == ((0, 1), (3, math.inf))
    run.communicate()


def test_a_running_run_has_the_points_that_it_printed_so_far(repo) -> None:
    run = start(repo, "--", "sh", "-c", "echo loss: 2; echo loss: 1.5; echo ready; sleep 60")
    said(run)
    (curve,) = until(lambda: curves_of(repo, "loss"))
    assert (curve.steps, curve.values) == ((0, 1), (2, 1.5))
    repo.run("stop", "1", check=True)
    run.communicate()


def test_an_unfinished_line_waits_for_its_end(tmp_path) -> None:
    directory = tmp_path / "live" / "a"
    directory.mkdir(parents=True)
    metrics = LiveMetrics(tmp_path, "a")
    for log, output in (('{"step": 0, "loss": 3}\n{"step": 9, "lo', "acc: 1 (step 4)\nac"), ('ss": 2}\n', "c: 7 (step 5)\n")):
        append(directory / "metrics.jsonl", log)
        append(directory / "output", output)
        metrics.poll()
        points = {name: metrics.points_of(name) for name in ("loss", "acc", "none")}
        if output.startswith("acc"):
            assert points == {"loss": Points((0,), (3,)), "acc": Points((4,), (1,)), "none": None}
    assert points == {"loss": Points((0, 9), (3, 2)), "acc": Points((4, 5), (1, 7)), "none": None}


def test_long_output_is_read_in_as_many_polls_as_time_allows(tmp_path) -> None:
    directory = tmp_path / "live" / "a"
    directory.mkdir(parents=True)
    append(directory / "output", "".join(f"acc: {step} (step {step})\n" for step in range(120_000)))
    metrics, last_steps = LiveMetrics(tmp_path, "a"), list[float]()
    while not last_steps or last_steps[-1] < 119_999:
        metrics.poll(0)
        points = metrics.points_of("acc")
        assert points is not None
        last_steps.append(points.steps[-1])
    assert last_steps == sorted(set(last_steps))
    assert len(last_steps) > 2


def append(path: Path, text: str) -> None:
    """Adds the text to the file."""
    with path.open("a") as file:
        file.write(text)


numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(values=st.lists(numbers, max_size=400), most=st.integers(7, 60))
def test_thinning_keeps_ends_extremes_and_each_kind_of_number(values: list[float], most: int) -> None:
    indexes = list(thin_indexes(values, most))
    kept = [values[at] for at in indexes]
    assert indexes == sorted(set(indexes))
    assert len(indexes) <= max(most, 0)
    assert indexes[:1] + indexes[-1:] == ([0, len(values) - 1] if values else [])
    assert {repr(value) for value in kept if not math.isfinite(value)} == {
        repr(value) for value in values if not math.isfinite(value)
    }
    finite, kept_finite = (list(filter(math.isfinite, some)) for some in (values, kept))
    if finite:
        assert (min(kept_finite), max(kept_finite)) == (min(finite), max(finite))


@pytest.mark.parametrize("count", [0, 1, 1_000])
def test_a_short_curve_keeps_every_point(count: int) -> None:
    assert list(thin_indexes([0.0] * count, 1_000)) == list(range(count))

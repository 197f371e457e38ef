"""The recipes for Slurm of the guide: an array of plain workers, and jobs that are workers of Dask."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from clones import tip
from slurm import await_jobs
from supervised import runs, until

pytestmark = pytest.mark.slow


@pytest.fixture
def team(waiting_team):
    return waiting_team


def read_trials(repo) -> list[dict]:
    return sorted((run for run in runs(repo, flat=True) if run["trial"]), key=lambda run: run["trial"])


def test_an_array_of_workers_executes_each_trial_once(team, slurm) -> None:
    repo = team.ann
    repo.run("echo.py", "x=range[1:6]", "--on", "origin", check=True)
    batch = read_trials(repo)[0]["batch"]
    words = ["sbatch", "--array=1-6", "--time=1:00:00", "--signal=B:TERM@60"]
    wrap = f"exec git run worker origin --batch {batch[:8]} --max 1"
    subprocess.run([*words, f"--wrap={wrap}"], cwd=repo.path, check=True, capture_output=True)
    await_jobs()
    outputs = [file.read_text() for file in repo.path.glob("slurm-*.out")]
    assert ["1 run executed" in output for output in outputs] == [True] * 6, outputs
    trials = read_trials(repo)
    assert [run["status"] for run in trials] == ["completed"] * 6
    assert tip(team.remote) == tip(repo)
    for run in trials:
        log = json.loads(repo.run("log", run["id"], "--json", check=True).stdout)
        assert [one["status"] for one in log].count("completed") == 1


def test_the_end_of_a_jobs_time_leaves_the_run_to_the_next(team, slurm, gates, monkeypatch) -> None:
    monkeypatch.setenv("GATES", str(gates))
    repo = team.ann
    repo.run("wait.py", "--on", "origin", check=True)
    (run_id,) = tip(repo)
    words = ["sbatch", "--time=1", "--signal=B:TERM@50", f"--wrap=exec git run worker origin --once {run_id}"]
    subprocess.run(words, cwd=repo.path, check=True, capture_output=True)
    until((gates / "started").exists, 60)
    await_jobs()
    (run,) = runs(repo)
    assert run["status"] == "terminated"
    assert tip(team.remote) == tip(repo)
    (gates / "go").touch()
    subprocess.run(words, cwd=repo.path, check=True, capture_output=True)
    await_jobs()
    (run,) = runs(repo)
    assert run["status"] == "completed"


CLUSTER = """\
import sys
from dask_jobqueue import SLURMCluster
cluster = SLURMCluster(
    cores=1, processes=1, memory="1 GB", walltime="1:00:00", job_script_prologue=["cd " + sys.argv[1]],
    scheduler_options={"dashboard_address": None}, python=sys.executable, interface="lo", job_extra_directives=["--mem=0"],
)
cluster.scale(jobs=2)
print(cluster.scheduler_address, flush=True)
sys.stdin.read()
"""


def test_jobs_of_slurm_are_workers_of_dask(team, slurm) -> None:
    pytest.importorskip("dask_jobqueue")
    words = [sys.executable, "-c", CLUSTER, team.bob.path]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=slurm) as process:
        address = process.stdout.readline().strip()
        until(lambda: "R" in subprocess.run(["squeue", "-h", "-o%t"], capture_output=True, text=True, check=True).stdout, 60)
        ended = team.ann.run("echo.py", "x=range[1:4]", "--on", address, timeout=240)
        process.stdin.close()
    assert ended.returncode == 0, ended.stderr
    trials = read_trials(team.ann)
    assert [run["status"] for run in trials] == ["completed"] * 4
    assert {run["id"]: tip(team.ann)[run["id"]] for run in trials} == tip(team.remote)

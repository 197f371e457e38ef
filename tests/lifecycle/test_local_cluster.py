"""A cluster in the driver's process: trials start with its permits, and are runs of this machine."""

from __future__ import annotations

import signal

import pytest
from clones import tip
from supervised import runs, start, until

pytest.importorskip("distributed")


def test_a_batch_needs_no_remote_and_finds_ignored_files(repo) -> None:
    repo.write(".gitignore", "data/\n")
    repo.write("data/points", "5\n")
    repo.write("read.py", 'n = 0\nprint("loss:", int(open("data/points").read()) + n)\n')
    repo.commit()
    ended = repo.run("read.py", "n=[1,2,3]", "--on", "local:2", check=True)
    assert "3 trials of read.py, 2 at a time on local:2" in ended.stderr
    assert "3 of 3 trials completed" in ended.stderr
    assert sorted(run["metrics"]["loss"] for run in runs(repo, flat=True) if run["trial"]) == [6, 7, 8]
    assert repo.git("status", "--porcelain") == ""
    assert repo.git("fsck", "--strict", "--no-dangling") == ""


def test_sigterm_stops_the_trials_and_a_restart_goes_on(repo, tmp_path) -> None:
    repo.write(
        "wait.py",
        f"""\
import pathlib, time
n = 0
place = pathlib.Path("{tmp_path}")
(place / f"started.{{n}}").touch()
while not (place / "go").exists():
    time.sleep(0.01)
""",
    )
    repo.commit()
    driver = start(repo, "wait.py", "n=[1,2,3]", "--on", "local:2", program=("git-run",), is_forked=True)
    until(lambda: len(list(tmp_path.glob("started.*"))) == 2, 60)
    driver.send_signal(signal.SIGTERM)
    driver.communicate(timeout=120)
    assert sorted(run["status"] for run in runs(repo, flat=True)) == ["terminated"] * 3
    (tmp_path / "go").touch()
    repo.run("--restart", "wait.py+", "--on", "local:2", check=True, timeout=120)
    assert sorted(run["status"] for run in runs(repo, flat=True)) == ["completed"] * 4


@pytest.mark.parametrize(
    "words",
    [["--in-place"], ["--background"], ["--stage"], ["--bring"], ["--via", "origin"], ["--same-env"]],
    ids=" ".join,
)
def test_options_that_a_local_cluster_lacks_are_refused(repo, words) -> None:
    ended = repo.run("echo.py", "x=[1.0,2.0]", "--on", "local:1", *words)
    assert ended.returncode == 129
    assert words[0] in ended.stderr
    assert tip(repo) == {}


def test_trials_share_gpus_on_a_local_cluster(repo, tmp_path) -> None:
    repo.write("gpu.py", "import os\nn = 0\nprint(f\"loss: {os.environ['CUDA_VISIBLE_DEVICES']}\")\n")
    repo.commit()
    environ = {"XDG_STATE_HOME": str(tmp_path / "state")}
    repo.run("gpu.py", "n=[1,2,3,4]", "--on", "local:2", "--gpus", "3,5", check=True, env=environ)
    assert {run["metrics"]["loss"] for run in runs(repo, flat=True) if run["trial"]} <= {3, 5}


def test_a_batch_does_not_wait_for_permits_it_does_not_need(repo) -> None:
    ended = repo.run("echo.py", "x=[1.0,2.0,3.0]", "--on", "local:2", "--jobs", "8", check=True, timeout=60)
    assert "3 of 3 trials completed" in ended.stderr
    # all points have runs: nothing is to be started
    again = repo.run("--restart", "echo.py+", "--on", "local:2", check=True, timeout=60)
    assert "3 of 3 trials completed" in again.stderr


@pytest.mark.parametrize("source", ["option", "entry"])
def test_a_resource_that_no_worker_has_is_named(repo, source) -> None:
    words = ["--resource", "GPU=1"] if source == "option" else []
    if source == "entry":
        repo.write("gitrun.toml", '[operations.train]\nscript = "echo.py"\nresources = { GPU = 1 }\n')
        repo.commit()
    ended = repo.run("train" if source == "entry" else "echo.py", "x=[1.0,2.0]", "--on", "local:1", *words)
    assert ended.returncode == {"option": 128, "entry": 1}[source]
    assert "no worker has GPU=1" in ended.stderr
    assert "--resources" in ended.stderr
    assert [run["status"] for run in runs(repo, flat=True)] == {"option": [], "entry": ["error"]}[source]


def test_a_single_run_is_shown_and_recorded_with_its_resources(repo, tmp_path) -> None:
    repo.write("gitrun.toml", '[operations.train]\nscript = "echo.py"\nresources = { GPU = 1, memory = "8 GB" }\n')
    repo.commit()
    (tmp_path / "dask.yaml").write_text("distributed: {worker: {resources: {GPU: 2, memory: 9.0e+9}}}")
    words = ("train", "x=7.0", "--on", "local:1", "--resource", "GPU=2")
    assert repo.run(*words, env={"DASK_CONFIG": str(tmp_path)}, check=True).stdout == "7.0 2 'a'\n"
    (run,) = runs(repo, flat=True)
    assert (run["status"], run["worker"]) == ("completed", None)
    recorded = repo.git("show", f"refs/runs/{run['id']}:.gitrun/run.toml")
    assert '"GPU=2"' in recorded
    assert '"memory=8 GB"' in recorded


def test_trials_are_pruned_on_a_local_cluster(repo) -> None:
    repo.write(
        "steps.py",
        """\
import time
import gitrun
n = 0
for step in range(40):
    gitrun.log({"loss": n + step / 100}, step=step)
    time.sleep(0.05 if n > 1 else 0)
""",
    )
    repo.commit()
    words = ("--prune", "threshold", "--opt-flag", "prune_upper=5")
    ended = repo.run("steps.py", "n=[0,1,9]", "--on", "local:1", "--minimize", "loss", *words)
    assert "pruned at step" in ended.stderr, ended.stderr

"""git run import hydra: the jobs of the real Hydra."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from repository import Repo
from users_python import need

from gitrun import Project

TRAIN = """\
import json, logging, os
import hydra
from hydra.core.hydra_config import HydraConfig

@hydra.main(version_base=None, config_path=".", config_name="conf")
def main(config):
    logging.getLogger(__name__).info("lr is %s", config.opt.lr)
    logging.getLogger(__name__).info("accuracy: %s", config.opt.lr * 3)
    with open(os.path.join(HydraConfig.get().runtime.output_dir, "metrics.json"), "w") as file:
        json.dump({"loss": config.opt.lr * 2}, file)

main()
"""
CONF = "opt:\n  lr: 1e-3\n  name: adam\nlayers: [1, 2]\n"


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    """A directory in which Hydra ran one job, and a sweep of two."""
    need("hydra")
    top = tmp_path_factory.mktemp("hydra")
    (top / "train.py").write_text(TRAIN)
    (top / "conf.yaml").write_text(CONF)
    for words in (["opt.name=sgd"], ["-m", "opt.lr=0.5,0.25"]):
        subprocess.run([sys.executable, "train.py", *words], cwd=top, check=True, capture_output=True)
    return top


@pytest.fixture
def repo(tmp_path, jobs) -> Repo:
    repo = Repo.create(tmp_path / "project")
    repo.write("train.py", TRAIN)
    repo.write("conf.yaml", CONF)
    repo.git("add", "-A")
    repo.git("commit", "-qm", "train")
    return repo


def test_job_of_hydra_is_a_run(repo, jobs) -> None:
    ended = repo.run("import", "hydra", jobs, check=True)
    runs = Project(repo.path).list_runs()
    (run,) = (run for run in runs if run.flags.get("opt.name") == "sgd")
    assert (run.operation, run.status, len(runs)) == ("train.py", "completed", 4)
    assert (dict(run.flags), run.attempt.given) == ({"opt.lr": 0.001, "opt.name": "sgd", "layers": [1, 2]}, ("opt.name",))
    assert (run.metrics.ask("loss"), run.metrics.ask("accuracy"), "lr is 0.001" in run.output) == (0.002, 0.003, True)
    assert [file.path for file in run.attempt.files] == ["metrics.json"]
    assert "Hydra recorded none, so it counts as completed" in ended.stderr


def test_same_jobs_are_known_below_another_directory(repo, jobs) -> None:
    ended = repo.run("import", "hydra", jobs / "outputs", check=True)
    # there is nothing to execute
    assert "To restart one" not in ended.stderr
    assert "imported 3 runs from hydra; 1 already here" in repo.run("import", "hydra", jobs, check=True).stderr
    assert "4 already here" in repo.run("import", "hydra", jobs, check=True).stderr


def test_multirun_is_a_batch(repo, jobs) -> None:
    repo.run("import", "hydra", jobs, check=True)
    project = Project(repo.path)
    (batch,) = [run for run in project.list_runs() if run.attempt.kind == "batch"]
    assert (batch.operation, dict(batch.flags)) == ("train.py+", {"opt.name": "adam", "layers": [1, 2]})
    assert [(trial.attempt.trial, trial.flags["opt.lr"]) for trial in project.read_batch(batch).trials] == [(1, 0.5), (2, 0.25)]
    assert "opt.lr=[0.5, 0.25]" in repo.run("show", batch.id, check=True).stdout
    assert repo.run("doctor").returncode == 0


def test_restart_of_a_job_says_that_there_is_no_source(repo, jobs) -> None:
    repo.run("import", "hydra", jobs / "outputs", check=True)
    repo.run("trust", "1", check=True)
    assert "no 'train.py' in the source of the run" in repo.run("--restart", "1", "opt.lr=4").stderr


def test_hostile_records_make_no_run(repo, tmp_path) -> None:
    for name, config in (
        ("tag", "a: !!python/object/apply:os.system [touch executed]"),
        ("deep", "[" * 100_000),
        ("gone", None),
    ):
        records = tmp_path / "jobs" / name / ".hydra"
        records.mkdir(parents=True)
        (records / "job_return.pickle").write_bytes(b"cos\nsystem\n(S'touch executed'\ntR.")
        if config is None:
            (records / "config.yaml").symlink_to("/etc/passwd")
        else:
            (records / "config.yaml").write_text(config)
    ended = repo.run("import", "hydra", tmp_path / "jobs", check=True)
    assert ("its .hydra/config.yaml cannot be read" in ended.stderr, Project(repo.path).list_runs()) == (True, [])
    assert not list(tmp_path.rglob("executed"))


def test_directory_without_jobs_is_refused(repo) -> None:
    for words in ((), ("nowhere",), (os.fspath(repo.path),)):
        ended = repo.run("import", "hydra", *words)
        assert (ended.returncode, "no jobs of Hydra in" in ended.stderr) == (129, True)

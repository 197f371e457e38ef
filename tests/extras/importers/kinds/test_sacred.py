"""git run import sacred: the runs of the real Sacred."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from forms import Form, asked_form
from repository import Repo
from users_python import need

from gitrun import Project

PROGRAM = """\
from sacred import SETTINGS, Experiment
from sacred.observers import FileStorageObserver

SETTINGS.CAPTURE_MODE = "sys"
ex = Experiment("demo")
ex.observers.append(FileStorageObserver("runs"))

@ex.config
def config():
    lr = 0.1
    net = {"layers": [1, 2]}

@ex.automain
def main(_run, lr):
    print("lr is", lr)
    for step in range(3):
        _run.log_scalar("loss", lr / (step + 1), step)
    if lr > 5:
        raise ValueError("too large")
    with open("weights.txt", "w") as file:
        file.write(f"{lr}\\n")
    ex.add_artifact("weights.txt")
"""


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    """A directory in which Sacred ran an experiment that completes, and one that fails."""
    need("sacred")
    top = tmp_path_factory.mktemp("sacred")
    (top / "exp.py").write_text(PROGRAM)
    for lr, code in (("0.5", 0), ("7", 1)):
        ended = subprocess.run([sys.executable, "exp.py", "with", f"lr={lr}"], cwd=top, capture_output=True, check=False)
        assert ended.returncode == code
    return top / "runs"


@pytest.fixture
def repo(tmp_path) -> Repo:
    return Repo.create(tmp_path / "project")


def test_run_of_sacred_is_a_run(repo, observed) -> None:
    repo.run("import", "sacred", observed, check=True)
    failed, run = Project(repo.path).list_runs()
    assert (run.operation, run.status, run.flags.get("lr"), run.flags.get("net.layers")) == ("exp.py", "completed", 0.5, [1, 2])
    assert run.attempt.given == ("lr",)
    assert (run.metrics.ask("loss:first"), run.metrics.ask("loss:count")) == (0.5, 3)
    assert [file.path for file in run.attempt.files] == ["weights.txt"]
    assert "lr is 0.5" in run.output
    assert repo.git("show", f"{run.id}:exp.py") == PROGRAM.rstrip()
    assert (failed.status, failed.exit_status, failed.attempt.reason) == ("error", 1, "ValueError: too large")
    assert "2 already here" in repo.run("import", "sacred", observed, check=True).stderr


@pytest.mark.skipif(asked_form() != Form(), reason="Sacred asks GitPython, which reads SHA-1 and refs in files alone")
def test_imported_run_restarts_and_verifies(repo, observed) -> None:
    repo.run("import", "sacred", observed, check=True)
    repo.run("trust", "1", check=True)
    repo.run("--restart", "1", "lr=0.25", check=True)
    run = Project(repo.path).list_runs()[0]
    assert (run.status, repo.git("show", f"{run.tip}:weights.txt")) == ("completed", "0.25")


def test_records_that_lie_reach_no_other_file(repo, observed, tmp_path) -> None:
    runs = shutil.copytree(observed, tmp_path / "runs")
    (tmp_path / "secret").write_text("secret")
    about = json.loads((runs / "1/run.json").read_text())
    about["experiment"]["sources"] = [["a.py", "../../secret"], ["../x.py", "_sources/x"], ["b.py", "/etc/passwd"], 7, ["c"]]
    about["host"]["ENV"] = {"TOKEN": "canary"}
    (runs / "1/run.json").write_text(json.dumps(about))
    (runs / "2/run.json").write_text("[" * 100_000)
    (runs / "1/metrics.json").write_text(
        '{"loss": {"steps": [0, 1, 2], "values": [{"py/object": "os.system", "value": 2.5}, "x"]}, "a": 1}'
    )
    (runs / "3").mkdir()
    (runs / "3/run.json").write_text('{"status": "RUNNING", "start_time": "2026-01-02T03:04:05"}')
    ended = repo.run("import", "sacred", runs, check=True)
    (run,) = Project(repo.path).list_runs()
    assert (run.metrics.ask("loss"), run.metrics.ask("loss:count")) == (2.5, 1)
    tree = repo.git("ls-tree", "-r", "--name-only", run.tip)
    assert [name for name in ("a.py", "x.py", "b.py") if name in tree] == []
    assert ("a source file that is not below _sources" in ended.stderr, ended.stderr.count("recorded no end")) == (True, 1)
    assert subprocess.run(["git", "grep", "canary", run.tip], cwd=repo.path, check=False, capture_output=True).stdout == b""


def test_directory_without_runs_is_refused(repo) -> None:
    ended = repo.run("import", "sacred")
    assert (ended.returncode, "runs has no runs of Sacred" in ended.stderr) == (129, True)

"""Runs in a real MLflow, through its own client."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

READ = """
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient(sys.argv[1])
runs = []
for experiment in client.search_experiments():
    for run in client.search_runs([experiment.experiment_id]):
        curve = [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, "loss")]
        files = [file.path for file in client.list_artifacts(run.info.run_id)]
        runs.append([experiment.name, run.info.status, run.data.params, curve, files, "mlflow.parentRunId" in run.data.tags])
print(json.dumps(sorted(runs, key=json.dumps)))
"""


@pytest.mark.slow
def test_runs_are_there_once_and_trials_below_their_batch(repo, tmp_path) -> None:
    program = shutil.which("mlflow")
    if not program:
        pytest.skip("mlflow is not installed")
    python = str(Path(program).parent / "python")
    repo.git("config", "gitrun.python", python)
    repo.write("train.py", "lr = 0.1\nfor step in range(2):\n    print(f'step: {step} loss: {lr / (step + 1)}')\n")
    repo.run("train.py", "lr=[0.5,0.25]", check=True)
    before = repo.git("status", "--porcelain")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    first = repo.run("export", "mlflow", "--status", "completed", "--to", uri, check=True, timeout=300)
    assert first.stderr.endswith("gitrun: exported 3 runs to MLflow (0 already there)\n")
    again = repo.run("export", "mlflow", "--status", "completed", "--to", uri, check=True, timeout=300)
    assert again.stderr.endswith("gitrun: exported 0 runs to MLflow (3 already there)\n")
    assert repo.git("status", "--porcelain") == before
    read = subprocess.run([python, "-c", READ, uri], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [run for run in json.loads(read.stdout) if run[5]] == [
        ["train.py", "FINISHED", {"lr": lr}, [[0, float(lr)], [1, float(lr) / 2]], ["output.txt"], True]
        for lr in ("0.25", "0.5")
    ]

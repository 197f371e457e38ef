"""Hands runs to MLflow through its own client. Runs in the user's Python, which has mlflow: `python mlflow_child.py REQUEST`.

REQUEST is a JSON file with the address and the runs. The answer, how many runs are new and how many were there, is written
beside it. A run has the tag `gitrun.attempt` only once it is complete, so that a second export repairs one that was cut short.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

SQLITE = "sqlite:///"
METRICS, PARAMS = 1000, 100
"""The most that a server takes at a time."""
ID, ATTEMPT, PARENT = "gitrun.id", "gitrun.attempt", "mlflow.parentRunId"


def export_request(request: dict[str, Any]) -> dict[str, int]:
    """Creates the runs of the request that the server lacks. Returns the numbers of new runs and of those that were there."""
    client = MlflowClient(request["uri"])
    exported: dict[str, str] = {}
    fresh = 0
    for run in request["runs"]:
        experiment = find_experiment(client, request["uri"], run["operation"])
        there, is_whole = search_run(client, experiment, run)
        if there and not is_whole:
            client.delete_run(there)
        if not is_whole:
            there = create_run(client, experiment, run, exported)
            fresh += 1
        exported[run["id"]] = there
    return {"new": fresh, "there": len(exported) - fresh}


def find_experiment(client: MlflowClient, uri: str, name: str) -> str:
    """Returns the id of the experiment of an operation, which is created if it is missing."""
    there = client.get_experiment_by_name(name)
    if there:
        return str(there.experiment_id)
    # beside the database: MLflow would put the files into the directory in which it was started
    artifacts = Path(uri.removeprefix(SQLITE)).absolute().parent / "mlruns" if uri.startswith(SQLITE) else None
    return str(client.create_experiment(name, str(artifacts) if artifacts else None))


def search_run(client: MlflowClient, experiment: str, run: dict[str, Any]) -> tuple[str, bool]:
    """Returns the id of the run on the server ("" without one), and whether its last attempt is there completely."""
    for there in client.search_runs([experiment], f"tags.`{ID}` = '{run['id']}'"):
        if there.data.tags.get(ATTEMPT) in {run["attempt"], None}:
            return str(there.info.run_id), ATTEMPT in there.data.tags
    return "", False


def create_run(client: MlflowClient, experiment: str, run: dict[str, Any], exported: dict[str, str]) -> str:
    """Creates a run with all that it has. Returns its id."""
    parent = {PARENT: exported[run["batch"]]} if run["batch"] in exported else {}
    tags = {**run["tags"], **parent, ID: run["id"]}
    created = str(client.create_run(experiment, run["started"], tags, run["name"]).info.run_id)
    params = [Param(name, value) for name, value in run["params"].items()]
    for start in range(0, len(params), PARAMS):
        client.log_batch(created, params=params[start : start + PARAMS])
    metrics = [Metric(name, value, time, step) for name, value, time, step in run["metrics"]]
    for start in range(0, len(metrics), METRICS):
        client.log_batch(created, metrics=metrics[start : start + METRICS])
    if run["files"]:
        client.log_artifacts(created, run["files"])
    client.set_terminated(created, run["status"], run["stopped"])
    client.log_batch(created, tags=[RunTag(ATTEMPT, run["attempt"])])
    return created


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.with_suffix(".answer").write_text(json.dumps(export_request(json.loads(path.read_text()))))

"""A report as JSON for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gitrun.model.run import rfc3339_text
from gitrun.model.text import encode_path
from gitrun.render.report_text import report_verdict
from gitrun.render.text import json_safe, run_json

if TYPE_CHECKING:
    from gitrun.views.batches import RankedBatch, RepeatedPoint
    from gitrun.views.diff import Differing
    from gitrun.views.history import Commit
    from gitrun.views.report import Detail, Report


def report_data(report: Report) -> str:
    """Returns the report as one JSON object in ASCII."""
    report_table = {
        "base": report.range.base if report.range else None,
        "head": report.range.head if report.range else None,
        "good": report.is_good,
        "verdict": report_verdict(report),
        "commits": list(map(commit_json, report.commits)),
        "runs": list(map(run_json, report.all_runs)),
        "bases": {operation: run.id for operation, run in report.bases.items()},
        "batches": list(map(batch_json, report.batches)),
        "details": list(map(detail_json, report.details)),
    }
    # json_safe replaces nan, for which Python would write NaN: no JSON
    return json.dumps(json_safe(report_table), indent=2, allow_nan=False) + "\n"


def commit_json(commit: Commit) -> dict[str, Any]:
    """Returns a commit with the ids of its runs."""
    return {
        "id": commit.id, "author": commit.author, "time": rfc3339_text(commit.time), "subject": commit.subject,
        "exact": [run.id for run in commit.exact], "changed": [run.id for run in commit.changed],
    }  # fmt: skip


def batch_json(batch: RankedBatch) -> dict[str, Any]:
    """Returns a batch with its trials, the best first, and the flags that vary."""
    objective, first = batch.objective, batch.points[0].trials[0] if batch.points else next(iter(batch.best), None)
    return {
        "run": batch.run.id,
        "objective": {"metric": objective.metric, "minimize": objective.minimize} if objective else None,
        "flags": list(batch.flags), "best": first.id if first else None,
        "trials": [{**run_json(trial), "value": batch.value(trial)} for trial in batch.ranked],
        "points": list(map(point_json, batch.points)),
    }  # fmt: skip


def point_json(point: RepeatedPoint) -> dict[str, Any]:
    """Returns a point that a batch tries several times: the ids of its completed trials, median, mean and deviation."""
    return {
        "trials": [run.id for run in point.trials], "median": point.median, "mean": point.mean, "sd": point.deviation,
    }  # fmt: skip


def detail_json(detail: Detail) -> dict[str, Any]:
    """Returns a run with its differences from the one before it."""
    # without a run before it, the changes are those since its commit
    code = detail.code.paths if detail.previous else ()
    return {
        "run": detail.run.id, "previous": detail.previous.id if detail.previous else None,
        "flags": pairs_json(detail.flags), "metrics": pairs_json(detail.metrics), "environment": pairs_json(detail.environment),
        # a path may hold bytes that are not UTF-8
        "source": [{"path": encode_path(change.path), "what": change.what} for change in code],
        "more_source": detail.code.more_paths, "series": {curve.metric: list(curve.values) for curve in detail.curves},
        "output": list(detail.tail), "signature": detail.signed,
    }  # fmt: skip


def pairs_json(differing: Differing) -> dict[str, list[Any]]:
    """Returns differences as old and new values."""
    return {name: list(both) for name, both in differing.items()}

"""Makes the JSON values that pages about runs show: `git run view` answers with them, and `git run site` embeds them.

Ids of runs may be abbreviated. Numbers that JSON lacks are the texts NaN, Infinity and -Infinity; times are RFC 3339 in UTC;
paths are as in `git run show --json`. An unknown run raises UnknownRun, whose hint restores a deleted one.

| address | function | value |
|---|---|---|
| `/api/runs/<id>` | `run_answer` | the object of `git run show --json` |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitrun.errors import UnknownRun
from gitrun.model.run import short_id
from gitrun.render.text import basis_json, json_safe, show_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitrun.model.run import Run
    from gitrun.project import Project

VERSION = "1"
"""The version of the answers. It changes if a page of before could no longer read them."""


def run_answer(project: Project, run_id: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:  # noqa: ARG001
    """Returns a run with attempts, series, files and environment. Raises UnknownRun, BadRun."""
    value: dict[str, Any] = json_safe(full_json(project, find_run(project, run_id)))
    return value


def full_json(project: Project, run: Run) -> dict[str, Any]:
    """Returns a run with its attempts, files, relations, signature and environment, as `git run show --json` prints it."""
    parts = show_json(run, project.attempts(run)) | linked_json(project, run) | vouched_json(project, run)
    return parts | {"environment": project.environment(run)}


def find_run(project: Project, run_id: str) -> Run:
    """Returns the run of an id or its beginning. Raises UnknownRun, AmbiguousRun, BadRun."""
    try:
        # runs/ before it: digits are not to mean a number in the list, or a label
        return project.find(f"runs/{run_id}")
    except UnknownRun as error:
        deleted = next((known for known in project.trash.list_ids() if known.startswith(run_id)), "")
        if not deleted:
            raise
        known = short_id(deleted)
        raise UnknownRun(f"run {known} is deleted", f"To restore it: git run restore {known}") from error


def linked_json(project: Project, run: Run) -> dict[str, Any]:
    """Returns needed runs, steps, parent run and inputs."""
    basis, steps = project.runs.read_family(run)
    ended = [{"operation": step.operation, "run": step.run_id, "status": step.status} for step in steps]
    return {
        **basis_json(basis),
        "not_isolated": list(basis.not_isolated) if basis else [],
        "steps": ended,
        "parent": (basis.parent if basis else "") or None,
    }


def vouched_json(project: Project, run: Run) -> dict[str, Any]:
    """Returns signature and trust of the last attempt."""
    signed = project.sharing.signature(run)
    return {"signature": signed.words if signed else "unsigned", "trusted": project.sharing.is_trusted(run)}

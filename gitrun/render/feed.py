"""Makes the JSON values that pages about runs show: `git run view` answers with them, and `git run site` embeds them.

Ids of runs may be abbreviated. Numbers that JSON lacks are the texts NaN, Infinity and -Infinity; times are RFC 3339 in UTC;
paths are as in `git run show --json`. An unknown run raises UnknownRun, whose hint restores a deleted one.

| address | function | value |
|---|---|---|
| `/api/runs/<id>` | `run_answer` | the object of `git run show --json` |
| `/api/series?ids=A,B&metrics=M,N` | `series_answer` | `{id: {metric: [steps, values]}}`; ids as asked for, at most 50 |
| `/api/runs?limit=200` | `store/columns.py` | the newest runs as columns; `start=`, `limit=`, `stamp=` for further ones |
| `/api/changes?since=STAMP` | `store/columns.py` | what has changed since then |

Two more addresses answer with bytes as they are: `/api/runs/<id>/output?from=N` has the output from byte N on (negative: the
last N bytes), and `/files/<id>/<path>` a file that the run produced, with `?source=1` one of its source; path as in answers.
Two are streams of server-sent events. `/api/events` sends `changed {"stamp": …}` and `live {"ids": […]}` (running runs).
`/api/runs/<id>/tail?from=N` sends the output while it is written, each piece as a JSON text whose event id is the byte after
it, and at last `end {"status": …, "exit_status": …}`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gitrun import store
from gitrun.errors import BadRun, UnknownRun, UsageError
from gitrun.model.run import PREFIX, short_id
from gitrun.render.text import basis_json, json_safe, show_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitrun.model.run import Run
    from gitrun.project import Project

VERSION = "1"
"""The version of the answers. It changes if a page of before could no longer read them."""

MOST_SERIES = 50
"""Runs whose curves are read for one answer."""


def run_answer(project: Project, run_id: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:  # noqa: ARG001
    """Returns a run with attempts, series, files and environment. Raises UnknownRun, BadRun."""
    value: dict[str, Any] = json_safe(full_json(project, find_run(project, run_id)))
    return value


def series_answer(project: Project, query: Mapping[str, str]) -> dict[str, Any]:
    """Returns the curves of metrics. Runs and metrics that are not there are left out. Raises UsageError for too many runs."""
    ids, metrics = (list(filter(None, query.get(name, "").split(","))) for name in ("ids", "metrics"))
    if len(ids) > MOST_SERIES:
        raise UsageError(f"series of at most {MOST_SERIES} runs at a time, not {len(ids)}")
    runs = find_runs(project, ids)
    answer: dict[str, dict[str, Any]] = {name: {} for name in runs}
    names = {run.id: name for name, run in runs.items()}
    for curve in project.runs.read_curves(runs.values(), metrics):
        answer[names[curve.run_id]][curve.metric] = [list(curve.steps), json_safe(list(curve.values))]
    return answer


def read_number(query: Mapping[str, str] | None, name: str, default: int, least: int = 0) -> int:
    """Returns a whole number in an address, at least `least`. Raises UsageError."""
    text = (query or {}).get(name, str(default))
    digits = text.removeprefix("-")
    # Python takes digits of any script, and blanks around them
    is_number = digits.isascii() and digits.isdecimal() and len(digits) < 16
    if not is_number or int(text) < least:
        raise UsageError(f"{name} must be a {'whole number' if least < 0 else 'number from 0 on'}, not '{text}'")
    return int(text)


def find_runs(project: Project, ids: Sequence[str]) -> dict[str, Run]:
    """Returns the runs of these ids, by the ids as given. Leaves out those that are not there or cannot be read."""
    runs: dict[str, Run] = {}
    with project.index() as index:
        for run_id in filter(PREFIX.fullmatch, ids):
            with suppress(UnknownRun, BadRun):
                runs[run_id] = store.resolve.find_run(index, f"runs/{run_id}")
    return runs


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

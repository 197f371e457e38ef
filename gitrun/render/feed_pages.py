"""Makes what single pages about runs ask for, beside the answers of `feed`, whose rules hold here too.

| address | function | value |
|---|---|---|
| `/api/live` | `live_answer` | `running` runs, and those that `ended` last |
| `/api/runs/<id>/context` | `context_answer` | where the run comes from: defaults of its flags, its commit, the run before it |
| `/api/runs/<id>/files?parts=source,produced,local` | `files_answer` | `files`: the array of `git run ls --json` |
| `/api/diff/<a>/<b>` | `diff_answer` | the object of `git run diff <a> <b> --json`; b may be `base` |
| `/api/diff/<a>/<b>/patch?from=0` | `patch_answer` | at most 2,000 `lines` of `git diff` from there on, how many `more` |
| `/api/lineage/<id>` | `lineage_answer` | `nodes` and `links` of a graph, and how many runs `more` |
| `/api/batches/<id>` | `batch_answer` | what a batch searches for, and its trials by number |
| `/api/commits?range=HEAD&limit=100` | `commits_answer` | `commits` with their runs, newest first |
"""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from gitrun import model
from gitrun.dataclass import asdict
from gitrun.errors import GitrunError, UsageError
from gitrun.model.run import BATCH, as_json, attempt_as_json, rfc3339_text
from gitrun.model.text import encode_path
from gitrun.render.diff_json import change_list, compare_environments, differences_json
from gitrun.render.feed import find_run, read_number
from gitrun.render.report_json import point_json
from gitrun.render.run_page import sampler_text
from gitrun.render.text import json_safe
from gitrun.views.contents import PARTS
from gitrun.views.diff import DiffStyle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitrun.model.run import Run
    from gitrun.project import Project
    from gitrun.views.diff import Pair
    from gitrun.views.history import Commit

    Query = Mapping[str, str]
    """The parameters of an address."""

BASE = "base"
"""The name, as a side of a diff, of the commit that the other side was made from."""
LINES, LONGEST = 2_000, 2_000
"""Lines of a patch in an answer, and the characters of a line that are shown."""
COMMITS, RUNS, READ = 100, 20, 200
"""Commits in an answer; runs of each kind that are named for a commit, and runs that are read for it."""
ENDED = 5
"""Ended runs that are named beside the running ones."""
BRIEF = ("id", "operation", "status", "label", "marked", "flags", "metrics", "duration", "started", "trial")
"""The keys of a run in an answer about many runs."""


def live_answer(project: Project, query: Query | None = None) -> dict[str, Any]:  # noqa: ARG001
    """Returns the running runs, and those that ended last, newest first."""
    with project.index() as index:
        running, newest = index.running(), index.readable_runs(ENDED * 20)
    shown = {run.id for run in newest}
    # of a batch that is named, the trials are not
    ended = [run for run in newest if run.attempt.stopped and run.attempt.batch not in shown]
    ended.sort(key=lambda run: rfc3339_text(run.attempt.stopped) or "", reverse=True)
    value: dict[str, Any] = json_safe(
        {"running": list(map(brief_json, running)), "ended": list(map(brief_json, ended[:ENDED]))}
    )
    return value


def context_answer(project: Project, run_id: str, query: Query | None = None) -> dict[str, Any]:  # noqa: ARG001
    """Returns where a run comes from. Raises UnknownRun, BadRun."""
    run = find_run(project, run_id)
    attempt = run.attempt
    base = project.runs.read_commit(attempt.base) if attempt.base else None
    previous = project.runs.run_before(run)
    lent, _ = project.lent(run)
    value: dict[str, Any] = json_safe(
        {
            "defaults": read_defaults(project, run),
            "base": commit_json(base) if base else None,
            "changes": change_list(project.runs.uncommitted_changes(attempt)),
            "previous": previous.id if previous else None,
            "command": list(attempt.command), "cwd": attempt.cwd, "options": list(attempt.params.words()),
            "left_out": [f"{skipped.path} ({skipped.reason})" for skipped in attempt.skipped],
            "lent": [model.lent.describe_lent(entry) for entry in lent],
        }
    )  # fmt: skip
    return value


def read_defaults(project: Project, run: Run) -> dict[str, Any]:
    """Returns the defaults of the flags as the run's own source declares them; none if it cannot be read. Executes nothing."""
    with suppress(GitrunError):
        (offer,) = project.list_operations([run.operation.removesuffix("+")], from_top=True, at=run.attempt.id)
        return {flag.name: flag.default for flag in offer.flags or () if flag.default is not None}
    return {}


def files_answer(project: Project, run_id: str, query: Query | None = None) -> dict[str, Any]:
    """Returns the files of a run in some parts, or in all. Raises UnknownRun, BadRun."""
    parts = (query or {}).get("parts", ",".join(PARTS)).split(",")
    files = project.runs.list_files(find_run(project, run_id), parts)
    return {"files": [asdict(content) | {"path": encode_path(content.path)} for content in files]}


def diff_answer(project: Project, old: str, new: str, query: Query | None = None) -> dict[str, Any]:  # noqa: ARG001
    """Returns the differences between two runs, or between a run and its commit. Raises UnknownRun, BadRun."""
    pair = find_pair(project, old, new)
    value: dict[str, Any] = json_safe(
        differences_json(pair, project.runs.compare(pair), compare_environments(project, pair.runs))
    )
    return value


def patch_answer(project: Project, old: str, new: str, query: Query | None = None) -> dict[str, Any]:
    """Returns lines of the differences between two sources, as git alone finds them. Raises UnknownRun, UsageError."""
    start = read_number(query, "from", 0)
    lines = project.runs.diff_source(find_pair(project, old, new), DiffStyle(is_plain=True))
    shown = [line.decode(errors="replace").removesuffix("\n")[:LONGEST] for line in islice(lines, start, start + LINES)]
    # islice left the others in the iterator
    return {"lines": shown, "more": sum(1 for _ in lines)}


def find_pair(project: Project, old: str, new: str) -> Pair:
    """Returns the two sides of a diff. Raises UnknownRun, BadRun."""
    if new == BASE:
        return project.runs.pair_with_base(find_run(project, old))
    return project.runs.pair_runs(find_run(project, old), find_run(project, new))


def lineage_answer(project: Project, run_id: str, query: Query | None = None) -> dict[str, Any]:  # noqa: ARG001
    """Returns the family of a run as a graph: runs, earlier attempts (by number), and runs that are not here (no status)."""
    run = find_run(project, run_id)
    family = project.runs.build_family(run)
    earlier = [attempt_as_json(attempt) | {"id": number, "number": number} for number, attempt in family.earlier.items()]
    absent = [{"id": absent, "operation": operation} for absent, operation in family.absent.items()]
    keys = ("id", "number", "operation", "status", "label")
    nodes = [*earlier, *(as_json(one) for one in (run, *family.relatives)), *absent]
    return {
        "run": run.id,
        "nodes": [{key: node.get(key) for key in keys} for node in nodes],
        "links": [{"from": link.old, "to": link.new, "kind": link.kind} for link in family.links],
        "more": family.more,
    }


def batch_answer(project: Project, run_id: str, query: Query | None = None) -> dict[str, Any]:  # noqa: ARG001
    """Returns what a batch searches for, its best trials (ids), and its trials by number. Raises BadRun, UnknownRun.

    A batch that tries points several times has these too, the best median first, and its best trials are those of the best
    points.
    """
    run = find_run(project, run_id)
    definition = project.runs.read_definition(run)
    ranked = project.runs.rank_batch(run)
    objective = definition.objectives[0] if len(definition.objectives) == 1 else None
    points, best = (ranked.points, ranked.best) if ranked else ((), ())
    value: dict[str, Any] = json_safe(
        {
            "run": run.id,
            "sampler": sampler_text(definition),
            "space": {name: model.space.format_domain(domain) for name, domain in sorted(definition.space.items())},
            "objective": {"metric": objective.metric, "minimize": objective.minimize} if objective else None,
            "flags": list(ranked.flags) if ranked else [],
            "metrics": list(ranked.shown_metrics) if ranked else [],
            "best": [trial.id for trial in ([run for point in points for run in point.trials] or best)],
            "points": list(map(point_json, points)),
            "trials": [brief_json(trial) for trial in ranked.trials] if ranked else [],
        }
    )
    return value


def commits_answer(project: Project, query: Query | None = None) -> dict[str, Any]:
    """Returns the commits of a range with their runs. `more` tells whether there are further ones. Raises UsageError."""
    limit = read_number(query, "limit", COMMITS)
    words = (query or {}).get("range") or "HEAD"
    if not project.is_commit(words):
        raise UsageError(f"git finds no commits '{words}'", "For example: main..HEAD")
    commits = list(project.runs.read_history(words, limit + 1, most_runs=READ))
    value: dict[str, Any] = json_safe({"commits": list(map(commit_json, commits[:limit])), "more": len(commits) > limit})
    return value


def commit_json(commit: Commit) -> dict[str, Any]:
    """Returns a commit with the newest of its runs, without trials whose batch is among them; `more` counts the others."""
    batches = {run.id for run in (*commit.exact, *commit.changed) if run.attempt.kind == BATCH}
    runs = {
        kind: [run for run in of_kind if run.attempt.batch not in batches]
        for kind, of_kind in (("exact", commit.exact), ("changed", commit.changed))
    }
    return {
        "id": commit.id, "author": commit.author, "time": rfc3339_text(commit.time), "subject": commit.subject,
        **{kind: [brief_json(run) for run in of_kind[:RUNS]] for kind, of_kind in runs.items()},
        "more": commit.more + sum(max(len(of_kind) - RUNS, 0) for of_kind in runs.values()),
    }  # fmt: skip


def brief_json(run: Run) -> dict[str, Any]:
    """Returns the keys of a run that an answer about many runs has."""
    whole = as_json(run)
    return {key: whole[key] for key in BRIEF}

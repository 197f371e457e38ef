"""Differences between two runs as JSON values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitrun.model.text import encode_path
from gitrun.views.diff import differing_values, flatten

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitrun.model.run import Run
    from gitrun.project import Project
    from gitrun.views.contents import Change
    from gitrun.views.diff import Differences, Differing, Pair


def compare_environments(project: Project, runs: Sequence[Run]) -> Differing:
    """Returns the differences between the environments of two runs; none for a single one."""
    if len(runs) < 2:
        return {}
    old, new = (project.environment(run) for run in runs)
    for one, other in ((old, new), (new, old)):
        # one side recorded no packages: a list of all packages of the other would not help
        if "packages" not in other and isinstance(one.get("packages"), dict):
            one["packages"] = f"{len(one['packages']):,} recorded"
    return differing_values(flatten(old), flatten(new))


def differences_json(pair: Pair, differences: Differences, environment: Differing) -> dict[str, Any]:
    """Returns differences as `git run diff --json` prints them."""
    return {
        "runs": [run.id for run in pair.runs], "flags": differences.flags, "needs": differences.needs,
        "metrics": differences.metrics,
        "source": change_list(differences.source), "carried": change_list(differences.carried),
        "files": change_list(differences.files),
        "output": differences.output, "environment": environment,
    }  # fmt: skip


def change_list(changes: Iterable[Change]) -> list[dict[str, str]]:
    """Returns changes of paths as JSON values."""
    return [{"path": encode_path(change.path), "change": change.what} for change in changes]

"""Histories of commits with a trial each, and the trials of their batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervised import runs

if TYPE_CHECKING:
    from repository import Repo

PROGRAM = """\
lr = {default}
{more}
print("loss:", float(lr) * {factor})
"""
MOMENTUM = "momentum = 0.9"


def program(factor: int, *, default: float = 0.1, more: str = "") -> str:
    """Source of a program whose loss is its learning rate times the factor."""
    return PROGRAM.format(factor=factor, default=default, more=more)


def commit_programs(repo: Repo, *factors: int) -> list[str]:
    """Commits a program for each factor. Returns the commits, oldest first."""
    commits = []
    for factor in factors:
        repo.write("train.py", program(factor))
        commits.append(repo.commit(f"factor {factor}"))
    return commits


def runs_of(repo: Repo, operation: str = "train.py") -> list[Any]:
    """The runs of an operation as JSON, by trial or oldest first."""
    return [run for run in reversed(runs(repo, flat=True)) if run["operation"] == operation]


def points(repo: Repo) -> list[tuple[str, float]]:
    """The commit and learning rate of each trial, in order."""
    return [(run["base"], run["flags"]["lr"]) for run in runs_of(repo)]


def batch(repo: Repo) -> str:
    """The id of the one batch."""
    (found,) = runs_of(repo, "train.py+")
    return str(found["id"])


def recorded(repo: Repo) -> str:
    """The result.toml of the batch."""
    return repo.git("show", f"runs/{batch(repo)}:.gitrun/result.toml")

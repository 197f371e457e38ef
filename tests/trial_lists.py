"""Batches as JSON lists them, and as they are started and waited for."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import TYPE_CHECKING, Any

import tomli
from calling import with_client
from supervised import runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from repository import Repo


SUPERVISOR = "json.loads(pathlib.Path(os.environ['GITRUN_METRICS']).with_name('owner').read_text())['pid']"
"""In a program: the process that watches it. The parent of a trial may be the small process that starts programs."""


def runs_of(repo: Repo, operation: str) -> list[dict[str, Any]]:
    """The runs of an operation as JSON, oldest first."""
    return [run for run in reversed(runs(repo, flat=True)) if run["operation"] == operation]


def batch_of(repo: Repo, operation: str) -> dict[str, Any]:
    """The only batch of an operation as JSON."""
    (batch,) = runs_of(repo, f"{operation}+")
    return batch


def trials_by(repo: Repo, operation: str, flag: str) -> dict[object, str]:
    """The statuses of an operation's runs by the value of a flag."""
    return {run["flags"][flag]: run["status"] for run in runs_of(repo, operation)}


def read_result(repo: Repo, run_id: str) -> dict[str, Any]:
    """The result of a run as TOML."""
    return tomli.loads(repo.git("show", f"refs/runs/{run_id}:.gitrun/result.toml"))


def start(repo: Repo, *words: str) -> subprocess.Popen[str]:
    """Starts `git run` in a session of its own."""
    return subprocess.Popen(
        ["git", "run", *words],
        cwd=repo.path,
        env=with_client(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(repo: Repo, operation: str, wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """The runs that are as wanted, once there are some."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if found := [run for run in runs_of(repo, operation) if wanted(run)]:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def supervisor_of(repo: Repo, run_id: str) -> int:
    """The process that runs a run."""
    pid: int = json.loads((repo.path / ".git/gitrun/live" / run_id / "owner").read_text())["pid"]
    return pid

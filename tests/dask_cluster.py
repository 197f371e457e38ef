"""A Dask cluster of real processes: a scheduler, and workers that each run in a clone of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from clones import clone, make_team
from supervised import until
from templates import place_made_once

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clones import Team
    from repository import Repo

QUIET = {
    "DASK_LOGGING__DISTRIBUTED": "critical", "DASK_DISTRIBUTED__ADMIN__LOW_LEVEL_LOG_LENGTH": "0",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "10s",
}  # fmt: skip
WAIT = """\
import os, pathlib, time
n = 0
place = pathlib.Path(os.environ["GATES"])
(place / f"started.{n}").touch()
while not (place / f"go.{n}").exists() and not (place / "go").exists():
    time.sleep(0.01)
print(f"loss: {n}")
"""


@dataclass
class DaskCluster:
    """A scheduler and workers under way. `environ` is theirs."""

    place: Path
    environ: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """Starts the scheduler."""
        self.launch("dask_scheduler", "--port", "0", "--scheduler-file", str(self.file), "--no-dashboard", cwd=self.place)
        until(lambda: self.file.exists() and self.file.read_text().endswith("}"), 60)

    @property
    def file(self) -> Path:
        return self.place / "scheduler.json"

    @property
    def address(self) -> str:
        return str(json.loads(self.file.read_text())["address"])

    @property
    def scheduler(self) -> subprocess.Popen[bytes]:
        return self.processes[0]

    def launch(self, tool: str, *words: str, cwd: Path, **environ: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{tool}", *words], cwd=cwd, env={**self.environ, **environ},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def add_worker(self, repo: Repo, *words: str, threads: int = 1, **environ: str) -> subprocess.Popen[bytes]:
        """Starts a worker in the directory of a clone, and a session of its own."""
        options = ("--nthreads", str(threads), "--no-dashboard", "--no-nanny", "--death-timeout", "5", *words)
        return self.launch("dask_worker", self.address, *options, cwd=repo.path, **environ)

    def end(self) -> None:
        for process in reversed(self.processes):
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kills a worker with all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
@place_made_once
def dask_team(tmp_path: Path) -> Team:
    """Ann drives, Bob's clone is a worker's. Both have echo.py, and wait.py, which waits for gates."""
    team = make_team(tmp_path)
    team.ann.write("wait.py", WAIT)
    team.ann.write("fast.py", 'n = 0\nprint(f"loss: {n}")\n')
    team.ann.commit("wait")
    team.ann.git("push", "--quiet")
    team.bob.git("pull", "--quiet")
    return team


@pytest.fixture
def gates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gates")


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory, gates: Path) -> Iterator[DaskCluster]:
    """A scheduler without workers."""
    found = DaskCluster(tmp_path_factory.mktemp("cluster"), {**os.environ, **QUIET, "GATES": str(gates)})
    try:
        found.start()
        yield found
    finally:
        found.end()


@pytest.fixture
def pair(cluster: DaskCluster, dask_team: Team, tmp_path: Path) -> tuple[Repo, Repo]:
    """Bob's and Carol's clones, with a worker of one thread each."""
    carol = clone(dask_team.remote.path, tmp_path / "carol")
    for repo, name in ((dask_team.bob, "bob"), (carol, "carol")):
        cluster.add_worker(repo, "--name", name)
    return dask_team.bob, carol

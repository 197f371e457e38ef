"""Runs under way, for tests: started, looked at from outside, and waited for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from calling import with_client

from gitrun import Project
from gitrun.render.feed import full_json
from gitrun.render.text import json_safe, run_json
from gitrun.views.select import Query

if TYPE_CHECKING:
    from collections.abc import Callable

    from repository import Repo

Process = subprocess.Popen[bytes]


def start(
    repo: Repo, *args: str | Path, program: tuple[str, ...] = ("git", "run"), is_forked: bool | None = None, **options: Any
) -> Process:
    """`git run ARGS` under way in a session of its own, its stdout and stderr to be read from pipes.

    gitrun is forked, unless `is_forked` is false or there is another `program`. Who signals the session, or kills a `git-run`,
    needs one that is started.
    """
    given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    if program == ("git", "run") if is_forked is None else is_forked:
        given["env"] = with_client(given.get("env", os.environ))
    return subprocess.Popen((*program, *map(str, args)), cwd=repo.path, start_new_session=True, **given)


def ended(repo: Repo, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Any other program, ended, that was started at the top of the working tree."""
    return subprocess.run(words, cwd=repo.path, capture_output=True, text=True, check=False, timeout=60)


def without_root(repo: Repo, *words: str) -> subprocess.CompletedProcess[str]:
    """The ended `git run WORDS`, as somebody whom permissions keep out."""
    caps = "-dac_override,-dac_read_search"
    drop = ["setpriv", f"--bounding-set={caps}", f"--inh-caps={caps}"] if os.geteuid() == 0 else []
    if drop and not shutil.which("setpriv"):
        pytest.skip("there is no setpriv")
    return ended(repo, *drop, "git", "run", *words)


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What `condition` returns as soon as that is true. Asks ever more seldom, at last each 0.1 s. Fails after some seconds."""
    end, pause = time.monotonic() + seconds, 0.01
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(pause)
        pause = min(pause * 1.3, 0.1)
    return found


def runs(repo: Repo, *, flat: bool = False) -> list[dict[str, Any]]:
    """All runs of the repository, newest attempt first, as `git run list --all --json` has them, and with `flat` trials too."""
    project = Project(repo.path)
    selection = project.select(query=Query(flat=flat))
    listed = [*(run for _, run in selection.runs), *(() if flat else project.broken())]
    found: list[dict[str, Any]] = json.loads(json.dumps(json_safe([run_json(run) for run in listed])))
    return found


def shown(repo: Repo, run: str = "1") -> dict[str, Any]:
    """A run, by default the newest, as `git run show --json` has it."""
    project = Project(repo.path)
    found: dict[str, Any] = json.loads(json.dumps(json_safe(full_json(project, project.find(run)))))
    return found


def last(repo: Repo) -> dict[str, Any]:
    """The run with the newest attempt."""
    return runs(repo)[0]


def output(repo: Repo, run: str = "1") -> bytes:
    """The recorded output of a run."""
    return repo.run_bytes("cat", "--output", run).stdout


def state(repo: Repo) -> Path:
    """Where the repository keeps what this machine knows of its runs."""
    return repo.path / ".git" / "gitrun"


def live(repo: Repo) -> list[Path]:
    """The live records, held or left behind."""
    return sorted((state(repo) / "live").glob("*"))


def owner(repo: Repo) -> dict[str, Any]:
    """What the only live record says of its supervisor, once its program has been started."""
    (path,) = until(lambda: [path / "owner" for path in live(repo) if (path / "owner").exists()])
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def is_alive(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def said(process: Process, marker: bytes = b"ready\n") -> bytes:
    """What the process writes to stdout up to the marker."""
    assert process.stdout is not None
    found = b""
    while not found.endswith(marker):
        data = os.read(process.stdout.fileno(), 1)
        assert data, f"it ended: {found!r} {process.stderr.read() if process.stderr else b''!r}"
        found += data
    return found


def whole(repo: Repo) -> None:
    """Fails unless every object of every run is in the repository and reads."""
    repo.git("fsck", "--full", "--strict", "--connectivity-only")
    repo.git("rev-list", "--objects", "--glob=refs/runs/*")
    repo.git("fsck", "--no-dangling")

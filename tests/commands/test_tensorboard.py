"""git run tensorboard: what it refuses."""

from __future__ import annotations

import os
from pathlib import Path

from calling import own_programs


def test_missing_tensorboard_is_named(repo) -> None:
    repo.run("echo.py", check=True)
    path = os.pathsep.join({str(Path(program).parent) for program in own_programs()} | {"/usr/bin", "/bin"})
    done = repo.run("tensorboard", env={"PATH": path, "VIRTUAL_ENV": ""})
    assert done.returncode == 128
    assert done.stderr.endswith("gitrun: error: no tensorboard on PATH. To install it: pip install tensorboard\n")


def test_without_runs_nothing_is_started(repo) -> None:
    done = repo.run("tensorboard")
    assert done.returncode == 128
    assert "no runs match" in done.stderr

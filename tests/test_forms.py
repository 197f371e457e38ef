"""Repositories of all forms: ids of SHA-1 or SHA-256, refs in files or in reftables."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from repository import Repo

if TYPE_CHECKING:
    from pathlib import Path

SAYS = """\
x = 2

print(f"loss: {x / 2}")
open("out.txt", "w").write(str(x))
"""


def repository(path: Path, object_format: str) -> Repo:
    """A repository with one commit of `says.py`, whose ids are of this format."""
    subprocess.run(["git", "init", "-q", "-b", "main", f"--object-format={object_format}", path], check=True)
    repo = Repo(path)
    repo.write("says.py", SAYS)
    repo.commit("says")
    return repo


@pytest.fixture
def long_ids(tmp_path) -> Repo:
    return repository(tmp_path / "long", "sha256")


def test_a_run_of_sha_256_has_ids_of_64_digits(long_ids):
    long_ids.run("says.py", "x=1", check=True)
    (run,) = json.loads(long_ids.run("list", "--json", check=True).stdout)
    assert len(run["id"]) == len(run["base"]) == 64
    assert run["metrics"] == {"loss": 0.5}
    assert long_ids.git("rev-parse", f"refs/runs/{run['id']}^") == run["id"]
    assert long_ids.git("fsck", "--strict") == ""


@pytest.mark.parametrize("way", ["push", "fetch", "import"])
def test_runs_do_not_move_between_sha_1_and_sha_256(tmp_path, long_ids, way):
    short_ids = repository(tmp_path / "short", "sha1")
    long_ids.run("says.py", check=True)
    place = tmp_path / "bundle" if way == "import" else long_ids.path
    if way == "import":
        long_ids.run("export", "says.py", place, check=True)
    short_ids.run("says.py", "x=7", check=True)
    before = short_ids.git("for-each-ref"), long_ids.git("for-each-ref")
    ended = short_ids.run(way, place)
    assert ended.returncode == 128
    assert "one repository has SHA-1 ids and the other SHA-256, and runs cannot move between them" in ended.stderr
    assert (short_ids.git("for-each-ref"), long_ids.git("for-each-ref")) == before

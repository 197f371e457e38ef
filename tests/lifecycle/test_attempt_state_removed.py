"""What gitrun keeps in .git/gitrun is removed while a run is running: the run ends with its record."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest
from sampled import sampled
from supervised import last, runs, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from repository import Repo

STATE = "$(git rev-parse --path-format=absolute --git-common-dir)/gitrun"
PROGRAM = "echo 'loss: 0.5'; echo new > new.txt; echo ignored > out.log; {}; echo 'loss: 0.25'; exit 3"
WAYS = {
    "everything": f'rm -rf "{STATE}"',
    "everything, and a command looks": f'd="{STATE}"; rm -rf "$d"; cd "${{d%/.git/gitrun}}" && git run list >&2',
    "the live record": f'rm -rf "{STATE}/live"',
    "the owner": f'rm "{STATE}"/live/*/owner',
    "the lock": f'rm "{STATE}"/live/*/lock',
    "the output": f'rm "{STATE}"/live/*/output "{STATE}"/live/*/owner',
    "kept files": f'rm -rf "{STATE}/files" "{STATE}/tmp"',
    "the index of runs": f'rm -f "{STATE}"/index.sqlite*',
    "trust": f'rm -f "{STATE}/trust"',
    "the worktree": 'rm -rf "$PWD"',
    "all slots": f'rm -rf "{STATE}/slots"',
    "git's record of the worktree": 'rm -rf "$(git rev-parse --git-dir)"',
    "what git prunes": f'd="{STATE}"; rm .git; git --git-dir="${{d%/gitrun}}" worktree prune',
    "what gc takes": "git gc --quiet --prune=now",
}
WITHOUT_PLACE = ("everything", "everything, and a command looks", "the worktree", "all slots")


@pytest.mark.parametrize("way", sampled(4, WAYS))
def test_a_run_ends_with_its_record(repo, way):
    repo.write(".gitignore", "*.log\n")
    repo.commit()
    ended = repo.run("--", "sh", "-c", PROGRAM.format(WAYS[way]))
    assert ended.returncode == 3
    found = runs(repo)
    assert [(run["status"], run["exit_status"], run["metrics"]) for run in found] == [("error", 3, {"loss": 0.25})]
    output = repo.run("cat", "1", check=True).stdout
    assert output.startswith("loss: 0.5\n")
    assert output.endswith("loss: 0.25\n")
    files = repo.run("ls", "1", "--produced", "--local", "-z", check=True).stdout if way not in WITHOUT_PLACE else ""
    assert way in WITHOUT_PLACE or {"new.txt", "out.log"} <= set(files.split("\0"))
    repo.run("doctor", "--fix")
    assert "no problems found" in repo.run("doctor", check=True).stderr


@pytest.mark.parametrize("way", ["everything", "the live record", "trust"])
def test_a_restart_needs_no_trust_afterwards(repo, way):
    repo.run("--", "sh", "-c", WAYS[way], check=True)
    assert repo.run("--restart", "1").returncode == 0


def test_logged_metrics_up_to_then_are_kept(repo):
    program = f"import gitrun, os\ngitrun.log({{'loss': 1}})\nos.system('''rm -rf \"{STATE}\"''')\ngitrun.log({{'loss': 2}})\n"
    repo.write("t.py", program)
    assert repo.run("t.py").returncode == 0
    assert shown(repo)["metrics"] == {"loss": 1}


def test_a_run_in_place_ends_with_its_record(repo):
    repo.write("keep.txt", "mine")
    repo.run("--in-place", "--", "sh", "-c", PROGRAM.format("rm -rf .git/gitrun"))
    assert repo.run("ls", "1", "--produced", "--local", "-z", check=True).stdout.split("\0")[:-1] == ["new.txt", "out.log"]
    assert (repo.path / "keep.txt").read_text() == "mine"
    assert last(repo)["status"] == "error"


def test_steps_end_with_their_records(repo):
    repo.write("one.sh", f'#!/bin/sh\nrm -rf "{STATE}"\necho one\n').chmod(0o755)
    repo.write("gitrun.toml", '[operations.all]\nsteps = ["one.sh", "echo.py"]\n')
    repo.commit()
    assert repo.run("all").returncode == 0
    found = runs(repo)
    assert {(run["operation"], run["status"]) for run in found} == {
        ("all", "completed"), ("one.sh", "completed"), ("echo.py", "completed"),
    }  # fmt: skip
    assert repo.run("cat", "all", check=True).stdout.startswith("one\n")


def test_a_slot_that_another_run_has_made_again_is_not_touched(repo):
    program = "echo {0}; echo {0} > {0}.txt; for i in $(seq 600); do [ -e {1}/{0} ] && break; sleep .05; done; exit 3"
    repo.run("--background", "--", "sh", "-c", program.format("first", repo.path / ".git"), check=True)
    wait_for(lambda: list(repo.path.glob(".git/gitrun/slots/0/tree/*/*/first.txt")))
    shutil.rmtree(repo.path / ".git" / "gitrun")
    repo.run("--background", "--", "sh", "-c", program.format("second", repo.path / ".git"), check=True)
    wait_for(lambda: list(repo.path.glob(".git/gitrun/slots/0/tree/*/*/second.txt")))
    repo.write(".git/first", "")
    wait_for(lambda: statuses(repo) == ["running", "error"])
    repo.write(".git/second", "")
    wait_for(lambda: statuses(repo) == ["error", "error"])
    assert repo.run("ls", "1", "--produced", "--local", "-z", check=True).stdout == "second.txt\0"
    assert repo.run("ls", "2", "--produced", "--local", "-z", check=True).stdout == ""
    assert repo.run("cat", "2", check=True).stdout == "first\n"


def statuses(repo: Repo) -> list[str]:
    return [run["status"] for run in runs(repo)]


def wait_for(happens: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.05)

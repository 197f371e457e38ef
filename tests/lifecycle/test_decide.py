"""What is decided about a request: a plan, or a reason to skip."""

from __future__ import annotations

import subprocess
from datetime import timedelta

import pytest
import tomli
import tomli_w

from gitrun import Project
from gitrun.errors import CannotRun
from gitrun.model.plan import Plan, Request


def plan(repo, at="", **request) -> Plan:
    found = Project(repo.path / at).plan(Request(**request))
    assert isinstance(found, Plan)
    return found


def test_plan_writes_no_ref_and_no_other_thing_of_the_users(repo) -> None:
    repo.write("new.py", "x = 1\n")
    before = repo.git("for-each-ref"), repo.git("status", "--porcelain")
    plan(repo, operation="new.py", flags={"x": 2})
    assert (repo.git("for-each-ref"), repo.git("status", "--porcelain")) == before


def test_two_plans_of_the_same_are_told_apart(repo) -> None:
    first, second = (plan(repo, operation="echo.py") for _ in range(2))
    assert first.nonce != second.nonce
    assert first.flags == second.flags


def test_bare_repository_has_nothing_to_run(repo, tmp_path) -> None:
    repo.git("clone", "-q", "--bare", ".", tmp_path / "bare")
    with pytest.raises(CannotRun, match="this repository has no working tree"):
        Project(tmp_path / "bare").plan(Request(operation="echo.py"))


def made_elsewhen(repo, run: str, ahead: timedelta) -> str:
    """A run like another one, made by a clock that was so much ahead."""
    fields = tomli.loads(repo.git("cat-file", "blob", f"{run}:.gitrun/run.toml"))
    fields["created"] += ahead
    path = repo.write(".git/run.toml", tomli_w.dumps(fields))
    blob = repo.git("hash-object", "-w", path)
    inner = repo.git("ls-tree", f"{run}:.gitrun").splitlines()
    inner = [f"100644 blob {blob}\trun.toml" if line.endswith("\trun.toml") else line for line in inner]
    top = [line for line in repo.git("ls-tree", run).splitlines() if not line.endswith("\t.gitrun")]
    tree = made(repo, [*top, f"040000 tree {made(repo, inner)}\t.gitrun"])
    head = repo.git("commit-tree", "-p", "HEAD", "-m", repo.git("log", "-1", "--format=%B", run), tree)
    with (repo.path / ".git" / "gitrun" / "trust").open("a") as trust:  # as of a run that was made here
        trust.write(f"{head}\n")
    repo.git("update-ref", f"refs/runs/{head}", head)
    return head


def made(repo, lines: list[str]) -> str:
    """The id of a tree with these entries."""
    text = "".join(f"{line}\n" for line in lines)
    return subprocess.run(
        ["git", "mktree"], cwd=repo.path, input=text, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize(("ahead", "is_newest"), [(timedelta(hours=2), True), (timedelta(days=400), False)])
def test_a_restarted_run_is_the_newest_although_the_clock_was_set_back(repo, ahead, is_newest):
    run = Project(repo.path).run("echo.py").id
    made_elsewhen(repo, run, ahead)
    assert Project(repo.path).list_runs()[0].id != run
    Project(repo.path).run(restart=run)
    assert (Project(repo.path).list_runs()[0].id == run) == is_newest

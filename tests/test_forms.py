"""Repositories of all forms: ids of SHA-1 or SHA-256, refs in files or in reftables."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from forms import FORMS, Form
from repository import Repo

if TYPE_CHECKING:
    from pathlib import Path

SAYS = """\
x = 2

print(f"loss: {x / 2}")
open("out.txt", "w").write(str(x))
"""
IDS = {"sha1": 40, "sha256": 64}
"""Digits of an id."""


@pytest.fixture(
    params=[
        pytest.param(one, id=one.name, marks=[pytest.mark.slow] * (one == Form("sha256", "reftable")))
        for one in FORMS
        if one != Form()
    ]
)
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Form:
    """Each form in turn but the usual one, which all other tests have: repositories that the test makes have it."""
    chosen: Form = request.param
    monkeypatch.delenv("GIT_DEFAULT_HASH", raising=False)
    monkeypatch.delenv("GIT_DEFAULT_REF_FORMAT", raising=False)
    chosen.apply(monkeypatch)
    return chosen


def repository(path: Path) -> Repo:
    """A repository with one commit of `says.py`."""
    repo = Repo.create(path)
    repo.write("says.py", SAYS)
    repo.commit("says")
    return repo


def listed(repo: Repo) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = json.loads(repo.run("list", "--all", "--json", check=True).stdout)
    return runs


def users_own(repo: Repo) -> tuple[str, ...]:
    """What git says of HEAD, branches, the index, the working tree, the configuration and reflogs."""
    asked = (
        ["rev-parse", "HEAD"],
        ["branch", "-a"],
        ["ls-files", "-s"],
        ["status", "--porcelain"],
        ["config", "--list", "--local"],
        ["reflog", "show", "--all"],
    )
    return tuple(repo.git(*words) for words in asked)


def test_runs_live_in_a_repository_of_each_form(tmp_path, form):
    repo = repository(tmp_path / "r")
    before = users_own(repo)
    repo.run("says.py", "x=1", check=True)
    repo.run("says.py", "x=[3,4]", check=True)
    repo.run("--restart", "2", "x=7", check=True)
    runs = listed(repo)
    assert [(run["operation"], run["status"]) for run in runs] == [("says.py", "completed"), ("says.py+", "completed")]
    assert len(repo.git("for-each-ref", "refs/runs").splitlines()) == 4
    assert {len(run["id"]) for run in runs} == {IDS[form.objects]}
    assert repo.run("--restart", "1", "--needed", check=True).stdout.startswith("Skipping run")
    assert "reproduced" in repo.run("verify", "1", check=True).stdout
    assert "x" in repo.run("diff", "1", "2", check=True).stdout
    assert "loss" in repo.run("compare", check=True).stdout
    repo.run("rm", "2", check=True)
    assert len(repo.git("for-each-ref", "refs/runs").splitlines()) == 1
    repo.run("restore", check=True)
    assert [run["id"] for run in listed(repo)] == [run["id"] for run in runs]
    repo.run("gc", "--slots", check=True)
    ended = repo.run("doctor")
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stdout
    assert "completed" in repo.git("log", "-1", "--notes=runs")
    repo.git("fsck", "--strict")
    assert users_own(repo) == before


def test_a_program_sees_its_run_as_head_in_each_form(tmp_path, form):
    repo = repository(tmp_path / "r")
    asked = ["--", "sh", "-c", "git rev-parse HEAD; git symbolic-ref -q HEAD; git checkout -q -B away"]
    for _ in range(2):  # the second run has a slot whose HEAD was moved
        ended = repo.run(*asked, check=True)
        assert ended.stdout.split() == [listed(repo)[0]["id"]]
    assert repo.git("symbolic-ref", "HEAD") == "refs/heads/main"


def test_runs_travel_between_repositories_of_each_form(tmp_path, form):
    here, other = repository(tmp_path / "here"), tmp_path / "other"
    here.git("init", "-q", "--bare", "-b", "main", tmp_path / "server")
    here.git("remote", "add", "origin", tmp_path / "server")
    here.git("push", "-q", "origin", "main")
    here.run("says.py", "x=1", check=True)
    here.run("says.py", "x=[1,2]", check=True)
    here.run("push", "origin", check=True)
    here.git("clone", "-q", tmp_path / "server", other)
    there = Repo(other)
    there.run("fetch", "origin", check=True)
    assert {run["id"] for run in listed(there)} == {run["id"] for run in listed(here)}
    here.run("label", "best", "1", check=True)
    there.run("tag", "seen", "1", check=True)
    here.run("push", "origin", check=True)
    there.run("pull", check=True)
    there.run("push", "origin", "1", check=True)
    here.run("pull", check=True)
    assert [(run["label"], run["tags"]) for run in listed(here)] == [(run["label"], run["tags"]) for run in listed(there)]
    assert {"best"} == {run["label"] for run in listed(here)} - {None, ""}


@pytest.mark.parametrize("objects", IDS)
def test_runs_survive_a_migration_to_reftables(tmp_path, monkeypatch, objects):
    Form(objects, "reftable").apply(monkeypatch)  # with a git that can migrate
    monkeypatch.setenv("GIT_DEFAULT_REF_FORMAT", "files")
    repo = repository(tmp_path / "r")
    repo.run("says.py", "x=1", check=True)
    repo.run("says.py", "x=2", check=True)
    repo.run("rm", "1", check=True)
    repo.run("label", "best", "1", check=True)
    before = listed(repo)
    assert "git run gc --slots" in repo.run("doctor").stderr
    refused = subprocess.run(
        ["git", "refs", "migrate", "--ref-format=reftable"], cwd=repo.path, capture_output=True, check=False
    )
    assert refused.returncode != 0
    repo.run("gc", "--slots", check=True)
    # git 2.47 migrates no reflogs, and refuses while there are some
    shutil.rmtree(repo.path / ".git" / "logs")
    repo.git("refs", "migrate", "--ref-format=reftable")
    assert listed(repo) == before
    repo.run("restore", check=True)
    repo.run("--restart", "best", "x=5", check=True)
    newest = listed(repo)[0]
    assert (newest["label"], newest["metrics"], len(listed(repo))) == ("best", {"loss": 2.5}, 2)
    ended = repo.run("doctor")
    assert (ended.returncode, "refs migrate" in ended.stderr) == (0, False)


def test_the_index_sees_what_git_does_to_reftables(tmp_path, form):
    repo = repository(tmp_path / "r")
    repo.run("says.py", "x=1", check=True)
    repo.run("says.py", "x=2", check=True)
    newest, oldest = (run["id"] for run in listed(repo))
    repo.git("update-ref", "-d", f"refs/runs/{newest}")
    assert [run["id"] for run in listed(repo)] == [oldest]
    repo.git("update-ref", f"refs/runs/{oldest}", oldest)  # back to its first attempt, without a result
    assert [run["status"] for run in listed(repo)] == ["pending"]


@pytest.mark.parametrize("way", ["push", "fetch", "import"])
def test_runs_do_not_move_between_sha_1_and_sha_256(tmp_path, monkeypatch, way):
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    long_ids = repository(tmp_path / "long")
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha1")
    short_ids = repository(tmp_path / "short")
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

"""A project whose runs the real Guild made comes along: imported, compared, restarted without Guild, verified, pushed."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from forms import Form, asked_form
from guild_project import CANARY, GuildProject
from repository import Repo

from gitrun import Project
from gitrun.extras.importers.guild_runs import PLAIN_ATTRS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(asked_form() != Form(), reason="the project is made once, with SHA-1 ids and refs in files"),
]


@pytest.fixture
def repo(guild_project: GuildProject, tmp_path) -> Repo:
    shutil.copytree(guild_project.path, tmp_path / "project", symlinks=True)
    return Repo(tmp_path / "project")


def test_two_hundred_runs_come_along(repo, guild_project, tmp_path) -> None:
    count = len([one for one in (guild_project.home / "runs").iterdir() if (one / ".guild").is_dir()])
    assert count >= 200
    ended = repo.run("import", "guild", guild_project.home, check=True, timeout=300)
    assert f"imported {count} runs from guild" in ended.stderr
    again = repo.run("import", "guild", guild_project.home, check=True, timeout=300)
    assert f"imported 0 runs from guild; {count} already here" in again.stderr
    runs = Project(repo.path).list_runs()
    statuses = [run.status for run in runs]
    assert (len(runs), statuses.count("error"), statuses.count("completed")) == (count, 1, count - 1)
    assert repo.run("doctor").returncode == 0

    (first,) = [run for run in runs if run.notes.label == "first try"]
    assert (first.operation, first.flags["lr"], first.notes.tags, first.notes.marked) == ("m:train", 0.9, ("paper",), True)
    assert (first.notes.comments[0].text, first.metrics.ask("loss:count")) == ("looks good", 3)
    compared = repo.run("compare", "--all", "--columns", "operation,lr,size,loss", "--min", "loss", check=True)
    assert compared.stdout.splitlines()[1].split() == ["m:train", "0.1", "1", "0.0333333"]

    repo.run("trust", first.id, check=True)
    restarted = repo.run("--restart", first.id, "lr=0.6", check=True)
    assert "loss: 0.6\n" in restarted.stdout
    repo.run("verify", first.id, check=True)
    (batch,) = [run for run in runs if run.operation == "m:train+" and run.attempt.kind == "batch"]
    trials = Project(repo.path).read_batch(batch).trials
    assert [trial.flags["lr"] for trial in trials] == [0.5, 0.6]

    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "remote.git"], check=True)
    repo.git("remote", "add", "origin", tmp_path / "remote.git")
    repo.run("push", "origin", "--all", check=True, timeout=300)
    clone = Repo.create(tmp_path / "clone")
    clone.git("remote", "add", "origin", tmp_path / "remote.git")
    clone.run("fetch", "origin", check=True, timeout=300)
    assert len(Project(clone.path).list_runs()) == count


def test_pipeline_has_its_steps_and_what_they_needed(repo, guild_project) -> None:
    repo.run("import", "guild", guild_project.home, check=True, timeout=300)
    shown = repo.run("show", "m:pipe", check=True).stdout
    assert ("m:prepare" in shown, "m:train" in shown) == (True, True)
    project = Project(repo.path)
    (pipe,) = [run for run in project.list_runs() if run.operation == "m:pipe"]
    steps = [step.run_id for step in project.runs.read_family(pipe)[1]]
    (_, train) = [run for run_id in steps for run in project.list_runs() if run.id == run_id]
    (basis,) = project.runs.read_bases([train])
    assert ([need.run_id for need in basis.needs], basis.parent) == ([steps[0]], pipe.id)
    assert [path for need in basis.needs for path, _ in need.files] == ["data.txt"]
    repo.run("trust", pipe.id, *steps, check=True)
    assert "loss: 0.3\n" in repo.run("--restart", pipe.id, check=True).stdout


def test_operations_are_those_that_guild_lists(repo, guild_project) -> None:
    listed = {line.split()[0] for line in guild_project.guild("operations").splitlines()}
    offers = json.loads(repo.run("ops", "--json", check=True).stdout)
    assert {offer["name"] for offer in offers} == listed
    assert [offer["error"] for offer in offers] == [None] * len(offers)
    (train,) = [offer for offer in offers if offer["name"] == "m:train"]
    assert [(flag["name"], flag["default"]) for flag in train["flags"]] == [("lr", 0.1), ("epochs", 3), ("size", 1)]


def test_secret_of_the_environment_is_nowhere(repo, guild_project) -> None:
    environments = (guild_project.home / "runs").glob("*/.guild/attrs/env")
    assert any(CANARY in path.read_text() for path in environments)
    repo.run("import", "guild", guild_project.home, "--authors", check=True, timeout=300)
    names = subprocess.run(
        ["git", "cat-file", "--batch-all-objects", "--batch-check=%(objectname)"],
        cwd=repo.path,
        capture_output=True,
        check=True,
    ).stdout
    contents = subprocess.run(
        ["git", "cat-file", "--batch"], cwd=repo.path, input=names, capture_output=True, check=True
    ).stdout
    assert CANARY.encode() not in contents
    found = subprocess.run(["grep", "-rl", CANARY, repo.path], capture_output=True, text=True, check=False)
    assert found.stdout == ""


def test_written_home_has_the_layout_of_a_real_one(guild_project, guild_run) -> None:
    written = guild_run()
    real = next(one for one in (guild_project.home / "runs").iterdir() if "m prepare" in (one / ".guild/opref").read_text())
    names = {path.name for path in (written / ".guild/attrs").iterdir()}
    assert names - {path.name for path in (real / ".guild/attrs").iterdir()} == set()
    assert names - {"env", "id"} <= set(PLAIN_ATTRS)
    forms = [(one / ".guild/manifest").read_text().splitlines()[-1].split() for one in (written, real)]
    assert [len(form) for form in forms] == [4, 4]
    assert len((real / ".guild/opref").read_text().split()) == len((written / ".guild/opref").read_text().split()) == 4

"""`git run verify BATCH`: the best trial runs again, and all proposals are made again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from commit_trials import batch, commit_programs, runs_of
from repository import Repo
from sampled import sampled

from gitrun import Project
from gitrun.lifecycle.batch_verify import ProposalCheck, check_proposals, read_runs
from gitrun.model.flags import Flags
from gitrun.views.batches import read_definition

if TYPE_CHECKING:
    from pathlib import Path

TRAIN = "import os\nlr = 0.1\nprint('loss:', (lr - 0.3) ** 2 + float(os.environ.get('MORE', '0')))\n"


@pytest.fixture
def repo(empty_repo: Repo) -> Repo:
    """A program whose loss is smallest at lr=0.3."""
    empty_repo.write("train.py", TRAIN)
    empty_repo.commit()
    return empty_repo


def verified(repo: Repo, *words: str, code: int = 0, env: dict[str, str] | None = None) -> Any:
    """The verdict on the one batch as JSON."""
    done = repo.run("verify", batch(repo), "--json", *words, env=env)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_the_best_trial_and_all_proposals_are_made_again(repo: Repo) -> None:
    repo.run("train.py", "lr=[0.1,0.2,0.3,0.5]", "--minimize", "loss", check=True)
    found = verified(repo)
    assert (found["verdict"], [one["trial"] for one in found["trials"]]) == ("reproduced", [3])
    assert found["proposals"] == {"compared": 4, "differing": [], "reason": None}
    text = repo.run("verify", "train.py+", check=True).stdout
    assert "1 trial executed, 4 proposals made again" in text
    assert "#3 reproduced: run" in text


def test_a_trial_that_differs_makes_the_batch_differ(repo: Repo) -> None:
    repo.run("train.py", "lr=[0.1,0.2]", "--minimize", "loss", check=True)
    found = verified(repo, code=1, env={"MORE": "1"})
    assert found["verdict"] == "differs"
    assert [one["name"] for one in found["trials"][0]["differences"]] == ["loss"]


def test_a_sample_has_different_trials(repo: Repo) -> None:
    repo.run("train.py", "lr=[0.1,0.2,0.3]", check=True)
    assert len({one["trial"] for one in verified(repo, "--sample", "2")["trials"]}) == 2
    assert [one["trial"] for one in verified(repo, "--sample", "9")["trials"]] == [1, 2, 3]


FEW_RANDOM = ("--opt-flag", "n_startup_trials=2")
SEARCHES = {"random": (), "tpe": FEW_RANDOM, "cmaes": (), "gp": FEW_RANDOM, "grid": ()}


# one trial at a time is the easier case: a sampler knows all earlier trials
@pytest.mark.parametrize(("sampler", "jobs"), sampled(1, [*((name, "3") for name in SEARCHES), ("random", "1"), ("tpe", "1")]))
def test_proposals_of_each_sampler_come_out_again(repo: Repo, sampler: str, jobs: str) -> None:
    if sampler in {"tpe", "cmaes", "gp"}:
        pytest.importorskip("optuna")
    if sampler == "gp":
        pytest.importorskip("torch", reason="--optimizer gp needs PyTorch, which is too large to be installed for tests")
    if sampler == "cmaes":
        pytest.importorskip("cmaes")
    space = "lr=linspace[0:1:9]" if sampler == "grid" else "lr=[0.0:1.0]"
    words = ("--optimizer", sampler, "--max-trials", "7", "--minimize", "loss", *SEARCHES[sampler])
    repo.run("train.py", space, *words, "--jobs", jobs, check=True)
    found = verified(repo)
    assert found["proposals"] == {"compared": 7, "differing": [], "reason": None}


def test_proposals_after_an_interruption_come_out_again(repo: Repo) -> None:
    pytest.importorskip("optuna")
    repo.run("train.py", "lr=[0.0:1.0]", "--optimizer", "tpe", "--max-trials", "5", "--minimize", "loss", check=True)
    repo.run("--restart", batch(repo), "--max-trials", "8", check=True)
    assert verified(repo)["proposals"] == {"compared": 8, "differing": [], "reason": None}


def test_flags_that_the_sampler_did_not_propose_are_found(repo: Repo) -> None:
    repo.run("train.py", "lr=[0.0:1.0]", "--optimizer", "random", "--max-trials", "3", "--minimize", "loss", check=True)
    project = Project(repo.path)
    found, session = project.find(batch(repo)), project.session()
    runs = read_runs(session, found)
    runs[2] = replace(runs[2], attempt=replace(runs[2].attempt, flags=Flags({"lr": 0.5})))
    definition = read_definition(project.git, found)
    assert check_proposals(session, found, definition, runs) == ProposalCheck(3, (2,))


def test_changed_spaces_and_missing_trials_are_named(repo: Repo) -> None:
    pytest.importorskip("optuna")
    words = ("--optimizer", "tpe", "--max-trials", "3", "--minimize", "loss")
    repo.run("train.py", "lr=[0.0:1.0]", *words, check=True)
    repo.run("rm", runs_of(repo)[0]["id"], check=True)
    assert verified(repo)["proposals"]["reason"] == "trial #1, from which the batch learned, is not here"
    repo.run("restore", check=True)
    repo.run("--restart", batch(repo), "lr=[0.0:2.0]", "--max-trials", "4", check=True)
    assert verified(repo)["proposals"]["reason"] == "a restart has changed what the batch searches for"


def test_trials_of_commits_are_verified_at_their_commits(repo: Repo) -> None:
    base = repo.head()
    commit_programs(repo, 3, 1, 2)
    repo.run("--at", f"{base}..HEAD", "train.py", "lr=[1,2]", "--minimize", "loss", check=True)
    repo.write("train.py", "dirty\n")
    found = verified(repo)
    assert [one["trial"] for one in found["trials"]] == [3]
    assert found["proposals"] == {"compared": 6, "differing": [], "reason": None}


REFUSED = {
    "has no objective, so no trial is the best": (),
    "--keep cannot be used with a batch": ("--keep",),
}


def test_what_cannot_be_verified_is_refused(repo: Repo) -> None:
    repo.run("train.py", "lr=[0.1,0.2]", check=True)
    for message, words in REFUSED.items():
        done = repo.run("verify", batch(repo), *words)
        assert (done.returncode, message in done.stderr) == (129, True), done.stderr
    alone = repo.run("verify", runs_of(repo)[0]["id"], "--sample", "2")
    assert (alone.returncode, "--sample needs a batch" in alone.stderr) == (129, True)


def test_a_fetched_batch_is_verified_once_it_is_trusted(repo: Repo, tmp_path: Path) -> None:
    repo.run("train.py", "lr=[0.1,0.3]", "--minimize", "loss", check=True)
    other = Repo(tmp_path / "other")
    shutil.rmtree(other.path, ignore_errors=True)
    repo.git("clone", "--quiet", str(repo.path), str(other.path))
    found = batch(repo)
    other.run("fetch", "origin", found, check=True)
    assert other.run("verify", found).returncode == 128
    other.run("trust", found, check=True)
    assert other.run("verify", found, check=True).stdout.startswith("reproduced")

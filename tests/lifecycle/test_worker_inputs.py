"""Inputs of a run that was handed out reach the worker that lacks them, as they were, or the run stays open."""

from __future__ import annotations

import hashlib
import shutil

import pytest
from clones import make_team, tip
from templates import place_made_once

READ = 'n = 0\nprint(open("data/words.txt").read())\n'
WORDS = "one two\n"
SHA256 = hashlib.sha256(WORDS.encode()).hexdigest()


@pytest.fixture
@place_made_once
def team(tmp_path):
    """Ann has an operation that reads a file that git ignores; Bob's clone lacks it."""
    team = make_team(tmp_path)
    team.ann.write("read.py", READ)
    team.ann.write(".gitignore", "data/\n")
    team.ann.write("gitrun.toml", '[operations.read]\nscript = "read.py"\ninputs = ["data/words.txt"]\n')
    team.ann.commit("read")
    team.ann.git("push", "--quiet")
    team.ann.write("data/words.txt", WORDS)
    return team


def hand_out(team, how: str) -> str:
    """Hands a run out. Returns its id and what gitrun said."""
    if how == "push":
        team.ann.run("--stage", "read", check=True)
        return team.ann.run("push", "--stage", "origin", check=True).stderr
    return team.ann.run("read", *(["n=[1,2]"] if how == "batch" else []), "--on", "origin", check=True).stderr


@pytest.mark.parametrize("how", ["push", "batch", pytest.param("--on origin", marks=pytest.mark.slow)])
def test_an_ignored_input_is_fetched_by_a_worker(team, how) -> None:
    said = hand_out(team, how)
    assert "pushed 1 input to origin" in said
    assert "git ignores" not in said
    team.bob.run("fetch", check=True)
    team.bob.run("trust", *tip(team.bob), check=True)
    ended = team.bob.run("worker", "origin", check=True)
    assert ended.stdout == (WORDS + "\n") * (2 if how == "batch" else 1)
    assert not (team.bob.path / "data").exists()
    assert team.bob.git("status", "--short") == ""
    # the remote has it already
    assert "pushed 1 input" not in team.ann.run("read", "--on", "origin", "--random-seed", "1", check=True).stderr


def test_data_beside_the_inputs_is_still_missed(team) -> None:
    team.ann.write("data/more.txt", "")
    assert "note: git ignores data/" in hand_out(team, "--on origin")
    (run_id,) = tip(team.ann)
    ended = team.bob.run("worker", "origin", "--once", run_id)
    assert ended.returncode == 75
    assert "needs data that is not here: data/" in ended.stderr


@pytest.mark.parametrize("what", ["other file here", "forged on the remote", "removed from the remote"])
def test_an_input_that_is_not_as_it_was_keeps_the_run_open(team, what) -> None:
    hand_out(team, "push")
    (run_id,) = tip(team.ann)
    ref = f"refs/gitrun/inputs/{SHA256}"
    if what == "other file here":
        team.bob.write("data/words.txt", "others\n")
    elif what == "forged on the remote":
        team.bob.write("content", "others\n")
        team.bob.git("add", "content")
        forged = team.bob.git("commit-tree", "-m", "forged", team.bob.git("write-tree"))
        team.bob.git("push", "--quiet", "--force", "origin", f"{forged}:{ref}")
        team.bob.git("reset", "--quiet", "--hard")
    else:
        team.remote.git("update-ref", "-d", ref)
    ended = team.bob.run("worker", "origin", "--once", run_id)
    assert (ended.returncode, ended.stdout) == (75, "")
    assert "needs input data/words.txt" in ended.stderr
    assert tip(team.remote)[run_id] == run_id


@pytest.mark.parametrize(
    ("path", "reason"),
    [("data", "is a directory"), ("data/id_rsa", "looks like a secret"), ("data/notes.txt", "may hold a secret")],
)
def test_an_input_that_does_not_travel_is_named(team, path, reason) -> None:
    team.ann.write("data/id_rsa", "x")
    team.ann.write("data/notes.txt", "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----\n")
    team.ann.write("gitrun.toml", f'[operations.read]\nscript = "read.py"\ninputs = ["{path}"]\n')
    assert f"warning: input {path} is not pushed: it {reason}" in hand_out(team, "push")


def test_an_input_with_a_url_is_downloaded_by_the_worker(team, tmp_path) -> None:
    far = tmp_path / "far.txt"
    far.write_text(WORDS)
    entry = f'{{ path = "data/words.txt", url = "{far.as_uri()}", sha256 = "{SHA256}" }}'
    team.ann.write("gitrun.toml", f'[operations.read]\nscript = "read.py"\ninputs = [{entry}]\n')
    shutil.rmtree(team.ann.path / "data")
    assert "pushed 1 input" not in hand_out(team, "push")
    (run_id,) = tip(team.ann)
    assert team.bob.run("worker", "origin", "--once", run_id, check=True).stdout == WORDS + "\n"


@pytest.mark.slow
def test_an_input_in_git_lfs_comes_through_git_lfs(team) -> None:
    if shutil.which("git-lfs") is None:
        pytest.skip("git-lfs is not installed")
    for repo in (team.ann, team.bob):
        repo.git("lfs", "install", "--local")
    team.ann.write(".gitignore", "")
    team.ann.git("lfs", "track", "*.txt")
    team.ann.commit("track")
    team.ann.git("push", "--quiet")
    said = hand_out(team, "push")
    assert "pushed 1 input" not in said
    (run_id,) = tip(team.ann)
    assert team.bob.run("worker", "origin", "--once", run_id, check=True).stdout == WORDS + "\n"


@pytest.mark.slow
def test_workers_of_a_cluster_fetch_inputs(team, cluster) -> None:
    cluster.add_worker(team.bob)
    ended = team.ann.run("read", "n=[1,2]", "--on", cluster.address, check=True)
    assert "pushed 1 input to origin" in ended.stderr
    assert "2 of 2 trials completed" in ended.stderr

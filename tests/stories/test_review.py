"""A whole review: Ann's branch with its runs, a server that looks through what it is sent, and Bob, who trusts nothing."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from browser import looked_at
from clones import Team, make_team, tip
from templates import place_made_once

if TYPE_CHECKING:
    from repository import Repo

pytestmark = pytest.mark.usefixtures("forked")
TRAIN = """\
lr = 0.1
steps = 5
loss = float(1)
for step in range(steps):
    loss *= 1 - lr
    print(f"step: {step}")
    print(f"loss: {loss:.4f}")
open("model.txt", "w").write(f"{loss:.6f}\\n")
"""
BETTER = TRAIN.replace("loss *= 1 - lr", "loss *= (1 - lr) ** 2")


@pytest.fixture
@place_made_once
def team(tmp_path) -> Team:
    """Ann has our hooks, the server its own; Ann's branch `faster` is pushed, with the run that its one commit names."""
    team = make_team(tmp_path)
    team.ann.run("hooks", "install", check=True)
    team.remote.run("hooks", "install", check=True)
    team.ann.write("train.py", TRAIN)
    team.ann.run("train.py", check=True)
    team.ann.commit("train")
    team.ann.git("push", "-q", "origin", "main")
    team.ann.git("checkout", "-q", "-b", "faster")
    team.ann.write("train.py", BETTER)
    team.ann.run("train.py", "lr=0.2", check=True)
    team.ann.run("train.py", "lr=0.3", check=True)
    team.ann.git("add", ".")
    team.ann.git("commit", "-q", "-m", "Squares the step")
    team.ann.git("push", "-q", "-u", "origin", "faster")
    return team


def under_review(repo: Repo) -> str:
    """The run that the commit names."""
    return repo.git("log", "-1", "--format=%(trailers:key=Run,valueonly)", "origin/faster").strip()


def test_review_from_the_first_run_to_the_last_word(team, tmp_path) -> None:
    ann, bob, remote = team.ann, team.bob, team.remote
    assert len(tip(remote)) == 3  # the pushes took the runs of their commits along

    bob.git("fetch", "-q")
    assert tip(bob) == {}  # plain git takes no runs
    bob.git("checkout", "-q", "faster")
    bob.run("fetch", check=True)
    assert tip(bob) == tip(remote) == tip(ann)
    run = under_review(bob)

    told = bob.run("log", "origin/main..origin/faster", check=True).stdout
    assert "Squares the step" in told
    assert [word in told for word in ("lr=0.2", "lr=0.3", "lr=0.1")] == [True, True, False]
    seen_by_git = bob.git("log", "--format=%s", f"refs/runs/{run}").splitlines()
    assert [line.split()[0] for line in seen_by_git[:2]] == ["completed", "run"]

    text = bob.run("report", "origin/main..origin/faster", check=True).stdout
    assert "Squares the step" in text
    assert text == ann.run("report", "main..faster", check=True).stdout  # both read the same
    bob.run("report", "origin/main..origin/faster", "--out", tmp_path / "report.html", check=True)

    for words in (("--restart", run, "lr=0.4"), ("verify", run)):
        refused = bob.run(*words)
        assert refused.returncode == 128
        assert "Ann <user@example.org>, unsigned" in refused.stderr
        assert "executes  {python} train.py" in refused.stderr
    assert tip(bob) == tip(remote)

    bob.run("trust", run, check=True)
    verified = bob.run("verify", run, check=True)
    assert verified.stdout.startswith("reproduced: run ")
    assert bob.run("check", run, "--metric", "loss<base", "--base", "origin/main").returncode == 0
    assert tip(bob) == tip(remote)  # that was looking, it added nothing

    (before,) = [found for found in json.loads(bob.run("list", "--json", check=True).stdout) if found["id"] == run]
    bob.run("--restart", run, "lr=0.4", check=True)
    bob.run("comment", "-m", "better still", run, check=True)
    bob.run("push", check=True)
    assert tip(remote)[run] == tip(bob)[run] != tip(ann)[run]

    ann.run("fetch", check=True)
    (after,) = [found for found in json.loads(ann.run("list", "--json", check=True).stdout) if found["id"] == run]
    assert after["flags"] == before["flags"] | {"lr": 0.4}
    assert after["metrics"]["loss"] < before["metrics"]["loss"]
    assert [comment["text"] for comment in after["comments"]] == ["better still"]
    assert len(ann.run("log", run, check=True).stdout.splitlines()) >= 2
    assert ann.run("--restart", run).returncode == 128  # what Bob added is data to Ann until she trusts it
    assert "Squares the step" in ann.git("log", "-1", "--format=%s", "faster")
    assert ann.git("status", "--porcelain") == bob.git("status", "--porcelain") == ""


def test_page_of_the_review_in_a_real_browser(team, tmp_path) -> None:
    page = tmp_path / "report.html"
    team.ann.run("report", "main..faster", "--out", page, check=True)
    screens = looked_at(page, tmp_path)
    assert [wider <= 0 for wider, _ in screens] == [True] * 3, screens
    assert all(rows >= 3 for _, rows in screens)


def test_server_of_the_review_lets_nobody_rewrite_what_was_reviewed(team) -> None:
    run = next(iter(tip(team.remote)))
    before = tip(team.remote)
    forged = team.ann.git("commit-tree", "-m", "run train.py\n\nGitrun-Kind: attempt\nGitrun-Format: 1", "HEAD^{tree}")
    words = ["git", "push", "--force", "origin", f"{forged}:refs/runs/{run}", f":refs/runs/{next(reversed(before))}"]
    done = subprocess.run(words, cwd=team.ann.path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "refused" in done.stderr
    assert tip(team.remote) == before

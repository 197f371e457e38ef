"""Earlier runs as knowledge of a sampler: with them, tpe has no start-up draws to make."""

from __future__ import annotations

import json

import pytest

LOSS = "x = 0.0\nkind = 'a'\nprint('loss:', (x - 0.8) ** 2)\n"
SEARCH = ("fit.py", "x=[0:1.0]", "-o", "tpe", "--random-seed", "4", "--max-trials", "4")


@pytest.fixture
def repo(empty_repo):
    empty_repo.write("fit.py", LOSS)
    empty_repo.commit()
    empty_repo.run("fit.py", "x=linspace[0:1:20]", check=True)
    return empty_repo


def proposals(repo, *words):
    shown = json.loads(repo.run(*SEARCH, *words, "--print-trials", "--json", check=True).stdout)
    return [trial["flags"]["x"] for trial in shown]


def test_twenty_known_runs_take_the_place_of_random_draws(repo):
    drawn = proposals(repo)
    learned = proposals(repo, "--learn", "operation")
    assert learned != drawn
    # most are near the best known value, and those drawn at random are anywhere
    assert sum(abs(x - 0.8) < 0.2 for x in learned) >= 3
    assert proposals(repo, "--learn", "source") == learned
    assert proposals(repo, "--learn", "none") == drawn


def test_only_runs_of_the_same_source_count_if_that_is_asked(repo):
    drawn = proposals(repo)
    repo.write("other.txt", "a change of the source")
    assert proposals(repo, "--learn", "source") == drawn
    assert proposals(repo, "--learn", "operation") != drawn


def test_runs_with_other_fixed_flags_teach_nothing(repo):
    assert "tpe learns from 0 earlier runs" in repo.run(*SEARCH, "kind=b", "--learn", "operation", "--print-trials").stderr


def test_a_restart_learns_from_the_same_earlier_runs(repo):
    words = (*SEARCH, "--learn", "operation")
    ended = repo.run(*words, check=True)
    assert "note: tpe learns from 20 earlier runs" in ended.stderr
    repo.run("fit.py", "x=0.33", check=True)
    again = repo.run("--restart", "fit.py+", "--max-trials", "6", check=True)
    assert "note: tpe learns from 20 earlier runs" in again.stderr
    assert "6 of 6 trials completed" in again.stderr


REFUSED = {
    "--learn must be one of batch, source, operation, none, not 'all'": ("x=[0:1]", "-o", "tpe", "--learn", "all"),
    "--learn needs an optimizer that learns, and random does not": ("x=[0:1]", "-o", "random", "--learn", "operation"),
    "--learn needs an optimizer that learns, and grid does not": ("x=[0,1]", "--learn", "none"),
    "--learn needs a flag with several values": ("x=1", "--learn", "source"),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_learn_is_refused(repo, message):
    before = repo.git("for-each-ref")
    ended = repo.run("fit.py", *REFUSED[message])
    assert (ended.returncode, repo.git("for-each-ref")) == (129, before)
    assert message in ended.stderr

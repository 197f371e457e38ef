"""A batch is planned before anything is written: which requests make one, and what is refused."""

from __future__ import annotations

import json

import pytest

REFUSED = {
    "--max-trials needs a flag with several values": ("train.py", "lr=0.1", "--max-trials", "3"),
    "must be a number, not 'fast'": ("train.py", "lr=[0.1,fast]"),
    "a grid takes lists, and lr is a range": ("train.py", "lr=[0.1:0.2]", "--optimizer", "grid"),
    "there is no optimizer 'gpp'": ("train.py", "lr=[0.1:0.2]", "--optimizer", "gpp"),
    "gitrun does not have Guild's forest": ("train.py", "lr=[0.1:0.2]", "--optimizer", "forest"),
    "a batch cannot run in the working tree": ("train.py", "lr=[0.1,0.2]", "--in-place"),
    "--jobs must be a whole number of at least 1": ("train.py", "lr=[0.1,0.2]", "--jobs", "0"),
}


@pytest.fixture
def repo(empty_repo):
    empty_repo.write("train.py", "lr = 0.1\nprint('loss:', lr)\n")
    empty_repo.write("tool", "#!/bin/sh\necho $FLAG_V\n")
    (empty_repo.path / "tool").chmod(0o755)
    empty_repo.commit()
    return empty_repo


@pytest.mark.parametrize(("said", "words"), REFUSED.items(), ids=REFUSED)
def test_what_no_batch_can_do_is_refused_before_it_starts(repo, said, words) -> None:
    ended = repo.run(*words)
    assert ended.returncode == 129
    assert said in ended.stderr
    assert not repo.git("for-each-ref", "refs/runs")


def test_a_dry_run_shows_the_lists_of_a_batch(repo) -> None:
    plan = json.loads(repo.run("--dry-run", "--json", "train.py", "lr=[0.1,0.2]", check=True).stdout)
    assert (plan["operation"], plan["flags"]) == ("train.py+", {"lr": [0.1, 0.2]})


def test_text_for_a_program_stays_as_typed(repo) -> None:
    assert repo.run("./tool", "v=[1.10,007]", check=True).stdout == "1.10\n007\n"


def test_a_number_after_m_is_the_most_trials(repo) -> None:
    assert len(repo.run("train.py", "lr=[0.1,0.2,0.3]", "-m", "2", check=True).stdout.splitlines()) == 2

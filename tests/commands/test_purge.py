"""git run purge: deleted runs go for good."""

from __future__ import annotations

import pytest
from keyboard import Terminal

from gitrun import Project


def test_purge_by_age_leaves_what_was_deleted_lately(three) -> None:
    three.run("rm", "1:2", check=True)
    diary = three.path / ".git/gitrun/trash"
    first, second = diary.read_text().splitlines()
    diary.write_text(f"{first.split()[0]} 1000000000\n{second}\n")
    told = three.run("purge", "--older-than", "30.days", check=True)
    assert [line for line in told.stderr.splitlines() if "purged" in line] == [told.stderr.splitlines()[0]]
    assert len(Project(three.path).trash.list_runs()) == 1


def test_purged_runs_are_gone_for_good(three) -> None:
    three.run("rm", "--op", "echo.py", check=True)
    three.run("purge", "--all", check=True)
    assert three.git("for-each-ref", "refs/runs", "refs/gitrun") == ""
    assert three.run("restore", "--all").stderr == "gitrun: nothing to restore\n"


def test_trials_in_the_trash_go_with_their_batch(repo) -> None:
    repo.run("echo.py", "x=[1,2]", check=True)
    repo.run("rm", "1", check=True)
    batch = Project(repo.path).trash.list_runs()[-1].id
    kept = repo.run("purge", "--only", batch, "--dry-run", check=True)
    assert kept.stderr.count("would purge run") == 1
    assert "purged 3 runs" in repo.run("purge", batch, check=True).stderr
    assert Project(repo.path).trash.list_runs() == []


@pytest.mark.parametrize(("keys", "status"), [("y\r", 0), ("n\r", 130), ("\r", 130), ("\x04", 130)])
def test_only_a_yes_on_a_terminal_purges(three, keys, status) -> None:
    three.run("rm", "1", check=True)
    with Terminal(three, "git-run", "purge", "--all") as terminal:
        terminal.shows("1 run will be deleted for good. Continue? [y/N]:")
        terminal.type(keys)
        assert terminal.ends() == status
    assert terminal.seen.endswith(b"\n")
    assert len(Project(three.path).trash.list_runs()) == (status != 0)


def test_nothing_is_purged_if_the_question_cannot_be_seen(three) -> None:
    three.run("rm", "1", check=True)
    with (three.path / "said").open("wb") as file, Terminal(three, "git-run", "purge", "--all", stderr=file) as terminal:
        assert terminal.ends() == 129
    assert "To purge without it: --yes" in (three.path / "said").read_text()
    assert len(Project(three.path).trash.list_runs()) == 1

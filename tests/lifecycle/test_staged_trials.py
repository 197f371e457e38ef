"""A staged batch: all its trials are there and none has run, and any of them can be started."""

from __future__ import annotations

import pytest
from supervised import runs


def runs_of(repo, operation="echo.py"):
    """The runs of an operation, oldest first."""
    return [run for run in reversed(runs(repo, flat=True)) if run["operation"] == operation]


def batch(repo):
    (found,) = runs_of(repo, "echo.py+")
    return found


def test_all_trials_are_staged_and_none_has_run(repo):
    ended = repo.run("echo.py", "x=[1,2]", "y=[3,4]", "--stage-trials", check=True)
    assert (ended.stdout, "4 trials staged" in ended.stderr) == ("", True)
    trials = runs_of(repo)
    assert [(run["status"], run["flags"]["x"], run["flags"]["y"], run["trial"]) for run in trials] == [
        ("staged", 1, 3, 1), ("staged", 1, 4, 2), ("staged", 2, 3, 3), ("staged", 2, 4, 4),
    ]  # fmt: skip
    assert batch(repo)["status"] == "staged"
    assert {run["batch"] for run in trials} == {batch(repo)["id"]}
    assert "staged" in repo.run("list", check=True).stdout
    assert "no problems" in repo.run("doctor", check=True).stderr


def test_staged_trials_start_together_and_alone(repo):
    repo.run("echo.py", "x=[1,2,3]", "--stage-trials", check=True)
    before = [run["id"] for run in runs_of(repo)]
    assert repo.run("--start", before[1], check=True).stdout == "2 2 'a'\n"
    assert {run["trial"]: run["status"] for run in runs_of(repo)} == {1: "staged", 2: "completed", 3: "staged"}
    assert repo.run("--restart", batch(repo)["id"], check=True).stdout == "1 2 'a'\n3 2 'a'\n"
    assert sorted(run["id"] for run in runs_of(repo)) == sorted(before)
    assert batch(repo)["status"] == "completed"


def test_a_batch_alone_can_be_staged(repo):
    ended = repo.run("echo.py", "x=[1,2]", "--stage", check=True)
    assert "is staged. To start it: git run --start" in ended.stderr
    assert (len(runs_of(repo)), batch(repo)["status"]) == (0, "staged")
    assert "0 of 0" not in repo.run("list", check=True).stdout
    assert repo.run("--start", "echo.py+", check=True).stdout == "1 2 'a'\n2 2 'a'\n"


def test_a_restart_stages_only_what_is_missing(repo):
    repo.run("echo.py", "x=[1,2]", check=True)
    repo.run("--restart", "echo.py+", "x=[1,2,3]", "--stage-trials", check=True)
    assert [(run["flags"]["x"], run["status"]) for run in runs_of(repo)] == [(1, "completed"), (2, "completed"), (3, "staged")]
    assert repo.run("--restart", "echo.py+", check=True).stdout == "3 2 'a'\n"


def test_staged_trials_are_trusted_here(repo):
    repo.run("echo.py", "x=[1,2]", "--stage-trials", check=True)
    trusted = (repo.path / ".git" / "gitrun" / "trust").read_text().split()
    assert {run["id"] for run in runs_of(repo)} < set(trusted)


def test_labels_tags_and_comments_go_to_the_trials(repo):
    words = ("echo.py", "x=[1,2]", "--label", "small", "--tag", "night", "--comment", "try", "--batch-label", "sweep")
    for more in ((), ("--stage-trials",)):
        repo.run(*words, *more, check=True)
    for run in runs_of(repo):
        assert (run["label"], run["tags"], [one["text"] for one in run["comments"]]) == ("small", ["night"], ["try"])
    for run in runs_of(repo, "echo.py+"):
        assert (run["label"], run["tags"], run["comments"]) == ("sweep", [], [])


REFUSED = {
    "--stage-trials needs a flag with several values": ("echo.py", "--stage-trials"),
    "--batch-label needs a flag with several values": ("echo.py", "--batch-label", "x"),
    "--stage-trials cannot be combined with --background or --in-place": (
        "echo.py",
        "x=[1,2]",
        "--stage-trials",
        "--background",
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_staged_is_refused(repo, message):
    ended = repo.run(*REFUSED[message])
    assert ended.returncode == 129
    assert message in ended.stderr
    assert not repo.git("for-each-ref", "refs/runs")

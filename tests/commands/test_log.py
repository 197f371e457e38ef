"""git run log: the attempts of a run; commits with the runs that were made of them."""

from __future__ import annotations

import json

import pytest
from templates import made_once

from gitrun import Project


@pytest.fixture
@made_once
def worked(repo):
    """Two commits; of the first a run as it is and one with changes, of the second none of its own."""
    project = Project(repo.path)
    project.run("echo.py", label="as it is")
    repo.write("echo.py", "x = 3\n")
    project.run("echo.py")
    repo.git("checkout", "--quiet", "echo.py")
    repo.write("other.txt", "other\n")
    repo.commit("second")
    return repo


def test_commits_tell_the_runs_made_of_them_and_from_them_with_changes(worked) -> None:
    newest, older = (run.id[:8] for run in Project(worked.path).list_runs())
    said = worked.run("log", "HEAD", check=True).stdout.splitlines()
    heads = [line.split()[0] for line in said]
    first = worked.git("rev-parse", "HEAD~1")
    assert heads == [worked.head()[:8], first[:8], older, newest]
    assert "(changed)" not in said[2]
    assert "[as it is]" in said[2]
    assert "(changed)" in said[3]
    assert said[1].endswith(" ago  echo  (A User)")


def test_commit_shows_its_newest_runs_and_counts_the_others(repo) -> None:
    run = Project(repo.path).run("echo.py")
    tree, message = repo.git("rev-parse", f"{run.id}^{{tree}}"), "run\n\nGitrun-Kind: attempt\nGitrun-Format: 1"
    for number in range(21):
        commit = repo.git("commit-tree", tree, "-p", "HEAD", "-m", message, "-m", str(number))
        repo.git("update-ref", f"refs/runs/{commit}", commit)
    lines = repo.run("log", "HEAD", check=True).stdout.splitlines()
    assert (len(lines), lines[-1]) == (22, "    and 2 more runs. To show all: --all")
    assert len(repo.run("log", "HEAD", "--all", check=True).stdout.splitlines()) == 23
    assert len(json.loads(repo.run("log", "HEAD", "--json", check=True).stdout)[0]["exact"]) == 22


def test_runs_of_the_tree_come_before_those_with_changes_within_the_limit(worked) -> None:
    newest, older = Project(worked.path).list_runs()
    first = [next(iter(Project(worked.path).runs.read_history("HEAD~1", most_runs=most))) for most in (0, 1, 2, -1)]
    assert [(commit.exact, commit.changed, commit.more) for commit in first] == [
        ((), (), 2), ((older,), (), 1), ((older,), (newest,), 0), ((older,), (newest,), 0)
    ]  # fmt: skip


def test_run_of_the_tree_of_a_commit_counts_whatever_its_base(worked) -> None:
    worked.run("echo.py", check=True)
    worked.commit("the same again")
    found = json.loads(worked.run("log", "HEAD", "-n", "2", "--json", check=True).stdout)
    assert [commit["subject"] for commit in found] == ["the same again", "second"]
    assert [len(commit["exact"]) for commit in found] == [1, 1]
    assert found[0]["exact"] == found[1]["exact"]
    assert found[0]["time"] == "2026-01-02T03:04:05.000000Z"


def test_range_and_count_limit_the_commits(worked) -> None:
    assert len(json.loads(worked.run("log", "HEAD~1..HEAD", "--json").stdout)) == 1
    assert len(json.loads(worked.run("log", "main", "--json").stdout)) == 2
    assert len(json.loads(worked.run("log", "main", "-n", "1", "--json").stdout)) == 1


def test_runs_of_a_commit_follow_the_refs(worked) -> None:
    newest = Project(worked.path).list_runs()[0].id
    worked.run("log", "HEAD", check=True)
    worked.git("update-ref", "-d", f"refs/runs/{newest}")
    assert newest[:8] not in worked.run("log", "HEAD", check=True).stdout


def test_name_of_a_run_comes_before_one_of_git(worked) -> None:
    worked.git("branch", "echo.py")
    assert worked.run("log", "echo.py", check=True).stdout.startswith("attempt 1  ")
    assert "attempt" not in worked.run("log", "refs/heads/echo.py", check=True).stdout


@pytest.mark.parametrize("name", ["nosuch", "a..b", "HEAD..nosuch", "..a b"])
def test_name_of_nothing_is_one_line(worked, name) -> None:
    ended = worked.run("log", name)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (128, "", 1)


def test_count_limits_the_attempts(worked) -> None:
    worked.run("--restart", "1", "x=4", check=True)
    assert worked.run("log", "1", "-n", "1").stdout.startswith("attempt 2  ")
    assert [found["flags"]["x"] for found in json.loads(worked.run("log", "-n", "1", "--json").stdout)] == [4]
    assert len(json.loads(worked.run("log", "--json").stdout)) == 2


def test_words_of_a_commit_are_safe_and_its_author_is_that_of_the_mailmap(repo) -> None:
    repo.write(".mailmap", "Proper Name <user@example.org>\n")
    repo.commit("evil \x1b]0;x\x07")
    said = repo.run("log", "HEAD", "-n", "1", check=True).stdout
    assert "evil \\x1b]0;x\\x07  (Proper Name)" in said

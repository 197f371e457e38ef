"""What git means by a name, and the runs of commits."""

from __future__ import annotations

import pytest

from gitrun import Project
from gitrun.views.history import history, is_commit, moment, subject_of


@pytest.mark.parametrize(
    ("name", "known"),
    [("HEAD", True), ("main", True), ("HEAD..main", True), ("HEAD...main", True), ("nosuch", False), ("a..b", False),
     ("--all", False), ("--output=x..y", False), ("HEAD:echo.py", False), ("", False)],
)  # fmt: skip
def test_only_commits_and_ranges_are_commits(repo, name, known) -> None:
    assert is_commit(Project(repo.path).git, name) is known
    assert not (repo.path / "x..y").exists()


def test_run_with_changes_is_told_at_its_base_only(repo) -> None:
    project = Project(repo.path)
    repo.write("echo.py", "x = 5\n")
    run = project.run("echo.py")
    repo.git("checkout", "--quiet", "echo.py")
    repo.write("second.txt", "")
    repo.commit()
    with project.index() as index:
        second, first = history(project.git, index, "HEAD")
    assert (second.exact, second.changed, first.exact, first.changed) == ((), (), (), (run,))


def test_attempt_counts_where_the_last_one_was_made(repo) -> None:
    project = Project(repo.path)
    run = project.run("echo.py")
    repo.write("echo.py", "x = 5\n")
    repo.commit()
    project.run(restart=run.id, force_sourcecode=True)
    with project.index() as index:
        second, first = history(project.git, index, "HEAD")
    assert ([found.id for found in second.exact], first.exact, first.changed) == ([run.id], (), ())


def test_subject_of_a_commit_that_is_not_here_is_empty(repo) -> None:
    git = Project(repo.path).git
    assert (subject_of(git, repo.git("rev-parse", "HEAD")), subject_of(git, "1" * 40)) == ("echo", "")


def test_time_that_no_clock_shows_is_the_beginning_of_time() -> None:
    assert moment("9" * 30) == moment("") == moment("0")

"""What git means by a name, and the runs of commits."""

from __future__ import annotations

import pytest

from gitrun import Project
from gitrun.views.history import commit_subject, commit_time, is_commit, read_history


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
        second, first = read_history(project.git, index, "HEAD")
    assert (second.exact, second.changed, first.exact, first.changed) == ((), (), (), (run,))


def test_attempt_counts_where_the_last_one_was_made(repo) -> None:
    project = Project(repo.path)
    run = project.run("echo.py")
    repo.write("echo.py", "x = 5\n")
    repo.commit()
    project.run(restart=run.id, force_sourcecode=True)
    with project.index() as index:
        second, first = read_history(project.git, index, "HEAD")
    assert ([found.id for found in second.exact], first.exact, first.changed) == ([run.id], (), ())


def test_subject_of_a_commit_that_is_not_here_is_empty(repo) -> None:
    git = Project(repo.path).git
    assert (commit_subject(git, repo.head()), commit_subject(git, "1" * 40)) == ("echo", "")


def test_time_that_no_clock_shows_is_the_beginning_of_time() -> None:
    assert commit_time("9" * 30) == commit_time("") == commit_time("0")


def exact(repo, revisions: str = "HEAD") -> dict[str, list[str]]:
    """The ids of the runs of exactly each commit, by its subject."""
    project = Project(repo.path)
    with project.index() as index:
        return {commit.subject: [run.id for run in commit.exact] for commit in read_history(project.git, index, revisions)}


def test_runs_follow_the_tree_through_amending_and_rebasing(repo) -> None:
    repo.git("checkout", "-q", "-b", "topic")
    repo.write("echo.py", "x = 5\n")
    run = Project(repo.path).run("echo.py").id
    repo.commit("topic")
    repo.git("commit", "-q", "--amend", "--message=amended")
    assert exact(repo) == {"amended": [run], "echo": []}
    repo.git("checkout", "-q", "main")
    repo.commit("main goes on without a change")
    repo.git("rebase", "-q", "main", "topic")
    assert exact(repo)["amended"] == [run]


def test_merges_octopuses_and_roots_have_the_runs_of_their_trees(repo) -> None:
    root = Project(repo.path).run("echo.py").id
    for name in ("a", "b"):
        repo.git("checkout", "-q", "-b", name, "main")
        repo.write(f"{name}.txt", name)
        repo.commit(name)
    repo.git("checkout", "-q", "-b", "c", "main")
    repo.write("c.txt", "c")
    repo.commit("c")
    repo.git("merge", "-q", "--message=octopus", "a", "b")
    octopus = Project(repo.path).run("echo.py").id
    repo.git("checkout", "-q", "-B", "main", "main")
    repo.git("merge", "-q", "--no-ff", "--message=merge", "c")
    assert exact(repo) == {"merge": [octopus], "octopus": [octopus], "a": [], "b": [], "c": [], "echo": [root]}
    Project(repo.path).notes.rebuild()
    told = repo.git("log", "--notes=runs", "--format=%s %N", "--first-parent", "main")
    assert f"merge run {octopus[:8]} echo.py" in told
    assert f"echo run {root[:8]} echo.py" in told

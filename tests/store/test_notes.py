"""The notes tell plain `git log` of runs, are made anew from the refs, and never stand in the way of a run."""

from __future__ import annotations

import threading

import pytest

from gitrun import Project
from gitrun.store import notes


@pytest.fixture
def project(repo) -> Project:
    """A project with a run of the commit and one with a change."""
    project = Project(repo.path)
    project.run("echo.py")
    repo.write("echo.py", 'x = 5\nprint("\x1b]0;evil\x07", x)\n')
    project.run("echo.py")
    return project


def note(repo, commit: str) -> str:
    return repo.git("notes", "--ref=runs", "show", commit)


def test_no_notes_are_written_until_somebody_asks(repo, project) -> None:
    assert repo.git("for-each-ref", "refs/notes") == ""


def test_commit_has_the_runs_of_it_and_from_it(repo, project) -> None:
    project.rebuild_notes()
    changed, exact = project.list_runs()
    first, second = note(repo, "HEAD").splitlines()
    assert first.startswith(f"run {exact.id[:8]} echo.py x=1.0 y=2 z=a: completed in ")
    assert second.startswith(f"with changes: run {changed.id[:8]} echo.py x=5: completed in ")


def test_commit_made_of_what_was_run_has_the_run(repo, project) -> None:
    repo.commit("as it was run")
    project.rebuild_notes()
    assert note(repo, "HEAD").startswith(f"run {project.list_runs()[0].id[:8]} echo.py x=5")


def test_attempt_has_its_outcome_and_output_made_safe(repo, project) -> None:
    project.rebuild_notes()
    said = note(repo, project.list_runs()[0].attempt.id)
    assert said.splitlines()[1] == "  | \\x1b]0;evil\\x07 5"
    assert "\x1b" not in repo.git("log", "--notes=runs", "--glob=refs/runs/*")


def test_note_says_how_an_attempt_ended_as_git_run_does(repo, project) -> None:
    for end in ("exit 3", "kill $$"):
        project.run(command=("sh", "-c", end))
    project.rebuild_notes()
    killed, failed = (note(repo, run.attempt.id) for run in project.list_runs()[:2])
    assert failed.startswith("error (exit status 3) in ")
    assert killed.startswith("terminated (SIGTERM) in ")


def test_every_attempt_of_a_run_has_a_note(repo, project) -> None:
    run = project.list_runs()[1]
    project.run(restart=run.id, flags={"x": 7})
    project.rebuild_notes()
    assert "1.0 2 'a'" in note(repo, run.id)
    assert "a restart of" in note(repo, project.list_runs()[0].attempt.id)


def test_finished_run_adds_its_note_once_notes_are_kept(repo, project) -> None:
    project.rebuild_notes()
    run = project.run("echo.py", flags={"x": 17})
    assert note(repo, run.id).startswith("completed in ")
    assert f"run {run.id[:8]} echo.py x=17" in note(repo, "HEAD")
    assert repo.git("rev-list", "--count", "refs/notes/runs") == "1"


def test_notes_that_runs_added_are_those_of_a_rebuild(repo, project) -> None:
    project.rebuild_notes()
    project.run("echo.py", flags={"x": 17})
    added = repo.git("rev-parse", "refs/notes/runs^{tree}")
    project.rebuild_notes()
    assert repo.git("rev-parse", "refs/notes/runs^{tree}") == added


def test_parallel_writers_lose_no_note(repo, project) -> None:
    runs = [project.run("echo.py", flags={"x": x}).id for x in range(4)]
    project.rebuild_notes()
    rest = repo.git("commit-tree", repo.git("mktree"), "-m", "none")
    repo.git("update-ref", "refs/notes/runs", rest)
    threads = [threading.Thread(target=notes.add, args=(project.git, run)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(note(repo, run) for run in runs)


def test_failed_note_never_fails_a_run(repo, project) -> None:
    project.rebuild_notes()
    repo.git("update-ref", "refs/notes/runs", "HEAD")  # no notes at all
    (repo.path / ".git/refs/notes/runs.lock").touch()
    assert project.run("echo.py", flags={"x": 17}).status == "completed"


def test_dropped_notes_do_not_come_back(repo, project) -> None:
    project.rebuild_notes()
    assert project.drop_notes()
    project.run("echo.py", flags={"x": 17})
    assert repo.git("for-each-ref", "refs/notes") == ""
    assert not project.drop_notes()


def test_notes_of_runs_in_a_repository_without_commits(empty_repo) -> None:
    empty_repo.write("a.py", "print(1)\n")
    project = Project(empty_repo.path)
    run = project.run("a.py")
    assert project.rebuild_notes() == 1
    assert "  | 1" in note(empty_repo, run.id)


def test_verb_says_what_there_is(repo, project) -> None:
    assert "there are no notes" in repo.run("notes", check=True).stderr
    assert "3 commits with notes" in repo.run("notes", "--rebuild", check=True).stderr
    assert "git log --notes=runs shows" in repo.run("notes", check=True).stderr
    assert "the notes are gone" in repo.run("notes", "--drop", check=True).stderr


def test_settings_of_log_do_not_disturb(repo, project) -> None:
    repo.git("config", "log.showSignature", "true")
    repo.git("config", "format.pretty", "fuller")
    assert project.rebuild_notes() == 3

"""The notes tell plain `git log` of runs, are written again from the refs, and never stand in the way of a run."""

from __future__ import annotations

import threading

import pytest
from forms import with_files
from noted_runs import note
from trial_lists import SUPERVISOR

from gitrun import Project
from gitrun.errors import GitFailed
from gitrun.git.objects import Loose
from gitrun.store import notes
from gitrun.store.notes import commit_notes, replace_notes


@pytest.fixture
def project(noted: Project) -> Project:
    return noted


def test_notes_are_there_from_the_first_run_on(repo) -> None:
    repo.run("--", "sh", "-c", "echo hello; echo loss: 0.5", check=True)
    run = Project(repo.path).list_runs()[0]
    assert note(repo, run.id).splitlines()[1:] == ["  | hello", "  | loss: 0.5"]
    assert note(repo, run.id).splitlines()[0].endswith("s: loss=0.5")
    assert f"run {run.id[:8]} sh -c" in repo.git("log", "--notes=runs", "-1")
    shown = repo.git("show", "--notes=runs", "--no-patch", f"runs/{run.id}~")
    assert "Notes (runs):\n    completed in " in shown


def test_setting_turns_notes_off(repo) -> None:
    repo.git("config", "gitrun.notes", "false")
    repo.run("echo.py", check=True)
    assert repo.git("for-each-ref", "refs/notes") == ""
    repo.git("config", "gitrun.notes", "perhaps")
    assert "setting gitrun.notes must be true or false" in repo.run("echo.py").stderr


def test_notes_keep_no_history_and_no_log(repo, project) -> None:
    assert repo.git("rev-list", "--count", "refs/notes/runs") == "1"
    assert not (repo.path / ".git/logs/refs/notes/runs").exists()
    assert repo.git("fsck", "--strict", "--no-dangling") == ""


def test_notes_of_others_in_the_way_stay_and_are_made_safe(repo, project) -> None:
    repo.git("notes", "--ref=runs", "add", "-f", "-m", "run 12345678 x: \x1b[31mred\nmine", "HEAD")
    project.run("echo.py", flags={"x": 17})
    said = note(repo, "HEAD")
    assert "run 12345678 x: \\x1b[31mred" in said
    assert "mine" not in said


def test_run_whose_supervisor_died_has_a_note(repo) -> None:
    repo.run("--", "sh", "-c", "echo early; sleep .5; kill -9 $PPID")
    run = Project(repo.path).list_runs()[0]
    assert note(repo, run.id).splitlines() == [note(repo, run.id).splitlines()[0], "  | early"]
    assert note(repo, run.id).startswith("terminated (SIGKILL)")


def test_pipeline_and_its_steps_have_notes(repo) -> None:
    repo.write("gitrun.toml", "[operations.all]\nsteps = ['one', 'one']\n[operations.one]\ncommand = ['echo', 'hi']\n")
    repo.run("all", check=True)
    assert all("  | hi" in note(repo, run.id) for run in Project(repo.path).list_runs())


def test_end_of_a_long_output_is_in_the_note(repo) -> None:
    repo.run("--", "sh", "-c", "yes | head -c 6000000; echo; echo last", check=True)
    run = Project(repo.path).list_runs()[0]
    assert note(repo, run.id).splitlines()[-1] == "  | last"
    Project(repo.path).notes.rebuild()
    assert note(repo, run.id).splitlines()[-1] == "  | last"


def test_commit_has_the_runs_of_it_and_from_it(repo, project) -> None:
    project.notes.rebuild()
    changed, exact = project.list_runs()
    first, second = note(repo, "HEAD").splitlines()
    assert first.startswith(f"run {exact.id[:8]} echo.py x=1.0 y=2 z=a: completed in ")
    assert second.startswith(f"with changes: run {changed.id[:8]} echo.py x=5: completed in ")


def test_commit_made_of_what_was_run_has_the_run(repo, project) -> None:
    repo.commit("as it was run")
    project.notes.rebuild()
    assert note(repo, "HEAD").startswith(f"run {project.list_runs()[0].id[:8]} echo.py x=5")


def test_attempt_has_its_outcome_and_output_made_safe(repo, project) -> None:
    project.notes.rebuild()
    said = note(repo, project.list_runs()[0].attempt.id)
    assert said.splitlines()[1] == "  | \\x1b]0;evil\\x07 5"
    assert "\x1b" not in repo.git("log", "--notes=runs", "--glob=refs/runs/*")


def test_note_says_how_an_attempt_ended_as_git_run_does(repo, project) -> None:
    for end in ("exit 3", "kill $$"):
        project.run(command=("sh", "-c", end))
    project.notes.rebuild()
    killed, failed = (note(repo, run.attempt.id) for run in project.list_runs()[:2])
    assert failed.startswith("error (exit status 3) in ")
    assert killed.startswith("terminated (SIGTERM) in ")


def test_every_attempt_of_a_run_has_a_note(repo, project) -> None:
    run = project.list_runs()[1]
    project.run(restart=run.id, flags={"x": 7})
    project.notes.rebuild()
    assert "1.0 2 'a'" in note(repo, run.id)
    assert "a restart of" in note(repo, project.list_runs()[0].attempt.id)


def test_finished_run_adds_its_note(repo, project) -> None:
    project.notes.rebuild()
    run = project.run("echo.py", flags={"x": 17})
    assert note(repo, run.id).startswith("completed in ")
    assert f"run {run.id[:8]} echo.py x=17" in note(repo, "HEAD")
    assert repo.git("rev-list", "--count", "refs/notes/runs") == "1"


def test_notes_that_runs_added_are_those_of_a_rebuild(repo, project) -> None:
    project.notes.rebuild()
    project.run("echo.py", flags={"x": 17})
    added = repo.git("rev-parse", "refs/notes/runs^{tree}")
    project.notes.rebuild()
    assert repo.git("rev-parse", "refs/notes/runs^{tree}") == added


def test_parallel_writers_lose_no_note(repo, project) -> None:
    runs = [project.run("echo.py", flags={"x": x}).id for x in range(4)]
    project.notes.rebuild()
    rest = repo.git("commit-tree", repo.git("mktree"), "-m", "none")
    repo.git("update-ref", "refs/notes/runs", rest)
    threads = [threading.Thread(target=notes.add_note_of_run, args=(project.git, run)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(note(repo, run) for run in runs)


@with_files
def test_failed_note_never_fails_a_run(repo, project) -> None:
    project.notes.rebuild()
    repo.git("update-ref", "refs/notes/runs", "HEAD")  # no notes at all
    (repo.path / ".git/refs/notes/runs.lock").touch()
    assert project.run("echo.py", flags={"x": 17}).status == "completed"


def test_notes_of_runs_in_a_repository_without_commits(empty_repo) -> None:
    empty_repo.write("a.py", "print(1)\n")
    project = Project(empty_repo.path)
    run = project.run("a.py")
    assert project.notes.rebuild() == 1
    assert "  | 1" in note(empty_repo, run.id)


def test_settings_of_log_do_not_disturb(repo, project) -> None:
    repo.git("config", "log.showSignature", "true")
    repo.git("config", "format.pretty", "fuller")
    assert project.notes.rebuild() == 3


def collecting(writing, text, *, keeps=()):
    """Writes a note and has a gc remove its objects before a ref leads to them, but for the kinds to keep."""
    made = commit_notes(writing, {writing.git.run("rev-parse", "HEAD").decode().strip(): text})
    kept = {name: writing.objects.read(name, limit=1 << 20) for name in writing.writer.ids} if keeps else {}
    writing.git.run("gc", "--quiet", "--prune=now")
    again = Loose(writing.git)
    for one in kept.values():
        if one and one.kind in keeps:
            again.write(one.kind, one.data or b"")
    return made


@pytest.mark.parametrize("keeps", [(), ("commit",), ("commit", "tree")])
def test_notes_that_a_gc_took_apart_are_written_again(repo, keeps) -> None:
    git = Project(repo.path).git
    tries = []

    def write(writing):
        tries.append(writing.before)
        if len(tries) == 1:
            return collecting(writing, "a\n", keeps=keeps)
        return commit_notes(writing, {repo.head(): "a\n"})

    replace_notes(git, write)
    assert len(tries) == 2
    assert repo.git("notes", "--ref=runs", "show", "HEAD") == "a"
    repo.git("fsck", "--full", "--strict", "--connectivity-only")


def test_no_ref_is_left_to_notes_without_objects(repo) -> None:
    git = Project(repo.path).git
    with pytest.raises(GitFailed):
        replace_notes(git, lambda writing: collecting(writing, "a\n", keeps=("commit",)))
    assert not repo.git("for-each-ref", "refs/notes")
    repo.git("fsck", "--full", "--strict", "--connectivity-only")


def test_all_trials_of_a_batch_have_notes_in_the_end(repo) -> None:
    repo.run("echo.py", "x=[1,2,3,4,5,6]", check=True)
    runs = Project(repo.path).list_runs()
    assert len(runs) == 7
    for run in runs:
        assert "completed" in repo.git("notes", "--ref=runs", "show", run.id)
    assert all(f"x={x}" in repo.git("notes", "--ref=runs", "show", "HEAD") for x in range(1, 7))


def test_trials_of_a_killed_batch_get_their_notes_from_its_recovery(repo) -> None:
    repo.write("end.py", f"import json, os, pathlib\nn = 1\nif n == 5:\n    os.kill({SUPERVISOR}, 9)\n")
    done = repo.run("end.py", "n=[1,2,3,4,5,6]")
    assert done.returncode < 0 or done.returncode > 128
    repo.run("list", check=True)
    runs = [run for run in Project(repo.path).list_runs() if run.attempt.trial]
    assert len(runs) == 5
    for run in runs:
        assert run.status in repo.git("notes", "--ref=runs", "show", run.id)

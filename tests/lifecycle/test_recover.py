"""A run is absent or whole whatever is killed, and the next command finishes what a dead supervisor left."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from forms import with_files
from killed_runs import PROGRAM, killed
from repository import Repo
from sampled import sampled_values
from supervised import ended, is_alive, last, live, output, owner, runs, said, start, state, until, whole, without_root

from gitrun import Project
from gitrun.git.locks import acquire
from gitrun.store.refs import remove_lock_of_dead_supervisor

if TYPE_CHECKING:
    from supervised import Process


def test_a_run_whose_supervisor_was_killed_is_terminated_with_its_output_and_files(repo):
    killed(repo)
    assert (last(repo)["status"], last(repo)["exit_status"]) == ("terminated", -9)
    assert output(repo) == b"ready\n"
    assert repo.run("cat", "-p", "made", "1", check=True).stdout == "produced"
    assert live(repo) == []
    whole(repo)


def test_a_run_whose_supervisor_was_killed_is_never_shown_as_running(repo):
    killed(repo)
    assert [run["status"] for run in json.loads(repo.run("list", "--json", check=True).stdout)] == ["terminated"]
    assert repo.run("stop", "1").returncode == 128


def test_a_supervisor_killed_over_its_note_has_it_after_the_next_command(repo):
    repo.run("--", "true", check=True)
    lock = acquire(repo.path / ".git" / "gitrun" / "notes.lock")
    process = start(repo, "--", "echo", "said", is_forked=False)
    until(lambda: repo.git("for-each-ref", "--format=%(subject)", "refs/runs").count("completed") == 2)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    lock.release()
    assert "  | said" in repo.git("notes", "--ref=runs", "show", last(repo)["id"])
    assert live(repo) == []


def test_everything_at_once_killed_leaves_a_run_that_is_finished_by_the_next_command(repo):
    repo.write("p.py", PROGRAM)
    process = start(repo, "p.py", is_forked=False)
    said(process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    assert (last(repo)["status"], output(repo)) == ("terminated", b"ready\n")


def test_a_program_that_was_killed_alone_is_terminated_at_once(repo):
    process = start(repo, "--", "sh", "-c", "echo $$; echo ready; exec sleep 60")
    os.kill(int(said(process).split()[0]), signal.SIGKILL)
    process.communicate(timeout=20)
    assert (process.returncode, last(repo)["status"], live(repo)) == (137, "terminated", [])


def test_what_the_dead_runs_program_left_running_is_ended(repo):
    words = "setsid sh -c 'trap \"\" HUP; echo $$; echo ready; exec sleep 60' & sleep 60"
    process = start(repo, "--", "sh", "-c", words)
    pid = int(said(process).split()[0])
    os.kill(owner(repo)["pid"], signal.SIGKILL)
    time.sleep(0.3)
    assert is_alive(pid)
    assert last(repo)["status"] == "terminated"
    assert not is_alive(pid)
    process.communicate(timeout=20)


def test_the_slot_of_a_dead_run_is_used_again_and_clean(repo):
    killed(repo)
    repo.write("q.py", "import os\nprint(sorted(os.listdir()))\n")
    assert repo.run("q.py", check=True).stdout == "['.git', '.gitrun', 'echo.py', 'p.py', 'q.py']\n"
    slots = [path for path in (state(repo) / "slots").iterdir() if path.is_dir()]
    assert len(slots) == 1


def test_how_the_program_ended_is_kept_when_the_supervisor_dies_after_it(repo):
    hold_back_result(repo)
    process = start(repo, "--", "sh", "-c", "echo out; exit 5", is_forked=False)
    until((repo.path / "blocked").exists)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    let_go(repo)
    forget(repo, last(repo)["id"])
    assert (last(repo)["status"], last(repo)["exit_status"]) == ("error", 5)
    assert output(repo) == b"out\n"


def hold_back_result(repo):
    """From now on whatever moves a ref to a result waits for a while, and says so by a file `blocked`."""
    hook = repo.path / ".git" / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        "#!/bin/sh\nwhile read old new ref; do\n"
        'case "$1 $(git log -1 --format=%s $new 2>&1)" in "prepared "completed*|"prepared "failed*|"prepared "error*)'
        f" touch {repo.path}/blocked; sleep 30;; esac\ndone\n"
    )
    hook.chmod(0o755)


def forget(repo, run):
    """A lock on the run's ref that a killed git has left is as old as such locks get."""
    if lock_of(repo, run).exists():
        os.utime(lock_of(repo, run), (time.time() - 600, time.time() - 600))


def lock_of(repo, run):
    return repo.path / ".git" / "refs" / "runs" / f"{run}.lock"


def let_go(repo):
    (repo.path / ".git" / "hooks" / "reference-transaction").unlink()


@pytest.mark.parametrize("said", ["nothing", "the result"])
@with_files
def test_a_git_that_died_with_its_lock_on_the_ref_does_not_hold_up_the_result(repo, said):
    repo.run("echo.py", check=True)
    result = repo.git("rev-parse", f"refs/runs/{last(repo)['id']}")
    killed(repo)
    lock_of(repo, live(repo)[0].name).write_text("" if said == "nothing" else f"{result}\n")
    assert last(repo)["status"] == "terminated"


@with_files
def test_the_lock_of_somebody_else_stays(repo):
    killed(repo)
    run = live(repo)[0].name
    lock_of(repo, run).write_text(repo.head() + "\n")
    remove_lock_of_dead_supervisor(Project(repo.path).git, run)
    assert lock_of(repo, run).exists()
    forget(repo, run)
    assert last(repo)["status"] == "terminated"


def test_a_live_record_that_was_begun_before_its_run_is_taken_away(repo):
    repo.run("echo.py", check=True)
    place = state(repo) / "live" / ("ab" * 20)
    place.mkdir(parents=True)
    (place / "output").write_bytes(b"x")
    assert len(runs(repo)) == 1
    assert live(repo) == []


def test_a_live_record_of_a_finished_run_is_taken_away_and_the_run_stays(repo):
    repo.run("echo.py", check=True)
    tip = last(repo)
    place = state(repo) / "live" / tip["id"]
    place.mkdir()
    (place / "output").write_bytes(b"something else")
    assert (last(repo), live(repo)) == (tip, [])


@with_files
def test_a_run_whose_ref_does_not_read_keeps_what_it_left(repo):
    killed(repo)
    place = live(repo)[0]
    ref = repo.path / ".git" / "refs" / "runs" / place.name
    tip = ref.read_text()
    ref.write_text("ab" * 20 + "\n")
    assert ", which died, cannot be recorded" in repo.run("list").stderr
    assert (place / "output").read_bytes() == b"ready\n"
    ref.write_text(tip)
    assert (last(repo)["status"], output(repo)) == ("terminated", b"ready\n")


def test_a_run_whose_ref_was_taken_away_while_it_ran_is_there_again_with_all_it_left(repo):
    repo.write("p.py", PROGRAM.replace("time.sleep(60)", "time.sleep(1)"))
    process = start(repo, "p.py")
    said(process)
    run = live(repo)[0].name
    repo.git("update-ref", "-d", f"refs/runs/{run}")
    assert b"What it left is in" in process.communicate(timeout=20)[1]
    assert "and gitrun restored it" in repo.run("list").stderr
    assert (last(repo)["id"], last(repo)["status"], live(repo)) == (run, "completed", [])
    assert (output(repo), repo.run("cat", "-p", "made", "1").stdout) == (b"ready\n", "produced")


@with_files
def test_a_run_that_is_gone_with_its_attempt_keeps_what_it_left_and_that_is_said(repo):
    killed(repo)
    place = live(repo)[0]
    repo.git("update-ref", "-d", f"refs/runs/{place.name}")
    repo.git("worktree", "prune", "--expire=now")
    (repo.path / ".git" / "worktrees" / "gitrun-0" / "HEAD").write_text(repo.head() + "\n")
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("gc", "--quiet", "--prune=now")
    assert f"To delete what it left: rm -r {place}" in repo.run("list").stderr
    assert (place / "output").read_bytes() == b"ready\n"


def test_a_restart_finds_its_dead_attempt_finished_first(repo):
    killed(repo)
    repo.run("--restart", "1", "--stop-after", "1s")
    shown = repo.run("log", "1", check=True).stdout
    assert shown.count("terminated") == 2


def test_what_cannot_be_finished_is_not_restarted_over(repo):
    killed(repo)
    run, place = live(repo)[0].name, live(repo)[0]
    hook = repo.write(".git/hooks/reference-transaction", '#!/bin/sh\n[ "$1" != prepared ]\n')
    hook.chmod(0o755)
    done = repo.run("--restart", run)
    assert done.returncode == 128
    assert (place / "output").read_bytes() == b"ready\n"
    hook.unlink()
    assert (last(repo)["status"], output(repo)) == ("terminated", b"ready\n")


def test_many_commands_at_once_finish_a_dead_run_once(repo):
    killed(repo)
    commands = [start(repo, "list", "--json") for _ in range(6)]
    for command in commands:
        out, err = command.communicate(timeout=60)
        assert (command.returncode, err) == (0, b"")
        assert json.loads(out)[0]["status"] in {"terminated", "running", "pending"}
    assert repo.git("log", "--oneline", "--grep=Gitrun-Kind: result", f"refs/runs/{last(repo)['id']}").count("\n") == 0


def test_a_slot_in_which_a_dead_supervisors_git_is_still_at_work_is_left_to_it(repo):
    repo.git("config", "filter.slow.smudge", f"touch {repo.path}/../busy; sleep 2; cat")
    repo.git("config", "filter.slow.clean", "cat")
    repo.write(".gitattributes", "*.dat filter=slow\n")
    repo.write("slow.dat", "content\n")
    process = start(repo, "--", "cat", "slow.dat", program=("git-run",))
    until((repo.path.parent / "busy").exists)
    process.kill()
    process.communicate(timeout=20)
    assert repo.run("--", "cat", "slow.dat", check=True).stdout == "content\n"
    assert (state(repo) / "slots" / "1").exists()
    assert sorted(run["status"] for run in runs(repo)) == ["completed", "terminated"]


@pytest.mark.slow
def test_killed_at_any_moment_a_run_is_absent_or_whole(repo):
    repo.write("p.py", "open('made', 'w').write('produced')\nprint('written', flush=True)\n")
    chance = random.Random(7)
    for number in range(30):
        process = start(repo, "p.py", program=("git-run",))
        time.sleep(chance.uniform(0.02, 0.5))
        os.killpg(process.pid, signal.SIGKILL) if number % 2 else process.kill()
        process.communicate(timeout=20)
    found = runs(repo)
    assert live(repo) == []
    assert {run["status"] for run in found} <= {"terminated", "completed"}
    for run in found:
        assert output(repo, run["id"]) in ({b"written\n"} if run["status"] == "completed" else {b"", b"written\n"})
    whole(repo)
    assert repo.run("p.py", check=True).stdout == "written\n"


@pytest.mark.slow
def test_killed_at_any_moment_a_restart_keeps_every_attempt(repo):
    repo.write("p.py", "print('written', flush=True)\n")
    repo.run("p.py", check=True)
    chance, run = random.Random(11), last(repo)["id"]
    for _ in range(12):
        process = start(repo, "--restart", run, program=("git-run",))
        time.sleep(chance.uniform(0.05, 0.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=20)
        forget(repo, run)
        assert last(repo)["status"] in {"terminated", "completed"}
    assert repo.run("--restart", run, check=True).stdout == "written\n"
    whole(repo)


def test_the_library_finishes_dead_runs_too(repo):
    killed(repo)
    done = ended(repo, sys.executable, "-c", "import gitrun\nprint(gitrun.Project('.').list_runs()[0].status)")
    assert done.stdout == "terminated\n"


def waiting(repo: Repo, *options: str) -> tuple[Process, Path]:
    """A run under way, and the file that ends it well as soon as it is there."""
    go = repo.path.parent / "go"
    words = f"while not os.path.exists({str(go)!r}):\n    time.sleep(.02)\nopen('last', 'w').write('whole')\nprint('done')\n"
    repo.write("w.py", f"import os, time\nprint('ready', flush=True)\n{words}")
    process = start(repo, *options, "w.py")
    said(process)
    return process, go


def test_who_looks_at_a_copy_of_the_repository_does_nothing_to_the_run_of_the_original(repo):
    process, go = waiting(repo)
    copy = Repo(Path(shutil.copytree(repo.path, repo.path.parent / "copy", symlinks=True)))
    assert last(copy)["status"] == "pending"
    assert "was killed" not in copy.run("doctor", "--fix").stdout
    assert copy.run("--restart", "1").returncode == 128
    go.touch()
    assert process.communicate(timeout=20)[0] == b"done\n"
    assert (process.returncode, last(repo)["status"]) == (0, "completed")
    assert last(copy)["status"] == "terminated"


def test_a_run_whose_lock_was_taken_away_goes_on(repo):
    process, go = waiting(repo)
    (state(repo) / "live" / last(repo)["id"] / "lock").unlink()
    assert last(repo)["status"] == "pending"
    go.touch()
    assert process.communicate(timeout=20)[0] == b"done\n"
    assert (process.returncode, last(repo)["status"]) == (0, "completed")


def test_what_a_dead_run_left_is_found_also_where_the_repository_lies_now(repo):
    killed(repo)
    moved = Repo(repo.path.rename(repo.path.parent / "moved"))
    assert last(moved)["status"] == "terminated"
    assert moved.run("cat", "-p", "made", "1", check=True).stdout == "produced"


def test_a_run_outlives_the_worktree_from_which_it_was_started(repo):
    repo.write("w.py", "x = 1\n")
    repo.commit()
    repo.git("worktree", "add", "--quiet", "../linked")
    linked = Repo(repo.path.parent / "linked")
    process, go = waiting(linked)
    repo.git("worktree", "remove", "--force", "../linked")
    go.touch()
    _, words = process.communicate(timeout=20)
    assert (process.returncode, last(repo)["status"]) == (0, "completed"), words
    assert repo.run("cat", "-p", "last", "1", check=True).stdout == "whole"


def test_a_worktree_that_is_taken_away_under_a_program_is_told(repo):
    process, go = waiting(repo)
    shutil.rmtree(state(repo) / "slots")
    go.touch()
    assert b"workspace was removed during the run" in process.communicate(timeout=20)[1]
    whole(repo)
    assert "last" not in repo.run("ls", "1", check=True).stdout
    assert (
        repo.git("diff", "--name-only", "--diff-filter=D", "runs/" + last(repo)["id"] + "^", "runs/" + last(repo)["id"]) == ""
    )


def test_a_run_whose_lock_may_not_be_read_is_taken_for_running(repo):
    process, go = waiting(repo)
    lock = state(repo) / "live" / last(repo)["id"] / "lock"
    lock.chmod(0)
    assert "it is running" in without_root(repo, "rm", "1").stderr
    lock.chmod(0o600)
    go.touch()
    process.communicate(timeout=20)
    assert last(repo)["status"] == "completed"


def test_local_state_is_its_owners_alone_but_in_a_repository_that_others_share(repo, tmp_path):
    repo.run("echo.py", check=True)
    assert stat.S_IMODE(state(repo).stat().st_mode) == 0o700
    shared = Repo(tmp_path / "shared")
    shared.path.mkdir()
    shared.git("init", "--quiet", "--shared=group")
    shared.write("echo.py", "x = 1\n")
    before = os.umask(0o002)
    try:
        shared.run("echo.py", check=True)
    finally:
        os.umask(before)
    assert state(shared).stat().st_mode & stat.S_IWGRP


@pytest.mark.parametrize("words", sampled_values(2, [("list",), ("ls", "1"), ("cat", "1"), ("doctor",), ("log", "1")]))
def test_runs_are_looked_at_where_local_state_is_another_users(repo, words):
    repo.run("echo.py", "x=3.0", check=True)
    shown = repo.run(*words, check=True).stdout
    state(repo).chmod(0)
    done = without_root(repo, *words)
    state(repo).chmod(0o700)
    assert (done.returncode, done.stdout) == (0, shown), done.stderr

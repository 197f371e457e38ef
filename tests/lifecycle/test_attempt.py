"""An attempt is carried through whatever keeps its program from being started, and nothing of the attempts before is lost."""

from __future__ import annotations

import os
import signal
import sys
import threading

import pytest
from supervised import last, live, start, until

from gitrun import Project
from gitrun.errors import CannotRun

CHECKPOINT = """\
import os
n = int(open("ckpt", "rb").readline()) if os.path.exists("ckpt") else 0
print("resumed from", n)
with open("ckpt", "wb") as file:
    file.write(b"%d\\n" % (n + 1) + bytes(11 << 20))
"""


@pytest.fixture
def trained(repo):
    """A repository with a run that left a checkpoint beside it, and a filter through which `a.slow` is checked out."""
    repo.write("t.py", CHECKPOINT)
    repo.write(".gitattributes", "*.slow filter=slow\n")
    repo.write("a.slow", "1\n")
    smudge(repo, "cat")
    repo.git("config", "filter.slow.clean", "cat")
    repo.commit()
    repo.run("t.py", check=True)
    return repo


def smudge(repo, command):
    """Files are checked out through this command from now on."""
    repo.git("config", "filter.slow.smudge", command)
    repo.git("config", "filter.slow.required", "true")


def restarted(repo):
    """What a restart of the last run prints."""
    return repo.run("--restart", "1", check=True).stdout


def held_up(repo, *args):
    """A restart under way with other source, whose checkout goes on until it is ended."""
    smudge(repo, f"touch {repo.path}/.git/held; sleep 30")
    repo.write("a.slow", "2\n")
    process = start(repo, "--restart", "1", "--force-sourcecode", *args, is_forked=False)
    until((repo.path / ".git" / "held").exists)
    return process


def let_go(process, repo, number):
    """All of the restart has got the signal and ended; files are checked out as before."""
    os.killpg(process.pid, number)
    err = process.communicate(timeout=20)[1]
    smudge(repo, "cat")
    return err


def test_a_restart_that_is_killed_before_its_program_starts_hands_checkpoints_on(trained):
    let_go(held_up(trained), trained, signal.SIGKILL)
    assert last(trained)["status"] == "terminated"
    assert "ckpt" in trained.run("ls", "1", check=True).stdout
    assert restarted(trained) == "resumed from 1\n"


def test_a_clean_restart_that_is_killed_before_its_program_starts_hands_nothing_on(trained):
    let_go(held_up(trained, "--clean"), trained, signal.SIGKILL)
    assert restarted(trained) == "resumed from 0\n"


def test_ctrl_c_before_the_program_starts_is_the_end_of_the_attempt(trained):
    process = held_up(trained)
    words = let_go(process, trained, signal.SIGINT)
    assert live(trained) == []
    assert b"terminated (SIGINT)" in words
    assert (last(trained)["status"], last(trained)["exit_status"]) == ("terminated", -2)
    assert restarted(trained) == "resumed from 1\n"


def test_a_source_that_cannot_be_checked_out_is_an_error_that_hands_checkpoints_on(trained):
    smudge(trained, "false")
    trained.write("a.slow", "2\n")
    done = trained.run("--restart", "1", "--force-sourcecode")
    assert (done.returncode, last(trained)["status"], live(trained)) == (126, "error", [])
    assert "gitrun: error: git read-tree failed: " in done.stderr
    smudge(trained, "cat")
    assert restarted(trained) == "resumed from 1\n"


def test_a_program_whose_words_no_system_takes_is_an_error_that_says_why(repo):
    done = repo.run('x="a\\u0000b"', "--", "echo", "{x}")
    assert (done.returncode, last(repo)["status"]) == (127, "error")
    assert "cannot start 'echo': embedded null byte" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_whose_directory_is_a_file_by_now_is_an_error_that_says_why(repo):
    repo.write("deep/p.py", "print(1)\n")
    repo.run("--", "echo", "here", cwd=repo.path / "deep", check=True)
    (repo.path / "deep" / "p.py").unlink()
    (repo.path / "deep").rmdir()
    repo.write("deep", "a file\n")
    done = repo.run("--restart", "1", "--force-sourcecode")
    assert (done.returncode, last(repo)["status"]) == (127, "error")
    assert "cannot run in 'deep'" in done.stderr


def test_a_run_that_an_exception_of_ours_left_is_finished_by_who_comes_next(repo, monkeypatch):
    class Broken:
        def write(self, _: str) -> int:
            raise TypeError("no")

    project = Project(repo.path)
    with monkeypatch.context() as broken:
        broken.setattr(sys, "stdout", Broken())
        with pytest.raises(TypeError, match="no"):
            project.run("echo.py")
    (run,) = project.list_runs()
    assert run.status == "terminated"


def test_stop_of_a_run_in_a_thread_of_this_process_does_not_end_the_process(repo):
    repo.write("p.py", "import time\ntime.sleep(2)\n")
    project = Project(repo.path)
    thread = threading.Thread(target=project.run, args=("p.py",))
    thread.start()
    until(lambda: [path for path in live(repo) if (path / "owner").exists()])
    with pytest.raises(CannotRun, match="thread"):
        project.stop(project.list_runs()[0])
    thread.join()

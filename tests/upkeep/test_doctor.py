"""Problems of a repository, found and repaired."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest
from doctor_calls import doctor, git_dir, healed
from sampled import sampled
from supervised import owner, runs, said, start, state, until


def test_a_run_whose_supervisor_was_killed_is_named_and_finished(repo) -> None:
    repo.write("p.py", "import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    process = start(repo, "p.py")
    said(process)
    os.kill(owner(repo)["pid"], signal.SIGKILL)
    process.communicate(timeout=20)
    lines, code = doctor(repo)
    assert (code, len(lines)) == (1, 1)
    assert "was killed" in lines[0]
    assert len(healed(repo)) == 1
    assert runs(repo)[0]["status"] == "terminated"


@pytest.mark.parametrize("gone", sampled(2, ["gitrun/slots/0/index", "worktrees/gitrun-0/HEAD", "worktrees/gitrun-0"]))
def test_a_slot_and_its_record_that_have_lost_each_other_are_emptied(lived, gone) -> None:
    path = git_dir(lived) / gone
    path.unlink() if path.is_file() else subprocess.run(["rm", "-r", path], check=True)
    assert "slot" in healed(lived)[0]
    lived.run("echo.py", check=True)
    assert doctor(lived) == ([], 0)


def test_a_record_of_a_slot_that_is_gone_is_erased(lived) -> None:
    subprocess.run(["rm", "-r", state(lived) / "slots" / "0"], check=True)
    assert "worktrees/gitrun-0" in healed(lived)[0]


def test_a_worktree_of_the_user_with_the_name_of_a_slot_is_left_alone(repo, tmp_path) -> None:
    repo.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "gitrun-7"))
    repo.run("echo.py", check=True)
    assert doctor(repo, "--fix") == ([], 0)
    assert (tmp_path / "gitrun-7" / "echo.py").exists()


def test_private_refs_of_killed_commands_are_taken_away(lived) -> None:
    lived.git("update-ref", f"refs/gitrun/outbox/0123456789abcdef/{runs(lived)[0]['id']}", "HEAD")
    (state(lived) / "tokens").mkdir(exist_ok=True)
    (state(lived) / "tokens" / "fedcba9876543210").touch()
    assert len(healed(lived)) == 2
    assert lived.git("for-each-ref", "refs/gitrun") == ""


def test_what_has_been_in_the_trash_for_too_long_is_named(lived) -> None:
    lived.run("rm", "1", check=True)
    assert doctor(lived) == ([], 0)
    lived.git("config", "gitrun.trashExpire", "now")
    assert until(lambda: ["To purge: git run gc" in line for line in doctor(lived)[0]]) == [
        True
    ]  # git's dates are whole seconds

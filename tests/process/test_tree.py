"""The processes of a program: found, ended, and no others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from killed_runs import killed
from sampled import sampled
from supervised import ended, last, live


@pytest.mark.parametrize(
    "orphan",
    sampled(
        3,
        [
            "sleep 61 &",
            "nohup sleep 61 >/dev/null 2>&1 &",
            "setsid sleep 61 >/dev/null 2>&1 &",
            "env -i setsid sleep 61 >/dev/null 2>&1 &",
            "(setsid sh -c 'trap \"\" TERM HUP; sleep 61; sleep 61' >/dev/null 2>&1 &) &",
        ],
    ),
)
def test_what_a_program_leaves_running_is_ended_and_named(repo, orphan):
    unique = f"sleep 61.{os.getpid()}{time.monotonic_ns()}"
    done = repo.run("--", "sh", "-c", f"{orphan.replace('sleep 61', unique)} sleep 0.1; echo out")
    assert (done.returncode, done.stdout) == (0, "out\n")
    assert "note: gitrun ended processes that the program left running: s" in done.stderr
    assert subprocess.run(["pgrep", "-f", "-x", unique], check=False).returncode == 1


def test_output_of_a_filter_that_ends_by_itself_is_not_cut_off(repo):
    words = "exec > >(sleep 0.15; cat); echo through a filter"
    done = repo.run("--", "bash", "-c", words)
    assert done.stdout == "through a filter\n"
    assert "left running" not in done.stderr


def test_a_process_beside_ours_is_never_signalled(repo, tmp_path):
    script = tmp_path / "host.py"
    script.write_text(
        "import subprocess, threading, gitrun\n"
        "other = []\n"
        "timer = threading.Timer(.3, lambda: other.append(subprocess.Popen(['sleep', '60'])))\n"
        "timer.start()\n"
        "run = gitrun.Project('.').run(command=['sh', '-c', 'sleep 62 & sleep 1'])\n"
        "print(run.status, other[0].poll())\n"
        "other[0].kill()\n"
    )
    done = ended(repo, sys.executable, script)
    assert done.stdout == "completed None\n"
    assert "left running: sleep" in done.stderr


def test_a_run_in_one_thread_that_ends_lets_no_orphan_of_another_escape(repo, tmp_path):
    script = tmp_path / "host.py"
    script.write_text(
        "import threading, time, gitrun\n"
        "project = gitrun.Project('.')\n"
        "short = threading.Thread(target=project.run, kwargs={'command': ['sleep', '1']})\n"
        "short.start()\n"
        "time.sleep(0.7)\n"
        "project.run(command=['sh', '-c', 'sleep 4; (setsid sleep 61 &) ; sleep 1'])\n"
    )
    done = ended(repo, sys.executable, script)
    assert "left running: sleep" in done.stderr


@pytest.mark.parametrize("how", ["another birth", "another boot", "an owner that cannot be read"])
def test_a_process_that_merely_has_the_number_of_a_dead_owner_is_never_signalled(repo, how):
    killed(repo)
    other = subprocess.Popen(["sleep", "60"])
    path = live(repo)[0] / "owner"
    found = json.loads(path.read_bytes())
    boot, born = found["birth"].split()
    births = {"another birth": f"{boot} 1", "another boot": f"0000-00 {born}", "an owner that cannot be read": "\0"}
    path.write_text("{" if births[how] == "\0" else json.dumps({**found, "pid": other.pid, "birth": births[how]}))
    repo.run("stop", "1")
    assert last(repo)["status"] == "terminated"
    assert other.poll() is None
    other.kill()
    other.wait()

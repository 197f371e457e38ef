"""git run stop: a running run is ended."""

from __future__ import annotations

import re
import subprocess

from supervised import last, live, owner, start


def test_stop_ends_a_run_in_the_background_and_watch_follows_it(repo) -> None:
    repo.write("wait.py", "import time\nprint('on', flush=True)\ntime.sleep(30)\n")
    run = repo.run("--background", "wait.py", check=True).stdout.strip()
    watching = subprocess.Popen(["git", "run", "watch", run], cwd=repo.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert watching.stdout is not None
    assert watching.stdout.readline() == b"on\n"
    assert repo.run("stop", "1", check=True).stderr == f"gitrun: stopped run {run[:8]}\n"
    told = watching.communicate(timeout=10)[1]
    assert re.fullmatch(rb"gitrun: run %s terminated \(SIGTERM\) in [0-9.]+s\n" % run[:8].encode(), told)
    ended = repo.run("stop", "1")
    assert (ended.returncode, ended.stderr) == (128, f"gitrun: error: run {run[:8]} is not running on this machine\n")
    assert repo.run("watch", "1").stdout == "on\n"


def test_stop_ends_a_run_and_returns_when_it_has_ended(repo):
    process = start(repo, "--", "sleep", "60")
    owner(repo)
    assert "stopped run" in repo.run("stop", "1", check=True).stderr
    assert (last(repo)["status"], live(repo)) == ("terminated", [])
    process.communicate(timeout=20)
    assert process.returncode == 143


def test_stop_of_a_run_that_has_ended_is_refused(repo):
    repo.run("echo.py", check=True)
    done = repo.run("stop", "1")
    assert (done.returncode, done.stderr) == (
        128,
        f"gitrun: error: run {last(repo)['id'][:8]} is not running on this machine\n",
    )

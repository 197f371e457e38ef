"""git run watch: the output of a run while it runs."""

from __future__ import annotations

import io
import subprocess

from keyboard import Terminal
from supervised import said, start, until

from gitrun import Project
from gitrun.process.streams import TextStream


def test_watch_latest_follows_the_running_run_and_no_other(repo) -> None:
    repo.write("wait.py", "import time\nprint('on', flush=True)\ntime.sleep(30)\n")
    assert "no run is running" in repo.run("watch", "--latest").stderr
    run = repo.run("--background", "wait.py", check=True).stdout.strip()
    repo.run("echo.py", check=True)
    watching = subprocess.Popen(
        ["git", "run", "watch", "--latest"], cwd=repo.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert watching.stdout is not None
    assert watching.stdout.readline() == b"on\n"
    repo.run("stop", run, check=True)
    assert watching.communicate(timeout=20)[1].startswith(f"gitrun: run {run[:8]} terminated (SIGTERM) in ".encode())


def test_watch_shows_what_a_run_writes_until_it_ends(repo):
    process = start(repo, "--", "sh", "-c", "echo ready; sleep 1; echo done")
    said(process)
    watching = start(repo, "watch", "1")
    assert watching.communicate(timeout=20)[0] == b"ready\ndone\n"
    process.communicate(timeout=20)


def test_a_run_that_ended_meanwhile_is_watched_to_its_recorded_output(repo):
    process = start(repo, "--", "sh", "-c", "echo ready; read line; echo done", stdin=subprocess.PIPE)
    said(process)
    project, shown = Project(repo.path), io.StringIO()
    running = until(lambda: next((run for run in project.list_runs() if run.status == "running"), None))
    process.communicate(b"\n", timeout=20)
    assert project.watch(running, TextStream(lambda: shown)).status == "completed"
    assert shown.getvalue() == "ready\ndone\n"


def test_a_terminal_obeys_nothing_of_what_a_run_wrote(repo) -> None:
    repo.run("--", "printf", "a\\033]0;title\\007b\\r\\nlast", check=True)
    with Terminal(repo, "git-run", "watch", "1") as terminal:
        seen = terminal.shows("last")
        terminal.ends()
    assert b"\x1b]0" not in seen
    assert b"title" in seen
    assert repo.run_bytes("watch", "1").stdout == b"a\x1b]0;title\x07b\r\nlast"

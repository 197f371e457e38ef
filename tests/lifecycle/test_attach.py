"""Running runs: ended, or followed until they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest
from supervised import last, live, owner, said, start, until

SAVER = """\
import signal, sys, time
def save(*_):
    # longer than processes that outlive a program of their own accord get
    time.sleep(2.8)
    open("saved", "w").write("all")
    sys.exit()
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("how", ["stop", "--stop-after", "ctrl-c"])
def test_a_program_behind_a_shell_that_is_stopped_has_the_whole_grace(repo, how):
    repo.write("c.py", SAVER)
    words = "python3 c.py & wait" if how == "ctrl-c" else "python3 c.py; echo done"
    process = start(repo, *(["--stop-after", "2s"] if how == "--stop-after" else []), "--", "sh", "-c", words, is_forked=False)
    said(process)
    if how == "stop":
        repo.run("stop", "1", check=True)
    elif how == "ctrl-c":
        os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    until(lambda: live(repo) == [])
    assert (last(repo)["status"], repo.run("cat", "-p", "saved", "1").stdout) == ("terminated", "all")


def test_stop_ends_a_run_that_is_suspended(repo):
    process = start(repo, "--", "sleep", "60", is_forked=False)
    owner(repo)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGSTOP)
    repo.run("stop", "1", check=True)
    assert (last(repo)["status"], live(repo)) == ("terminated", [])
    os.killpg(process.pid, signal.SIGCONT)
    process.communicate(timeout=20)


def test_stop_signals_nobody_when_the_owner_is_another_process_than_recorded(repo):
    process = start(repo, "--", "sleep", "60")
    found = owner(repo)
    other = subprocess.Popen(["sleep", "60"])
    (live(repo)[0] / "owner").write_text(json.dumps({**found, "pid": other.pid}))
    assert "cannot identify the process" in repo.run("stop", "1").stderr
    assert other.poll() is None
    other.kill()
    other.wait()
    os.kill(found["pid"], signal.SIGTERM)
    process.communicate(timeout=20)

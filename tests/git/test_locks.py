"""A lock is held by one at a time, and given back by whatever ends its holder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

from gitrun.git.lock_state import is_held
from gitrun.git.locks import acquire

HOLDER = """\
import sys, time
from pathlib import Path
from gitrun.git.locks import acquire
lock = acquire(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def held_by_another(path):
    """A process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_held_lock_is_not_had_by_anybody_else(tmp_path):
    with acquire(tmp_path / "lock"):
        assert acquire(tmp_path / "lock", wait=0) is None
        assert is_held(tmp_path / "lock")
    assert not is_held(tmp_path / "lock")
    assert acquire(tmp_path / "lock", wait=0) is not None


def test_a_lock_is_awaited_for_as_long_as_was_said(tmp_path):
    with acquire(tmp_path / "lock"):
        begun = time.monotonic()
        assert acquire(tmp_path / "lock", wait=0.3) is None
    assert 0.3 <= time.monotonic() - begun < 5


def test_the_death_of_its_holder_gives_a_lock_back(tmp_path):
    process = held_by_another(tmp_path / "lock")
    assert is_held(tmp_path / "lock")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert acquire(tmp_path / "lock", wait=0) is not None


def test_what_the_holder_starts_does_not_keep_the_lock(tmp_path):
    with acquire(tmp_path / "lock"):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
    assert not is_held(tmp_path / "lock")
    child.kill()
    child.wait()


def test_a_lock_whose_file_was_taken_away_is_not_taken_for_the_one_that_is_there_now(tmp_path):
    path = tmp_path / "live" / "lock"
    first, got = acquire(path), []
    waiting = threading.Thread(target=lambda: got.append(acquire(path)))
    waiting.start()
    time.sleep(0.1)
    path.unlink()
    path.parent.rmdir()
    first.release()
    waiting.join()
    assert os.path.samestat(os.fstat(got[0].descriptor), path.stat())
    assert acquire(path, wait=0) is None

"""Running runs from outside: followed, and asked to end."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from gitrun.engine.offspring import send_if
from gitrun.engine.watchman import pass_over
from gitrun.errors import CannotRun
from gitrun.model.refs import short
from gitrun.store.live import ask_to_end, birth_of, directory_of, is_live, owner_of

if TYPE_CHECKING:
    from gitrun.engine.process import Stream
    from gitrun.git.exe import Git

PAUSE = 0.05
CHUNK = 1 << 16
ASKING = (signal.SIGTERM, signal.SIGCONT)
"""What asks a supervisor to end its program: one that Ctrl-Z has stopped does not hear of the first before the second."""


def follow(git: Git, run: str, stream: Stream) -> bool:
    """Shows what a running run has written, and goes on until it ends; false if it was not running."""
    path = directory_of(git.state, run) / "output"
    while not path.exists():  # the run has begun, its program has not
        if not is_live(git.state, run):
            return False
        time.sleep(PAUSE)
    try:
        source = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        while True:
            alive = is_live(git.state, run)
            while data := os.read(source, CHUNK):
                stream.write(data)
            if not alive:
                return True
            time.sleep(PAUSE)
    finally:
        os.close(source)


def stop(git: Git, run: str) -> None:
    """Asks the supervisor of a running run to end its program. Raises CannotRun if it is not there to be asked."""
    owner = owner_of(git.state, run)
    for _ in range(100):  # it is recorded a moment after the run has begun
        if owner is not None or not is_live(git.state, run):
            break
        time.sleep(PAUSE)
        owner = owner_of(git.state, run)
    if not is_live(git.state, run) or owner is None:
        raise CannotRun(f"run {short(run)} is not running on this machine")
    pid, birth = owner.pid, owner.birth
    if pid == os.getpid() and signal.getsignal(signal.SIGTERM) is not pass_over:
        raise CannotRun(f"run {short(run)} is supervised by a thread of this program, which no signal reaches")
    ask_to_end(git.state, run)
    # while the lock is held its holder lives, but it may be another one than the last that wrote its name there
    asked = [send_if(pid, number, lambda: bool(birth) and birth_of(pid) == birth) for number in ASKING]
    if not asked[0] and is_live(git.state, run):
        raise CannotRun(f"the process that supervises run {short(run)} cannot be told from others")


def wait(git: Git, run: str) -> None:
    """Returns when the run has ended."""
    while is_live(git.state, run):
        time.sleep(PAUSE)

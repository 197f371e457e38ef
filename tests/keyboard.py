"""A terminal with somebody at it, for tests: a program in it, keys typed, and what appears."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from repository import Repo

# the session of a terminal is begun by a process of its own: ours may have threads and must not fork
IN_A_TERMINAL = """\
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """A program in a terminal of 24 rows and 80 columns; to be used in a `with`, at whose end the terminal is closed."""

    def __init__(self, repo: Repo, *words: str | Path, **given: Any) -> None:
        self.ours, self.theirs = os.openpty()
        self.resize(24, 80)
        self.seen = b""
        streams = {"stdin": self.theirs, "stdout": self.theirs, "stderr": self.theirs, **given}
        self.process = subprocess.Popen([sys.executable, "-c", IN_A_TERMINAL, *map(str, words)], cwd=repo.path, **streams)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.ours)
        os.close(self.theirs)
        try:
            self.process.communicate(timeout=20)
        finally:
            self.process.kill()

    def resize(self, rows: int, columns: int) -> None:
        """The window gets another size."""
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        """Keys are pressed."""
        os.write(self.ours, keys.encode())

    def shows(self, text: str, seconds: float = 20.0) -> bytes:
        """All that has appeared, once the text has, after what earlier calls have waited for. Fails if it does not."""
        end = time.monotonic() + seconds
        new = b""
        while text.encode() not in new:
            assert time.monotonic() < end, f"{text!r} did not appear: {self.seen!r} {new!r}"
            if select.select([self.ours], [], [], 0.05)[0]:
                new += os.read(self.ours, 65536)
        self.seen += new
        return new

    def waits_for_keys(self) -> None:
        """Returns once the program sleeps. Python loses a Ctrl-C that comes after a question and before it reads."""
        end = time.monotonic() + 20
        stat = Path(f"/proc/{self.process.pid}/stat")
        while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "S":
            assert time.monotonic() < end, "the program does not wait"
            time.sleep(0.01)

    def ends(self) -> int:
        """The exit status of the program, once it has ended; what it has written last is in `seen` then."""
        end = time.monotonic() + 20
        while self.process.poll() is None or select.select([self.ours], [], [], 0.05)[0]:
            assert time.monotonic() < end, f"it does not end: {self.seen!r}"
            if select.select([self.ours], [], [], 0.05)[0]:
                self.seen += os.read(self.ours, 65536)
        return self.process.returncode

    def modes(self) -> list[Any]:
        """How the terminal is set."""
        return termios.tcgetattr(self.theirs)

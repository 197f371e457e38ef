"""Runs a task in a process of its own beside a supervised program, and ends it with its parent."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun.process.tree import tie_to_parent

if TYPE_CHECKING:
    from collections.abc import Callable


DESCRIPTORS = 1 << 16
"""More than the descriptors that a process has open."""


class SideProcess:
    """A forked process that runs a task until `end` is called or its parent dies. The task opens what it needs.

    Start it before the program, whose supervisor then takes it for no process of the program. It has a process group of its
    own, so that Ctrl-C in the terminal reaches the program alone.
    """

    def __init__(self, task: Callable[[], None]) -> None:
        # a fork copies what is buffered, and both processes would print it
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid:
            return
        try:
            os.setpgid(0, 0)
            # a copied descriptor would keep the parent's locks after the parent has given them back
            os.closerange(3, DESCRIPTORS)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            tie_to_parent(parent)
            with suppress(Exception):  # nobody waits for its result, and its traceback would be in the program's output
                task()
        finally:
            os._exit(0)

    def end(self) -> None:
        """Ends the process and what it has started, and waits for its end."""
        for pid, kill in ((self.pid, os.killpg), (self.pid, os.kill)):
            # the child may not have made its group yet
            with suppress(ProcessLookupError, PermissionError):
                kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

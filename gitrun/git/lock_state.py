"""The state of a lock: held or free. A module of its own: prompts ask for it, and it imports next to nothing."""

from __future__ import annotations

import fcntl
import os

TYPE_CHECKING = False  # importing typing for its constant takes longer than all the rest
if TYPE_CHECKING:
    from pathlib import Path


def is_held(path: Path | bytes) -> bool:
    """Returns whether a process holds the lock on the file at `path`. Another user's unreadable lock counts as held."""
    try:
        # a flock needs no right to write
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:  # another user's: assume that its holder is alive
        return os.path.lexists(path)
    except OSError:
        return False
    try:
        # shared, so that processes that only look do not see each other
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(descriptor)
    return False

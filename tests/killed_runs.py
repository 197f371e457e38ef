"""Runs whose supervisor was killed."""

from __future__ import annotations

import os
import signal

from supervised import owner, said, start

PROGRAM = "import time\nopen('made', 'w').write('produced')\nprint('ready', flush=True)\ntime.sleep(60)\n"


def killed(repo, *args):
    """A run whose supervisor was killed while its program ran."""
    repo.write("p.py", PROGRAM)
    process = start(repo, *args, "p.py")
    said(process)
    os.kill(owner(repo)["pid"], signal.SIGKILL)
    process.communicate(timeout=20)

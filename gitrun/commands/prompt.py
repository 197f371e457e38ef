"""`git run status --porcelain`, for prompts: answered before anything else of gitrun is imported.

A shell waits for its prompt, so this imports nothing that takes long, and starts git itself three times. It counts what
`commands/status.py` counts, which a test compares, and leaves to it whatever goes wrong.
"""

from __future__ import annotations

import os

from gitrun.git.lock_state import is_held

GIT = "git"
TIPS = ("for-each-ref", "--format=%(refname) %(objectname)", "refs/runs/")
REMOTES = ("config", "--name-only", "--get-regexp", r"^remote\..*\.url$")
NOTHING = 1
"""Exit code of `git config` if no setting matches."""


def count_runs() -> tuple[int, int] | None:
    """Returns the numbers of running runs and of runs that no remote has; None if git cannot answer."""
    code, common_dir = ask_git(("rev-parse", "--path-format=absolute", "--git-common-dir"))
    if code:
        return None
    state = os.path.join(common_dir.removesuffix(b"\n"), b"gitrun")  # noqa: PTH118 - pathlib is not loaded
    live = os.path.join(state, b"live")  # noqa: PTH118
    running = {name for name in list_names(live) if is_held(os.path.join(live, name, b"lock"))}  # noqa: PTH118
    code, remotes = ask_git(REMOTES)
    if code == NOTHING or not remotes:
        return len(running), 0
    code, tips = ask_git(TIPS)
    if code:
        return None
    known = read_lines(os.path.join(state, b"pushed"))  # noqa: PTH118
    pairs = (line.split() for line in tips.splitlines())
    return len(running), sum(tip not in known for ref, tip in pairs if ref.rpartition(b"/")[2] not in running)


def ask_git(words: tuple[str, ...]) -> tuple[int, bytes]:
    """Runs git. Returns its exit code and what it wrote to stdout; its stderr is dropped."""
    reads, writes = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, writes, 1), (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
    try:
        pid = os.posix_spawnp(GIT, (GIT, *words), os.environ, file_actions=actions)
    except OSError:
        os.close(reads)
        return 127, b""
    finally:
        os.close(writes)
    data = b""
    while piece := os.read(reads, 1 << 16):
        data += piece
    os.close(reads)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), data


def list_names(directory: bytes) -> list[bytes]:
    """Returns the names in a directory; none if it is not there."""
    try:
        return os.listdir(directory)  # noqa: PTH208 - as above
    except OSError:
        return []


def read_lines(path: bytes) -> frozenset[bytes]:
    """Returns the lines of a file; none if it cannot be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            return frozenset(file.read().splitlines())
    except OSError:
        return frozenset()

"""Creates the refs of very many runs in `packed-refs`, where git would write and rename a file for each.

No command of git but `clone` does this. The steps are those of git: `packed-refs.lock` keeps other writers of the file away,
and whoever makes a loose ref locks it before looking into `packed-refs`. So a look for loose refs after the file is replaced
finds every ref that another process may have made at the same moment. The loose one wins, for git reads loose refs first.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun.git.objects import fsync
from gitrun.lazy import lazy_pattern
from gitrun.model.run import RUNS, is_id
from gitrun.store.commits import scratch_directory
from gitrun.store.refs import directory_stamp

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.store.refs import RefEdit

HEADER = b"# pack-refs with: peeled fully-peeled sorted \n"
"""The first line of the file since git 1.8.2. Another one could promise what is not kept here."""
# <id> <ref>, and the commit of a tag in a line of its own: ^<id>
RECORD = lazy_pattern(rb"[0-9a-f]+ ([^\n]+)\n(?:\^[0-9a-f]+\n)?")
MOST = 5_000
"""Bytes of the file for each new ref, up to which writing all of it again costs less than files for the new ones."""


def create_refs(git: Git, edits: Sequence[RefEdit]) -> list[RefEdit]:
    """Creates the refs of runs that are to be new. Returns the edits that git has to make or to refuse one by one.

    These are all, if another process is at work on the refs, or git would do more than write them.
    """
    fresh = {
        run_id: edit.new
        for edit in edits
        if edit.new and edit.expected is None and edit.ref.startswith(RUNS) and is_id(run_id := edit.ref.removeprefix(RUNS))
    }
    if not fresh or not is_plain(git) or has_hook(git) or not are_commits(git, fresh.values()):
        return list(edits)
    contested: Collection[str] = fresh
    # after an error it is git that looks where the refs are
    with suppress(OSError), scratch_directory(git) as directory:
        contested = replace_file(git, fresh, directory / "packed-refs")
    created = fresh.keys() - contested
    return [edit for edit in edits if edit.ref.removeprefix(RUNS) not in created]


def is_plain(git: Git) -> bool:
    """Returns whether refs are in files of this user alone, without reflogs of runs."""
    # always: a reflog for each ref; logs that are there are continued
    has_logs = (
        git.config.get("core.logallrefupdates", ("",))[-1].lower() == "always" or (git.common_dir / "logs" / RUNS).exists()
    )
    return not (git.has_reftables or has_logs or "core.sharedrepository" in git.config)


def has_hook(git: Git) -> bool:
    """Returns whether a reference-transaction hook of the repository may want to know of each ref."""
    # git 2.54 also has hooks in its configuration
    if any(name.startswith("hook.") for name in git.config):
        return True
    path = git.run("rev-parse", "--path-format=absolute", "--git-path", "hooks/reference-transaction", hooks=True)
    return os.path.lexists(path.removesuffix(b"\n"))


def are_commits(git: Git, names: Collection[str]) -> bool:
    """Returns whether these are full ids of commits that are here."""
    stdin = "".join(f"{name}\n" for name in names).encode()
    lines = git.run("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=stdin).decode(errors="replace")
    return lines == "".join(f"{name} commit\n" for name in names)


def replace_file(git: Git, fresh: Mapping[str, str], draft: Path) -> Collection[str]:
    """Adds refs (id -> tip) to `packed-refs` by way of the file `draft`. Returns those that another process may have made.

    Returns all and adds none if one of them exists, or the file changes at the same moment. Raises OSError.
    """
    path = git.common_dir / "packed-refs"
    before = directory_stamp(path)
    content = path.read_bytes() if before else HEADER
    records = {match[1]: match[0] for match in RECORD.finditer(content, len(HEADER))}
    known = RUNS.encode()
    # a ref and one below it cannot both exist
    held = {name[len(known) :].partition(b"/")[0].decode(errors="replace") for name in records if name.startswith(known)}
    is_known = content.startswith(HEADER) and sum(map(len, records.values())) == len(content) - len(HEADER)
    if not is_known or path.is_symlink() or known[:-1] in records or len(content) > MOST * len(fresh) or held & fresh.keys():
        return fresh
    records |= {known + run_id.encode(): f"{tip} {RUNS}{run_id}\n".encode() for run_id, tip in fresh.items()}
    with draft.open("wb") as file:
        file.write(HEADER + b"".join(records[name] for name in sorted(records)))
        if git.durable:
            file.flush()
            os.fsync(file.fileno())
    lock = path.with_name("packed-refs.lock")
    os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    try:
        if directory_stamp(path) != before or loose_names(git) & fresh.keys():
            return fresh
        draft.replace(path)
        # twice: a lock that becomes a ref during one look may show in neither form
        contested = (loose_names(git) | loose_names(git)) & fresh.keys()
    finally:
        lock.unlink()
    if git.durable:
        fsync(git.common_dir)
    return contested


def loose_names(git: Git) -> set[str]:
    """Returns the names of loose refs of runs, and of those that are locked. Raises OSError."""
    with suppress(FileNotFoundError):
        return {path.name.removesuffix(".lock") for path in (git.common_dir / RUNS).iterdir()}
    return set()

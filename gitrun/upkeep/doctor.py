"""`git run doctor`: finds everything wrong with a repository's runs, and repairs what can be repaired without loss."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.errors import GitrunError
from gitrun.git import stale_locks
from gitrun.git.lock_state import is_held
from gitrun.git.locks import make_private_directory
from gitrun.lifecycle.recover import recover
from gitrun.model.diagnostics import Diagnostic, check_settings, check_version, parse_version
from gitrun.model.run import RUNS, is_id, short_id
from gitrun.model.text import hide_passwords, shell_word
from gitrun.sharing import quarantine, remotes
from gitrun.sharing.hook_files import OUTDATED, Hooks
from gitrun.source.stray_installs import find_stray_installs
from gitrun.store import notes, purged, trash
from gitrun.store.index import Index
from gitrun.store.live import DIRECTORY as LIVE
from gitrun.store.refs import ref_lock_files, repair_ref
from gitrun.upkeep import fsck, gc, rewritten
from gitrun.upkeep.scope import choose_runs
from gitrun.workspace.slots import TREE, awaits_recovery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.git.exe import Git
    from gitrun.workspace.session import Session

MIGRATING_GIT = (2, 46)
"""The first version of git that has `git refs migrate`."""
ROUNDS = 4
"""Rounds of repair and examination. A repair may uncover another fault."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of an examination: faults found, faults repaired, the number of readable runs, and what is no fault.

    `passed_over` archived runs were not read again, because the index holds them as readable.
    """

    findings: tuple[Diagnostic, ...]
    repaired: tuple[Diagnostic, ...] = ()
    runs: int = 0
    notes: tuple[str, ...] = ()
    passed_over: int = 0


def examine(session: Session, expire: float | None, remote: str | None = None, *, is_full: bool = False) -> Report:
    """Returns what is wrong here and at a remote. Writes nothing. `expire`: runs deleted before it may go (None: none).

    Archived runs that the index holds as readable are read again only if `is_full` is set.
    """
    git, now = session.git, time.time()
    # stale locks come first: repairs are made in this order, and git writes no ref that is locked
    diagnostics = list(stale_locks.find_stale_locks(git, ref_lock_files(git)))
    version = git.run("version").decode()
    diagnostics += [*fsck.check_file_system(git), *check_version(version), *check_settings(git.config)]
    diagnostics += [*fsck.check_live(git), *check_slots(git), *fsck.check_temporary_refs(git), *check_leftovers(git, now)]
    diagnostics += [*check_hooks(git), *find_stray_installs(git), *fsck.check_refs(git)]
    diagnostics += fsck.check_archives(git)
    scope = choose_runs(git, fsck.to_utc(now), is_full=is_full)
    diagnostics += fsck.check_objects(git, scope)
    of_runs, runs = fsck.check_runs(git, fsck.to_utc(now), scope)
    diagnostics += [*of_runs, *fsck.check_trash(git, expire), *fsck.check_notes(git, scope, runs)]
    diagnostics += check_remote(git, remote) if remote else ()
    return Report(tuple(diagnostics), runs=runs, notes=tuple(note_migration(git, version)), passed_over=scope.passed_over)


def repair(session: Session, expire: float | None, remote: str | None = None, *, is_full: bool = False) -> Report:
    """Repairs what can be repaired without loss. Returns the repaired faults and those left."""
    report = examine(session, expire, is_full=is_full)
    all_repaired: list[Diagnostic] = []
    for _ in range(ROUNDS):
        tried = [finding for finding in report.findings if finding.repair]
        if not tried:
            break
        # several findings can share one repair, which is made once
        for action in dict.fromkeys((one.repair, one.path) for one in tried):
            # a fault whose repair fails is found again by the next examination
            with suppress(GitrunError, OSError):
                apply_repair(session, *action)
        # without the remote, which is slow to ask and which no repair changes
        before, report = report, examine(session, expire, is_full=is_full)
        repaired = [one for one in tried if one not in report.findings]
        all_repaired += repaired
        if not repaired and before.findings == report.findings:
            break
    remaining = (*report.findings, *(check_remote(session.git, remote) if remote else ()))
    return Report(remaining, tuple(all_repaired), report.runs, report.notes, report.passed_over)


def apply_repair(session: Session, action: str, target: str) -> None:
    """Makes one repair. Raises GitrunError, OSError."""
    git = session.git
    if action == "remove":
        # another process may have removed it
        Path(target).unlink(missing_ok=True)
    elif action == "erase":
        gc.remove_path(Path(target))
    elif action == "set aside":
        set_aside(git, Path(target))
    elif action == "slot":
        gc.remove_slot(git, Path(target))
    elif action == "hook":
        Hooks(git).install(target)
    else:
        repair_runs(session, action, target)


def repair_runs(session: Session, action: str, target: str) -> None:
    """Makes a repair of refs or notes of runs. Raises GitrunError, OSError."""
    git = session.git
    if action == "recover":
        recover(session)
    elif action == "rewritten":
        rewritten.rename_rewritten_run(git, target)
    elif action == "ref":
        repair_ref(git, target, fsck.tip_in_index(git, target))
    elif action == "sweep":
        quarantine.remove_stale_quarantines(git)
        (git.state / "tokens" / target).unlink(missing_ok=True)
    elif action == "settle":
        trash.finish_interrupted_moves(git)
    elif action == "notes":
        with Index(git) as index:
            notes.rebuild_notes(git, index)


def set_aside(git: Git, path: Path) -> None:
    """Moves a damaged object to `damaged/`, where git does not see it and an expert may still read it."""
    directory = git.state / "damaged"
    make_private_directory(directory)
    # objects/ab/cdef… becomes damaged/abcdef…
    path.replace(directory / f"{path.parent.name}{path.name}")


def check_slots(git: Git) -> Iterator[Diagnostic]:
    """Yields slots without git's worktree record, and records without a slot."""
    # what belongs to another user cannot be judged: every slot would look incomplete
    if any(map(is_inaccessible, (git.state, git.state / "slots"))):
        return
    hint = "git run gc --slots"
    for name in gc.names_in(git.state / "slots"):
        slot = git.state / "slots" / name
        # a held lock means that a run is in progress
        if not name.isdigit() or is_held(slot / "lock") or awaits_recovery(git, slot):
            continue
        record = git.common_dir / "worktrees" / f"gitrun-{name}"
        if not is_complete_slot(slot, record):
            yield Diagnostic("slot", f"slot {name} is incomplete", hint, str(slot), "slot")
    for name in gc.names_in(git.common_dir / "worktrees"):
        # worktrees/gitrun-3 is the record of slots/3
        number, record = name.removeprefix("gitrun-"), git.common_dir / "worktrees" / name
        if number != name and number.isdigit() and not (git.state / "slots" / number).exists() and is_slot_record(record):
            yield Diagnostic(
                "slot", f"worktrees/{name} belongs to a slot that no longer exists", "git worktree prune", str(record), "erase"
            )


def note_migration(git: Git, version: str) -> Iterator[str]:
    """Yields a note if slots keep `git refs migrate` from moving the refs to reftables."""
    slots = [name for name in gc.names_in(git.common_dir / "worktrees") if is_slot_record(git.common_dir / "worktrees" / name)]
    if slots and not git.has_reftables and (parse_version(version) or MIGRATING_GIT) >= MIGRATING_GIT:
        yield "note: git refs migrate refuses while slots exist. To remove idle slots: git run gc --slots"


def is_inaccessible(path: Path) -> bool:
    """Returns whether a directory exists that belongs to another user and cannot be entered."""
    return path.is_dir() and not os.access(path, os.X_OK)


def is_complete_slot(slot: Path, record: Path) -> bool:
    """Returns whether a slot is complete, or its record belongs to another worktree of the same name."""
    there = (slot / "index", slot / TREE, record / "gitdir", record / "HEAD", record / "commondir")
    return all(path.exists() for path in there) or (record.exists() and not is_slot_record(record))


def is_slot_record(record: Path) -> bool:
    """Returns whether a worktree record of git belongs to one of gitrun's slots, or cannot be read."""
    with suppress(OSError):
        return f"/slots/{record.name.removeprefix('gitrun-')}/{TREE}/".encode() in (record / "gitdir").read_bytes()
    return True


def check_leftovers(git: Git, now: float) -> Iterator[Diagnostic]:
    """Yields files in gitrun's directory that belong to no run and no running command."""
    for garbage in gc.temporary_leftovers(git, now):
        yield Diagnostic("leftover", f"a killed command left tmp/{garbage.path.name}", "git run gc", str(garbage.path), "erase")
    purged_runs = purged.purged_ids(git)
    for garbage in gc.orphaned_files(git):
        words = f"files of run {short_id(garbage.path.name)} are kept here, but the run does not exist"
        # the user purged this run, so its files may go too
        action = "erase" if garbage.path.name in purged_runs else ""
        yield Diagnostic("files", words, "git run gc", str(garbage.path), action)
    for name in gc.names_in(git.state / LIVE):
        # no repair: somebody may have put the file there
        if not is_id(name):
            directory = git.state / LIVE / name
            yield Diagnostic(
                "leftover",
                f"live/{name} belongs to no run",
                f"If you do not need it: rm -r {shell_word(directory)}",
                str(directory),
            )


def check_hooks(git: Git) -> Iterator[Diagnostic]:
    """Yields gitrun's hooks that another version wrote or that are not executable. Hooks with changes are left alone."""
    ours = Hooks(git)
    for name in ours.names():
        if ours.status(name).status == OUTDATED:
            yield Diagnostic(
                "hook", f"hook {name} was written by another version of gitrun", "git run hooks install", name, "hook"
            )


def check_remote(git: Git, remote: str) -> Iterator[Diagnostic]:
    """Yields a fault if the remote cannot be read or refuses runs. Pushes nothing."""
    answer, remote_text = (
        git.run_remote("ls-remote", "--quiet", "--", remote, f"{RUNS}*", progress=False),
        hide_passwords(remote),
    )
    if answer.status:
        # git's own message can repeat the address
        words = hide_passwords(f"{remote} cannot be read: {answer.reason}")
        yield Diagnostic("remote", words, "git remote -v", remote_text)
    elif reason := remotes.why_refused(git, remote):
        hint = f"The owner of {remote} must allow pushes to {RUNS}*"
        yield Diagnostic("remote", f"{remote_text} refuses runs: {reason}", hint, remote_text)

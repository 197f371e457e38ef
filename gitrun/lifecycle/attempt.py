"""One attempt from start to end: attempt commit and ref, leased worktree, process, result commit and ref."""

from __future__ import annotations

import os
import shlex
import signal
import time
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun import lifecycle, source
from gitrun.errors import CannotRun, GitFailed
from gitrun.lifecycle.command import call_for
from gitrun.model.plan import Outcome
from gitrun.model.run import COMPLETED, ERROR, TERMINATED, short_id
from gitrun.model.text import safe_text, size_text
from gitrun.process.run import execute
from gitrun.process.signals import INTERRUPTS, Signals
from gitrun.source.launchers import lacks_packages
from gitrun.source.snapshot import NAMED, name_first_paths
from gitrun.source.surroundings import directory_and_parents, was_installed_since
from gitrun.store.attempts import Collected
from gitrun.store.live import Owner, birth_of, is_live, owner_of, recorded
from gitrun.workspace import beside, links
from gitrun.workspace import outputs as produced
from gitrun.workspace.lending import NO_LENDING
from gitrun.workspace.manifest import Manifest
from gitrun.workspace.metric_lines import make_rules, write_rules
from gitrun.workspace.metrics import Meter, collect_metrics
from gitrun.workspace.slots import bind_content_git, lease_slot, write_worktree_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitrun.git.exe import Git
    from gitrun.model.plan import Plan, Request
    from gitrun.model.run import File
    from gitrun.process.run import Exit
    from gitrun.source.interpreter import Interpreter
    from gitrun.source.snapshot import Snapshot
    from gitrun.source.surroundings import Surroundings
    from gitrun.store.attempts import AttemptHandle
    from gitrun.workspace.lending import Lending
    from gitrun.workspace.session import Session
    from gitrun.workspace.slots import Slot


DOWNLOAD = 10 << 20
"""Size in bytes above which ignored files of a run may be a download that other runs could share."""
RESULTS = frozenset({
    "artifacts", "build", "checkpoint", "checkpoints", "ckpt", "dist", "lightning_logs", "log", "logs", "mlruns", "models",
    "out", "output", "outputs", "result", "results", "runs", "tb_logs", "wandb",
})  # fmt: skip
"""Usual names of result directories, which are never taken for downloads."""


@dataclass(frozen=True, slots=True)
class Site:
    """The place where a program runs: its worktree, a `Git` bound to it, and the files lent to it.

    `linked` are links into the working tree. `apart` are those of them that hold no files of the run's own.
    """

    tree: Path
    git: Git
    linked: tuple[bytes, ...] = ()
    apart: frozenset[bytes] = frozenset()
    index: Path | None = None
    given: Mapping[bytes, tuple[int, int]] = field(default_factory=dict)
    """Files that gitrun put there, each with the two numbers that reveal a later change."""
    outputs: tuple[str, ...] = ()
    """Output patterns that the entry of the operation names."""
    lent: Manifest = Manifest()  # noqa: RUF009 - it is frozen
    meter: Meter | None = None
    """The reader of metrics while the program runs."""
    bare: tuple[bytes, ...] = ()
    """Submodules of which the source records only the commit, not the files."""


@dataclass(frozen=True, slots=True)
class Job:
    """An attempt to run. `index` is the snapshot's index if it runs in the working tree itself, else None.

    `python` is the interpreter of its script, or None for other programs. `signals` is set for a step: its parent run has the
    handlers installed.
    """

    request: Request
    plan: Plan
    started: AttemptHandle
    snapshot: Snapshot
    index: Path | None
    python: Interpreter | None
    signals: Signals | None = None
    around: Surroundings | None = None
    lending: Lending = NO_LENDING


def perform(session: Session, job: Job) -> Outcome:
    """Runs the attempt, records its result, and returns the worktree.

    Any failure of the program becomes an outcome. Raises GitFailed or StaleRun if the outcome could not be recorded.
    """
    started = job.started
    with ExitStack() as stack:
        if job.index:
            slot, site = None, in_place(session, job, job.index)
        else:
            try:
                slot = stack.enter_context(lease_slot(session.git, started.id, started.run_id, job.lending))
                site = furnish(session, job, slot)
            except (CannotRun, GitFailed, OSError) as error:
                return without_place(job, not_run(session, error))
            except KeyboardInterrupt:  # the handlers of `Signals` are installed only below
                return without_place(job, never_begun())
        signals = job.signals or stack.enter_context(Signals())
        try:
            site = replace(
                site, meter=Meter(started.live, make_rules(job.plan, session.settings.metrics), site.tree, site.apart)
            )
            ended = carry_out(session, job, site, signals)
        except (CannotRun, OSError) as error:
            ended = not_run(session, error)
        # the program may have run `git clean -xdf` or removed .git/gitrun
        restore_state(session, job)
        if slot and not slot.is_ours:  # another run may have made a slot of that name
            site = replace(site, tree=slot.directory / "removed")
        # written first, so that a later command can record the result if gitrun is killed here
        started.live.record_end(ended)
        # the program may have removed the worktree in which gitrun was started
        session = replace(session, git=session.git.lasting())
        left: list[produced.Produced] = []

        def collect() -> Collected:
            outcome, found = complete(session, started, site, ended)
            left.append(found)
            return Collected(outcome, found.changes)

        def release(outcome: Outcome) -> None:
            report(session, site, outcome, left[-1])
            if slot and site.tree.is_dir():
                slot.end(started.id, left[-1].seen, session.settings.lend_keep)
            # `git run stop` ends one program; only signals to gitrun itself end the caller too
            if started.live.is_asked_to_end:
                signals.order = 0

        outcome = started.finish(collect, release)
    return replace(outcome, ordered=signals.order)


def restore_state(session: Session, job: Job) -> None:
    """Restores the files needed to finish the attempt, if somebody removed gitrun's local state during the run."""
    if job.started.renew():
        write_rules(job.started.live.directory, make_rules(job.plan, session.settings.metrics))
        session.say(f"warning: files in {session.git.state} were removed during the run. The run is recorded")
    if job.index and not job.index.exists():
        session.git.run("read-tree", job.plan.source.whole, index=job.index)


def without_place(job: Job, outcome: Outcome) -> Outcome:
    """Records an attempt that never got a worktree. Files in the slot are not collected."""
    started = job.started
    # git forwards Ctrl-C to `git run`, which the terminal has signalled too: the second one must not interrupt this
    with nullcontext() if job.signals else Signals():
        whole = replace(outcome, files=hand_on_files(started))
        return started.finish(lambda: Collected(whole, {}))


def hand_on_files(started: AttemptHandle) -> tuple[File, ...]:
    """Hands the files that the previous attempt kept outside git on to this attempt unchanged. Returns them."""
    return produced.handed_on(started.inherited, started.kept) if started.inherited else ()


def in_place(session: Session, job: Job, index: Path) -> Site:
    """Returns the user's working tree as the site. Files that git ignored before the run are not results of it."""
    apart = frozenset(path.rstrip(b"/") for path in (*job.snapshot.outside, *job.snapshot.named))
    return Site(Path(session.git.worktree or "."), session.git, (), apart, index, outputs=job.plan.outputs)


def furnish(session: Session, job: Job, slot: Slot) -> Site:
    """Puts the kept files of the previous attempt and the files that the entry needs into the slot."""
    started, tree, lent = job.started, slot.tree, slot.manifest
    if job.lending.left_out:
        session.say(
            f"warning: {job.lending.left_out:,} ignored files are not lent: there are too many. To lend them: --link DIRECTORY"
        )
    for path in slot.unsteady[:NAMED]:
        session.say(f"warning: {safe_text(os.fsdecode(path))} changed while gitrun copied it for the run")
    linked = list(lent.links)
    restored: list[bytes] = []
    if earlier := started.inherited:
        linked = free_for(session, tree, linked, produced.kept_files(earlier))
        restored = produced.restore(earlier, tree, frozenset(lent.copies))
        beside.restore_written(earlier, tree)
    if job.plan.definition is None and not job.plan.written:
        apart = frozenset(linked) - frozenset(restored)
        return Site(tree, slot.git, tuple(linked), apart, outputs=job.plan.outputs, lent=lent, bare=job.snapshot.bare)

    linked, given = lifecycle.inputs.furnish_entry(session, job.plan, tree, linked)
    apart = frozenset(linked) - frozenset(restored)
    bare = job.snapshot.bare
    return Site(tree, slot.git, tuple(linked), apart, given=given, outputs=job.plan.outputs, lent=lent, bare=bare)


def free_for(session: Session, tree: Path, linked: list[bytes], files: list[bytes]) -> list[bytes]:
    """Replaces linked directories that will receive restored files by real ones. Returns the paths that are still links."""
    if not any(path.startswith(link + b"/") or path == link for link in linked for path in files):
        return linked

    return lifecycle.inputs.opened(session, tree, linked, files)


def carry_out(session: Session, job: Job, site: Site, signals: Signals) -> Outcome:
    """Runs the program. Returns its outcome, without metrics and files. Raises CannotRun if it could not be started."""
    pid, in_place = os.getpid(), site.index is not None
    linked = tuple(map(os.fsdecode, site.linked))
    given = tuple((os.fsdecode(path), *stamp) for path, stamp in site.given.items())
    attempt = job.started.id
    for path, other in shared_now(session, job, site):
        session.say(f"warning: {safe_text(os.fsdecode(path))} is shared with run {short_id(other)}, which is running")
    write_rules(job.started.live.directory, make_rules(job.plan, session.settings.metrics))
    where = (str(site.tree), in_place, time.time(), linked, given, site.outputs)
    # other commands find the owner here, to stop the run or to record it after a crash
    job.started.live.record(Owner(pid, birth_of(pid), attempt, *where))
    call = replace(call_for(session, job, site), reader=site.meter)
    outcome = outcome_of(execute(call, job.started.live.output, session.stdout, session.stderr, signals), session)
    if job.around and was_installed_since(job.around, outcome.started.timestamp()):
        for stray in source.stray_installs.find_stray_installs(session.git):
            session.say(f"warning: {stray.words}. To repair it: {stray.hint}")
    if outcome.status == ERROR:
        advise_sync(session, job)
    return outcome


def advise_sync(session: Session, job: Job) -> None:
    """Suggests `uv sync` after a failed command of uv, if the environment that uv was handed lacks a required package."""
    handed, top = job.around.handed if job.around else None, session.git.worktree
    if not (handed and top and handed.prefix and "UV_NO_SYNC" in handed.variables):
        return
    if os.path.basename(job.plan.command[0]) == "uv" and lacks_packages(
        handed.prefix, directory_and_parents(str(top / job.plan.cwd), str(top))
    ):
        session.say("note: uv's environment was not synced. To sync it: uv sync")


def shared_now(session: Session, job: Job, site: Site) -> list[tuple[bytes, str]]:
    """Returns linked paths that another live run also has, each with that run's id.

    Environments are left out: programs only read them.
    """
    mine = frozenset(site.linked) - job.lending.environments
    others = [run for run in recorded(session.git.state) if run != job.started.run_id] if mine else []
    found = []
    for run in others:
        owner = owner_of(session.git.state, run) if is_live(session.git.state, run) else None
        theirs = frozenset(map(os.fsencode, owner.linked)) if owner else frozenset()
        found += [(path, run) for path in sorted(mine & theirs)]
    return found[:NAMED]


def not_run(session: Session, error: CannotRun | GitFailed | OSError) -> Outcome:
    """Returns the outcome of a program that could not be started, and prints the reason."""
    now = datetime.now(timezone.utc)
    message, hint = (str(error), "") if isinstance(error, OSError) else (error.message, error.hint)
    session.say(message + (f"; {hint}" if hint else ""))
    # the exit statuses of POSIX shells: 127 if the program is missing, 126 if it cannot be executed
    is_missing = isinstance(error, CannotRun) and not isinstance(error.__cause__, PermissionError)
    return Outcome(ERROR, 127 if is_missing else 126, now, now, 0.0, reason=message)


def never_begun() -> Outcome:
    """Returns the outcome of a program that Ctrl-C kept from starting."""
    now = datetime.now(timezone.utc)
    return Outcome(TERMINATED, -signal.SIGINT, now, now, 0.0, reason="stopped")


def report(session: Session, site: Site, outcome: Outcome, found: produced.Produced) -> None:
    """Tells the user what of the attempt's files is unusual or lost."""
    # links lead to the user's own files, which other runs may read
    if outcome.shared:
        names = name_first_paths(list(map(os.fsencode, outcome.shared)))
        session.say(f"warning: the program wrote into files that the run shares: {names}")
    if outcome.status == COMPLETED and (bare := produced.outputs_without_files(site.outputs, outcome.files, site.tree)):
        session.say(f"warning: the program wrote no file for these outputs: {name_first_paths(list(map(os.fsencode, bare)))}")
    if site.index is None:
        advise_sharing(session, outcome)
    if found is produced.NOTHING:
        session.say("warning: the run's worktree was removed during the run: what the program wrote there is lost")
    if found.lost:
        session.say(f"warning: not recorded, because it cannot be read: {name_first_paths(found.lost)}")


def advise_sharing(session: Session, outcome: Outcome) -> None:
    """Suggests, once for each ignored directory, how runs can share a likely download or cache."""
    sizes: dict[str, int] = {}
    for file in outcome.files:
        top, slash, _ = file.path.partition("/")
        if slash and file.stored == "local" and top != "..":
            sizes[top] = sizes.get(top, 0) + file.size
    wanted = [top for top, size in sizes.items() if top.strip("._").lower() not in RESULTS and size >= DOWNLOAD]
    if not wanted:
        return
    place = session.git.state / "advised"
    # directories already suggested, so that each note appears only once
    told = place.read_text().splitlines() if place.exists() else []
    for top in (one for one in wanted if one not in told):
        session.say(
            f"note: {safe_text(top)}/ holds {size_text(sizes[top])} that only this run has. "
            f"To share it between runs: git config --add gitrun.link {shlex.quote(top)}"
        )
    with place.open("a") as advised:
        advised.writelines(f"{top}\n" for top in wanted if top not in told)


def complete(session: Session, started: AttemptHandle, site: Site, ended: Outcome) -> tuple[Outcome, produced.Produced]:
    """Adds metrics and files to the outcome. Stores the files in the repository or beside it."""
    if not site.tree.is_dir():
        files = hand_on_files(started)
        ended = replace(ended, files=files, reason=ended.reason or "its worktree was removed")
        return replace(ended, metrics=collect_metrics(started.live, ended, None, session.say, site.meter)), produced.NOTHING
    if site.index is None:
        write_worktree_record(site.git, started.id)  # the program may have removed the `.git` file of its worktree
    keep, shared = started.kept, site.index is not None
    place = produced.Place(
        bind_content_git(session.git, site.git), site.tree, keep, site.apart, started.inherited, site.index, shared,
        given=site.given, outputs=site.outputs, say=session.say, lent=site.lent, bare=site.bare,
    )  # fmt: skip
    found = produced.collect(place, session.settings.max_produced)
    outside = () if site.index else produced.collect_beside(session.git.worktree, site.tree, keep)
    through = links.list_written_through(session.git.worktree or site.tree, site.linked, ended.started.timestamp())
    whole = replace(ended, files=(*outside, *found.files), shared=tuple(map(os.fsdecode, through)))
    return replace(whole, metrics=collect_metrics(started.live, whole, site.tree, session.say, site.meter)), found


def outcome_of(ended: Exit, session: Session) -> Outcome:
    """Turns the end of a process into an outcome. Tells the user about timeouts, leftover processes and lost output."""
    status, code, reason = judge(ended.exit_status, ended.stopped_by)
    if ended.timed_out:
        reason = "it ran longer than --stop-after"
        session.say(f"stopped: {reason}")
    if ended.outlived:
        session.say(f"note: gitrun ended processes that the program left running: {', '.join(ended.outlived)}")
    if ended.lost:
        session.say(f"warning: the output is not recorded to its end: {ended.lost}")
    return Outcome(status, code, ended.started, ended.stopped, ended.duration, reason=reason or ended.lost)


def judge(exit_status: int, stopped_by: int) -> tuple[str, int, str]:
    """Maps an exit status to (status, exit status, reason). `stopped_by` is the signal that gitrun received, or 0.

    After Ctrl-C, a program that exits with 0 has completed. Any other signal to gitrun makes it terminated.
    """
    if stopped_by and not (stopped_by in INTERRUPTS and exit_status == 0):
        return TERMINATED, exit_status if exit_status < 0 else -stopped_by, "stopped"
    if exit_status < 0:
        return TERMINATED, exit_status, ""
    return (ERROR if exit_status else COMPLETED), exit_status, ""

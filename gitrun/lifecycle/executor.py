"""Executes the programs of attempts on this machine: in a leased slot, or in the user's working tree.

An executor is one way to run the program of an attempt. The road (`attempt.py`) sees only the `Executor` protocol, so an
executor that sends the attempt to another machine needs no second road. A runner of many programs at once can take the
parts of `LocalExecutor`: prepare each workspace and command, watch all processes in one loop, and report and record each
end.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from pathlib import Path

from gitrun import lifecycle, source
from gitrun.dataclass import dataclass, replace
from gitrun.errors import CannotRun, GitFailed
from gitrun.lazy import Protocol
from gitrun.lifecycle.command import command_for
from gitrun.lifecycle.results import collect_results, hand_on_files, report_results, warn_of_linked_directories
from gitrun.model.plan import Outcome
from gitrun.model.run import COMPLETED, ERROR, TERMINATED, short_id
from gitrun.model.text import safe_text
from gitrun.process.run import execute
from gitrun.process.signals import INTERRUPTS, Signals, interrupt_once
from gitrun.source.launchers import lacks_packages
from gitrun.source.snapshot import NAMED
from gitrun.source.surroundings import directory_and_parents, was_installed_since
from gitrun.store.attempts import Collected
from gitrun.store.live import Owner, is_live, own_birth, owner_of, recorded_runs
from gitrun.workspace import beside, outputs
from gitrun.workspace.lending import NO_LENDING
from gitrun.workspace.metric_lines import make_rules, write_rules
from gitrun.workspace.metrics import Meter
from gitrun.workspace.slots import lease_slot
from gitrun.workspace.workspace import Workspace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from gitrun.lifecycle.command import Program
    from gitrun.model.plan import Plan
    from gitrun.process.run import Command, Exit
    from gitrun.source.snapshot import Snapshot
    from gitrun.store.attempts import AttemptHandle
    from gitrun.workspace.lending import Lending
    from gitrun.workspace.session import Session
    from gitrun.workspace.slots import Slot


STOPPED = "stopped"
"""Reason of a run that somebody stopped."""
EVICTED = "its worker was told to end"
"""Reason of a run that another worker may go on with."""


@dataclass(frozen=True, slots=True)
class Execution:
    """An ended program whose workspace is still held.

    `ended` has no metrics and files yet. `collect` stores what the program left, and may be called again. `release` gives
    the workspace back once the result is recorded. `signals` are those that arrived for gitrun itself.
    """

    ended: Outcome
    signals: Signals
    collect: Callable[[], Collected]
    release: Callable[[Collected], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class PreparedProgram:
    """A program that can be started: its workspace, slot and reader of metrics, and the command.

    Without a command, `failed` says why. Without a workspace, not even that could be made. `is_lost` says that the program is
    not to blame: the repository or a file could not be written.
    """

    workspace: Workspace | None
    slot: Slot | None
    meter: Meter | None = None
    command: Command | None = None
    failed: Outcome | None = None
    is_lost: bool = False


class Executor(Protocol):
    """One way to run the program of an attempt."""

    def run(self, attempt: AttemptHandle) -> AbstractContextManager[Execution]:
        """Runs the program to its end. Holds its workspace, and the handlers of signals, until the `with` ends.

        A program that fails or cannot be started is an outcome, not an error.
        """


@dataclass(frozen=True, slots=True)
class LocalExecutor:
    """Runs a program as a child of this process, in a slot or in the user's working tree.

    `index` is the snapshot's index if it runs in the working tree, else None. `signals` are those of a parent run, whose
    handlers are installed already; None for a run of its own.
    """

    session: Session
    program: Program
    snapshot: Snapshot
    lending: Lending = NO_LENDING
    index: Path | None = None
    signals: Signals | None = None

    @contextmanager
    def run(self, attempt: AttemptHandle) -> Iterator[Execution]:
        """Runs the program. Without a workspace, hands the files of the previous attempt on."""
        with interrupt_once(), ExitStack() as stack:
            prepared = self.prepare(attempt, stack)
            signals = self.signals or stack.enter_context(Signals())
            yield self.conclude(prepared, attempt, self.run_prepared(prepared, attempt, signals), signals)

    def prepare(self, attempt: AttemptHandle, stack: ExitStack) -> PreparedProgram:
        """Leases a slot on the stack, unless the program runs in place. Returns the command to start, or why there is none."""
        slot = workspace = None
        try:
            if self.index:
                workspace = self.workspace_in_place(self.index)
            else:
                slot = stack.enter_context(lease_slot(self.session.git, attempt.id, attempt.run_id, self.lending))
                workspace = self.workspace_in(slot, attempt)
            meter = self.meter_for(attempt, workspace)
            return PreparedProgram(workspace, slot, meter, self.prepare_command(attempt, workspace, meter))
        except (CannotRun, GitFailed, OSError) as error:
            is_lost = not isinstance(error, CannotRun)
            return PreparedProgram(workspace, slot, failed=failed_to_start(self.session, error), is_lost=is_lost)
        except KeyboardInterrupt:  # the handlers of `Signals` are not installed yet
            return PreparedProgram(workspace, slot, failed=interrupted_before_start())

    def run_prepared(self, prepared: PreparedProgram, attempt: AttemptHandle, signals: Signals) -> Outcome:
        """Runs a prepared program to its end. Returns its outcome, also if it could not be started."""
        if prepared.command is None:
            return prepared.failed or interrupted_before_start()
        try:
            return self.execute(prepared.command, attempt, signals)
        except (CannotRun, OSError) as error:
            return failed_to_start(self.session, error)

    def execute(self, command: Command, attempt: AttemptHandle, signals: Signals) -> Outcome:
        """Runs the command to its end. Returns its outcome, without metrics and files. Raises CannotRun if it cannot start."""
        session = self.session
        return self.report_end(execute(command, attempt.live.output, session.stdout, session.stderr, signals))

    def conclude(self, prepared: PreparedProgram, attempt: AttemptHandle, ended: Outcome, signals: Signals) -> Execution:
        """Returns what is left to do after the program's end: collect its files and give the slot back."""
        session, slot, workspace = self.session, prepared.slot, prepared.workspace
        is_stopped = ended.reason == STOPPED and not attempt.live.is_asked_to_end
        if is_stopped and attempt.plan and attempt.plan.worker:
            ended = replace(ended, reason=EVICTED)
        if prepared.is_lost and attempt.plan and attempt.plan.worker:
            # the program is not to blame: another worker starts it
            ended = replace(ended, status=TERMINATED, reason=f"its worker could not start it: {ended.reason}")
        if workspace is None:
            return Execution(ended, signals, lambda: Collected(replace(ended, files=hand_on_files(attempt)), {}))
        # the program may have run `git clean -xdf` or removed .git/gitrun
        self.restore_state(attempt)
        if slot and not slot.is_ours:  # another run may have made a slot of that name
            workspace = replace(workspace, tree=slot.directory / "removed")

        def lasting() -> Session:
            # the program may have removed the worktree in which gitrun was started
            git = session.git.outlasting_worktree()
            return session if git is session.git else replace(session, git=git)

        def release(collected: Collected) -> None:
            report_results(lasting(), workspace, collected)
            if slot and collected.status is not None:
                slot.end(collected.status, session.settings.lend_keep)

        return Execution(ended, signals, lambda: collect_results(lasting(), attempt, workspace, ended, prepared.meter), release)

    def workspace_in_place(self, index: Path) -> Workspace:
        """Returns the user's working tree as the workspace. Files that git ignored before the run are no results of it."""
        git = self.session.git
        apart = frozenset(path.rstrip(b"/") for path in (*self.snapshot.outside, *self.snapshot.linked))
        return Workspace(Path(git.worktree or "."), git, apart=apart, index=index, outputs=self.program.plan.outputs)

    def workspace_in(self, slot: Slot, attempt: AttemptHandle) -> Workspace:
        """Prepares the slot for the program. Warns about what cannot be lent, or changed while it was copied."""
        session = self.session
        if self.lending.left_out:
            session.say(
                f"warning: {self.lending.left_out:,} ignored files are not lent: there are too many. "
                "To lend them: --link DIRECTORY"
            )
        warn_of_linked_directories(session, self.lending)
        for path in slot.unsteady[:NAMED]:
            session.say(f"warning: {safe_text(os.fsdecode(path))} changed while gitrun copied it for the run")
        return prepare_workspace(session, slot, self.program.plan, attempt.inherited, self.snapshot.bare)

    def meter_for(self, attempt: AttemptHandle, workspace: Workspace) -> Meter:
        """Returns the reader of metrics for the program."""
        rules = make_rules(self.program.plan, self.session.settings.metrics)
        return Meter(attempt.live, rules, workspace.tree, workspace.apart)

    def prepare_command(self, attempt: AttemptHandle, workspace: Workspace, meter: Meter | None) -> Command:
        """Records this process as the supervisor of the attempt. Returns the process to start. Raises CannotRun."""
        session = self.session
        for path, other in shared_links(session, attempt, workspace, self.lending.environments):
            session.say(f"warning: {safe_text(os.fsdecode(path))} is shared with run {short_id(other)}, which is running")
        write_rules(attempt.live.directory, make_rules(self.program.plan, session.settings.metrics))
        # other commands find the owner here, to stop the run or to record it after a crash
        attempt.live.record(owner_for(attempt, workspace))
        return replace(command_for(session, self.program, attempt, workspace), reader=meter)

    def report_end(self, ended: Exit) -> Outcome:
        """Turns the end of the program into an outcome. Tells the user what went wrong around it."""
        session, around = self.session, self.program.around
        outcome = outcome_of(ended, session)
        if around and was_installed_since(around, outcome.started.timestamp()):
            for stray in source.stray_installs.find_stray_installs(session.git):
                session.say(f"warning: {stray.words}. To repair it: {stray.hint}")
        if outcome.status == ERROR:
            advise_sync(session, self.program)
        return outcome

    def restore_state(self, attempt: AttemptHandle) -> None:
        """Restores the files needed to finish the attempt, if somebody removed gitrun's local state during the run."""
        session, plan = self.session, self.program.plan
        if attempt.renew():
            write_rules(attempt.live.directory, make_rules(plan, session.settings.metrics))
            session.say(f"warning: files in {session.git.state} were removed during the run. The run is recorded")
        if self.index and not self.index.exists():
            # read-tree records no times of files, so git compares contents
            session.git.run("read-tree", plan.source.whole, index=self.index)


def prepare_workspace(session: Session, slot: Slot, plan: Plan, inherited: Path | None, bare: tuple[bytes, ...]) -> Workspace:
    """Puts the kept files of the previous attempt, and the files that the plan's entry needs, into the slot.

    `inherited` has the former (None: there are none). `bare` are directories of submodules without files. Raises CannotRun.
    """
    tree, lent = slot.tree, slot.manifest
    linked, restored = list(lent.links), list[bytes]()
    if inherited:
        linked = free_links(session, tree, linked, outputs.kept_paths(inherited))
        restored = outputs.restore_files(inherited, tree, frozenset(lent.copies))
        beside.restore_written(inherited, tree)
    workspace = Workspace(tree, slot.git, outputs=plan.outputs, lent=lent, checkout=slot.index, bare=bare)
    if plan.definition is not None or plan.config_values:
        inputs = lifecycle.inputs.put_inputs(session, plan, tree, linked)
        linked, workspace = inputs.linked, replace(workspace, stamps=inputs.stamps)
    return replace(workspace, linked=tuple(linked), apart=frozenset(linked) - frozenset(restored))


def free_links(session: Session, tree: Path, linked: list[bytes], files: list[bytes]) -> list[bytes]:
    """Replaces linked directories that will receive restored files by real ones. Returns the paths that are still links."""
    if not any(path.startswith(link + b"/") or path == link for link in linked for path in files):
        return linked
    return lifecycle.inputs.open_links(session, tree, linked, files)


def owner_for(attempt: AttemptHandle, workspace: Workspace) -> Owner:
    """Returns the live record's entry for this process as the supervisor of the attempt in the workspace."""
    pid = os.getpid()
    return Owner(
        pid, own_birth(pid), attempt.id, str(workspace.tree), workspace.is_working_tree, time.time(),
        linked=tuple(map(os.fsdecode, workspace.linked)),
        given=tuple((os.fsdecode(path), *stamp) for path, stamp in workspace.stamps.items()),
        outputs=workspace.outputs,
    )  # fmt: skip


def advise_sync(session: Session, program: Program) -> None:
    """Suggests `uv sync` after a failed command of uv, if the environment that uv used lacks a required package."""
    launcher_help, top = program.around.launcher_help if program.around else None, session.git.worktree
    if not (launcher_help and top and launcher_help.prefix and "UV_NO_SYNC" in launcher_help.variables):
        return
    plan = program.plan
    if os.path.basename(plan.command[0]) == "uv" and lacks_packages(
        launcher_help.prefix, directory_and_parents(str(top / plan.cwd), str(top))
    ):
        session.say("note: uv's environment was not synced. To sync it: uv sync")


def shared_links(
    session: Session, attempt: AttemptHandle, workspace: Workspace, environments: frozenset[bytes]
) -> list[tuple[bytes, str]]:
    """Returns linked paths that another live run also has, each with that run's id.

    Environments are left out: programs only read them.
    """
    state, own = session.git.state, frozenset(workspace.linked) - environments
    others = [run_id for run_id in recorded_runs(state) if run_id != attempt.run_id] if own else []
    shared = []
    for run_id in others:
        owner = owner_of(state, run_id) if is_live(state, run_id) else None
        theirs = frozenset(map(os.fsencode, owner.linked)) if owner else frozenset()
        shared += [(path, run_id) for path in sorted(own & theirs)]
    return shared[:NAMED]


def failed_to_start(session: Session, error: CannotRun | GitFailed | OSError) -> Outcome:
    """Returns the outcome of a program that could not be started, and prints the reason."""
    now = datetime.now(timezone.utc)
    session.say(f"error: {error}")
    # the exit statuses of POSIX shells: 127 if the program is missing, 126 if it cannot be executed
    is_missing = isinstance(error, CannotRun) and not isinstance(error.__cause__, PermissionError)
    reason = str(error) if isinstance(error, OSError) else error.message
    return Outcome(ERROR, 127 if is_missing else 126, now, now, 0.0, reason=reason)


def interrupted_before_start() -> Outcome:
    """Returns the outcome of a program that Ctrl-C kept from starting."""
    now = datetime.now(timezone.utc)
    return Outcome(TERMINATED, -signal.SIGINT, now, now, 0.0, reason=STOPPED)


def outcome_of(ended: Exit, session: Session) -> Outcome:
    """Turns the end of a process into an outcome. Tells the user about timeouts, leftover processes and lost output."""
    status, reason = status_of(ended)
    code = ended.exit_status
    # a program may handle the signal and exit with 0
    if status == TERMINATED and code >= 0:
        code = -ended.stopped_by
    if ended.timed_out:
        reason = "it ran longer than --stop-after"
        session.say(f"stopped: {reason}")
    if ended.outlived:
        session.say(f"note: gitrun ended processes that the program left running: {', '.join(ended.outlived)}")
    if ended.lost:
        session.say(f"warning: the output is not recorded to its end: {ended.lost}")
    return Outcome(status, code, ended.started, ended.stopped, ended.duration, reason=reason or ended.lost)


def status_of(ended: Exit) -> tuple[str, str]:
    """Returns the status and the reason of an ended process.

    After Ctrl-C, a program that exits with 0 has completed. Any other signal to gitrun makes it terminated.
    """
    if ended.stopped_by and not (ended.stopped_by in INTERRUPTS and ended.exit_status == 0):
        return TERMINATED, STOPPED
    # killed by somebody else, for example by the kernel for lack of memory
    if ended.exit_status < 0:
        return TERMINATED, ""
    return (ERROR if ended.exit_status else COMPLETED), ""

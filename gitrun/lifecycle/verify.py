"""Executes a run's last attempt again and compares the result with its record.

The program runs in a slot, from the recorded attempt's commit. The lock of the live record is held, so that nobody
restarts the run at the same time. No ref is set: files are compared, and the output is deleted with the live record.
"""

from __future__ import annotations

import math
import os
import signal
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol, TypeAlias

from gitrun.dataclass import dataclass, field, replace
from gitrun.errors import BadValue, CannotVerify, UsageError
from gitrun.git.objects import Objects
from gitrun.lifecycle.command import program_for
from gitrun.lifecycle.decide import LaunchRequest, Prompts, decide_restart, stamp_now
from gitrun.lifecycle.executor import Execution, LocalExecutor
from gitrun.lifecycle.launch import decide_lending, find_python, start
from gitrun.model import decode, record_files
from gitrun.model.plan import Request, Skip
from gitrun.model.provenance import read_steps
from gitrun.model.run import COMPLETED, ERROR, STEPS, TERMINATED, VALUE, Run, short_id
from gitrun.model.settings import RUN_SETTINGS, require_valid
from gitrun.model.text import decode_path
from gitrun.process.signals import Signals
from gitrun.source.snapshot import private_index, warn_of_submodules
from gitrun.source.submodules import list_linked_modules
from gitrun.store.attempts import LARGEST_OUTPUT, AttemptHandle, Collected
from gitrun.store.commits import scratch_directory
from gitrun.store.index import Index
from gitrun.store.kept_files import missing_kept, restore_kept
from gitrun.store.live import hold_live
from gitrun.store.outputs import lent_record
from gitrun.store.runs import read_attempts
from gitrun.store.trust import require_trusted
from gitrun.workspace import outputs
from gitrun.workspace.lending import lent_changes
from gitrun.workspace.metrics import collect_metrics
from gitrun.workspace.slots import bind_content_git, lease_slot
from gitrun.workspace.worktree_records import write_worktree_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gitrun.model.metrics import Metrics
    from gitrun.model.plan import Outcome
    from gitrun.model.provenance import StepRun
    from gitrun.model.run import Attempt, File
    from gitrun.workspace.session import Session
    from gitrun.workspace.workspace import Workspace

    Compared: TypeAlias = "str | float | None"


REPRODUCED, DIFFERS = "reproduced", "differs"
STATUS, METRIC, FILE = "status", "metric", "file"
LOOSEST = 1_000_000.0
"""Tolerance above which metrics are not compared."""

DEEPEST_STEPS = 10
"""The deepest nesting of pipelines that is followed."""


def verify(session: Session, run: Run, rules: VerifyRules, *, depth: int = 0) -> Verdict:
    """Returns the verdict on the run's last attempt. Shows the program's output on stderr.

    Raises NotTrusted, and CannotRun if the attempt cannot be executed again.
    """
    require_trusted(session.git, run)
    last = run.attempt
    if last.status not in {COMPLETED, ERROR, TERMINATED}:
        raise CannotVerify(
            f"run {short_id(run.id)} has no result to compare with: it is {last.status}", "To verify it: wait until it ends"
        )
    if last.kind == VALUE:
        raise CannotVerify(f"a caller computed the value of run {short_id(run.id)}, and no program ran")
    if last.kind == STEPS:
        return verify_steps(session, run, rules, depth)
    again = execute_again(replace(session, stdout=session.stderr), run)
    return compare_attempts(run, again.outcome, rules, same_output=again.same_output)


def compare_attempts(run: Run, again: Outcome | Attempt, rules: VerifyRules, *, same_output: bool) -> Verdict:
    """Compares an attempt with its repetition."""
    last = run.attempt
    looked_at = sum(not rules.is_ignored(file.path) for file in last.files)
    return Verdict(run.id, last.id, find_differences(last, again, rules), len(last.metrics), looked_at, same_output)


def verify_steps(session: Session, run: Run, rules: VerifyRules, depth: int) -> Verdict:
    """Verifies the runs of a pipeline's steps. Leaves out steps that were skipped."""
    # a record from elsewhere may name its own run as a step
    if depth > DEEPEST_STEPS:
        raise CannotVerify(f"the steps of run {short_id(run.id)} are nested too deeply")
    verdicts = []
    for step in executed_steps(session, run):
        session.say(f"step {step.operation}")
        with Index(session.git) as index:
            step_run = index.get(step.run_id)
        if not isinstance(step_run, Run):
            raise CannotVerify(f"step {step.operation} was run {short_id(step.run_id)}, which is not here")
        verdicts.append(verify(session, step_run, rules, depth=depth + 1))
    return Verdict(run.id, run.attempt.id, (), steps=tuple(verdicts))


def executed_steps(session: Session, run: Run) -> list[StepRun]:
    """Returns the steps that the run's last attempt executed itself."""
    with Objects(session.git) as objects:
        result = objects.read(f"{run.attempt.left}:{record_files.RESULT}")
    return [step for step in read_steps(result.data if result else b"") if step.status in {COMPLETED, ERROR, TERMINATED}]


def verify_and_keep(session: Session, run: Run, rules: VerifyRules) -> Verdict:
    """Verifies the run by a new attempt, which stays in the run. Raises UsageError if a new attempt could not be the same."""
    if run.attempt.kind == STEPS:
        raise UsageError(
            "--keep cannot be used with a run of steps",
            "To verify the runs of its steps: git run list, then git run verify --keep RUN",
        )
    with Objects(session.git) as objects:
        if run.attempt.carried or earlier_attempt(session, objects, run):
            raise UsageError(
                f"--keep cannot repeat run {short_id(run.id)}: its last attempt started from files of the previous one",
                "To verify it: leave out --keep",
            )
    require_trusted(session.git, run)
    verified = start(replace(session, stdout=session.stderr), Request(restart=run.id, clean=True), Prompts())
    with Index(session.git) as index:
        now = index.get(run.id)
    if isinstance(verified, Skip) or not isinstance(now, Run):
        raise CannotVerify(f"run {short_id(run.id)} cannot be executed again")
    same_output = now.attempt.output == run.attempt.output
    return replace(compare_attempts(run, now.attempt, rules, same_output=same_output), kept=now.attempt.id)


@dataclass(frozen=True, slots=True)
class Repetition:
    """The outcome of an attempt that was executed again, and whether its output is the recorded one."""

    outcome: Outcome
    same_output: bool


def execute_again(session: Session, run: Run) -> Repetition:
    """Executes the last attempt again. Leaves its run unchanged. Raises CannotRun."""
    require_valid(session.git.config, RUN_SETTINGS)
    request = Request(restart=run.id, no_link=True)
    with Objects(session.git) as objects, private_index(session.git, os.urandom(8).hex()) as index:
        decision = decide_restart(LaunchRequest(session, request, Prompts(), index, stamp_now()), objects, run)
        if isinstance(decision, Skip):
            raise CannotVerify(f"run {short_id(run.id)} is not executed again")
        earlier = earlier_attempt(session, objects, run)
        lent = lent_record(objects, run.attempt.id) or ()
        linked = recorded_links(session, objects, run)
        for word in warn_of_submodules(session.git, list_linked_modules(objects, decision.plan.source)):
            session.say(word)
        recorded_output = objects.read(f"{run.attempt.left}:{record_files.OUTPUT}", limit=2 * LARGEST_OUTPUT)
    # the record may come from another repository: no path may lead out of this one
    paths = tuple(os.fsencode(one.path) for one in lent if is_inside(one.path.rstrip("/")))
    if session.git.worktree:
        for word in lent_changes(session.git.worktree, lent, session.settings, session.git.state):
            session.say(f"note: {word}")
    decision = replace(decision, snapshot=replace(decision.snapshot, outside=paths, linked=linked))
    # a run that was lent nothing may still have read what is beside the repository
    request = replace(request, no_link=run.attempt.params.no_link, links=tuple(map(os.fsdecode, linked)))
    program = program_for(request, decision.plan, find_python(session, decision.plan))
    executor = ReplayExecutor(LocalExecutor(session, program, decision.snapshot, decide_lending(session, request, decision)))
    live = hold_live(session.git.state, run.id)
    try:
        attempt = AttemptHandle(session.git, run.id, run.attempt.id, live, earlier=earlier)
        with executor.run(attempt) as execution:
            require_same_start(run, execution.ended)
            collected = execution.collect()
            with live.output.open("rb") as file:
                output = file.read(LARGEST_OUTPUT + 1)
            execution.release(collected)
    finally:
        live.close()
    return Repetition(collected.outcome, output == (recorded_output.data if recorded_output else b""))


@dataclass(frozen=True, slots=True)
class ReplayExecutor:
    """Executes the program of a recorded attempt again. Leaves the kept files of its run unchanged, and sets no ref."""

    local: LocalExecutor

    @contextmanager
    def run(self, attempt: AttemptHandle) -> Iterator[Execution]:
        """Runs the program in a slot. Raises CannotRun, GitFailed or OSError if it cannot be started here."""
        local, session = self.local, self.local.session
        with lease_slot(session.git, attempt.id, attempt.run_id, local.lending) as slot:
            workspace = local.workspace_in(slot, attempt)
            with Signals() as signals:
                ended = local.execute(local.prepare_command(attempt, workspace, None), attempt, signals)

                def release(collected: Collected) -> None:
                    if collected.status is not None:
                        slot.end(collected.status, session.settings.lend_keep)

                yield Execution(ended, signals, lambda: collect_copies(session, attempt, workspace, ended), release)


def collect_copies(session: Session, attempt: AttemptHandle, workspace: Workspace, ended: Outcome) -> Collected:
    """Returns the outcome with metrics and files. Leaves the run's kept files unchanged."""
    # the program may have moved HEAD or damaged git's record of the worktree
    write_worktree_record(workspace.git, attempt.id)
    with scratch_directory(session.git) as keep:
        bound = replace(workspace, git=bind_content_git(session.git, workspace.git))
        produced = outputs.collect_outputs(bound, outputs.Keep(keep), session.settings.max_produced)
        outside = outputs.collect_beside(session.git.worktree, workspace.tree, keep)
    outcome = replace(ended, files=(*outside, *produced.files))
    outcome = replace(outcome, metrics=collect_metrics(attempt.live, outcome, workspace.tree, session.say))
    return Collected(outcome, produced.changes, produced.status, produced.lost)


def require_same_start(run: Run, ended: Outcome) -> None:
    """Raises CannotRun if the program was stopped, or could not be started although it could before.

    Raises KeyboardInterrupt after Ctrl-C.
    """
    if ended.status == TERMINATED and ended.reason:
        if ended.exit_status == -signal.SIGINT:
            raise KeyboardInterrupt
        raise CannotVerify(f"run {short_id(run.id)} did not run to its end: {ended.reason}")
    if ended.status == ERROR and ended.reason and ended.stopped == ended.started and ended.exit_status != run.exit_status:
        raise CannotVerify(f"run {short_id(run.id)} cannot be executed here: {ended.reason}")


def earlier_attempt(session: Session, objects: Objects, run: Run) -> str:
    """Returns the attempt whose kept files the last attempt started from; empty if there is none. Raises CannotRun."""
    before = read_attempts(session.git, objects, run)[:-1]
    if not before:
        return ""
    local_paths = [file.path for file in before[-1].files if file.stored == "local"]
    if not {file.path for file in run.attempt.files}.intersection(local_paths):  # a clean start, or nothing was kept
        return ""
    restore_kept(session.git, run.id, before[-1])
    missing = missing_kept(session.git, run.id, before[-1])
    if missing:
        raise CannotVerify(
            f"run {short_id(run.id)} may have started from '{missing[0].path}' of its previous attempt, "
            "which is not on this machine",
            f"To run it from its source alone: git run --restart {short_id(run.id)} --clean",
        )
    return before[-1].id


def recorded_links(session: Session, objects: Objects, run: Run) -> tuple[bytes, ...]:
    """Returns the paths that the run linked from the working tree and that still exist. Says which are missing."""
    result = objects.read(f"{run.attempt.left}:{record_files.RESULT}")
    linked = decode.parse_toml((result.data if result else None) or b"", record_files.RESULT).get("linked")
    paths = [decode_path(path) for path in linked if isinstance(path, str)] if isinstance(linked, list) else []
    top = session.git.worktree
    here = [path for path in paths if top and is_inside(path) and os.path.lexists(top / path)]
    missing = [path for path in paths if path not in here and not path.startswith(".gitrun")]
    if missing and run.attempt.kind != STEPS:
        session.say(f"note: the run linked these, which are not here: {', '.join(missing[:10])}")
    return tuple(map(os.fsencode, here))


def is_inside(path: str) -> bool:
    """Returns whether a path of a record stays below the top, outside `.git` and `.gitrun`."""
    parts = path.split("/")
    return not os.path.isabs(path) and ".." not in parts and parts[0] not in {".git", ".gitrun"}


class VerifiedExit(Protocol):
    """The end of an attempt, recorded or just finished."""

    @property
    def status(self) -> str:
        """Returns completed, error or terminated."""

    @property
    def exit_status(self) -> int | None:
        """Returns 0, a positive number, or minus a signal's number."""

    @property
    def metrics(self) -> Metrics:
        """Returns the last value of each metric."""

    @property
    def files(self) -> tuple[File, ...]:
        """Returns the produced files."""


@dataclass(frozen=True, slots=True)
class VerifyRules:
    """Rules of the comparison: `tolerance` is both absolute and relative.

    `of` has the tolerances of single metrics. `ignored` are patterns of paths to skip (`*` also matches `/`).
    """

    tolerance: float = 0.0
    of: Mapping[str, float] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()

    def are_equal(self, name: str, recorded: float | None, again: float | None) -> bool:
        """Returns whether two values of a metric are equal; nan equals nan, and a missing value only another."""
        if recorded is None or again is None:
            return recorded is again
        allowed = self.of.get(name, self.tolerance)
        # nan is not equal to itself, nor close to itself for isclose
        if math.isnan(recorded) or math.isnan(again):
            return math.isnan(recorded) and math.isnan(again)
        return allowed > LOOSEST or math.isclose(recorded, again, rel_tol=allowed, abs_tol=allowed)

    def is_ignored(self, path: str) -> bool:
        """Returns whether a file is not compared."""
        return any(fnmatchcase(path, pattern) for pattern in self.ignored)


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference: its kind, its name, the recorded and the repeated value (None: missing)."""

    what: str
    name: str
    recorded: Compared
    again: Compared


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a repeated attempt: the differences, and how much was compared.

    `same_output` is true if the output is the same; it does not affect the result. `steps` are the verdicts of a pipeline's
    runs. `kept` is the id of the attempt that was added, if any.
    """

    run: str
    attempt: str
    differences: tuple[Difference, ...]
    metrics: int = 0
    files: int = 0
    same_output: bool = True
    steps: tuple[Verdict, ...] = ()
    kept: str | None = None

    @property
    def word(self) -> str:
        """Returns `reproduced` or `differs`."""
        return REPRODUCED if self.is_good else DIFFERS

    @property
    def is_good(self) -> bool:
        """Returns whether nothing differs, including all steps."""
        return not self.differences and all(step.is_good for step in self.steps)


def read_rules(tolerances: Iterable[str], ignored: Iterable[str] = ()) -> VerifyRules:
    """Parses tolerances such as `1e-6` and `loss=0.01` into rules. Raises UsageError."""
    common, of = 0.0, {}
    for words in tolerances:
        # the name of a metric may contain `=`
        name, sign, text = words.rpartition("=")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        # nan is not below 0 either
        if not value >= 0 or (sign and not name):
            raise BadValue(f"--tolerance takes a number or NAME=NUMBER, not '{words}'", "For example: loss=0.01")
        if sign:
            of[name] = value
        else:
            common = value
    return VerifyRules(common, of, tuple(ignored))


def find_differences(recorded: VerifiedExit, again: VerifiedExit, rules: VerifyRules) -> tuple[Difference, ...]:
    """Returns all differences from the recorded attempt."""
    return (
        *status_differences(recorded, again),
        *metric_differences(recorded, again, rules),
        *file_differences(recorded, again, rules),
    )


def status_differences(recorded: VerifiedExit, again: VerifiedExit) -> Iterator[Difference]:
    """Yields the status if it differs."""
    if (recorded.status, recorded.exit_status) != (again.status, again.exit_status):
        yield Difference(STATUS, "", exit_text(recorded), exit_text(again))


def exit_text(ended: VerifiedExit) -> str:
    """Returns a status with its exit status."""
    return f"{ended.status} ({ended.exit_status})" if ended.exit_status else ended.status


def metric_differences(recorded: VerifiedExit, again: VerifiedExit, rules: VerifyRules) -> Iterator[Difference]:
    """Yields the metrics whose last values differ by more than the tolerance."""
    for name in dict.fromkeys((*recorded.metrics, *again.metrics)):
        before, now = recorded.metrics.get(name), again.metrics.get(name)
        if not rules.are_equal(name, before, now):
            yield Difference(METRIC, name, before, now)


def file_differences(recorded: VerifiedExit, again: VerifiedExit, rules: VerifyRules) -> Iterator[Difference]:
    """Yields the produced files whose content differs."""
    before, now = ({file.path: file.sha256 for file in ended.files} for ended in (recorded, again))
    for path in sorted({*before, *now}):
        if before.get(path) != now.get(path) and not rules.is_ignored(path):
            yield Difference(FILE, path, before.get(path), now.get(path))

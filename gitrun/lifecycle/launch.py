"""Starts runs: decides about a request, begins the attempt, and runs it to its end."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from gitrun import lifecycle, model, source, store, workspace
from gitrun.dataclass import dataclass, replace
from gitrun.errors import CannotStart, Declined, GitFailed, ObjectsGone, UsageError
from gitrun.git.exe import keep_processes
from gitrun.git.gc_lock import hold_off_gc, is_gc_running
from gitrun.git.status import copy_index
from gitrun.lifecycle.decide import Decision, LaunchRequest, Prompts, decide, require_worktree, stamp_now
from gitrun.model import encode, record_files
from gitrun.model.plan import GITRUN, PYPROJECT, Outcome, Plan, Skip, StartedRun, check_request
from gitrun.model.run import BATCH, NOTEBOOK, SCRIPT, STEPS, WITHOUT_PROGRAM, short_id
from gitrun.model.secrets import describe_secrets, secrets_in_flags, secrets_in_words
from gitrun.model.text import count_text
from gitrun.source.operations import PYTHON
from gitrun.source.snapshot import private_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitrun.git.exe import Git
    from gitrun.lifecycle.executor import Executor, LocalExecutor
    from gitrun.lifecycle.parent import ParentRun
    from gitrun.lifecycle.trial_states import BegunTrial
    from gitrun.model.plan import Request
    from gitrun.model.run import Notes
    from gitrun.source.interpreter import Interpreter
    from gitrun.source.surroundings import Surroundings
    from gitrun.store.attempts import AttemptHandle, PreparedResult
    from gitrun.workspace.lending import Lending
    from gitrun.workspace.session import Session

MANY_TRIALS = 1_000
"""Trials that a batch starts without a question."""
MOST_LOOSE = 500
"""Loose refs of runs that a batch leaves; more are packed."""
RECENT = 1.0
"""Seconds for which trials share one look at this machine."""
START_WAITS = (0.05, 0.2, 0.5)
"""Seconds to wait before each new try of a start that lost its new objects to a gc."""


def start(session: Session, request: Request, prompts: Prompts, parent: ParentRun | None = None) -> StartedRun | Skip:
    """Starts a run, and waits for its end unless it is staged or in the background. Returns Skip if nothing has to run.

    Raises GitrunError if nothing could be run or recorded.
    """
    with begin_request(session, request, prompts, parent) as begun:
        if isinstance(begun, Skip):
            return begun
        with begun.attempt as attempt:
            return StartedRun(attempt.run_id, run_attempt(begun))


@contextmanager
def begin_request(
    session: Session, request: Request, prompts: Prompts, parent: ParentRun | None = None
) -> Iterator[BegunAttempt | Skip]:
    """Begins what a request asks for. Its private index is there until the `with` ends. Yields Skip if nothing has to run.

    Tries again if a gc removes objects in between. Raises GitrunError.
    """
    check_request(request)
    require_worktree(session, request)
    if request.stage_trials:
        request = replace(request, stage=True)
    with keep_processes(session.git) as git:
        yield from begin_checked(replace(session, git=git), request, prompts, parent)


def begin_checked(
    session: Session, request: Request, prompts: Prompts, parent: ParentRun | None
) -> Iterator[BegunAttempt | Skip]:
    """Begins what a valid request asks for, as `begin_request` does."""
    typed, request = request, request if parent else with_links(session, request)
    if session.settings.link_paths and request.lends_files(session.settings):
        share_directories(session)
    lost = False
    for wait in (*START_WAITS, None):
        with private_index(session.git, os.urandom(8).hex()) as index:
            try:
                # waiting for a gc takes long, so only after it removed something
                with hold_off_gc(session.git) if lost else nullcontext():
                    begun = begin(LaunchRequest(session, request, prompts, index, stamp_now(), parent, typed=typed))
            except GitFailed as error:  # a gc may have removed what was just written; the working tree still has it
                lost = lost or isinstance(error, ObjectsGone) or is_gc_running(session.git)
                if isinstance(error, ObjectsGone):
                    # remembered trees of submodules may be gone too
                    store.submodules.remove_cache(session.git)
                if wait is None:
                    raise
                time.sleep(wait)
                continue
            yield begun
            return
    raise CannotStart("the run did not start")


@dataclass(frozen=True, slots=True)
class BegunAttempt:
    """An attempt that is recorded but does not run yet, with what its executor needs."""

    attempt: AttemptHandle
    launch: LaunchRequest
    decision: Decision
    python: Interpreter | None
    lending: Lending


def begin(launch: LaunchRequest) -> BegunAttempt | Skip:
    """Decides about the request and commits the attempt, or returns why nothing has to run. Raises GitrunError.

    Raises GitFailed if a gc removed objects first: nothing is recorded, and the caller may try again.
    """
    decision = decide(launch)
    if isinstance(decision, Skip):
        return decision
    if launch.prompts.report and decision.plan.kind != BATCH:
        raise UsageError("--json needs a batch, --dry-run or --print-trials", "To see a run as JSON: git run show --json")
    confirm_size(launch, decision)
    return begin_decided(launch, decision)


def confirm_size(launch: LaunchRequest, decision: Decision) -> None:
    """Asks the user before a batch starts more than MANY_TRIALS trials. Raises Declined."""
    definition = decision.plan.batch_definition
    if definition is None or (launch.request.stage and not launch.request.stage_trials):
        return
    counts = decision.run.attempt.counts if decision.run else None
    count = lifecycle.batch_trials.count_wanted(definition) - (counts.total - counts.pending if counts else 0)
    if count > MANY_TRIALS and not launch.prompts.confirm(f"this batch has {count_text(count, 'trial')} to run"):
        raise Declined("nothing was run", "To run fewer trials: --max-trials N")


def begin_decided(launch: LaunchRequest, decision: Decision) -> BegunAttempt:
    """Commits the attempt of a decision. Raises GitrunError."""
    session, request = launch.session, decision.request or launch.request
    if request.in_place:
        refuse_in_place(decision.plan)
    if launch.request.worker:
        decision = replace(decision, plan=replace(decision.plan, worker=launch.request.worker))
    around = recent_surroundings(session, request, decision)
    if around.surroundings:
        decision = replace(decision, plan=with_not_isolated(decision.plan, around), around=around.surroundings)
    attempt = begin_attempt(session, decision, around.files, launch.ended)
    return BegunAttempt(attempt, replace(launch, request=request), decision, around.python, around.lending)


def begin_attempt(
    session: Session, decision: Decision, files: Mapping[str, bytes], ended: PreparedResult | None
) -> AttemptHandle:
    """Commits the attempt of a decision, with env.toml and lent.toml, and the result of another one. Raises GitrunError."""
    try:
        if decision.run is None:
            return store.attempts.begin(session.git, decision.plan, files, ended)
        return store.attempts.begin_again(session.git, decision.plan, decision.run, files)
    except OSError as error:  # a full disk, or a repository of somebody else's
        raise GitFailed(f"cannot write to this repository: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True)
class AttemptSurroundings:
    """The part of this machine that an attempt gets and records, seen at `time` (monotonic) for decisions of the same `key`.

    `not_isolated` and `notices` tell which code comes from the working tree. `files` are env.toml and lent.toml.
    """

    key: tuple[object, ...]
    time: float
    python: Interpreter | None
    surroundings: Surroundings | None
    not_isolated: tuple[str, ...]
    notices: tuple[str, ...]
    lending: Lending
    files: Mapping[str, bytes]


def recent_surroundings(session: Session, request: Request, decision: Decision) -> AttemptSurroundings:
    """Returns the surroundings of a decision's program. Raises GitrunError.

    Trials that start within a second share one look.
    """
    processes = session.git.processes
    remembered = processes.remembered if processes and processes.together else None
    plan, now = decision.plan, time.monotonic()
    if remembered is None:
        return look_around(session, request, decision, ())
    key = (
        request, plan.kind, plan.command, plan.cwd, plan.definition, plan.source, plan.outputs,
        decision.snapshot, decision.locks, decision.run is None,
    )  # fmt: skip
    last = remembered.get(AttemptSurroundings)
    if isinstance(last, AttemptSurroundings) and now - last.time < RECENT and last.key == key:
        return last
    surroundings = look_around(session, request, decision, key)
    remembered[AttemptSurroundings] = surroundings
    return surroundings


def look_around(session: Session, request: Request, decision: Decision, key: tuple[object, ...]) -> AttemptSurroundings:
    """Returns the surroundings as they are now. Raises GitrunError."""
    now, plan, surroundings = time.monotonic(), decision.plan, None
    python = find_python(session, plan)
    names, notices = tuple[str, ...](), tuple[str, ...]()
    if not request.in_place and plan.kind not in WITHOUT_PROGRAM and session.git.worktree is not None:
        surroundings = source.surroundings.find_surroundings(session, plan, python)
        again = decision.run is not None or request.at is not None
        names, notices = source.surroundings.find_not_isolated(
            session, plan, surroundings, decision.snapshot.outside, again=again
        )
    lending = decide_lending(session, request, decision)
    files = {record_files.ENV: source.environment.encode_environment(session, python, decision.locks)}
    if lending.entries:
        files[record_files.LENT] = encode.encode_table(model.lent.encode_lent(lending.entries))
    return AttemptSurroundings(key, now, python, surroundings, names, notices, lending, files)


def with_not_isolated(plan: Plan, around: AttemptSurroundings) -> Plan:
    """Returns the plan with the code that comes from the working tree, and with warnings about it."""
    basis = plan.basis
    if around.not_isolated or (basis and basis.not_isolated):
        basis = replace(basis or model.provenance.NO_BASIS, not_isolated=around.not_isolated)
    return replace(plan, basis=basis, notices=(*plan.notices, *around.notices))


def begin_trial(launch: LaunchRequest, decision: Decision) -> BegunAttempt:
    """Commits the attempt of a trial. Tries again if a gc removes objects in between. Raises GitrunError."""
    for wait in (*START_WAITS, None):
        try:
            with hold_off_gc(launch.session.git) if wait is None else nullcontext():
                return begin_decided(launch, decision)
        except GitFailed as error:
            # the other result may be the reason
            if launch.ended or wait is None or not (isinstance(error, ObjectsGone) or is_gc_running(launch.session.git)):
                raise
            time.sleep(wait)
    raise CannotStart("the trial did not start")


def run_attempt(begun: BegunAttempt) -> Outcome | None:
    """Runs a begun attempt to its end. Returns its outcome; None if it is staged, or goes on in a background process."""
    attempt, launch = begun.attempt, begun.launch
    request, detach = launch.request, launch.prompts.detach
    if launch.parent:
        # before the step runs, so that the journal names it after a crash
        launch.parent.record_begin(attempt.run_id)
    introduce(begun)
    if request.stage:
        if request.stage_trials and begun.decision.plan.kind == BATCH:
            stage_trials(begun)
        if attempt.inherited:
            # the start of the staged attempt must find the earlier files
            workspace.outputs.link_kept_files(attempt.inherited, attempt.kept)
        attempt.close()
        return None
    if request.in_place:
        # the background process needs an index after this process has deleted the private one
        copy_index(launch.index, attempt.live.index)
    if detach and not detach(attempt.run_id):
        return None
    processes = launch.session.git.processes
    if processes and processes.remembered is None and begun.decision.plan.kind != BATCH:
        # the program may run for days
        processes.end_all()
    outcome = lifecycle.attempt.perform(attempt, executor_for(begun))
    if begun.decision.plan.kind == BATCH:
        pack_many_refs(launch.session.git)
    return outcome


def pack_many_refs(git: Git) -> None:
    """Packs the refs after a large batch: loose ones take 4 KiB each, and slow every git command. Ignores failures."""
    if git.is_enabled("gc.packrefs") and store.refs.count_loose_refs(git) > MOST_LOOSE:
        with suppress(GitFailed):  # another process may be packing them
            store.refs.pack_refs(git)


def introduce(begun: BegunAttempt) -> None:
    """Tells the user what starts, and records the annotations that were given with the request."""
    launch, request = begun.launch, begun.launch.request
    announce(launch, begun.decision)
    is_batch = begun.decision.plan.kind == BATCH
    annotate_begun(launch.session, begun.attempt.run_id, annotations_of_batch(request) if is_batch else request)


def executor_for(begun: BegunAttempt) -> Executor:
    """Returns the executor of a begun attempt: one for its program, or for the steps of its pipeline."""
    launch, decision = begun.launch, begun.decision
    # importing what runs programs takes as long as all else here, and a skipped start does not need it
    if decision.plan.kind == STEPS:
        return lifecycle.steps.StepsExecutor(launch, decision, start)
    if decision.plan.kind == BATCH:
        return lifecycle.batch.BatchExecutor(launch, decision, start_trial)
    return executor_of_program(begun)


def start_trial(launch: LaunchRequest, decision: Decision) -> BegunTrial:
    """Begins a trial of a batch. Raises GitrunError."""
    begun = begin_trial(launch, decision)
    try:
        annotate_begun(launch.session, begun.attempt.run_id, launch.request)
    except BaseException:
        begun.attempt.leave()
        raise
    return lifecycle.trial_states.BegunTrial(begun.attempt, executor_of_program(begun))


def executor_of_program(begun: BegunAttempt) -> LocalExecutor:
    """Returns the executor of an attempt's program."""
    launch, decision = begun.launch, begun.decision
    program = lifecycle.command.program_for(launch.request, decision.plan, begun.python, decision.around)
    index = begun.attempt.live.index if launch.request.in_place else None
    signals = launch.parent.signals if launch.parent else None
    return lifecycle.executor.LocalExecutor(launch.session, program, decision.snapshot, begun.lending, index, signals)


def announce(launch: LaunchRequest, decision: Decision) -> None:
    """Tells the user which run starts, and what of its source or its flags is unusual."""
    session, request, run = launch.session, launch.request, decision.run
    # a name such as `last` does not tell the user which run it is
    if run and request.restart and not is_id_prefix(request.restart, run.id):
        session.say(f"restarting run {short_id(run.id)} {run.operation}")
    if run and run.attempt.params.in_place and not request.in_place:
        session.say("note: this attempt uses the run's own code in a workspace. The previous attempt ran in your working tree")
    # a program that finds no checkpoint starts from the beginning, and says nothing
    if run and not decision.plan.clean and (missing := store.kept_files.missing_kept(session.git, run.id, run.attempt)):
        others = f" and {count_text(len(missing) - 1, 'more file')}, which are" if missing[1:] else ", which is"
        session.say(f"warning: this attempt starts without {missing[0].path}{others} not on this machine")
    for words in (*decision.snapshot.words, *decision.plan.notices, *warnings_of_secrets(decision.plan)):
        session.say(words)
    if not request.in_place and not launch.parent and request.at is None:
        for words in source.snapshot.note_special_files(session.git):
            session.say(words)


def with_links(session: Session, request: Request) -> Request:
    """Returns the request with the paths that the operation's entry links. The snapshot must know them."""
    top = session.git.worktree
    # the entry of a commit is read with the commit
    if top is None or request.links or request.no_link or not request.operation or request.at is not None:
        return request
    paths = links_in_project_file(top, request.operation)
    return replace(request, links=tuple(os.path.relpath(path, session.git.prefix or ".") for path in paths))


def links_in_project_file(top: Path, name: str, above: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Returns the paths that the entry of that name, or one of its steps, links; read from the working tree."""
    for file in (GITRUN, PYPROJECT):
        try:
            data = (top / file).read_bytes()
        except OSError:
            continue
        # a cheap test before the import of a TOML parser
        if b"link" not in data or (file == PYPROJECT and b"gitrun" not in data):
            continue

        definition = source.project_file.read_definitions(data, file, name).get(name)
        if definition:
            # entries may name each other in a circle, which is refused later
            inner = (step.operation for step in definition.steps if step.operation not in above)
            below = (links_in_project_file(top, operation, (*above, name)) for operation in inner)
            return tuple(dict.fromkeys((*definition.links, *(path for paths in below for path in paths))))
    return ()


def refuse_in_place(plan: Plan) -> None:
    """Raises UsageError if a run of the plan in the working tree would have to change files there first."""
    if plan.config_values:
        raise UsageError(f"--in-place would change your file with the flags of {plan.operation}", "Leave out --in-place")
    if plan.definition:
        lifecycle.step_checks.require_in_place(plan.definition)


def warnings_of_secrets(plan: Plan) -> list[str]:
    """Returns a warning about flags and words that look like secrets, because the run records them."""
    names = [f"flag {name}" for name in describe_secrets(secrets_in_flags(plan.flags))]
    words = describe_secrets(secrets_in_words(plan.command))
    names += [word if word.startswith("word ") else f"option {word}" for word in words if f"flag {word}" not in names]
    if not names:
        return []
    what = "looks like a secret and is" if len(names) == 1 else "look like secrets and are"
    advice = "To keep secrets out: set them in the environment, which runs do not record"
    return [f"warning: {', '.join(names)} {what} recorded in the run. {advice}"]


def is_id_prefix(name: str, run_id: str) -> bool:
    """Returns whether the name is the run's id or a prefix of it."""
    return bool(digits := model.run_names.parse_id_prefix(name)) and run_id.startswith(digits)


def find_python(session: Session, plan: Plan) -> Interpreter | None:
    """Returns the Python that runs the plan's script or notebook; None for other programs. Raises CannotRun."""
    if plan.kind == NOTEBOOK:
        lifecycle.command.require_runner()
    if plan.kind not in {SCRIPT, NOTEBOOK} or plan.command[0] != PYTHON:
        return None

    path = source.interpreter.find_python(
        session.settings.python, session.git.environ, session.git.worktree or session.git.git_dir
    )
    python = source.interpreter.describe_python(path, session.git.environ, session.git.state)
    if plan.kind == NOTEBOOK:
        lifecycle.command.require_kernel(session, python)
    return python


def decide_lending(session: Session, request: Request, decision: Decision) -> Lending:
    """Decides which files outside the snapshot the run gets."""
    top, bare, is_full = session.git.worktree, decision.snapshot.bare, decision.plan.source.is_full
    if top is None or request.in_place or decision.plan.kind in WITHOUT_PROGRAM:
        return replace(workspace.lending.NO_LENDING, bare=bare, is_full=is_full)
    # the source of a commit or of an earlier attempt need not match the files of the working tree
    is_here = (request.restart is None and request.at is None) or request.force_sourcecode
    if not request.lends_files(session.settings):
        return replace(workspace.lending.NO_LENDING, exact=is_here, bare=bare, is_full=is_full)
    lending_request = workspace.lending.LendingRequest(
        decision.snapshot.outside, decision.snapshot.linked, decision.plan.outputs
    )
    survey = workspace.lending.survey_ignored(top, lending_request, session.settings, session.git.state)
    return replace(survey, exact=is_here, bare=bare, is_full=is_full)


def share_directories(session: Session) -> None:
    """Creates the ignored directories that `gitrun.link` names, so that runs share the files they put there."""
    for path in session.settings.link_paths if session.git.worktree else ():
        directory = (session.git.worktree or Path()) / path
        # a pattern names no directory to create
        if any(sign in path for sign in "*?[") or os.path.lexists(directory):
            continue
        # check-ignore rejects the literal pathspecs that gitrun uses otherwise
        words = ("--no-literal-pathspecs", "check-ignore", "-q", "--no-index")
        if not session.git.attempt(*words, "--", f"{path}/").returncode:
            directory.mkdir(parents=True, exist_ok=True)


def stage_trials(begun: BegunAttempt) -> None:
    """Records all trials of a begun batch that have no run yet, and sets their refs in one transaction. Raises GitrunError.

    If gitrun is killed in between, the batch has none of these trials, and a restart starts them.
    """
    session, request, decision = begun.launch.session, begun.launch.request, begun.decision
    plans = lifecycle.staged_trials.plan_trials(begun.launch, decision, begun.attempt)
    python = find_python(session, plans[0]) if plans else None
    files = {record_files.ENV: source.environment.encode_environment(session, python, decision.locks)}
    try:
        run_ids = store.staging.stage_many(session.git, plans, files) if plans else []
    except OSError as error:
        raise GitFailed(f"cannot write to this repository: {error.strerror or error}") from error
    if request.has_annotations:
        edit = partial(with_annotations, session, request)
        store.annotations.annotate_many(session.git, run_ids, edit, "annotate at launch")
    session.say(f"{count_text(len(run_ids), 'trial')} staged")


def annotate_begun(session: Session, run_id: str, request: Request) -> None:
    """Adds the label, tags and comment of the request to a run, if it has any. Raises GitrunError."""
    if request.has_annotations:
        edit = partial(with_annotations, session, request)
        store.annotations.annotate(session.git, run_id, edit, "annotate at launch")


def annotations_of_batch(request: Request) -> Request:
    """Returns the request with the annotations of the batch itself. The others are for its trials."""
    return replace(request, label=request.batch_label, tags=(), comment=None)


def with_annotations(session: Session, request: Request, notes: Notes) -> Notes:
    """Returns the annotations with the label, tags and comment of the request added."""
    tags = tuple(sorted({*notes.tags, *request.tags}))
    comments = notes.comments
    if request.comment:
        author = session.git.config.get("user.name", ("",))[-1]
        comments = (*comments, model.run.Comment(request.comment, author, datetime.now(timezone.utc)))
    return replace(notes, label=request.label if request.label is not None else notes.label, tags=tags, comments=comments)

"""Starts runs: decides about a request, begins the attempt, and runs it to its end."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun import lifecycle, model, source, store, workspace
from gitrun.errors import CannotStart, GitFailed, ObjectsGone, UsageError
from gitrun.git.gc_lock import hold_off_gc, is_gc_running
from gitrun.lifecycle.decide import Decision, LaunchRequest, Prompts, decide, moment, require_worktree
from gitrun.model import encode, record_files
from gitrun.model.lent import encode_lent
from gitrun.model.plan import GITRUN, PYPROJECT, Outcome, Plan, Skip, check_request
from gitrun.model.run import NOTEBOOK, SCRIPT, STEPS, short_id
from gitrun.model.run_names import parse_id_prefix
from gitrun.model.secrets import describe_secrets, secrets_in_flags, secrets_in_words
from gitrun.source.operations import PYTHON
from gitrun.source.snapshot import private_index
from gitrun.store.commits import scratch
from gitrun.workspace.lending import NO_LENDING, LendingRequest, survey_ignored
from gitrun.workspace.session import lends_files

if TYPE_CHECKING:
    from gitrun.lifecycle.steps import ParentRun
    from gitrun.model.entry import Definition
    from gitrun.model.plan import Request
    from gitrun.model.run import Notes
    from gitrun.source.interpreter import Interpreter
    from gitrun.store.attempts import AttemptHandle
    from gitrun.workspace.lending import Lending
    from gitrun.workspace.session import Session

TRIES = (0.05, 0.2, 0.5)
"""Seconds to wait before each new try of a start that lost its new objects to a gc."""


def start(
    session: Session, request: Request, prompts: Prompts, within: ParentRun | None = None
) -> tuple[str, Outcome | None] | Skip:
    """Starts a run. Returns its id and its outcome (None: staged or in the background), or Skip if nothing has to run.

    Tries again if a gc removes objects in between. Raises GitrunError if nothing could be run or recorded.
    """
    check_request(request)
    require_worktree(session, request)
    typed, request = request, request if within else with_links(session, request)
    if session.settings.link_paths and lends_files(session, request):
        share_directories(session)
    lost = False
    for wait in (*TRIES, None):
        with private_index(session.git, os.urandom(8).hex()) as index:
            launch = LaunchRequest(session, request, prompts, index, moment(), within, typed=typed)
            try:
                # waiting for a gc takes long, so only after it removed something
                with hold_off_gc(session.git) if lost else nullcontext():
                    ready = decide(launch)
                    if isinstance(ready, Skip):
                        return ready
                    request = ready.request or request
                    launch = replace(launch, request=request)
                    if request.in_place:
                        refuse_in_place(ready.plan)
                    python = python_for(session, ready.plan)
                    ready = ready if request.in_place else looked_around(session, ready, python)
                    lending = lending_for(session, request, ready)
                    started = begin(launch, ready, python, lending)
            except GitFailed as error:  # a gc may have removed what was just written; the working tree still has it
                lost = lost or isinstance(error, ObjectsGone) or is_gc_running(session.git)
                if isinstance(error, ObjectsGone):
                    # remembered trees of submodules may be gone too
                    store.submodules.forget(session.git)
                if wait is None:
                    raise
                time.sleep(wait)
                continue
            with started:
                if within:
                    within.begins(ready.plan.operation, started.run_id)
                return go(launch, ready, started, (python, lending))
    raise CannotStart("the run did not start")


def with_links(session: Session, request: Request) -> Request:
    """Returns the request with the paths that the operation's entry links. The snapshot must know them."""
    top = session.git.worktree
    if top is None or request.links or request.no_link or not request.operation:
        return request
    found = links_of(top, request.operation)
    return replace(request, links=tuple(os.path.relpath(path, session.git.prefix or ".") for path in found))


def links_of(top: Path, name: str, above: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Returns the paths that the entry of that name, or one of its steps, links; read from the working tree."""
    for file in (GITRUN, PYPROJECT):
        try:
            data = (top / file).read_bytes()
        except OSError:
            continue
        # a cheap test before the import of a TOML parser
        if b"link" not in data or (file == PYPROJECT and b"gitrun" not in data):
            continue

        found = source.project_file.read_definitions(data, file, name).get(name)
        if found:
            inner = (step.operation for step in found.steps if step.operation not in above)
            below = (links_of(top, operation, (*above, name)) for operation in inner)
            return tuple(dict.fromkeys((*found.links, *(path for paths in below for path in paths))))
    return ()


def refuse_in_place(plan: Plan) -> None:
    """Raises UsageError if a run of the plan in the working tree would have to change files there first."""
    if plan.written:
        raise UsageError(f"--in-place would change your file with the flags of {plan.operation}", "Leave out --in-place")
    if plan.definition:
        in_place_allowed(plan.definition)


def in_place_allowed(definition: Definition) -> None:
    """Raises UsageError if a run of the entry in the working tree would have to put files there first."""
    if definition.needs or any(one.url for one in definition.inputs):
        raise UsageError(
            f"--in-place would put files that {definition.name} needs into your working tree", "Leave out --in-place"
        )


def told_specials(launch: LaunchRequest) -> tuple[str, ...]:
    """Returns the note about FIFOs and sockets in the working tree; empty for steps and in-place runs."""
    return () if launch.request.in_place or launch.within else source.snapshot.note_special_files(launch.session.git)


def warnings_of_secrets(plan: Plan) -> list[str]:
    """Returns a warning about flags and words that look like secrets, because the run records them."""
    found = [f"flag {name}" for name in describe_secrets(secrets_in_flags(plan.flags))]
    words = describe_secrets(secrets_in_words(plan.command))
    found += [word if word.startswith("word ") else f"option {word}" for word in words if f"flag {word}" not in found]
    if not found:
        return []
    what = "looks like a secret and is" if len(found) == 1 else "look like secrets and are"
    advice = "To keep secrets out: set them in the environment, which runs do not record"
    return [f"warning: {', '.join(found)} {what} recorded in the run. {advice}"]


def go(
    launch: LaunchRequest, ready: Decision, started: AttemptHandle, given: tuple[Interpreter | None, Lending]
) -> tuple[str, Outcome | None]:
    """Runs a started attempt to its end. Returns at once if it is staged or detached."""
    session, request, prompts = launch.session, launch.request, launch.prompts
    python, lending = given
    # a name such as `last` does not tell the user which run it is
    if ready.run and request.restart and not is_id_of(request.restart, ready.run.id):
        session.say(f"restarting run {short_id(ready.run.id)} {ready.run.operation}")
    if ready.run and ready.run.attempt.params.in_place and not request.in_place:
        session.say("note: this attempt uses the run's own code in a workspace. The previous attempt ran in your working tree")
    for word in (*ready.snapshot.words, *ready.plan.notices, *warnings_of_secrets(ready.plan), *told_specials(launch)):
        session.say(word)
    if request.label is not None or request.tags or request.comment:
        store.annotations.annotate(
            session.git, started.run_id, lambda notes: noted(session, notes, request), "annotate at launch"
        )
    if request.stage:
        if started.inherited:
            # the start of the staged attempt must find the earlier files
            workspace.outputs.hand_on(started.inherited, started.kept)
        started.close()
        return started.run_id, None
    # the background process needs an index after this process has deleted the private one
    index = Path(shutil.copy2(launch.index, started.live.directory / "index")) if request.in_place else None
    if prompts.detach and not prompts.detach(started.run_id):
        return started.run_id, None
    # importing what runs programs takes as long as all else here, and a skipped start does not need it
    if ready.plan.kind == STEPS:
        return started.run_id, lifecycle.steps.perform_steps(launch, ready, started)
    signals = launch.within.signals if launch.within else None
    job = lifecycle.attempt.Job(request, ready.plan, started, ready.snapshot, index, python, signals, ready.around, lending)
    return started.run_id, lifecycle.attempt.perform(session, job)


def is_id_of(name: str, run: str) -> bool:
    """Returns whether the name is the run's id or a prefix of it."""
    return bool(digits := parse_id_prefix(name)) and run.startswith(digits)


def python_for(session: Session, plan: Plan) -> Interpreter | None:
    """Returns the Python that runs the plan's script or notebook; None for other programs. Raises CannotRun."""
    if plan.kind == NOTEBOOK:
        lifecycle.command.require_runner()
    if plan.kind not in {SCRIPT, NOTEBOOK} or plan.command[0] != PYTHON:
        return None

    path = source.interpreter.find_python(
        session.settings.python, session.git.environ, session.git.worktree or session.git.git_dir
    )
    found = source.interpreter.describe_python(path, session.git.environ, session.git.state)
    if plan.kind == NOTEBOOK:
        lifecycle.command.require_kernel(session, found)
    return found


def looked_around(session: Session, ready: Decision, python: Interpreter | None) -> Decision:
    """Returns the decision with the program's surroundings, and with warnings about code that comes from the working tree."""
    if ready.plan.kind == STEPS or session.git.worktree is None:
        return ready

    around = source.surroundings.find_surroundings(session, ready.plan, python)
    basis = ready.plan.basis
    names, notices = source.surroundings.find_not_isolated(
        session, ready.plan, around, ready.snapshot.outside, again=ready.run is not None
    )
    if names or (basis and basis.not_isolated):
        basis = replace(basis or model.provenance.NO_BASIS, not_isolated=names)
    plan = replace(ready.plan, basis=basis, notices=(*ready.plan.notices, *notices))
    return replace(ready, plan=plan, around=around)


def begin(launch: LaunchRequest, ready: Decision, python: Interpreter | None, lending: Lending) -> AttemptHandle:
    """Commits the attempt and takes the lock of its live record."""
    session = launch.session
    files = {record_files.ENV: source.environment.encode_environment(session, python, ready.locks)}
    if lending.entries:
        files[record_files.LENT] = encode.encode_table(encode_lent(lending.entries))
    with scratch(session.git) as place:
        if ready.run is None:
            return store.attempts.begin(session.git, ready.plan, files, place)
        return store.attempts.begin_again(session.git, ready.plan, ready.run, files, place)


def lending_for(session: Session, request: Request, ready: Decision) -> Lending:
    """Decides which files outside the snapshot the run gets."""
    top, bare = session.git.worktree, ready.snapshot.bare
    if top is None or request.in_place or ready.plan.kind == STEPS:
        return replace(NO_LENDING, bare=bare)
    is_here = ready.run is None or request.force_sourcecode
    if not lends_files(session, request):
        return replace(NO_LENDING, exact=is_here, bare=bare)
    wanted = LendingRequest(ready.snapshot.outside, ready.snapshot.named, ready.plan.outputs)
    return replace(survey_ignored(top, wanted, session.settings, session.git.state), exact=is_here, bare=bare)


def share_directories(session: Session) -> None:
    """Creates the ignored directories that `gitrun.link` names, so that runs share the files they put there."""
    for path in session.settings.link_paths if session.git.worktree else ():
        place = (session.git.worktree or Path()) / path
        # a pattern names no directory to create
        if any(sign in path for sign in "*?[") or os.path.lexists(place):
            continue
        # check-ignore rejects the literal pathspecs that gitrun uses otherwise
        words = ("--no-literal-pathspecs", "check-ignore", "-q", "--no-index")
        if not session.git.attempt(*words, "--", f"{path}/").returncode:
            place.mkdir(parents=True, exist_ok=True)


def noted(session: Session, notes: Notes, request: Request) -> Notes:
    """Returns the annotations with the label, tags and comment of the request added."""
    tags = tuple(sorted({*notes.tags, *request.tags}))
    comments = notes.comments
    if request.comment:
        author = session.git.config.get("user.name", ("",))[-1]
        comments = (*comments, model.run.Comment(request.comment, author, datetime.now(timezone.utc)))
    return replace(notes, label=request.label if request.label is not None else notes.label, tags=tags, comments=comments)

"""From a request to a finished run: what is decided first, the attempt begun, carried through, and what follows it."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.engine.operations import PYTHON, below_top, require_there
from gitrun.engine.planning import Before, Moment, plan_restart, plan_start, source_of
from gitrun.engine.road import links_in
from gitrun.engine.snapshot import Choice, Snapshot, outside_of, private_index, snapshot
from gitrun.errors import CannotRun, GitFailed, ObjectsGone, RunIsRunning, UsageError
from gitrun.git.objects import Objects, TreeMaker
from gitrun.model import record
from gitrun.model.needed import Skip, skip_restart, skip_start
from gitrun.model.plan import GITRUN, NOTEBOOK, PYPROJECT, SCRIPT, STEPS, Outcome, Plan, Source
from gitrun.model.refs import short
from gitrun.model.request import check
from gitrun.model.run import COMPLETED, RUNNING, Comment, Notes, Run
from gitrun.store.collecting import gc_held_off, is_collecting
from gitrun.store.finding import find
from gitrun.store.index import Index
from gitrun.store.runs import scratch

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitrun.engine.environment import Locks
    from gitrun.engine.interpreter import Interpreter
    from gitrun.engine.pipeline import Within
    from gitrun.engine.road import Road
    from gitrun.model.basis import Basis
    from gitrun.model.definitions import Definition
    from gitrun.model.request import Request
    from gitrun.store.attempts import Started

TRIES = (0.05, 0.2, 0.5)
"""Seconds between tries of a start whose new objects a gc took."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A start that is decided: its plan, what lies beside its source, and the run that it is another attempt of."""

    plan: Plan
    snapshot: Snapshot
    run: Run | None = None
    locks: Locks = ()


@dataclass(frozen=True, slots=True)
class Manners:
    """How a start deals with a person.

    `confirm` answers questions; `detach`, told the new run's id, is true in the process that goes on with it in the
    background and false in the one that returns.
    """

    confirm: Callable[[str], bool] = lambda _: True
    detach: Callable[[str], bool] | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """What a decision is made of: where, what is asked for, by whom, through which private index, and when."""

    road: Road
    request: Request
    manners: Manners
    index: Path
    moment: Moment
    within: Within | None = None
    looks: bool = False
    """Whether it is only asked what would be run."""


def start(road: Road, request: Request, manners: Manners, within: Within | None = None) -> tuple[str, Outcome | None] | Skip:
    """The id of the run and what came of the attempt (None: staged, or gone on in the background), or why nothing is run.

    Raises GitrunError when nothing could be run or recorded.
    """
    check(request)
    require_worktree(road, request)
    request = request if within else with_links(road, request)
    lost = False
    for wait in (*TRIES, None):
        with private_index(road.git, os.urandom(8).hex()) as index:
            launch = Launch(road, request, manners, index, moment(), within)
            try:
                with gc_held_off(road.git) if lost else nullcontext():
                    ready = decide(launch)
                    if isinstance(ready, Skip):
                        return ready
                    if request.in_place:
                        refuse_in_place(ready.plan)
                    python = python_for(road, ready.plan)
                    started = begin(launch, ready, python)
                    if within:
                        within.begins(ready.plan.operation, started.run)
            except GitFailed as error:  # gc may have taken what was just written; the working tree still has it
                lost = lost or isinstance(error, ObjectsGone) or is_collecting(road.git)
                if wait is None:
                    raise
                time.sleep(wait)
                continue
            return go(launch, ready, started, python)
    raise CannotRun("the run could not be started")


def require_worktree(road: Road, request: Request) -> None:
    """Raises CannotRun if there is no working tree to take the source from."""
    if road.git.worktree is None and (request.restart is None or request.force_sourcecode):
        raise CannotRun("this repository has no working tree to run", "runs start from a working tree")


def with_links(road: Road, request: Request) -> Request:
    """The request with what the operation's entry links in, which must be known before the snapshot is taken."""
    top = road.git.worktree
    if top is None or request.links or request.no_link or not request.operation:
        return request
    found = links_of(top, request.operation)
    return replace(request, links=tuple(os.path.relpath(path, road.git.prefix or ".") for path in found))


def links_of(top: Path, name: str, above: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The paths below the top that the entry of that name, or of one of its steps, in the working tree links in."""
    for file in (GITRUN, PYPROJECT):
        try:
            data = (top / file).read_bytes()
        except OSError:
            continue
        if b"link" not in data or (file == PYPROJECT and b"gitrun" not in data):
            continue
        from gitrun.model.projectfile import read_definitions

        found = read_definitions(data, file, name).get(name)
        if found:
            inner = (step.operation for step in found.steps if step.operation not in above)
            below = (links_of(top, operation, (*above, name)) for operation in inner)
            return tuple(dict.fromkeys((*found.links, *(path for paths in below for path in paths))))
    return ()


def refuse_in_place(plan: Plan) -> None:
    """Raises UsageError if a run of the plan in the working tree would have to change files of it first."""
    if plan.written:
        raise UsageError(f"flags of {plan.operation} are in a file of yours, and --in-place would write it", "leave it out")
    if plan.definition:
        in_place_allowed(plan.definition)


def in_place_allowed(definition: Definition) -> None:
    """Raises UsageError if a run of the entry in the working tree would have to put files there first."""
    if definition.needs or any(one.url for one in definition.inputs):
        raise UsageError(f"{definition.name} needs files that --in-place would put into your working tree", "leave it out")


def moment() -> Moment:
    """Now, and two random values."""
    return Moment(datetime.now(timezone.utc), os.urandom(16).hex(), int.from_bytes(os.urandom(4), "big"))


def go(launch: Launch, ready: Ready, started: Started, python: Interpreter | None) -> tuple[str, Outcome | None]:
    """Carries a begun attempt through, unless it is staged or goes on in the background."""
    road, request, manners = launch.road, launch.request, launch.manners
    for word in (*ready.snapshot.words, *ready.plan.notices):
        road.say(word)
    if request.label is not None or request.tags or request.comment:
        from gitrun.store.annotations import annotate

        annotate(road.git, started.run, lambda notes: noted(road, notes, request), "annotate at launch")
    if request.stage:
        if started.earlier:
            from gitrun.engine.produced import hand_on
            from gitrun.store.results import kept

            hand_on(kept(road.git, started.run, started.earlier), kept(road.git, started.run, started.attempt))
        started.live.close()
        return started.run, None
    # the process that goes on in the background must find its index when the other one has taken the private one away
    index = Path(shutil.copy2(launch.index, started.live.directory / "index")) if request.in_place else None
    if manners.detach and not manners.detach(started.run):
        return started.run, None
    # what runs programs takes as long to import as all else here, and a start that is skipped does not need it
    from gitrun.engine.attempt import Job, perform

    if ready.plan.kind == STEPS:
        from gitrun.engine.pipeline import perform_steps

        return started.run, perform_steps(launch, ready, started)
    signals = launch.within.signals if launch.within else None
    return started.run, perform(road, Job(request, ready.plan, started, ready.snapshot, index, python, signals))


def decide(launch: Launch) -> Ready | Skip:
    """What is to be run, or why nothing is. Raises GitrunError."""
    with Objects(launch.road.git) as objects:
        if launch.request.restart is None:
            return decide_start(launch, objects)
        with Index(launch.road.git) as index:
            run = find(index, launch.request.restart, launch.road.git.prefix)
        if run.status == RUNNING:
            raise RunIsRunning(f"cannot restart run {short(run.id)}: it is running", f"git run stop {short(run.id)}")
        return decide_restart(launch, objects, run)


def decide_start(launch: Launch, objects: Objects) -> Ready | Skip:
    """A new run of the working tree."""
    road, request = launch.road, launch.request
    # in the working tree itself a step finds what the steps before it left there
    taken = launch.within.snapshot if launch.within and not request.in_place else take(launch, objects)
    plan = belonging(launch, plan_start(road.git, objects, request, taken.source, launch.moment))
    if launch.within:
        plan = depending(road, objects, request, plan)
        return skipped_step(launch, objects, plan) or Ready(plan, taken, locks=locks_of(objects, plan))
    skip = skip_start(plan, alike(road, plan), same_source=request.needed_source) if request.compares else None
    return skip or Ready(depending(road, objects, request, plan), taken, locks=locks_of(objects, plan))


def skipped_step(launch: Launch, objects: Objects, plan: Plan) -> Skip | None:
    """Why a step is not needed: a completed run of it had the same flags, needed files and inputs; None if it is."""
    if not launch.request.compares:
        return None
    for run in alike(launch.road, plan):
        if run.status == COMPLETED and reads(basis_of(objects, run)) == reads(plan.basis):
            skip = skip_start(plan, (run,), same_source=launch.request.needed_source)
            if skip:
                return skip
    return None


def reads(basis: Basis | None) -> tuple[object, ...]:
    """The needed files and the inputs that an attempt rests on."""
    return (tuple(need.files for need in basis.needs), basis.inputs) if basis else ((), ())


def belonging(launch: Launch, plan: Plan) -> Plan:
    """The plan, with the run that it is a step of."""
    if launch.within is None:
        return plan
    from gitrun.model.basis import NOTHING

    return replace(plan, basis=replace(plan.basis or NOTHING, parent=launch.within.parent))


def depending(road: Road, objects: Objects, request: Request, plan: Plan) -> Plan:
    """The plan with all that its entry says it needs. Raises GitrunError if something is missing."""
    if plan.definition is None:
        return plan
    if plan.kind == STEPS:
        from gitrun.engine.pipeline import check_steps

        check_steps(road, objects, request, plan)
    if not (plan.definition.needs or plan.definition.inputs):
        return plan
    from gitrun.engine.dependencies import with_dependencies

    return with_dependencies(road, objects, request, plan)


def decide_restart(launch: Launch, objects: Objects, run: Run) -> Ready | Skip:
    """Another attempt of `run`, of its own source or of the working tree."""
    from gitrun.store.trust import require_trusted

    road, request = launch.road, launch.request
    basis = basis_of(objects, run)
    if not launch.looks or basis:  # an entry may name downloads, or a program to be asked for its flags
        require_trusted(road.git, run)
    taken = None
    if request.force_sourcecode:
        taken = launch.within.snapshot if launch.within else take(launch, objects)
    source = taken.source if taken else own_source(road, objects, run)
    plan, gone = plan_restart(objects, request, Before(run, basis), source, launch.moment)
    plan = belonging(launch, plan)
    if launch.within:
        plan = depending(road, objects, request, plan)
        skip = skipped_step(launch, objects, plan)
    else:
        skip = skip_restart(run, plan, alike(road, plan), same_source=request.needed_source) if request.compares else None
    if skip:
        return skip
    words = (f"left out, for {plan.operation} no longer has them: {', '.join(gone)}",) if gone else ()
    if taken is None:
        apart = (*paths_apart(road, request), *entry_links(road, plan))
        linked = links_in(road, request) and road.git.worktree is not None
        outside, named = outside_of(road.git, road.settings, apart) if linked else ((), ())
        taken = Snapshot(source, outside, named, ())
    taken = replace(taken, words=(*taken.words, *words))
    plan = plan if launch.within else depending(road, objects, request, plan)
    return Ready(plan, taken, run, locks_of(objects, plan))


def entry_links(road: Road, plan: Plan) -> tuple[bytes, ...]:
    """The paths that the plan's entry links in, as far as they are there."""
    top = road.git.worktree
    found = plan.definition.links if plan.definition and top else ()
    return tuple(os.fsencode(path) for path in found if top and os.path.lexists(top / path))


def locks_of(objects: Objects, plan: Plan) -> Locks:
    """The files in the plan's source that say which versions of others it needs."""
    from gitrun.engine.environment import lock_files

    return lock_files(objects, plan.source.tree)


def basis_of(objects: Objects, run: Run) -> Basis | None:
    """What the run's last attempt rests on; None if that is nothing but its source. Raises BadRun."""
    data = require_there(objects, f"{run.attempt.id}:{record.RUN}").data or b""
    if not record.rests_on_more(data):
        return None
    from gitrun.model.basis import read_basis

    return read_basis(data)


def own_source(road: Road, objects: Objects, run: Run) -> Source:
    """The source of the run's last attempt. Raises BadRun."""
    from gitrun.store import carry

    with TreeMaker(road.git) as maker:
        return source_of(run.attempt, carry.source_tree(objects, maker, run.attempt))


def take(launch: Launch, objects: Objects) -> Snapshot:
    """The snapshot of the working tree. Raises CannotRun if there is none, or the user does not want it so."""
    road = launch.road
    apart, linked = paths_apart(road, launch.request), links_in(road, launch.request)
    choice = Choice(road.settings, apart, launch.manners.confirm, linked)
    taken = snapshot(road.git, objects, launch.index, choice)
    if taken is None:
        raise CannotRun("nothing was run", "ignore what is not source in .gitignore, or name it with --link")
    return taken


def paths_apart(road: Road, request: Request) -> tuple[bytes, ...]:
    """The paths below the top that `--link` names. Raises UsageError if one is not there."""
    found = []
    for typed in request.links:
        path = below_top(road.git, typed)
        if not os.path.lexists((road.git.worktree or Path()) / path):
            raise UsageError(f"there is no '{typed}' to link")
        if road.git.run("ls-files", "-z", "--", path):
            raise UsageError(f"'{typed}' is in git: it is part of the snapshot and cannot be linked")
        found.append(os.fsencode(path))
    return tuple(found)


def alike(road: Road, plan: Plan) -> list[Run]:
    """The runs of the plan's operation with flags equal to its own, newest attempt first."""
    with Index(road.git) as index:
        return index.alike(plan.operation, plan.flags)


def python_for(road: Road, plan: Plan) -> Interpreter | None:
    """The Python that runs the plan's script, or notebook; None if it is none of Python. Raises CannotRun."""
    if plan.kind == NOTEBOOK:
        from gitrun.engine.notebooks import require_kernel, require_runner

        require_runner()
    if plan.kind not in {SCRIPT, NOTEBOOK} or plan.command[0] != PYTHON:
        return None
    from gitrun.engine import interpreter

    path = interpreter.find(road.settings.python, road.git.environ, road.git.worktree or road.git.git_dir)
    found = interpreter.describe(path, road.git.environ, road.git.state)
    if plan.kind == NOTEBOOK:
        require_kernel(road, found)
    return found


def begin(launch: Launch, ready: Ready, python: Interpreter | None) -> Started:
    """The attempt, recorded and held."""
    from gitrun.engine.environment import env_toml
    from gitrun.store import attempts

    road = launch.road
    env = env_toml(road, python, ready.locks)
    with scratch(road.git) as place:
        if ready.run is None:
            return attempts.begin(road.git, ready.plan, env, place)
        return attempts.begin_again(road.git, ready.plan, ready.run, env, place)


def noted(road: Road, notes: Notes, request: Request) -> Notes:
    """The annotations with what the request adds."""
    tags = tuple(sorted({*notes.tags, *request.tags}))
    comments = notes.comments
    if request.comment:
        author = road.git.config.get("user.name", ("",))[-1]
        comments = (*comments, Comment(request.comment, author, datetime.now(timezone.utc)))
    return replace(notes, label=request.label if request.label is not None else notes.label, tags=tags, comments=comments)

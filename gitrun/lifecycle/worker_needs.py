"""Tells, before runs are handed out, what a clone on another machine does not get with them, and what must not leave."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun import lifecycle, model, source, workspace
from gitrun.dataclass import replace
from gitrun.errors import BadRun, CannotRun, UsageError
from gitrun.git.objects import Objects
from gitrun.model.run import BATCH, Run, short_id
from gitrun.model.text import count_text, safe_text
from gitrun.sharing.transfer import Sharing
from gitrun.store.index import Index

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gitrun.lifecycle.launch import BegunAttempt
    from gitrun.source.interpreter import Interpreter
    from gitrun.workspace.session import Session

TOML_LOCKS = frozenset({"uv.lock", "poetry.lock", "pdm.lock"})
"""Lock files with an array `package` of tables with `name` and `version`."""
PINNED = re.compile(r"^\s*([A-Za-z0-9][\w.-]*)\s*==\s*([\w.!+-]+)\s*(?:[;\\#].*)?$", re.MULTILINE)
"""A line of a requirements file that pins a version: numpy==2.1.0 ; python_version > '3.9'."""
NAMED = 3
"""Names in a message; further ones are counted."""


def tell_needs(session: Session, begun: BegunAttempt) -> None:
    """Tells the user what workers will miss: ignored data, packages as they are installed here, the editable project."""
    for words in describe_needs(session, begun):
        session.say(words)


def describe_needs(session: Session, begun: BegunAttempt) -> Iterator[str]:
    """Yields sentences about what the clone of a worker does not get with the runs."""
    decision, top = begun.decision, session.git.worktree
    plan = decision.plan
    if plan.kind == BATCH and plan.batch_definition:
        plan = replace(plan, kind=plan.batch_definition.kind)
    if top and begun.launch.request.lends_files(session.settings):
        lending_request = workspace.lending.LendingRequest(decision.snapshot.outside, decision.snapshot.linked, plan.outputs)
        entries = workspace.lending.survey_ignored(top, lending_request, session.settings, session.git.state).entries
        inputs = plan.basis.inputs if plan.basis else ()
        data = [
            one.path
            for one in entries
            if not lifecycle.worker_checks.is_machinery(one.path) and not lifecycle.worker_inputs.is_covered(one, inputs)
        ]
        if data:
            yield (
                f"note: git ignores {name_first(data)}: workers that do not have the same refuse the runs. "
                "To have files fetched: declare them as inputs of the operation"
            )
    with suppress(CannotRun):
        python = lifecycle.launch.find_python(session, plan)
        if python:
            yield from describe_environment(session, plan, python)


def describe_environment(session: Session, plan: model.plan.Plan, python: Interpreter) -> Iterator[str]:
    """Yields sentences about the Python of this machine that a worker may not have."""
    installs = source.surroundings.find_surroundings(session, plan, python).installs
    if installs.roots or installs.modules:
        yield "note: your project is installed in editable form here. Workers need an environment with its dependencies"
    installed = source.environment.list_packages(python, session.git.state)
    for file, pins in read_locks(session, plan):
        other = [
            f"{name} {version} (here {installed[name]})"
            for name, version in pins.items()
            if name in installed and installed[name].partition(" ")[0] != version
        ]
        if other:
            yield f"warning: {safe_text(file)} differs from what is installed here: {name_first(other)}"


def read_locks(session: Session, plan: model.plan.Plan) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yields the lock files of the plan's source that can be read, each with versions by normalized name of a package."""
    with Objects(session.git) as objects:
        tree = source.source_tree.open_source(objects, plan.source.whole)
        for name, _ in source.environment.list_lock_files(tree):
            is_toml, is_text = name in TOML_LOCKS, name.endswith(".txt")
            data = objects.read(f"{plan.source.whole}:{name}") if is_toml or is_text else None
            if data and data.data:
                with suppress(BadRun, UnicodeDecodeError):
                    yield name, parse_toml_lock(data.data, name) if is_toml else parse_requirements(data.data.decode())


def parse_toml_lock(data: bytes, name: str) -> dict[str, str]:
    """Returns the versions in a lock file of uv, poetry or pdm; not those of packages that it has in several. Raises BadRun."""
    versions: dict[str, set[str]] = {}
    packages = model.decode.parse_toml(data, name).get("package")
    for one in packages if isinstance(packages, list) else ():
        if isinstance(one, dict) and isinstance(one.get("name"), str) and isinstance(one.get("version"), str):
            versions.setdefault(source.environment.normalize_name(one["name"]), set()).add(one["version"])
    return {name: next(iter(versions_found)) for name, versions_found in versions.items() if len(versions_found) == 1}


def parse_requirements(text: str) -> dict[str, str]:
    """Returns the versions that a requirements file pins."""
    return {source.environment.normalize_name(name): version for name, version in PINNED.findall(text)}


def name_first(names: list[str]) -> str:
    """Joins the first names and counts the others."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(map(safe_text, names[:NAMED])) + more


def prepare_workers(session: Session, remote: str, runs: Sequence[Run]) -> None:
    """Pushes the inputs of staged runs, and tells the user what workers do not do. Raises GitFailed."""
    warn_of_pruners(session, runs)
    lifecycle.worker_inputs.publish_inputs(session, remote, lifecycle.worker_inputs.inputs_of_runs(session, runs))


def warn_of_pruners(session: Session, runs: Iterable[Run]) -> None:
    """Tells the user which trials belong to batches with a pruner, which acts only on the machine of the batch."""
    batches = dict.fromkeys(run.attempt.batch for run in runs if run.attempt.batch)
    with Objects(session.git) as objects, Index(session.git) as index:
        for batch_id in batches:
            batch = index.get(batch_id)
            if isinstance(batch, Run) and (prune := lifecycle.decide.read_definition(objects, batch).prune):
                session.say(
                    f"warning: workers do not prune. --prune {safe_text(prune)} of batch {short_id(batch_id)} is ignored"
                )


def require_publishable(session: Session, remote: str, tips: Mapping[str, str]) -> None:
    """Raises UsageError if runs must not be pushed without a word of the user: secrets, files of submodules. Raises GitFailed.

    What has been pushed once cannot be taken back.
    """
    sharing = Sharing(session.git, session.settings)
    held_back = sharing.held_back(tips)
    if held_back:
        run_id, path = next(iter(held_back.items()))
        raise UsageError(
            f"run {short_id(run_id)} is not pushed: it contains files of submodule {safe_text(path)}",
            "To push them: git config gitrun.pushSubmodules true",
        )
    secrets = sharing.secrets(tips, sharing.published(remote, tips))
    if secrets:
        error = UsageError(
            f"nothing was pushed: {count_text(len(secrets), 'file')} in the runs may hold secrets",
            f"To push anyway: git run push {remote} --no-scan, then again",
        )
        error.detail = "\n".join(f"  {safe_text(one.path)}: {safe_text(one.reason)}" for one in secrets)
        raise error

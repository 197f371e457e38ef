"""Shared parts of push, fetch, pull, export and import: selection of runs, and reports about the outcome."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gitrun.commands import declared
from gitrun.commands.screen import can_ask, require_yes
from gitrun.commands.selecting import MOST, build_query, describe_run, explain_no_match
from gitrun.dataclass import replace
from gitrun.errors import BadRun, NoMatch, UnknownRun, UsageError
from gitrun.model.run import BATCH, STEPS, Run, short_id
from gitrun.model.run_names import parse_id_prefix
from gitrun.model.text import count_text, safe_text
from gitrun.sharing.remotes import REASONS
from gitrun.sharing.transfer import FetchRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from gitrun.project import Project
    from gitrun.sharing.quarantine import Received
    from gitrun.sharing.secret_scan import SecretFinding
    from gitrun.sharing.transfer import Pick
    from gitrun.views.select import Query

F = TypeVar("F", bound="Callable[..., Any]")
FOR = declared.option("--for", "revisions", metavar="BASE..HEAD", help="Select runs made of these commits, or based on them.")
EVERY = declared.option("--all", "everything", is_flag=True, help="Select all runs (the default).")
QUIET = declared.option("-q", "--quiet", is_flag=True, help="Print no progress, and nothing about runs that succeed.")
SCAN = declared.option("--no-scan", is_flag=True, help="Skip the search for secrets.")


def split_remote_and_names(project: Project, words: Sequence[str], *, push: bool = False) -> tuple[str, tuple[str, ...]]:
    """Splits the words into a remote (default: git's) and names of runs. Raises UsageError, UnknownRun."""
    if words and project.sharing.is_remote(words[0]):
        return words[0], tuple(words[1:])
    # an id may be unknown here: the remote may have it
    if words and not parse_id_prefix(words[0]) and ":" not in words[0]:
        require_run(project, words[0])
    return project.sharing.default_remote(push=push), tuple(words)


def require_run(project: Project, word: str) -> None:
    """Raises UnknownRun if the first word is neither a remote nor a run."""
    try:
        project.find(word)
    except UnknownRun as error:
        # a number is a position in the list, and the error for that tells more
        if not word.isdecimal():
            hint = "To list remotes: git remote. To list runs: git run list"
            raise UnknownRun(f"'{safe_text(word)}' is neither a remote nor a run", hint) from error
        raise


def require_no_secrets(findings: Sequence[SecretFinding], verb: str) -> None:
    """Asks the user about possible secrets. Raises UsageError without a terminal, Abort if the answer is no."""
    if not findings:
        return
    error = UsageError(
        f"nothing was {verb}ed: {count_text(len(findings), 'file')} in these runs may hold secrets",
        f"To delete a run: git run rm. To {verb} anyway: --no-scan",
    )
    error.detail = "\n".join(f"  {safe_text(one.path)}: {safe_text(one.reason)}" for one in findings)
    # a script must not publish what may be a secret
    if not can_ask():
        raise error
    for line in error.detail.splitlines():
        click.echo(line, err=True)
    require_yes(f"{count_text(len(findings), 'file')} in these runs may hold secrets. {verb.capitalize()} anyway?")


def request_fetch(project: Project, names: Sequence[str], options: dict[str, Any], *, merge: bool) -> FetchRequest:
    """Builds the request for a fetch. Raises UnknownRun, UsageError."""
    query, revisions = options["query"], options["revisions"]
    if options.get("everything") and (names or not query.is_plain or revisions is not None):
        raise UsageError("--all cannot be combined with names or filters")
    # an id may be known only to the remote; numbers and labels are this repository's
    ids = [name if parse_id_prefix(name) else project.find(name).id for name in names]
    pick = None if query.is_plain and revisions is None else pick_function(project, query, revisions)
    return FetchRequest(tuple(ids), pick, merge=merge, progress=is_progress_shown(options))


def receive_with_trials(project: Project, receive: Callable[[FetchRequest], Received], request: FetchRequest) -> Received:
    """Receives runs, and those that the results of received batches name as trials. Raises GitFailed, UnknownRun.

    `receive` takes runs from a remote, or from a file.
    """
    received = receive(request)
    if not request.names and not request.pick:
        return received
    with project.index() as index:
        received_runs = [index.get(run_id) for run_id in (*received.fresh, *received.forward, *received.merged)]
        trials: dict[str, None] = {}
        batches = [run for run in received_runs if isinstance(run, Run) and run.attempt.kind == BATCH]
        for run in batches:
            with suppress(BadRun):
                trials |= dict.fromkeys(trial.run_id for trial in project.runs.read_trials(run) if trial.run_id)
        missing = tuple(run_id for run_id in trials if index.get(run_id) is None)
    # without a result, only the trials themselves name their batch
    unnamed = {run.id for run in batches if not run.attempt.result}
    rest = [replace(request, names=missing, pick=None, lenient=True)] if missing else []
    if unnamed:
        rest.append(replace(request, names=(), pick=lambda runs: {run.id for run in runs if run.attempt.batch in unnamed}))
    for more in map(receive, rest):
        received = replace(received, fresh=[*received.fresh, *more.fresh], refused={**received.refused, **more.refused})
    return received


def fetch_selected(project: Project, words: Sequence[str], options: dict[str, Any], *, merge: bool) -> int:
    """Fetches the runs that words and filters select, and reports the outcome. Returns the exit code."""
    options["query"] = build_query(options)
    # `fetch origin` names a remote, `fetch 3fa2c1d8` a run
    remote, names = split_remote_and_names(project, words)
    receive = partial(project.sharing.fetch, remote)
    received = receive_with_trials(project, receive, request_fetch(project, names, options, merge=merge))
    return report_received(project, received, remote, quiet=options["quiet"])


def pick_function(project: Project, query: Query, revisions: str | None) -> Pick:
    """Returns a function that selects the runs that match the query and the revisions."""
    # outside the function, so that git lists the commits once
    belongs = project.runs.membership_test(revisions) if revisions is not None else None

    def pick(runs: Sequence[Run]) -> Collection[str]:
        matches = (run for _, run in project.runs.choose(enumerate(runs, 1), query))
        return {run.id for run in matches if belongs is None or belongs(run)}

    return pick


def select_with_dependencies(project: Project, names: Sequence[str], options: dict[str, Any]) -> list[Run]:
    """Returns the runs that names and filters select, and those they depend on. Raises UnknownRun, UsageError."""
    runs = [run for _, run in project.select(names, options["query"]).runs]
    if options["revisions"] is not None:
        belongs = project.runs.membership_test(options["revisions"])
        runs = [run for run in runs if belongs(run)]
    if not runs:
        raise NoMatch(explain_no_match(project, options["query"]), "To list all runs: git run list --all")
    return [*runs, *list_dependencies(project, runs)]


def list_dependencies(project: Project, runs: Sequence[Run]) -> list[Run]:
    """Returns the other local runs that these depend on: their steps, their trials, and runs whose files they took."""
    run_ids, front = {run.id for run in runs}, list(runs)
    more: list[Run] = []
    # needed runs may have needs themselves
    while front:
        names = dict.fromkeys(name for name in dependency_ids(project, front) if name not in run_ids)
        if not names:
            break
        with project.index() as index:
            # a needed run may be deleted or unreadable
            front = [run for run in map(index.get, names) if isinstance(run, Run)]
        # the missing ones too: the next round must not look for them again
        run_ids |= names.keys()
        more += front
    return more


def dependency_ids(project: Project, runs: Sequence[Run]) -> Iterator[str]:
    """Yields the ids of the runs whose files these took, of their trials and of their steps."""
    for basis in project.runs.read_bases(runs):
        yield from (need.run_id for need in basis.needs)
    yield from (trial.id for trial in project.trials_of(runs))
    for run in runs:
        if run.attempt.kind == BATCH:
            # trials that existed before the batch name another one, or none
            with suppress(BadRun):
                yield from (trial.run_id for trial in project.runs.read_trials(run) if trial.run_id)
        if run.attempt.kind == STEPS:
            # damaged step records must not keep the other runs from being shared
            with suppress(BadRun):
                yield from (step.run_id for step in project.runs.read_family(run)[1])


def is_progress_shown(options: dict[str, Any]) -> bool:
    """Returns whether git's progress is shown."""
    return sys.stderr.isatty() and not options["quiet"]


def report_received(project: Project, received: Received, source: str, *, quiet: bool) -> int:
    """Reports the outcome for incoming runs. Returns the exit code."""
    wrong = [f"error: run {short_id(run_id)} is refused: {reason}" for run_id, reason in received.refused.items()]
    wrong += [
        f"error: run {short_id(run_id)} has changed here and on the remote. To merge both: git run pull {short_id(run_id)}"
        for run_id in received.diverged
    ]
    wrong += [f"error: run {short_id(run_id)} is running here. To fetch it: wait until it ends" for run_id in received.running]
    wrong += [f"error: archive {safe_text(writer)} is refused: {reason}" for writer, reason in received.archives.items()]
    report_first(project, wrong)
    if quiet:
        return 1 if wrong else 0
    for words, runs in (("new", received.fresh), ("updated", received.forward), ("merged", received.merged)):
        report_some(project, words, runs)
    # a fetch of all runs does not bring back what was deleted here
    if received.deleted:
        project.say(
            f"note: {count_text(len(received.deleted), 'run')} deleted here exist{'s' * (len(received.deleted) == 1)} there. "
            "To fetch one again: git run fetch RUN"
        )
    count = len(received.fresh) + len(received.forward) + len(received.merged)
    if received.ahead:
        project.say(f"note: {count_text(len(received.ahead), 'run')} changed here only. To send: git run push")
    if not count and not wrong:
        project.say(f"nothing new from {source}")
    return 1 if wrong else 0


def report_some(project: Project, words: str, ids: Iterable[str]) -> None:
    """Reports what happened to runs: one line each for a few, else their number."""
    run_ids = list(ids)
    if not run_ids:  # opening the index would read the new runs
        return
    with project.index() as index:
        for run_id in run_ids[:MOST]:
            run = index.get(run_id)
            project.say(f"{words}: run {describe_run(run) if run else short_id(run_id)}")
    if len(run_ids) > MOST:
        project.say(f"{words}: {count_text(len(run_ids), 'run')}")


def report_first(project: Project, lines: Sequence[str]) -> None:
    """Prints the first lines and counts the others."""
    for line in lines[:MOST]:
        project.say(line)
    if len(lines) > MOST:
        project.say(f"and {len(lines) - MOST:,} more")


def group_by_reason(rejected: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Groups the ids of rejected runs by reason."""
    groups: dict[str, list[str]] = {}
    for run_id, reason in rejected:
        groups.setdefault(reason, []).append(run_id)
    return groups


def delete_on_remote(project: Project, word: str, selection: tuple[Sequence[str], Query], *, dry_run: bool, only: bool) -> int:
    """Deletes runs on a remote, and here unless they are in the trash. Returns the exit code. Raises UsageError.

    Unless `only`, the trials of a batch that are here go with it.
    """
    names, query = selection
    # `--remote 3fa2c1d8`: click took the run for the option's value
    if word and not project.sharing.is_remote(word):
        word, names = "", (word, *names)
    # a number or label of this repository may mean another run there
    if not names or not all(map(parse_id_prefix, names)) or not query.is_plain:
        raise UsageError("deleting on a remote needs ids", "To name runs there: ids of 4 digits or more")
    remote = word or project.sharing.default_remote(push=True)
    runs_there = project.sharing.known(names)
    if not only:
        with project.index() as index:
            selected = [run for run in map(index.get, runs_there) if run]
        if trials := project.trials_of(selected):
            runs_there |= project.sharing.known([trial.id for trial in trials])
    if dry_run:
        report_some(project, f"would delete on {remote}", runs_there)
        return 0
    # the remote first: a run that it keeps is kept here too
    result = project.sharing.delete(remote, runs_there)
    for reason, runs in group_by_reason(result.rejected).items():
        names = " ".join(map(short_id, runs[:MOST])) + (f" and {len(runs) - MOST:,} more" if len(runs) > MOST else "")
        advice = (
            f". To fetch it: git run fetch {remote} {names}" if reason == REASONS["stale info"] and len(runs) <= MOST else ""
        )
        project.say(f"error: run {names} is not deleted, neither on {remote} nor here: {reason}{advice}")
    for line in result.messages:
        project.say(f"{remote} says: {line}")
    still = [name for name in result.forward if project.sharing.is_here(name)]
    here = project.runs_to_delete(still, query) if still else []
    project.trash.remove(here)
    for run_id in result.forward:
        project.say(
            f"deleted run {short_id(run_id)} on {remote}{'' if run_id not in {run.id for run in here} else ' and here'}"
        )
    return 1 if result.rejected else 0

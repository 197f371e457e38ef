"""`git run push`: runs to a remote."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from gitrun import lifecycle
from gitrun.commands import declared
from gitrun.commands.selecting import MOST, add_filters, build_query, open_project
from gitrun.commands.sharing import (
    FOR,
    QUIET,
    SCAN,
    group_by_reason,
    is_progress_shown,
    report_some,
    require_no_secrets,
    select_with_dependencies,
    split_remote_and_names,
)  # fmt: skip
from gitrun.dataclass import replace
from gitrun.errors import NoMatch, UsageError
from gitrun.model.run import STAGED, short_id
from gitrun.model.text import count_text, safe_text, size_text
from gitrun.sharing.outgoing_archives import OwnRuns
from gitrun.sharing.remotes import GONE_ON

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitrun.project import Project
    from gitrun.sharing.remotes import Pushed

NO_FINISHED = "nothing to push: no finished run was made here. To push runs from elsewhere too: git run push --all"
NO_STAGED = "nothing to push: no run that was made here is staged. To stage one: git run --stage OPERATION"
NAMED = 3
"""Commits named when they are pushed along with runs."""


@declared.command(add_help_option=False)
@declared.argument("words", nargs=-1, metavar="[REMOTE] [RUN]...")
@add_filters
@FOR
@declared.option("--all", "everything", is_flag=True, help="Push all runs, not only those made here.")
@declared.option("--stage", "staged", is_flag=True, help="Push staged runs, for workers to execute: see git run worker.")
@declared.option("--with-submodules", is_flag=True, help="Also push runs that contain files of submodules.")
@SCAN
@declared.option("-n", "--dry-run", is_flag=True, help="Show what would be pushed; push nothing.")
@QUIET
def command(words: tuple[str, ...], *, everything: bool, staged: bool, **options: Any) -> int:  # noqa: ANN401 - a filter each
    r"""Pushes runs (default: finished runs that were made here), without force.

    Runs of their steps, and runs whose files they use, are pushed too. If files may hold secrets, gitrun asks first, or
    refuses without a terminal. Runs that contain files of submodules are not pushed, unless you ask for them.

    \b
      git run push
      git run push origin 3fa2c1d8
      git run push --for main..HEAD
      git run push --all upstream
      git run push --stage origin
    """
    project = open_project()
    options["query"] = build_query(options)
    remote, names = split_remote_and_names(project, words, push=True)
    is_plain = not (names or staged or everything) and options["query"].is_plain and options["revisions"] is None
    known: Mapping[str, str] = {}
    if is_plain:
        known, own = find_own_runs(project, remote, is_dry_run=options["dry_run"])
    else:
        own = OwnRuns(select_runs(project, names, options, everything=everything, staged=staged))
    runs = own.runs
    if not runs and not own.archived:
        project.say(NO_STAGED if staged else NO_FINISHED)
        return 0
    there = project.sharing.commits_there(known or project.sharing.published_refs(remote), runs) if runs else frozenset[str]()
    missing = [run_id for run_id, tip in runs.items() if tip not in there]
    held_back = {} if options["with_submodules"] else project.sharing.held_back(missing)
    report_held_back(project, held_back)
    runs = {run_id: tip for run_id, tip in runs.items() if run_id not in held_back}
    # all runs may be held back
    is_over = options["dry_run"] or not (runs or own.archived)
    if is_over:
        report_some(project, f"would push to {remote}", [run_id for run_id in missing if run_id in runs])
        report_there(project, len(runs) - len(missing) + len(held_back), remote)
    if runs:
        report_commits(project, runs, there, remote)
    if is_over:
        return int(bool(held_back))
    # what has been pushed once cannot be taken back
    if runs and not options["no_scan"]:
        require_no_secrets(project.sharing.secrets(runs, there), "push")
    if staged:
        lifecycle.worker_needs.prepare_workers(
            project.session(), remote, [run for run in project.list_runs() if run.id in runs]
        )
    pushed = project.sharing.push(remote, runs, progress=is_progress_shown(options), archive=own.archive)
    code = report_push(project, replace(pushed, same=pushed.same + own.archived), remote, quiet=options["quiet"])
    # a script must not believe that everything was pushed
    return code or int(bool(held_back))


def find_own_runs(project: Project, remote: str, *, is_dry_run: bool) -> tuple[Mapping[str, str], OwnRuns]:
    """Returns the refs of the remote if they were asked for, else none, and the finished runs that were made here."""
    # nearly all runs that were made here may be in an archive: if the remote has that, they need no look
    known = project.sharing.published_refs(remote) if project.sharing.has_own_archive() else {}
    with project.index() as index:
        return known, project.sharing.own_runs(index, {} if is_dry_run else known)


def select_runs(
    project: Project, names: Sequence[str], options: dict[str, Any], *, everything: bool, staged: bool
) -> Mapping[str, str]:
    """Returns the runs that names, filters and options select, id -> tip. Raises NoMatch, UnknownRun, UsageError."""
    if staged:
        return select_staged(project, names, options)
    if everything and (names or not options["query"].is_plain or options["revisions"] is not None):
        raise UsageError("--all cannot be combined with names or filters")
    if everything:
        return project.sharing.all_tips()
    return {run.id: run.tip for run in select_with_dependencies(project, names, options)}


def select_staged(project: Project, names: Sequence[str], options: dict[str, Any]) -> Mapping[str, str]:
    """Returns the staged runs that names and filters select, id -> tip; without either, those that were made here.

    A batch stands for its trials. Raises NoMatch, UnknownRun.
    """
    if names or not options["query"].is_plain or options["revisions"] is not None:
        selected = [run for run in select_with_dependencies(project, names, options) if run.status == STAGED]
        if not selected:
            raise NoMatch("none of these runs is staged", "To stage one again: git run --stage --restart RUN")
    else:
        own = project.sharing.attempts_made_here()
        selected = [run for run in project.list_runs() if run.status == STAGED and run.attempt.id in own]
    return {run.id: run.tip for run in selected}


def report_held_back(project: Project, held_back: Mapping[str, str]) -> None:
    """Reports runs that are not pushed because they contain files of submodules."""
    for run_id, path in islice(held_back.items(), MOST):
        project.say(f"warning: run {short_id(run_id)} is not pushed: it contains files of submodule {path}")
    if len(held_back) > MOST:
        project.say(f"warning: {count_text(len(held_back), 'run')} are not pushed: they contain files of submodules")
    if held_back:
        project.say("To push the code of submodules too: --with-submodules")


def report_there(project: Project, count: int, remote: str) -> None:
    """Reports the number of runs that the remote has as they are here."""
    if count:
        project.say(f"{count_text(count, 'run')} already on {remote}")


def report_commits(project: Project, runs: Mapping[str, str], there: frozenset[str], remote: str) -> None:
    """Reports commits new to the remote that go along, because runs are based on them."""
    commits = project.sharing.unpublished(runs, there)
    if commits:
        names = "; ".join(commits[:NAMED]) + (f"; and {len(commits) - NAMED:,} more" if len(commits) > NAMED else "")
        project.say(f"note: {count_text(len(commits), 'commit')} that {remote} does not have will be pushed too: {names}")


def report_push(project: Project, pushed: Pushed, remote: str, *, quiet: bool) -> int:
    """Reports the outcome of the push. Returns the exit code."""
    report_rejected(project, pushed, remote)
    if not quiet:
        count = len(pushed.fresh) + len(pushed.forward)
        same = f", {pushed.same:,} already there" if pushed.same else ""
        new = f" ({len(pushed.fresh):,} new)" if pushed.forward and pushed.fresh else ""
        if count or not pushed.rejected:
            project.say(f"pushed {count_text(count, 'run')}{new} to {remote}{same}")
        report_local_files(project, (*pushed.fresh, *pushed.forward))
    return 1 if pushed.rejected else 0


def report_local_files(project: Project, run_ids: Sequence[str]) -> None:
    """Reports files of the runs that are not in git, and stay on this machine."""
    files = project.sharing.left_behind(run_ids)
    if files:
        names = ", ".join(
            f"{safe_text(file.path)} of run {short_id(run_id)} ({size_text(file.size)})" for run_id, file in files[:MOST]
        )
        more = f" and {len(files) - MOST:,} more" if len(files) > MOST else ""
        project.say(
            f"note: {count_text(len(files), 'file')} outside git {'is' if len(files) == 1 else 'are'} not pushed: {names}{more}"
        )


def report_rejected(project: Project, pushed: Pushed, remote: str) -> None:
    """Reports rejected runs, grouped by reason, and messages of the other side."""
    reasons = group_by_reason(pushed.rejected)
    for reason, runs in list(reasons.items())[:MOST]:
        names = " ".join(map(short_id, runs[:MOST]))
        # with more runs than are named, the advice is to pull all
        more = f" and {len(runs) - MOST:,} more" if len(runs) > MOST else ""
        what = f"run {names}" if len(runs) == 1 else f"{len(runs):,} runs ({names}{more})"
        advice = (
            f". To merge it: git run pull {remote}{'' if more else f' {names}'}, then push again" if reason == GONE_ON else ""
        )
        project.say(f"error: {what} {'is' if len(runs) == 1 else 'are'} rejected: {reason}{advice}")
    if len(reasons) > MOST:
        hidden = sum(map(len, list(reasons.values())[MOST:]))
        project.say(f"error: {count_text(hidden, 'more run')} rejected for other reasons")
    # written by hooks of the other side
    for line in pushed.messages:
        project.say(f"{remote} says: {line}")

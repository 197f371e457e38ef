"""`git run push`: runs to a remote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gitrun.commands.opening import open_project
from gitrun.commands.selecting import question_from, selection
from gitrun.commands.sharing import FOR, QUIET, SCAN, is_shown, remote_and_names, require_no_secrets, selected, tell_some
from gitrun.errors import UsageError
from gitrun.model.refs import short
from gitrun.model.text import count_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitrun.project import Project
    from gitrun.store.remotes import Pushed


@click.command(add_help_option=False)
@click.argument("words", nargs=-1, metavar="[REMOTE] [RUN]...")
@selection
@FOR
@click.option("--all", "everything", is_flag=True, help="All runs that are here, not only those made here.")
@SCAN
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be pushed; push nothing.")
@QUIET
def command(words: tuple[str, ...], *, everything: bool, **options: Any) -> int:  # noqa: ANN401 - a filter each
    r"""Pushes runs (default: those that were made here and have ended), never by force, in one go.

    With runs that are named or filtered go those of their steps, and those that they took files from. What looks like a
    secret is asked about on a terminal, and refused elsewhere.

    \b
      git run push
      git run push origin 3fa2c1d8
      git run push --for main..HEAD
      git run push --all upstream
    """
    project = open_project()
    options["question"] = question_from(options)
    remote, names = remote_and_names(project, words, push=True)
    runs = meant(project, names, options, everything=everything)
    if not runs:
        project.say("there is nothing to push: no run was made here that has ended; --all pushes the others too")
        return 0
    if options["dry_run"]:
        tell_some(project, f"would push to {remote}", runs)
        return 0
    if not options["no_scan"]:
        require_no_secrets(project.sharing.secrets(runs), "push")
    return tell(project, project.sharing.push(remote, runs, shown=is_shown(options)), remote, quiet=options["quiet"])


def meant(project: Project, names: Sequence[str], options: dict[str, Any], *, everything: bool) -> Mapping[str, str]:
    """The runs to push: id -> tip. Raises UnknownRun, UsageError."""
    is_plain = not names and options["question"].is_plain and options["revisions"] is None
    if everything and not is_plain:
        raise UsageError("--all goes without names and filters", "leave out one or the other")
    if everything:
        return project.sharing.all_tips()
    found = project.sharing.made_here(project.list_runs()) if is_plain else selected(project, names, options)
    return {run.id: run.tip for run in found}


def tell(project: Project, found: Pushed, remote: str, *, quiet: bool) -> int:
    """Says what became of the runs; the exit code."""
    for run, reason in found.rejected:
        project.say(f"rejected run {short(run)}: {because(run, reason, remote)}")
    for line in found.told:
        project.say(f"{remote} says: {line}")
    if not quiet:
        done = len(found.fresh) + len(found.forward)
        same = f", {found.same:,} there already" if found.same else ""
        new = f" ({len(found.fresh):,} new)" if found.forward and found.fresh else ""
        if done or not found.rejected:
            project.say(f"pushed {count_text(done, 'run')}{new} to {remote}{same}")
    return 1 if found.rejected else 0


def because(run: str, reason: str, remote: str) -> str:
    """Why a run was rejected, and what to do."""
    if "fetch first" in reason or "non-fast-forward" in reason:
        return f"somebody else went on with it; git run pull {remote} {short(run)}, then push again"
    return reason.removeprefix("[remote rejected] ").removeprefix("[rejected] ").strip("()")

"""`git run trust`: what from elsewhere may be executed."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gitrun import lifecycle
from gitrun.commands import declared
from gitrun.commands.screen import print_json, print_line
from gitrun.commands.selecting import add_filters, build_query, describe_run, open_project, select_runs
from gitrun.errors import BadRun, UsageError
from gitrun.model.run import BATCH, Run
from gitrun.model.text import count_text, safe_text
from gitrun.render.text import run_json
from gitrun.store.trust import commits_to_trust

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.project import Project


@declared.command(add_help_option=False)
@declared.argument("words", nargs=-1, metavar="[RUN|FINGERPRINT]...")
@add_filters
@declared.option("--signer", is_flag=True, help="Trust the keys that signed these runs, from now on.")
@declared.option("--remove", is_flag=True, help="Remove trust.")
@declared.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(words: tuple[str, ...], *, signer: bool, remove: bool, as_json: bool, **options: Any) -> None:  # noqa: ANN401
    r"""Allows the last attempts of runs from elsewhere to be executed, or all runs that a key signed.

    Of a batch, also trusts the trials that its result names, and those that wait and are what it describes.
    Without arguments, lists trusted keys and untrusted runs.

    \b
      git run trust
      git run trust 3fa2c1d8
      git run trust 2:5
      git run trust --author ada --op train.py
      git run trust --signer 3fa2c1d8
      git run trust --remove 3fa2c1d8
    """
    project = open_project()
    query = build_query(options)
    if not words and query.is_plain:
        if signer or remove:
            raise UsageError("no runs given", "To list runs that are not trusted: git run trust")
        return print_trust(project, as_json=as_json)
    keys = [word for word in words if project.sharing.is_key(word)]
    names = [word for word in words if word not in keys]
    runs = select_runs(project, names, query) if names or not query.is_plain else []
    runs = [*runs, *proven_trials(project, runs), *planned_trials(project, runs)]
    subjects = project.sharing.keys_of(runs) if signer else [commit for run in runs for commit in commits_to_trust(run)]
    project.sharing.trust([*keys, *subjects], back=remove)
    state = "no longer trusted" if remove else "trusted"
    # one key may have signed several of the runs
    for key in dict.fromkeys((*keys, *(subjects if signer else ()))):
        project.say(f"key {key} is {state}")
    if not signer:
        report_trust(project, runs, state)
    return None


def report_trust(project: Project, runs: Sequence[Run], state: str) -> None:
    """Reports the runs that are trusted now, or no longer; counts those of batches."""
    batches = {run.id for run in runs if run.attempt.kind == BATCH}
    trials = Counter(run.attempt.batch for run in runs if run.attempt.batch in batches)
    for run in (run for run in runs if run.attempt.batch not in batches):
        of_batch = f", and {count_text(trials[run.id], 'trial')} of it" if trials[run.id] else ""
        project.say(f"run {describe_run(run)} is {state}{of_batch}")


def proven_trials(project: Project, runs: Sequence[Run]) -> list[Run]:
    """Returns the further trials that the results of batches among these runs prove.

    A result names the commit that each trial was at, and so proves all before it. A trial that was restarted since is trusted
    alone.
    """
    trials: list[Run] = []
    run_ids = {run.id for run in runs}
    for run in runs:
        if run.attempt.kind == BATCH:
            with suppress(BadRun):
                tips_by_id = {trial.run_id: trial.tip for trial in project.runs.read_trials(run) if trial.run_id not in run_ids}
                with project.index() as index:
                    trial_tips = [(index.get(run_id), tip) for run_id, tip in sorted(tips_by_id.items()) if run_id and tip]
                trials += (one for one, tip in trial_tips if isinstance(one, Run) and project.sharing.proves(tip, one))
    return trials


def planned_trials(project: Project, runs: Sequence[Run]) -> list[Run]:
    """Returns the further trials that wait for workers and are what batches among these runs describe."""
    trials: list[Run] = []
    run_ids, session = {run.id for run in runs}, project.session()
    for batch in (run for run in runs if run.attempt.kind == BATCH):
        with suppress(BadRun):
            trials += (one for one in lifecycle.batch_trials.planned_trials(session, batch) if one.id not in run_ids)
    return trials


def print_trust(project: Project, *, as_json: bool) -> None:
    """Prints trusted keys and untrusted runs."""
    keys, runs = project.sharing.trusted_keys(), project.sharing.untrusted(project.list_runs())
    if as_json:
        print_json({"signers": keys, "untrusted": [run_json(run) for run in runs]})
        return
    for key in keys:
        print_line(f"signer  {safe_text(key)}")
    for run in runs:
        print_line(f"not trusted  {safe_text(describe_run(run))}  by {safe_text(run.attempt.author)}")
    if not keys and not runs:
        project.say("all runs are trusted or were made here; no keys are trusted")

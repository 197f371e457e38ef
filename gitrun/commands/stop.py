"""`git run stop`: ends running runs."""

from __future__ import annotations

from gitrun.commands import declared
from gitrun.commands.selecting import open_project
from gitrun.model.run import short_id


@declared.command(add_help_option=False)
@declared.argument("runs", nargs=-1, required=True)
@declared.option("--soft", is_flag=True, help="Let running trials of a batch, or the step of a pipeline, end first.")
@declared.option("--no-wait", is_flag=True, help="Return at once, without waiting for their end.")
@declared.option("--remote", metavar="REMOTE", help="Ask the workers of REMOTE, which execute the runs, to stop them.")
def command(runs: tuple[str, ...], *, no_wait: bool, soft: bool, remote: str | None) -> None:
    r"""Stops running runs and waits for their end: with SIGTERM, and with SIGKILL after gitrun.stopGrace.

    \b
      git run stop 3fa2c1d8
      git run stop --soft train.py+    no new trial; those that run end by themselves
      git run stop --remote origin 9d14
    """
    project = open_project()
    # all names are looked up first, so that a wrong one stops nothing
    for run in [project.find(name) for name in runs]:
        if remote is not None:
            project.stop_remote(run, remote)
            name = short_id(run.id)
            project.say(f"asked the worker of run {name} to stop it. To wait: git run watch --remote {remote} {name}")
            continue
        project.stop(run, wait=not no_wait, soft=soft)
        project.say(f"run {short_id(run.id)} is stopping" if no_wait else f"stopped run {short_id(run.id)}")

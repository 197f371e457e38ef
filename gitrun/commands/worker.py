"""`git run worker`: executes runs that were handed out through a remote."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Any

from gitrun import lifecycle
from gitrun.commands import declared, standby
from gitrun.commands.screen import print_json
from gitrun.commands.selecting import open_project
from gitrun.dataclass import replace
from gitrun.errors import BadValue, LostClaim, UsageError
from gitrun.lifecycle.worker import Ended, Executed, WorkerRequest
from gitrun.model.run import is_id, short_id
from gitrun.model.run_names import parse_id_prefix
from gitrun.model.settings import parse_duration
from gitrun.model.text import count_text, ending_text, is_text
from gitrun.process.streams import FileStream, NoStream

if TYPE_CHECKING:
    from gitrun.lifecycle.worker import Work
    from gitrun.project import Project


@declared.command(add_help_option=False)
@declared.argument("remote", required=False)
@declared.option("--once", "run_id", metavar="RUN", help="Execute this run. Its full id is proof enough to trust it.")
@declared.option("--attempt", metavar="ID", help="With --once: the full id of a later attempt (or of its result) to trust.")
@declared.option("--batch", "batch_id", metavar="BATCH", help="Execute trials of this batch only.")
@declared.option("--max", "most", type=int, metavar="N", help="End after N runs.")
@declared.option("--stop-after", metavar="DURATION", help="End after 30m or 2h. A run that is interrupted goes on elsewhere.")
@declared.option("--take-over", metavar="DURATION", help="Also take runs that a worker claimed 2h ago or earlier.")
@declared.option("--gpus", metavar="LIST", help="Show the programs only these GPUs, such as 0,1.")
@declared.option("--same-env", is_flag=True, help="Refuse runs that were handed out with another Python or other packages.")
@declared.option("--linger", metavar="DURATION", help="Keep a process for 10s, so that the next calls start sooner.")
@declared.option("--name", metavar="NAME", help="Name of this machine in the runs. Default: its host name.")
@declared.option("--quiet", "-q", is_flag=True, help="Do not show what the programs write; the runs record it.")
@declared.option("--json", "as_json", is_flag=True, help="Print a JSON object for each run.")
def command(remote: str | None, **options: Any) -> int:  # noqa: ANN401 - an option each
    r"""Executes runs that were handed out through a remote, and pushes their results.

    Takes trusted runs that are staged, one after the other, until none are left. Each is claimed on the remote before its
    program starts, so that it is executed once. To hand out runs: git run push --stage

    \b
      git run worker origin
      git run worker origin --once 3fa2c1d83fa2c1d83fa2c1d83fa2c1d83fa2c1d8
      git run worker origin --batch 9d14 --max 1 --stop-after 55m
    """
    as_json = options.pop("as_json")
    if linger := options.pop("linger"):
        standby.CURRENT.linger = parse_duration(linger)
    # stdout holds the objects alone
    project = open_project(FileStream(2 if as_json else 1), FileStream(2))
    session = project.session()
    if options.pop("quiet"):
        session = replace(session, stdout=NoStream(), stderr=NoStream())
    request = build_request(project, remote, options)
    with lifecycle.worker.open_worker(session, request, standby.CURRENT.gits) as worker:
        if request.run_id:
            return report_work(project, worker.execute_one(), request.remote, as_json=as_json)
        executed, code = 0, 0
        for work in worker.execute_all():
            work_code = report_work(project, work, request.remote, as_json=as_json)
            if isinstance(work, Executed):
                executed, code = executed + 1, max(code, work_code)
    ending = f"; no other run to execute on {request.remote}" if worker.is_done else ""
    project.say(f"{count_text(executed, 'run')} executed{ending}")
    if worker.untrusted:
        what = "run waits and is" if worker.untrusted == 1 else "runs wait and are"
        project.say(f"note: {worker.untrusted:,} {what} not trusted here. To list them: git run list --status staged")
    return code


def build_request(project: Project, remote: str | None, options: dict[str, Any]) -> WorkerRequest:
    """Builds the request of a worker. Raises UsageError."""
    if options["run_id"] and (options["batch_id"] or options["most"] is not None):
        raise UsageError("--once cannot be combined with --batch or --max")
    if options["attempt"] and not options["run_id"]:
        raise UsageError("--attempt needs --once RUN")
    if options["attempt"] and not is_id(options["attempt"]):
        raise BadValue("--attempt takes a full id")
    # a name that is looked up proves nothing: a label or a position in the list may be a stranger's
    proofs = frozenset(name for name in (options["run_id"], options.pop("attempt")) if name and is_id(name))
    for option in ("run_id", "batch_id"):
        if options[option] and not parse_id_prefix(options[option]):
            options[option] = project.find(options[option]).id
    durations = {name: parse_duration(options[name]) if options[name] else None for name in ("stop_after", "take_over")}
    name = options["name"] or os.uname().nodename
    if not is_text(name) or not name.isprintable():
        raise BadValue("--name must be printable text")
    request_options = {key: value for key, value in options.items() if value is not None}
    return WorkerRequest(
        **{**request_options, **durations, "remote": remote or project.sharing.default_remote(), "name": name, "proofs": proofs}
    )


def report_work(project: Project, work: Work, remote: str, *, as_json: bool) -> int:
    """Reports what became of a run. Returns the exit code."""
    run, name = work.run, short_id(work.run.id)
    values: dict[str, object] = {"run": run.id, "worker": run.attempt.worker}
    code = 0
    if isinstance(work, Executed):
        outcome = work.outcome
        words = f"run {name} {ending_text(outcome.status, outcome.exit_status, outcome.duration)}"
        project.say(words + (f", pushed to {remote}" if work.is_pushed else ""))
        code = 0 if work.is_pushed else 1
        values |= {
            "status": outcome.status, "exit_status": outcome.exit_status, "attempt": run.attempt.id,
            "result": run.attempt.result, "pushed": work.is_pushed,
        }  # fmt: skip
        if not work.is_pushed:
            values["bundle"] = base64.b64encode(work.bundle).decode() or None
    elif isinstance(work, Ended):
        project.say(f"run {name} has already {ending_text(run.status, run.exit_status, run.attempt.duration)}")
        values |= {
            "status": run.status, "exit_status": run.exit_status, "attempt": run.attempt.id, "result": run.attempt.result,
            "pushed": True,
        }  # fmt: skip
    else:
        project.say(f"run {name} is claimed by {run.attempt.worker or 'another worker'}")
        values |= {"status": "claimed"}
        code = LostClaim.exit_code
    if as_json:
        print_json(values)
    return code

"""`git run check`: a gate for the metrics of a run."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from gitrun import model
from gitrun.commands import declared
from gitrun.commands.screen import print_json, print_line, table
from gitrun.commands.selecting import describe_run, open_project
from gitrun.errors import BadValue, GitrunError, UsageError
from gitrun.model.run import COMPLETED, ERROR, short_id
from gitrun.model.text import numbers_text, safe_text
from gitrun.process.streams import FileStream
from gitrun.render.text import run_json
from gitrun.views.gates import parse_gate
from gitrun.views.select import is_flag_and_metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.model.run import Run
    from gitrun.project import Project
    from gitrun.views.gates import Checked, Gate, GateResult

SKIP = 125
"""Exit status that makes git bisect skip a commit."""


@declared.command(add_help_option=False)
@declared.argument("words", nargs=-1, metavar="[RUN | OPERATION [FLAG=VALUE]...]")
@declared.option(
    "--metric", "metrics", multiple=True, metavar="GATE", help="A limit that must hold, such as 'loss<=base*1.02' (repeatable)."
)
@declared.option("--base", metavar="REV|RUN", help="Compare with this run, or with the latest completed run of this commit.")
@declared.option("--commit", "of_commit", is_flag=True, help="Judge the checked-out commit; for git bisect run.")
@declared.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(words: tuple[str, ...], *, metrics: tuple[str, ...], base: str | None, of_commit: bool, as_json: bool) -> int:
    r"""Checks metrics of a run (default: the latest of HEAD) against limits.

    Exits with 0 if all hold, 1 if one does not, and 128 if there is nothing to check.

    In a limit, `base` is the same metric of the base run: the latest completed run of the operation that was made from the
    commit where this branch left the main branch.

    --commit judges the checked-out commit by a run of exactly that code, and starts one if there is none. It exits with
    125, so that git bisect skips the commit, if the commit cannot be judged. Without --metric the run must complete.

    \b
      git bisect run git run check --commit train.py lr=0.1 --metric 'loss<0.5'
      git run check --metric 'loss<=base*1.02' --metric 'acc>0.9'
      git run check best --metric 'loss:min < base:loss - 0.01' --base v1.0
    """
    # without a limit only --commit has something to judge: whether the run completes
    if not metrics and not of_commit:
        raise UsageError("no limits given", "For example: --metric 'loss<=base*1.02'")
    # before anything runs, so that a limit that does not parse costs no run
    gates = [parse_gate(text) for text in metrics]
    # a run for --commit must not write on stdout, which has the verdict
    project = open_project(FileStream(2), FileStream(2))
    if of_commit:
        return check_commit(project, words, gates, base, as_json=as_json)
    # only --commit reads flags: `check train.py lr=0.1` would otherwise ignore them
    if len(words) > 1:
        raise UsageError(
            "cannot check several runs at once", "To choose a run by its flags: git run check --commit OPERATION NAME=VALUE"
        )
    checked = project.runs.check(gates, words[0] if words else None, base)
    return print_results(project, checked, gates, as_json=as_json)


def print_results(project: Project, checked: Checked, gates: Sequence[Gate], *, as_json: bool) -> int:
    """Prints the judgement. Returns the exit code: 0 if passed, else 1."""
    # two limits on one metric give one note
    for metric in dict.fromkeys(gate.metric for gate in gates):
        if is_flag_and_metric((checked.run,), metric):
            project.say(f"note: {metric!r} is a metric and a flag; --metric uses the metric. To say so: metric:{metric}")
    if as_json:
        print_json(checked_json(checked))
    else:
        print_checked(checked)
    return 0 if checked.passed else 1


def check_commit(project: Project, words: Sequence[str], gates: Sequence[Gate], base: str | None, *, as_json: bool) -> int:
    """Judges the checked-out commit. Returns the exit code, 125 if it cannot be judged."""
    try:
        run = run_commit(project, words, gates)
        # without limits a program that fails is bad; one that was stopped says nothing about the commit
        if run.status != COMPLETED and (gates or run.status != ERROR):
            return report_skip(project, f"run {short_id(run.id)} is {run.status}: only completed runs can be checked")
        checked = project.runs.judge(run, gates, base)
    except GitrunError as error:
        # an exit code of 128 or more would end git bisect run; with 125 it skips the commit
        return report_skip(project, error.message + (f". {error.hint}" if error.hint else ""))
    return print_results(project, checked, gates, as_json=as_json)


def report_skip(project: Project, reason: str) -> int:
    """Says why the commit cannot be judged. Returns the exit code."""
    project.say(f"this commit cannot be judged: {reason}")
    return SKIP


def run_commit(project: Project, words: Sequence[str], gates: Sequence[Gate]) -> Run:
    """Returns the run of exactly the checked-out source, operation and flags. Runs it first if there is none.

    The program's output goes to stderr, because stdout is for the judgement. Raises GitrunError.
    """
    # train.py lr=0.1: the word without = is the operation
    names = [word for word in words if "=" not in word]
    if len(names) > 1:
        raise BadValue(f"'{names[1]}' is not a flag", "--commit takes an operation and flags, for example lr=0.1")
    if not names:
        names = [project.runs.usual_operation(gates)]
    flags = {
        name: model.flags.Typed(text)
        for name, text in map(model.flags.split_assignment, (word for word in words if "=" in word))
    }
    # needed_source: a run with the same flags but other code says nothing about this commit
    started = project.start(model.plan.Request(operation=names[0], flags=flags, needed=True, needed_source=True))
    if isinstance(started, model.plan.Skip):
        return started.run
    if started.outcome and started.outcome.ordered:
        signal.raise_signal(started.outcome.ordered)  # Ctrl-C is meant for the bisection, too
    return project.find(started.run_id)


def print_checked(checked: Checked) -> None:
    """Prints a line for the run, and one for each gate."""
    print_line(f"{'passed' if checked.passed else 'failed'}: run {safe_text(describe_run(checked.run))}")
    if checked.gates:
        table([result_row(gate, checked) for gate in checked.gates])


def result_row(gate: GateResult, checked: Checked) -> list[str]:
    """Returns a gate as cells: result, text, values and base."""
    # formatted together, so that rounding does not hide which number is larger
    value, limit, base = numbers_text([gate.value, gate.limit, gate.base])
    beside = f"(base {base}, run {short_id(checked.base.id)})" if gate.base is not None and checked.base else ""
    verdict = "passed" if gate.passed else "failed"
    return [f"  {verdict}", safe_text(gate.text), f"{safe_text(gate.metric)} is {value}, limit {limit}", beside]


def checked_json(checked: Checked) -> dict[str, Any]:
    """Returns the judgement as a JSON value."""
    return {
        "passed": checked.passed,
        "run": run_json(checked.run),
        "base": run_json(checked.base) if checked.base else None,
        "gates": [
            {
                "gate": one.text,
                "metric": one.metric,
                "value": one.value,
                "limit": one.limit,
                "base": one.base,
                "passed": one.passed,
            }
            for one in checked.gates
        ],
    }

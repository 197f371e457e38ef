"""`git run verify`: runs an attempt again and compares the results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitrun import lifecycle
from gitrun.commands import declared
from gitrun.commands.screen import print_json, print_line, table
from gitrun.commands.selecting import describe_run, open_project
from gitrun.errors import UsageError
from gitrun.lifecycle.verify import read_rules
from gitrun.model.run import BATCH, short_id
from gitrun.model.run_names import LATEST
from gitrun.model.text import count_text, safe_text
from gitrun.render.text import GAP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.lifecycle.batch_verify import BatchVerdict
    from gitrun.lifecycle.verify import Compared, Difference, Verdict
    from gitrun.model.run import Run
    from gitrun.project import Project


@declared.command(add_help_option=False)
@declared.argument("name", default=LATEST, metavar="[RUN]")
@declared.option(
    "--tolerance", "tolerances", multiple=True, metavar="[NAME=]N", help="Accept metrics that differ by at most N (repeatable)."
)
@declared.option("--ignore", "ignored", multiple=True, metavar="PATTERN", help="Ignore these files (repeatable).")
@declared.option(
    "--sample", type=declared.int_range(min=1), metavar="N", help="Verify N trials of a batch (default: the best one)."
)
@declared.option("--keep", is_flag=True, help="Record the execution as another attempt of the run.")
@declared.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str, *, tolerances: tuple[str, ...], ignored: tuple[str, ...], keep: bool, **options: Any) -> int:  # noqa: ANN401
    r"""Executes the last attempt of a run again, and compares status, metrics and produced files.

    Of a batch, executes its best trial, and checks that all trials are proposed again with the same flags.

    Prints "reproduced" (exit 0) or "differs" and the differences (exit 1). Exits with 128 if the run cannot be executed.

    \b
      git run verify 3fa2c1d8
      git run verify train --tolerance 1e-6 --tolerance loss=0.01
      git run verify 3fa2c1d8 --ignore 'logs/*'
      git run verify train.py+ --sample 3
    """
    # before the program is executed, which may take hours
    rules = read_rules(tolerances, ignored)
    project = open_project()
    run, sample = project.find(name), options["sample"]
    if run.attempt.kind == BATCH:
        if keep:
            raise UsageError("--keep cannot be used with a batch", "To verify one of its trials: git run verify --keep RUN")
        batch_verdict = project.verify_batch(run, rules, sample=sample)
        if options["as_json"]:
            print_json(batch_verdict_json(batch_verdict))
        else:
            print_batch_verdict(project, run, batch_verdict)
        return 0 if batch_verdict.is_good else 1
    if sample is not None:
        raise UsageError(f"--sample needs a batch, and run {short_id(run.id)} is none", "To verify the run: leave out --sample")
    verdict = project.verify(run, rules, keep=keep)
    if options["as_json"]:
        print_json(verdict_json(verdict))
    else:
        print_verdict(project, verdict)
    if verdict.is_good:
        return 0
    report_environment(project, run)
    return 1


def report_environment(project: Project, run: Run) -> None:
    """Reports what of Python and packages differs from what was recorded: perhaps the reason for other results."""
    differences = lifecycle.worker_checks.environment_differences(project.session(), run)
    if differences:
        words = lifecycle.worker_checks.join_first(differences)
        project.say(f"note: the environment differs from that of run {short_id(run.id)}: {words}")


def print_batch_verdict(project: Project, batch: Run, batch_verdict: BatchVerdict) -> None:
    """Prints the verdict on a batch, and below it those on its trials."""
    proposals = batch_verdict.proposals
    if proposals.reason:
        checked = f"proposals not compared: {proposals.reason}"
    elif proposals.differing:
        numbers = " ".join(f"#{number}" for number in proposals.differing[:10])
        checked = f"{len(proposals.differing)} of {count_text(proposals.compared, 'proposal')} differ: {numbers}"
    else:
        checked = f"{count_text(proposals.compared, 'proposal')} made again"
    words = f"{count_text(len(batch_verdict.trials), 'trial')} executed, {checked}"
    print_line(f"{batch_verdict.word}: run {safe_text(describe_run(batch))} ({safe_text(words)})")
    for trial in batch_verdict.trials:
        print_verdict(project, trial.verdict, f"{GAP}#{trial.number} ")


def print_verdict(project: Project, verdict: Verdict, indent: str = "") -> None:
    """Prints the verdict, and below it the differences or the verdict on each step."""
    counted = ["status", *(count_text(n, noun) for n, noun in ((verdict.metrics, "metric"), (verdict.files, "file")) if n)]
    compared = count_text(len(verdict.steps), "step") if verdict.steps else ", ".join(counted)
    note = "" if verdict.same_output else "; the output differs, which is allowed"
    print_line(f"{indent}{verdict.word}: run {safe_text(describe_run(project.find(verdict.run)))} ({compared}{note})")
    if verdict.differences:
        table([[f"{indent}  what", "name", "recorded", "again"], *difference_rows(verdict, indent)])
    if verdict.kept:
        project.say(f"recorded as attempt {short_id(verdict.kept)}")
    for step in verdict.steps:
        print_verdict(project, step, indent + GAP)


def difference_rows(verdict: Verdict, indent: str) -> Iterator[list[str]]:
    """Yields a row for each difference."""
    for one in verdict.differences:
        yield [f"{indent}  {one.what}", safe_text(one.name), format_side(one, one.recorded), format_side(one, one.again)]


def format_side(one: Difference, value: Compared) -> str:
    """Formats the value of one side; a file as the start of its hash."""
    if value is None:
        return "-"
    if isinstance(value, str):
        # 12 of the 64 digits tell two files apart
        return value[:12] if one.what == "file" else safe_text(value)
    # in full: the difference may be in the last digit
    return repr(value)


def batch_verdict_json(batch_verdict: BatchVerdict) -> dict[str, Any]:
    """Returns the verdict on a batch as a JSON value."""
    return {
        "run": batch_verdict.run, "attempt": batch_verdict.attempt, "verdict": batch_verdict.word,
        "trials": [{"trial": trial.number, **verdict_json(trial.verdict)} for trial in batch_verdict.trials],
        "proposals": {
            "compared": batch_verdict.proposals.compared, "differing": list(batch_verdict.proposals.differing),
            "reason": batch_verdict.proposals.reason or None,
        },
    }  # fmt: skip


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """Returns the verdict as a JSON value."""
    return {
        "run": verdict.run, "attempt": verdict.attempt, "verdict": verdict.word,
        "differences": [
            {"what": one.what, "name": one.name or None, "recorded": one.recorded, "again": one.again}
            for one in verdict.differences
        ],
        "metrics": verdict.metrics, "files": verdict.files, "same_output": verdict.same_output,
        "steps": [verdict_json(step) for step in verdict.steps], "kept": verdict.kept,
    }  # fmt: skip

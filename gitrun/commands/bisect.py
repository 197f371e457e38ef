"""`git run bisect`: the first commit for which a condition on a metric fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitrun import commands
from gitrun.commands import declared
from gitrun.commands.screen import is_on, print_json, print_line, table
from gitrun.commands.selecting import open_project
from gitrun.dataclass import replace
from gitrun.errors import BadValue, UsageError
from gitrun.lifecycle.bisect import BisectRequest, describe_result
from gitrun.model.flags import Typed, split_assignment
from gitrun.model.plan import Request
from gitrun.model.run import short_id
from gitrun.model.settings import parse_duration
from gitrun.model.text import count_text, safe_text
from gitrun.process.streams import FileStream
from gitrun.render.diff_json import compare_environments
from gitrun.render.text import run_json
from gitrun.views.diff import DiffStyle
from gitrun.views.gates import parse_gate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.commands.diff import View
    from gitrun.lifecycle.bisect import Bisection, JudgedCommit
    from gitrun.project import Project


@declared.command(add_help_option=False)
@declared.argument("words", nargs=-1, metavar="CONDITION [OPERATION] [FLAG=VALUE]... [-- ARGS...]")
@declared.option("--good", metavar="COMMIT", help="A commit for which the condition holds.")
@declared.option("--bad", default="HEAD", metavar="COMMIT", help="A newer commit for which it fails; HEAD if not given.")
@declared.option("--module", "-m", metavar="NAME", help="Run a module, as python -m does.")
@declared.option("--stop-after", metavar="DURATION", help="Stop each run after 30s, 5m, 2h or 1h30m; its commit is skipped.")
@declared.option("--json", "as_json", is_flag=True, help="Print JSON.")
@declared.pass_rest
def command(
    typed: declared.TypedWords, /, words: tuple[str, ...], *, good: str | None, bad: str, as_json: bool, **options: str | None
) -> int:
    r"""Finds the first commit for which CONDITION fails, by running as few commits as git bisect does.

    CONDITION is a limit as of git run check. In it, `base` is the same metric of the run of --good. Completed runs of the
    same code, flags and words are used again. A commit is skipped if its run fails or has no such metric.

    HEAD, index and working tree stay as they are. Exits with 0 if the commit is found, 1 if skipped commits hide it, and 128
    if the condition fails at --good or holds at --bad.

    \b
      git run bisect --good v1.0 'loss<0.3' train.py lr=0.1
      git run bisect --good HEAD~20 --bad main 'loss<=base*1.02' train.py
    """
    if good is None:
        raise UsageError("no good commit given", "To name a commit for which the condition holds: --good COMMIT")
    if not words:
        raise UsageError("no condition given", "For example: git run bisect --good v1.0 'loss<0.3' train.py")
    # before anything runs, so that a condition that does not parse costs no run
    condition = parse_gate(words[0])
    request = build_request(words[1:], typed.rest, options["module"])
    limit = options["stop_after"]
    request = replace(request, stop_after=parse_duration(limit) if limit else None)
    # the program's output goes to stderr: stdout is for the result
    project = open_project(FileStream(2), FileStream(2))
    bisection = project.bisect(BisectRequest(condition, request, good, bad))
    if as_json:
        print_json(bisection_json(project, bisection, condition.text))
    else:
        print_bisection(project, bisection, condition.text)
    return 0 if bisection.is_found else 1


def build_request(words: Sequence[str], rest: tuple[str, ...], module: str | None) -> Request:
    """Builds the request to run at each commit. Raises UsageError."""
    names = [f"-m {module}"] if module else []
    names += [word for word in words if "=" not in word]
    if len(names) > 1:
        raise BadValue(f"'{names[1]}' is not a flag", "bisect takes one operation and flags, for example train.py lr=0.1")
    flags = {name: Typed(text) for name, text in map(split_assignment, (word for word in words if "=" in word))}
    return Request(operation=names[0] if names else None, command=rest, flags=flags)


def compare_ends(project: Project, bisection: Bisection) -> View | None:
    """Returns the differences between the last run that passed and the first that failed."""
    if not bisection.passing.run or not bisection.failing.run:
        return None
    pair = project.runs.pair_runs(bisection.passing.run, bisection.failing.run)
    return commands.diff.View(project, pair, project.runs.compare(pair), compare_environments(project, pair.runs))


def print_bisection(project: Project, bisection: Bisection, condition: str) -> None:
    """Prints the commit, or those that are left, then both runs and their difference."""
    if bisection.is_found:
        print_line(f"first commit that fails {safe_text(condition)}: {describe_commit(project, bisection.failing.commit)}")
    else:
        skipped = {one.commit: one.reason for one in bisection.skipped}
        print_line(
            f"the first commit that fails {safe_text(condition)} is one of {count_text(len(bisection.candidates), 'commit')}:"
        )
        table(
            [
                [
                    f"  {describe_commit(project, commit)}",
                    f"skipped: {safe_text(skipped[commit])}" if commit in skipped else "failed",
                ]
                for commit in bisection.candidates
            ]
        )
    table([judged_row("passed", bisection.passing), judged_row("failed", bisection.failing)])
    view = compare_ends(project, bisection)
    if view is None:
        return
    parts = [part for option in (commands.diff.FLAGS, commands.diff.NEEDS, commands.diff.SOURCE, commands.diff.OUTPUT)
             for part in commands.diff.ASKED[option]]  # fmt: skip
    if any(view.differs(part) for part in parts):
        print_line("")
        view.show(parts, DiffStyle(None, is_on(project.config)))


def describe_commit(project: Project, commit: str) -> str:
    """Returns the short id and the subject of a commit."""
    return f"{short_id(commit)} {safe_text(project.runs.read_subject(commit))}".rstrip()


def judged_row(verdict: str, judged: JudgedCommit) -> list[str]:
    """Returns a judged commit as cells: verdict, run, commit, and the metric with its limit."""
    run = f"run {short_id(judged.run.id)}" if judged.run else ""
    reason = describe_result(judged.result) if judged.result else judged.reason
    return [f"  {verdict}", run, f"commit {short_id(judged.commit)}", safe_text(reason)]


def bisection_json(project: Project, bisection: Bisection, condition: str) -> dict[str, Any]:
    """Returns the result as a JSON value."""
    view = compare_ends(project, bisection)
    return {
        "found": bisection.is_found,
        "commit": bisection.failing.commit if bisection.is_found else None,
        "condition": condition,
        "candidates": list(bisection.candidates),
        "passed": judged_json(bisection.passing),
        "failed": judged_json(bisection.failing),
        "skipped": [judged_json(one) for one in bisection.skipped],
        "started": bisection.started,
        "difference": view.as_json() if view else None,
    }


def judged_json(judged: JudgedCommit) -> dict[str, Any]:
    """Returns a judged commit as a JSON value."""
    result = judged.result
    return {
        "commit": judged.commit,
        "run": run_json(judged.run) if judged.run else None,
        "value": result.value if result else None,
        "limit": result.limit if result else None,
        "reason": judged.reason or None,
    }

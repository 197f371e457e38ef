"""`git run doctor`: what is wrong with the runs of a repository, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.commands import declared
from gitrun.commands.screen import print_json, print_line
from gitrun.commands.selecting import open_project
from gitrun.errors import joined
from gitrun.model.text import count_text, safe_text

if TYPE_CHECKING:
    from gitrun.model.diagnostics import Diagnostic
    from gitrun.project import Project
    from gitrun.upkeep.doctor import Report

# no remote can have this name: git allows no blanks in it
ANY = "(the one that git would take)"


@declared.command(add_help_option=False)
@declared.option("--fix", is_flag=True, help="Repair what can be repaired without losing anything.")
@declared.option("--all", "is_full", is_flag=True, help="Read archived runs again, to find damaged or missing objects of them.")
@declared.option("--remote", metavar="NAME", is_flag=False, flag_value=ANY, help="Also ask a remote whether it accepts runs.")
@declared.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, fix: bool, is_full: bool, remote: str | None, as_json: bool) -> int:
    r"""Finds problems: leftovers of killed commands, damaged objects and runs, harmful settings.

    Prints a line for each, with what to do. Exits with 1 if there are problems (with --fix: if any are left).
    Archived runs were read when the index took them. They are read again with --all.

    \b
      git run doctor
      git run doctor --all
      git run doctor --fix
      git run doctor --remote origin
    """
    project = open_project()
    remote_name = project.sharing.default_remote(push=True) if remote == ANY else remote
    report = project.upkeep.examine(project.upkeep.trash_expiry(), remote_name, fix=fix, is_full=is_full)
    if as_json:
        print_json([finding_json(one, fixed=one in report.repaired) for one in (*report.repaired, *report.findings)])
    else:
        print_report(project, report, fix=fix)
    return int(bool(report.findings))


def print_report(project: Project, report: Report, *, fix: bool) -> None:
    """Prints repairs and findings."""
    for one in report.repaired:
        print_line(f"fixed: {safe_text(one.words)}")
    for one in report.findings:
        print_line(joined(safe_text(one.words), safe_text(one.hint)))
    for note in report.notes:
        project.say(note)
    limits = describe_limits(report.passed_over)
    if not report.findings:
        project.say(f"no problems found in {count_text(report.runs, 'run')}{'; ' if limits else ''}{limits}")
        return
    if any(one.repair for one in report.findings) and not fix:
        project.say("To repair what can be repaired without loss: git run doctor --fix")
    if limits:
        project.say(f"note: {limits}")


def describe_limits(passed_over: int) -> str:
    """Says that so many archived runs were not read again, and how to read them; empty for none."""
    if not passed_over:
        return ""
    was, them = ("was", "it") if passed_over == 1 else ("were", "them")
    return f"{count_text(passed_over, 'archived run')} {was} not read again. To read {them}: git run doctor --all"


def finding_json(one: Diagnostic, *, fixed: bool) -> dict[str, object]:
    """Returns a finding as a JSON value."""
    return {"kind": one.kind, "message": one.words, "hint": one.hint, "fixable": bool(one.repair), "fixed": fixed}

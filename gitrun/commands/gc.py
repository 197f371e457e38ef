"""`git run gc`: deletes what nobody needs any more."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from gitrun import upkeep
from gitrun.commands import declared
from gitrun.commands.screen import ask, can_ask, print_json
from gitrun.commands.selecting import open_project, report_runs
from gitrun.dataclass import replace
from gitrun.errors import BadValue
from gitrun.model.run import short_id
from gitrun.model.settings import GC_SETTINGS
from gitrun.model.text import count_text, size_text

if TYPE_CHECKING:
    from gitrun.project import Project
    from gitrun.upkeep.gc import GcPlan, GcRules

# a running run is never deleted
STATUSES = ("completed", "error", "terminated", "staged", "pending")


@declared.command(add_help_option=False)
@declared.option("--older-than", metavar="DATE", help="Delete runs older than DATE, such as 90.days or 2026-01-01.")
@declared.option("--keep", type=declared.int_range(0), metavar="N", help="Delete all but the newest N runs of each operation.")
@declared.option("--status", metavar="LIST", help="Delete only runs with one of these statuses, such as error,terminated.")
@declared.option("--archive", is_flag=True, help="Archive all ended runs without label or mark, whatever their age.")
@declared.option("--slots", is_flag=True, help="Empty all idle slots, not only those of 30 days; git refs migrate needs that.")
@declared.option("-n", "--dry-run", is_flag=True, help="Show what would be deleted, and its size; change nothing.")
@declared.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, dry_run: bool, as_json: bool, **options: str | int | bool | None) -> None:
    r"""Cleans up: purges runs deleted 30 days ago, removes leftovers and idle slots, and packs loose refs and objects.

    With --older-than, --keep or --status it also deletes the runs to which all of these apply. It never deletes a run that
    is marked, labelled or running.

    If there are more than 10,000 runs, it moves the oldest of those that ended more than 30 days ago into an archive. You
    use archived runs as before, and git has fewer refs to look at.

    \b
      git run gc --dry-run
      git run gc --older-than 90.days --keep 10
      git run gc --status error,terminated --older-than 2.weeks
      git run gc --archive
    """
    project = open_project()
    # a dry run stops after the survey, so it shows just what would be done
    plan = project.upkeep.survey(read_rules(project, options))
    if plan.archived and not options["archive"] and not dry_run:
        plan = ask_to_archive(project, plan)
    if not dry_run:
        project.upkeep.sweep(plan)
    if as_json:
        print_json(plan_json(plan))
    else:
        print_plan(project, plan, "would " if dry_run else "")


def read_rules(project: Project, options: dict[str, str | int | bool | None]) -> GcRules:
    """Returns the rules for deletion from the options, or from the settings. Raises UsageError."""
    # a misspelt setting must not count as absent: it decides which runs are deleted
    project.require_settings(*GC_SETTINGS)
    settings, keep = project.settings, options["keep"]
    before = str(options["older_than"] or settings.gc_older_than)
    statuses = tuple(str(options["status"]).split(",")) if options["status"] else settings.gc_status
    for status in statuses:
        if status not in STATUSES:
            raise BadValue(f"gc cannot select runs by status '{status}'", f"Use one of: {', '.join(STATUSES)}")
    retention = upkeep.gc.Retention(
        before=project.upkeep.parse_time(before) if before else None,
        # --keep 0 is a rule too
        keep=int(keep) if keep is not None else settings.gc_keep,
        statuses=statuses,
    )
    after = settings.gc_archive_after
    archive = upkeep.archiving.ArchiveRules()
    if not options["archive"] and after == "never":
        archive = upkeep.archiving.NEVER
    elif not options["archive"]:
        archive = upkeep.archiving.ArchiveRules(project.upkeep.parse_time(after), settings.gc_archive_beyond)
    return upkeep.gc.GcRules(retention, project.upkeep.trash_expiry(), bool(options["slots"]), archive)


def ask_to_archive(project: Project, plan: GcPlan) -> GcPlan:
    """Asks whether to archive runs, the first time. Returns the plan, without them if the answer is no or nobody can answer."""
    is_known = any(name in project.config for name in ("gitrun.gc.archiveafter", "gitrun.gc.archivebeyond"))
    if is_known or project.upkeep.has_archive():
        return plan
    fact = f"note: {count_text(len(plan.archived), 'old run')} can be archived, which makes git fetch and push faster"
    if not can_ask():
        project.say(f"{fact}. To allow that: git config gitrun.gc.archiveBeyond {project.settings.gc_archive_beyond}")
        return replace(plan, archived=())
    project.say(f"{fact}. You use archived runs as before")
    if ask("archive them?", default=True):
        return plan
    project.say("archived no runs. To stop this question: git config gitrun.gc.archiveAfter never")
    return replace(plan, archived=())


def print_plan(project: Project, plan: GcPlan, would: str) -> None:
    """Prints the deletions, done or planned."""
    now = datetime.now(timezone.utc)
    report_runs(project, "would delete" if would else "deleted", plan.runs, now)
    if plan.archived:
        project.say(f"{would}archive{'' if would else 'd'} {count_text(len(plan.archived), 'run')}")
    for run_id in plan.purged or ():
        project.say(f"{would}purge{'' if would else 'd'} run {short_id(run_id)} from the trash")
    removed = "would remove" if would else "removed"
    for garbage, what in ((plan.files, "files of a run that no longer exists"), (plan.leftovers, "left by a killed command")):
        for one in garbage:
            project.say(f"{removed} {one.path.parent.name}/{one.path.name}: {what}, {size_text(one.size)}")
    for slot in plan.slots:
        project.say(f"{'would empty' if would else 'emptied'} slot {slot.path.name}: {size_text(slot.size)}")
    packed = f"{would}pack" if would else "packed"
    if plan.loose_refs:
        project.say(f"{packed} {count_text(plan.loose_refs, 'ref')} of runs")
    if plan.loose_objects or plan.packs:
        loose = [f"about {plan.loose_objects:,} loose objects"] if plan.loose_objects else []
        project.say(f"{packed} {' and '.join([*loose, *([count_text(plan.packs, 'pack')] if plan.packs else [])])}")
    freed = f"{size_text(plan.size)} {'would be' if would else 'are'} free" if plan.size else ""
    # git keeps unreachable objects for a while (gc.pruneExpire, two weeks by default)
    hint = "git gc frees the objects of purged runs later" if plan.purged else ""
    words = "; ".join(filter(None, (freed, hint))) or ("" if has_work(plan) else "nothing to clean up")
    if words:
        project.say(words)


def has_work(plan: GcPlan) -> bool:
    """Returns whether there is anything to do."""
    return any(
        (
            plan.runs,
            plan.archived,
            plan.purged,
            plan.files,
            plan.slots,
            plan.leftovers,
            plan.loose_refs,
            plan.loose_objects,
            plan.packs,
        )
    )


def plan_json(plan: GcPlan) -> dict[str, object]:
    """Returns the deletions as a JSON value; sizes in bytes."""
    garbage = {"files": plan.files, "slots": plan.slots, "leftovers": plan.leftovers}
    return {
        "delete": [run.id for run in plan.runs],
        "archive": [run.id for run in plan.archived],
        "purge": list(plan.purged or ()),
        **{name: [{"path": str(one.path), "size": one.size} for one in each] for name, each in garbage.items()},
        "loose_refs": plan.loose_refs,
        "loose_objects": plan.loose_objects,
        "packs": plan.packs,
        "size": plan.size,
    }

"""Finds runs in the index by the names that people use."""

from __future__ import annotations

import posixpath

from gitrun.errors import BadRun
from gitrun.model.run import INDEX, BrokenRun, Run, short_id
from gitrun.model.run_names import LATEST, find_by_name, find_id, parse_id_prefix, require_latest, require_numbered, unknown_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitrun.store.index import Index


def find_run(index: Index, name: str, prefix: str = "") -> Run:
    """Returns the run that `name` means. Raises UnknownRun, BadRun.

    Tried in this order: id or prefix of one, number in the list, operation, label. Inside the subdirectory `prefix` a script
    may also be named relative to it.
    """
    if name == LATEST:
        return require_latest(index.latest_trusted(), index.readable(), is_bare=index.is_bare)
    digits = parse_id_prefix(name)
    run_id = find_id(name, index.ids(digits)) if digits else None
    if run_id:
        run = index.get(run_id)
        if isinstance(run, BrokenRun):
            raise BadRun(f"run {short_id(run_id)} cannot be read: {run.reason}", "To check the repository: git fsck")
        if run:
            return run
    if INDEX.fullmatch(name):
        # a longer number is no position in a list, and could overflow sqlite's integers
        there = index.place(int(name)) if len(name) < 10 else None
        return require_numbered(name, there, index.count_visible(), is_bare=index.is_bare)
    for called in (name, posixpath.normpath(prefix + name)):
        if runs := index.named(called):
            return find_by_name(called, runs)
    raise unknown_run(name)


def meaning_before_label(index: Index, label: str) -> str:
    """Describes the meaning that takes precedence over `label` as a label: an id, a number or an operation.

    Returns an empty text if there is none. The order is that of `find_run`.
    """
    digits = parse_id_prefix(label)
    run_id = next(iter(index.ids(digits)), "") if digits else ""
    # runs/<digits> always means an id, also of a run that is not here
    if run_id or (digits and "/" in label):
        return f"run {short_id(run_id)}" if run_id else "an id"
    if INDEX.fullmatch(label):
        return "a number of the list"
    return "an operation" if any(run.operation == label for run in index.named(label)) else ""

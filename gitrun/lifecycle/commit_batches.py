"""Decides about the trials of a batch whose sources are commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun import source
from gitrun.dataclass import replace
from gitrun.lifecycle.decide import Decision, locks_of, own_snapshot, read_commit
from gitrun.model.batch import PLUS
from gitrun.source.source_tree import open_source

if TYPE_CHECKING:
    from gitrun.lifecycle.decide import LaunchRequest


def decide_commit_trials(launch: LaunchRequest, batch: Decision, commit: str) -> Decision:
    """Returns the decision for trials of the batch whose source is this commit. Raises UsageError, CannotRun.

    Code, flags, entries and lock files are those of the commit.
    """
    session, objects, plan_source = launch.session, batch.reader, batch.plan_source
    if objects is None or plan_source is None:
        return batch
    recorded = read_commit(session, objects, commit)
    tree = open_source(objects, recorded.whole)
    entry = source.operations.definition_of(tree, batch.plan.operation.removesuffix(PLUS))
    plan = replace(batch.plan, source=recorded, definition=entry)
    snapshot = own_snapshot(replace(launch, request=replace(launch.request, at=commit)), objects, plan)
    return replace(batch, plan=plan, snapshot=snapshot, locks=locks_of(objects, plan), plan_trial=plan_source(tree, recorded))

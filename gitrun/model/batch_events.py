"""Events of a batch: what happens to it and its trials while it runs, for programs that drive it (`git run --json`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitrun.dataclass import dataclass
from gitrun.model.run import counts_as_json, rfc3339_text

if TYPE_CHECKING:
    from datetime import datetime

    from gitrun.model.batch import Trial
    from gitrun.model.plan import Outcome

BATCH_STARTED, BATCH_STAGED, BATCH_ENDED, SKIPPED = "batch-started", "batch-staged", "batch-ended", "skipped"
TRIAL_STARTED, TRIAL_HANDED_OUT, TRIAL_ENDED = "trial-started", "trial-handed-out", "trial-ended"
TRIAL_REUSED, TRIAL_REFUSED = "trial-reused", "trial-refused"


@dataclass(frozen=True, slots=True)
class BatchEvent:
    """Something that happened to a batch, or to one of its trials, at `time`.

    Attributes:
        batch: the id of the batch; with `skipped`, that of the run which has the flags already.
        trial: the trial as it is now; None in events of the batch itself.
        outcome: how the trial or the batch has ended; None if it has not.
        host: the machine that executed the trial; empty for this one.
        reason: why a trial was refused.
        total: number of trials that the batch is to have, in `batch-started`.

    """

    name: str
    batch: str
    time: datetime
    trial: Trial | None = None
    outcome: Outcome | None = None
    host: str = ""
    reason: str = ""
    total: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Returns the event as a JSON object. Absent values are left out."""
        table: dict[str, Any] = {"event": self.name, "time": rfc3339_text(self.time), "batch": self.batch}
        if self.total is not None:
            table["total"] = self.total
        if self.trial:
            flags = dict(self.trial.flags)
            table |= {"trial": self.trial.number, "id": self.trial.run_id or None, "flags": flags, "status": self.trial.status}
        if self.outcome:
            table |= outcome_as_json(self.outcome)
        if self.host:
            table["host"] = self.host
        if self.reason:
            table["reason"] = self.reason
        return table


def outcome_as_json(outcome: Outcome) -> dict[str, Any]:
    """Returns how a trial or a batch has ended as JSON values; counts and the best trial only of a batch."""
    table: dict[str, Any] = {"exit_status": outcome.exit_status, "duration": outcome.duration}
    if outcome.reason:
        table["reason"] = outcome.reason
    if outcome.counts:
        return {"status": outcome.status, **table, "trials": counts_as_json(outcome.counts)}
    return {**table, "metrics": dict(outcome.metrics)}

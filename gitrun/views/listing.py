"""Flags that tell listed runs apart, and the metric that a list shows of each."""

from __future__ import annotations

from collections import Counter

from gitrun.dataclass import dataclass
from gitrun.model.flags import Flags
from gitrun.model.run import BATCH, is_plumbing
from gitrun.views.compare import differing_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gitrun.model.run import Run

LOSS = "loss"
"""End of the name of a metric that is preferred to others."""


@dataclass(frozen=True, slots=True)
class Distinction:
    """Values that tell listed runs apart: a metric (empty: none), and the names of flags by operation.

    An operation of which one run is listed has no names: all its flags are shown.
    """

    metric: str
    flags: Mapping[str, frozenset[str]]

    def flags_of(self, run: Run) -> str:
        """Returns the flags to show of a run, as a person types them: those that differ, or if none does, those typed.

        Hydra's own settings and class names are left out, unless the user typed them.
        """
        given = run.attempt.given
        # a batch that is listed alone shows the space that the user typed
        alone = frozenset(given if run.attempt.kind == BATCH and given else run.flags)
        names = self.flags.get(run.operation, alone) or frozenset(given)
        shown = {name: run.flags[name] for name in run.flags if name in names and (name in given or not is_plumbing(name))}
        return Flags(shown).text(given)


def tell_apart(runs: Sequence[Run], orders: Iterable[str] = ()) -> Distinction:
    """Returns what tells these runs apart. `orders` are names by which they are sorted or chosen."""
    operations: dict[str, list[Run]] = {}
    for run in runs:
        operations.setdefault(run.operation, []).append(run)
    flags = {
        operation: frozenset(differing_names([run.flags for run in some], equal=False))
        for operation, some in operations.items()
        if len(some) > 1
    }
    return Distinction(main_metric(runs, orders), flags)


def main_metric(runs: Sequence[Run], orders: Iterable[str] = ()) -> str:
    """Returns the metric that a list shows; empty if the runs have none.

    It is the one by which they are sorted, else their objective, else the one that most of them have: of several, the
    first whose name ends in `loss`, or the first.
    """
    counts = Counter(name for run in runs for name in run.metrics)
    sorted_by = (name.removeprefix("-").removeprefix("metric:") for name in orders)
    objectives = (name for run in runs for name in (run.attempt.params.minimize, run.attempt.params.maximize) if name)
    named = next((name for name in (*sorted_by, *objectives) if name in counts), "")
    if named or not counts:
        return named
    most = max(counts.values())
    frequent = [name for name, count in counts.items() if count == most]
    return next((name for name in frequent if name.endswith(LOSS)), frequent[0])

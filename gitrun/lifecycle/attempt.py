"""The road of every attempt: its program runs, its result is recorded, and its workspace is given back.

`launch` and `steps` decide and begin an attempt, an executor runs it, and the handle of `store/attempts.py` records it.
`recover` finishes attempts whose supervisor died, and `verify` executes one again without recording anything: both use the
parts of this road.
"""

from __future__ import annotations

from gitrun.dataclass import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gitrun.lifecycle.executor import Execution, Executor
    from gitrun.model.plan import Outcome
    from gitrun.store.attempts import AttemptHandle, Collected, PreparedResult


def perform(attempt: AttemptHandle, executor: Executor) -> Outcome:
    """Runs the attempt's program and records the result. Returns the outcome.

    Any failure of the program becomes an outcome. Raises GitFailed or StaleRun if the outcome could not be recorded.
    """
    with executor.run(attempt) as execution:
        outcome = record_end(attempt, execution)
    # the end of the `with` has read the signals that arrived last
    return replace(outcome, ordered=execution.signals.order)


def record_end(attempt: AttemptHandle, execution: Execution) -> Outcome:
    """Records the result of an ended program and gives its workspace back. Returns the outcome. Raises as `perform`."""
    # written first, so that a later command can record the result if gitrun is killed here
    attempt.live.record_end(execution.ended)
    return attempt.finish(execution.collect, release_for(attempt, execution))


def prepare_end(attempt: AttemptHandle, execution: Execution) -> PreparedResult:
    """Returns the result of an ended program, for the begin of another attempt to record it in the same step.

    Raises GitFailed, StaleRun and OSError.
    """
    attempt.live.record_end(execution.ended)
    return attempt.prepare(execution.collect)


def record_prepared(result: PreparedResult, execution: Execution) -> Outcome:
    """Records a prepared result alone, as `record_end` does. Raises as `perform`."""
    attempt = result.attempt
    return attempt.finish(execution.collect, release_for(attempt, execution), result)


def end_recorded(result: PreparedResult, execution: Execution) -> Outcome:
    """Gives the workspace back of an attempt whose prepared result was recorded. Returns the outcome. Raises GitFailed."""
    return result.attempt.end(result.collected, release_for(result.attempt, execution))


def release_for(attempt: AttemptHandle, execution: Execution) -> Callable[[Collected], None]:
    """Returns what gives the workspace of an attempt back."""

    def release(collected: Collected) -> None:
        execution.release(collected)
        # `git run stop` ends one program; only signals to gitrun itself end the caller too
        if attempt.live.is_asked_to_end:
            execution.signals.order = 0

    return release

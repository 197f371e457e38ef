"""Status words of an attempt."""

STAGED, PENDING, RUNNING = "staged", "pending", "running"
COMPLETED, ERROR, TERMINATED = "completed", "error", "terminated"
STATUSES = (COMPLETED, ERROR, TERMINATED, RUNNING, STAGED, PENDING)
ENDED = frozenset({COMPLETED, TERMINATED})
"""Statuses in which `--needed` compares flags; runs with an error are always run again."""

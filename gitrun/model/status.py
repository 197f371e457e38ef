"""How an attempt stands, in one word each."""

STAGED, PENDING, RUNNING = "staged", "pending", "running"
COMPLETED, ERROR, TERMINATED = "completed", "error", "terminated"
STATUSES = (COMPLETED, ERROR, TERMINATED, RUNNING, STAGED, PENDING)
ENDED = frozenset({COMPLETED, TERMINATED})
"""The statuses in which `needed` compares flags; from DESIGN.md section 5."""

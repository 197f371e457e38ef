"""Names, limits and version of the files that record a run below `.gitrun/` (format version 1)."""

from __future__ import annotations

from gitrun.model.run import DIRECTORY

FLAGS, RUN, ENV, LENT, RESULT, OUTPUT, METRICS, NOTES = (
    f"{DIRECTORY}/{name}"
    for name in ("flags.toml", "run.toml", "env.toml", "lent.toml", "result.toml", "output", "metrics.jsonl", "notes.toml")
)
BATCH, POINTS = f"{DIRECTORY}/batch.toml", f"{DIRECTORY}/points.jsonl"
"""Files in the attempts of a batch: its definition, and the rows of a file of points, if it has any."""
MAX_BATCH = 16 << 20
"""Most bytes of each of these two."""
KEPT = f"{DIRECTORY}/kept"
"""Directory in a result for small files that the run produced and git ignores."""
FORMAT = 1
MAX_RESULT, RESULT_RESERVE = 16 << 20, 1 << 20
"""Most bytes of a result.toml, and the part reserved for everything but the list of files."""
MAX_SHARED = 512 << 10
"""Most bytes for the names of files that a run changed although they are not its own."""

TRIALS_HEADER = b"\n[[trials]]\n"
"""Begins each trial in result.toml. Trials stand last, so that a reader of the rest can stop before them."""

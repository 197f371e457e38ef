"""Readers of other tools, one a module: `read_runs(context)` yields `ImportedRun` and `LeftOut` values."""

"""Importers: runs that other tools recorded, as runs of this repository. `git run import <kind> [SOURCE]` finds them by name.

A reader in `kinds/` yields `ImportedRun` values and executes nothing. `importing.py` writes them with one `git fast-import`.
"""

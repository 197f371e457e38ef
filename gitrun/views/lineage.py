"""The relations of a run: the runs and inputs that it rests on, and its steps."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun import model
from gitrun.errors import BadRun, ObjectsGone
from gitrun.git.objects import Objects
from gitrun.model import encode, record_files
from gitrun.model.run import STEPS
from gitrun.store.runs import bulk_reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.git.exe import Git
    from gitrun.model.provenance import Basis, StepRun
    from gitrun.model.run import Run


def read_family(git: Git, run: Run) -> tuple[Basis | None, tuple[StepRun, ...]]:
    """Returns the basis of the run's last attempt and the steps that it made. Raises BadRun.

    The basis is None if the attempt rests only on its source.
    """
    with Objects(git) as objects:
        found = objects.read(f"{run.attempt.id}:{record_files.RUN}")
        # a search for a few words spares most runs the parsing of TOML
        if found is None or found.data is None or not encode.may_name_dependencies(found.data):
            return None, ()

        result = objects.read(f"{run.attempt.left}:{record_files.RESULT}") if run.attempt.kind == STEPS else None
        return model.provenance.read_basis(found.data), model.provenance.read_steps(result.data) if result else ()


def read_bases(git: Git, runs: Sequence[Run]) -> list[Basis]:
    """Returns the basis of each run's last attempt; an empty one if it cannot be read."""
    names = [f"{run.attempt.id}:{record_files.RUN}" for run in runs]
    try:
        with Objects(git) as objects:
            records = objects.read_many(names)
    except ObjectsGone:  # git cat-file dies when it reads a truncated tree, and with it all other requests
        records = bulk_reader(git).read_many(names)
    found = [model.provenance.NO_BASIS] * len(runs)
    for place, one in enumerate(records):
        if one and one.data and encode.may_name_dependencies(one.data):
            with suppress(BadRun):
                found[place] = model.provenance.read_basis(one.data)
    return found

"""The relations of a run: the runs and inputs that it rests on, and its steps."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun.errors import BadRun, ObjectsGone
from gitrun.git.objects import Objects
from gitrun.model import encode
from gitrun.model.plan import STEPS
from gitrun.store.readers import bulk_reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.git.exe import Git
    from gitrun.model.provenance import Basis, StepRun
    from gitrun.model.run import Run


def family(git: Git, run: Run) -> tuple[Basis | None, tuple[StepRun, ...]]:
    """Returns the basis of the run's last attempt and the steps that it made. Raises BadRun.

    The basis is None if the attempt rests only on its source.
    """
    with Objects(git) as objects:
        found = objects.read(f"{run.attempt.id}:{encode.RUN}")
        if found is None or found.data is None or not encode.rests_on_more(found.data):
            return None, ()
        from gitrun.model.provenance import read_basis, read_steps

        result = objects.read(f"{run.attempt.left}:{encode.RESULT}") if run.attempt.kind == STEPS else None
        return read_basis(found.data), read_steps(result.data) if result else ()


def bases(git: Git, runs: Sequence[Run]) -> list[Basis]:
    """Returns the basis of each run's last attempt; an empty one if it cannot be read."""
    from gitrun.model.provenance import NOTHING, read_basis

    names = [f"{run.attempt.id}:{encode.RUN}" for run in runs]
    try:
        with Objects(git) as objects:
            records = objects.read_many(names)
    except ObjectsGone:  # git cat-file dies when it reads a truncated tree, and with it all other requests
        records = bulk_reader(git).read_many(names)
    found = [NOTHING] * len(runs)
    for place, one in enumerate(records):
        if one and one.data and encode.rests_on_more(one.data):
            with suppress(BadRun):
                found[place] = read_basis(one.data)
    return found

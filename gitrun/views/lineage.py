"""The relations of a run: the runs and inputs that it rests on, and its steps."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun import model, store
from gitrun.errors import BadRun, ObjectsGone
from gitrun.git.objects import Objects
from gitrun.model import encode, record_files
from gitrun.model.run import STEPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.git.exe import Git
    from gitrun.git.objects import Object
    from gitrun.model.provenance import Basis, StepRun
    from gitrun.model.run import Run


def read_family(git: Git, run: Run) -> tuple[Basis | None, tuple[StepRun, ...]]:
    """Returns the basis of the run's last attempt and the steps that it made. Raises BadRun.

    The basis is None if the attempt rests only on its source.
    """
    with Objects(git) as objects:
        record = objects.read(f"{run.attempt.id}:{record_files.RUN}")
        # a search for a few words spares most runs the parsing of TOML
        if record is None or record.data is None or not encode.may_name_dependencies(record.data):
            return None, ()

        result = objects.read(f"{run.attempt.left}:{record_files.RESULT}") if run.attempt.kind == STEPS else None
        return model.provenance.read_basis(record.data), model.provenance.read_steps(result.data) if result else ()


def read_bases(git: Git, runs: Sequence[Run]) -> list[Basis]:
    """Returns the basis of each run's last attempt; an empty one if it cannot be read."""
    return [find_basis(record) or model.provenance.NO_BASIS for record in read_records(git, runs)]


def read_needs(git: Git, runs: Sequence[Run]) -> list[dict[str, str]]:
    """Returns, for each run, the ids of the runs that its last attempt needed, by operation; none if it cannot be read."""
    bases = map(find_basis, read_records(git, runs))
    return [{need.name: need.run_id for need in basis.needs} if basis else {} for basis in bases]


def read_records(git: Git, runs: Sequence[Run]) -> Sequence[Object | None]:
    """Returns the run.toml of each run's last attempt; None if it is missing."""
    names = [f"{run.attempt.id}:{record_files.RUN}" for run in runs]
    try:
        with Objects(git) as objects:
            return objects.read_many(names)
    except ObjectsGone:  # git cat-file dies when it reads a truncated tree, and with it all other requests
        with store.runs.local_reader(git) as reader:
            return reader.read_many(names)


def find_basis(record: Object | None) -> Basis | None:
    """Returns the basis in a run.toml; None if it has none or cannot be read."""
    # a search for a few words spares most runs the parsing of TOML, and the import of its parser
    if record and record.data and encode.may_name_dependencies(record.data):
        with suppress(BadRun):
            return model.provenance.read_basis(record.data)
    return None

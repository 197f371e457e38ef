"""Claims: the runs of a remote that this machine has claimed, and what it trusts of the claims of other workers.

Each own claim is a file `.git/gitrun/claims/<run id>` with the name of the remote. It is written before the claim is pushed,
and removed once the result is there, or somebody else has the run. So a result is handed over even after a crash.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun import model
from gitrun.dataclass import dataclass
from gitrun.git.locks import make_shared_directory
from gitrun.git.objects import fsync
from gitrun.model import record_files
from gitrun.model.batch import PLUS
from gitrun.model.flags import Flags
from gitrun.model.run import is_id
from gitrun.model.space import Choice
from gitrun.store import trust
from gitrun.store.commits import read_commit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.git.objects import Objects
    from gitrun.model.batch import BatchDefinition
    from gitrun.model.flags import Value
    from gitrun.model.run import Run

DIRECTORY = "claims"
WORKERS_OWN = frozenset({"created", "nonce", "staged", "worker", "format"})
"""Keys of run.toml in which the attempt of a worker differs from the one that was handed out."""
TRIALS_OWN = frozenset({"operation", "kind", "given", "batch", "trial", "sampler"})
"""Further keys of run.toml in which a trial differs from its batch."""
BATCHES_OWN = frozenset({"optimizer", "opt_flags", "max_trials", "minimize", "maximize", "random_seed", "resources"})
"""Parameters that decide about a batch or about where its trials run, and not about what a trial executes."""


def record_claim(state: Path, run_id: str, remote: str) -> None:
    """Records that this machine claims the run of the remote."""
    directory = state / DIRECTORY
    make_shared_directory(directory)
    fresh = directory / f"{run_id}.new"
    fresh.write_text(remote)
    fsync(fresh)
    fresh.replace(directory / run_id)
    fsync(directory)


def remove_claim(state: Path, run_id: str) -> None:
    """Removes the record of a claim, which may be gone."""
    for name in (run_id, f"{run_id}.bundle"):
        (state / DIRECTORY / name).unlink(missing_ok=True)


def list_claims(state: Path, remote: str) -> list[str]:
    """Returns the ids of the runs of the remote that this machine has claimed, oldest claim first."""
    claims = []
    with suppress(FileNotFoundError):
        for path in (state / DIRECTORY).iterdir():
            with suppress(OSError):  # another worker has just handed over its result
                if is_id(path.name) and path.read_text() == remote:
                    claims.append((path.stat().st_mtime_ns, path.name))
    return [run_id for _, run_id in sorted(claims)]


def bundle_path(state: Path, run_id: str) -> Path:
    """Returns the path of the bundle with a result that could not be pushed."""
    return state / DIRECTORY / f"{run_id}.bundle"


def commit_parents(objects: Objects, commit_id: str) -> tuple[str, ...]:
    """Returns the parents of a commit; none if it cannot be read."""
    commit = read_commit(objects.read(commit_id))
    return tuple(commit.parents) if commit else ()


def trust_claim(git: Git, objects: Objects, run: Run) -> None:
    """Trusts the last attempt of a run if it would execute exactly what was handed out: same source, program and flags.

    A worker that died cannot name its attempt. The next start refuses an attempt that differs, since it is not trusted.
    """
    claimed = read_program(objects, run.attempt.id)
    for parent in commit_parents(objects, run.attempt.id):
        if claimed and trust.is_trusted_commit(git, parent) and read_program(objects, parent) == claimed:
            trust.grant_trust(git, [run.attempt.id])


@dataclass(frozen=True, slots=True)
class Work:
    """What an attempt is to do, without files of earlier attempts: its flags, and run.toml without what is its own."""

    flags: bytes | None
    values: Mapping[str, object]
    params: Mapping[str, object]
    source: Mapping[str, object]


def read_program(objects: Objects, attempt: str) -> object:
    """Returns all that decides what an attempt executes; None if that cannot be read."""
    tree, work = objects.read(f"{attempt}^{{tree}}"), read_work(objects, attempt)
    if tree is None or work is None:
        return None
    return work, {name: entry for name, entry in objects.tree(tree.id).items() if name != b".gitrun"}


def read_work(objects: Objects, attempt: str) -> Work | None:
    """Returns what an attempt is to do; None if that cannot be read."""
    flags, record = objects.read(f"{attempt}:{record_files.FLAGS}"), objects.read(f"{attempt}:{record_files.RUN}")
    if flags is None or record is None or record.data is None:
        return None
    values = model.decode.parse_toml(record.data, record_files.RUN)
    params = {key: value for key, value in (values.pop("params", None) or {}).items() if key != "gpus"}
    source = {key: value for key, value in (values.pop("source", None) or {}).items() if key != "carried"}
    return Work(flags.data, {key: value for key, value in values.items() if key not in WORKERS_OWN}, params, source)


def is_planned_trial(objects: Objects, batch: Run, definition: BatchDefinition, trial: Run) -> bool:
    """Returns whether a staged trial is one that its batch describes: the same source and program, and flags of its lists."""
    work, planned = read_work(objects, trial.id), read_work(objects, batch.attempt.id)
    if work is None or planned is None or trial.attempt.id != trial.id or trial.attempt.batch != batch.id:
        return False
    own, its = batch.attempt, trial.attempt
    if (f"{its.operation}{PLUS}", its.kind) != (own.operation, definition.kind):
        return False
    return without_own_keys(work) == without_own_keys(planned) and is_point(definition, own.flags, its.flags)


def without_own_keys(work: Work) -> tuple[object, ...]:
    """Returns the part of what an attempt is to do that a batch and its trials have in common."""
    values = {key: value for key, value in work.values.items() if key not in TRIALS_OWN}
    params = {key: value for key, value in work.params.items() if key not in BATCHES_OWN}
    return values, params, work.source


def is_point(definition: BatchDefinition, written: Mapping[str, Value], flags: Mapping[str, Value]) -> bool:
    """Returns whether flags are a point of a batch over lists or rows, whose other flags are as `written`."""
    columns = {name for row in definition.points for name in row}
    names = {*definition.space, *columns}
    fixed, others = (Flags({name: one[name] for name in one if name not in names}) for one in (written, flags))
    row = Flags({name: flags[name] for name in columns if name in flags})
    is_row = not columns or any(row == Flags(one) for one in definition.points)
    return (
        fixed == others
        and is_row
        and all(
            isinstance(domain, Choice) and any(Flags({name: one}) == Flags({name: flags[name]}) for one in domain.values)
            for name, domain in definition.space.items()
            if name in flags
        )
    )

"""Writes imported runs: one `git fast-import`, the same checks as for fetched runs, and one transaction of refs.

Equal input makes equal commits, because dates, nonces and authors come from the input. So the id of a run is computed before
anything is written, and runs that are here are left alone. If gitrun is killed, objects and kept files without a ref are
left behind, which gc removes.
"""

from __future__ import annotations

import itertools
import os
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun import lifecycle, sharing, store
from gitrun.dataclass import dataclass, replace
from gitrun.errors import GitFailed
from gitrun.extras.importers.drafts import Drafter
from gitrun.extras.importers.imported import Context, ImportedRun, ImportReport, LeftOut
from gitrun.extras.importers.stream import END, ResultWriter, attempt_pieces
from gitrun.git.objects import Objects, fsync
from gitrun.model.run import TRASH, run_ref
from gitrun.store.refs import RefEdit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from gitrun.extras.importers.drafts import Draft
    from gitrun.git.exe import Git
    from gitrun.project import Project

MOST_RUNS = 100_000
"""Most runs of one import."""


@dataclass(frozen=True, slots=True)
class Sorting:
    """Runs in an order in which each comes after the runs that it names, and what was left out."""

    runs: tuple[ImportedRun, ...]
    left_out: tuple[LeftOut, ...]


def import_from(project: Project, kind: str, source: str, *, dry_run: bool, with_authors: bool) -> ImportReport:
    """Imports the runs that the tool `kind` recorded in `source` (empty: where it does). Raises GitrunError, OSError."""
    git = project.git
    # the directory where the user typed the path: below the worktree, it is not that of the repository
    context = Context(source, git, Path.cwd(), git.environ, with_authors)
    reader = import_module(f"gitrun.extras.importers.kinds.{kind}")
    return import_runs(git, reader.read_runs(context), dry_run=dry_run)


def import_runs(git: Git, items: Iterable[ImportedRun | LeftOut], *, dry_run: bool = False) -> ImportReport:
    """Imports the runs that are not here yet. With `dry_run`, nothing is written. Raises GitrunError, OSError."""
    sorting = sort_runs(items)
    with Objects(git) as objects:
        drafter = Drafter(git, objects, find_commits(git, sorting.runs))
        drafts = {draft.run.key: draft for draft in map(drafter.draft, sorting.runs) if draft}
    here = store.refs.tips(git)
    deleted = (store.refs.tips(git, TRASH).keys() | store.purged.purged_ids(git)) - here.keys()
    new = {key: draft for key, draft in drafts.items() if draft.run_id not in here and draft.run_id not in deleted}
    report = ImportReport(
        new=tuple(draft.run_id for draft in new.values()),
        same=sum(draft.run_id in here for draft in drafts.values()),
        deleted=sum(draft.run_id in deleted for draft in drafts.values()),
        large=sum(draft.large for draft in new.values()),
        refused=drafter.refused,
        left_out=(*sorting.left_out, *drafter.left_out),
    )
    if dry_run or not new:
        return report
    require_room(git, report.large)
    writer = ResultWriter(git, drafts, {key: here[draft.run_id] for key, draft in drafts.items() if draft.run_id in here})
    tips = write_commits(git, new, writer)
    return record_refs(git, new, tips, replace(report, left_out=(*report.left_out, *writer.left_out)))


def sort_runs(items: Iterable[ImportedRun | LeftOut]) -> Sorting:
    """Sorts runs so that each comes after those that its attempt names: its batch, its parent and its needs.

    Of two runs with one key the second is left out. A run that names itself, over whatever detour, loses that name.
    """
    runs: dict[str, ImportedRun] = {}
    left_out = list[LeftOut]()
    for item in items:
        if isinstance(item, LeftOut):
            left_out.append(item)
        elif item.key in runs:
            left_out.append(LeftOut(item.key, "there are two runs of this name"))
        elif len(runs) >= MOST_RUNS:
            left_out.append(LeftOut(item.key, f"one import takes at most {MOST_RUNS:,} runs"))
            break
        else:
            runs[item.key] = item
            left_out += (LeftOut(item.key, reason) for reason in item.left_out)
    ordered, states = dict[str, ImportedRun](), dict[str, bool]()
    for key in runs:
        # an explicit stack: a chain of needs may be longer than Python recurses
        stack = [key]
        while stack:
            top = stack[-1]
            if top in states:
                stack.pop()
                if not states[top]:
                    states[top] = True
                    ordered[top] = runs[top]
                continue
            states[top] = False
            stack += [name for name in names_of(runs[top]) if name in runs and name not in states]
    return Sorting(tuple(without_later_names(ordered, left_out)), tuple(left_out))


def names_of(run: ImportedRun) -> list[str]:
    """Returns the keys of the runs that the attempt of a run names."""
    return [name for name in (run.batch, run.parent, *(need.key for need in run.needs)) if name]


def without_later_names(ordered: Mapping[str, ImportedRun], left_out: list[LeftOut]) -> Iterator[ImportedRun]:
    """Yields the runs without the names of runs that come later, which only a circle can have."""
    earlier = set[str]()
    for run in ordered.values():
        later = {name for name in names_of(run) if name in ordered and name not in earlier}
        earlier.add(run.key)
        if not later:
            yield run
            continue
        left_out.append(LeftOut(run.key, "it depends on itself"))
        yield replace(
            run,
            batch="" if run.batch in later else run.batch,
            parent="" if run.parent in later else run.parent,
            needs=tuple(need for need in run.needs if need.key not in later),
        )


def find_commits(git: Git, runs: Sequence[ImportedRun]) -> frozenset[str]:
    """Returns those of the runs' base commits that are here."""
    bases = sorted({run.base for run in runs if run.base and run.base.isalnum()})
    stdin = "".join(f"{base}\n" for base in bases).encode()
    lines = git.run("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=stdin).decode().splitlines()
    # a full id only: an abbreviated one might be another commit tomorrow
    return frozenset(base for base, line in zip(bases, lines, strict=True) if line == f"{base} commit")


def require_room(git: Git, size: int) -> None:
    """Raises GitFailed unless there is room for the files that are kept beside git."""
    status = os.statvfs(git.common_dir)
    free = status.f_bavail * status.f_frsize
    if size > free:
        raise GitFailed(f"large files of these runs take {size:,} bytes, and {free:,} are free", "Free some space")


def write_commits(git: Git, new: Mapping[str, Draft], writer: ResultWriter) -> dict[str, str]:
    """Writes attempts, results and annotations of the runs. Returns the tip of each by its key. Raises GitFailed, OSError.

    Results of batches come last: they name the tips of their trials.
    """
    written = set[str]()
    ids = fast_import(git, [partial(attempt_pieces, draft, written=written) for draft in new.values()])
    if ids != [draft.run_id for draft in new.values()]:
        raise GitFailed("files of these runs changed while they were read", "Try again")
    for batches in (False, True):
        drafts = {key: draft for key, draft in new.items() if (draft.run.batch_definition is not None) == batches}
        ids = fast_import(git, [partial(writer.pieces, draft) for draft in drafts.values()])
        writer.tips.update(zip(drafts, ids, strict=True))
    if git.durable:
        fsync(git.common_dir / "objects" / "pack")
    return {key: writer.tips[key] for key in new}


def fast_import(git: Git, commits: Sequence[Callable[[int], Iterator[bytes]]]) -> list[str]:
    """Writes commits with one `git fast-import`, as one pack. Returns their ids in order. Raises GitFailed, OSError.

    Each item yields the pieces of a commit with the mark that it is given.
    """
    if not commits:
        return []
    pieces = (piece for number, stream in enumerate(commits, 1) for piece in stream(number))
    with store.commits.scratch_directory(git) as directory:
        marks = directory / "marks"
        # below 100 objects fast-import would write loose ones, each with an fsync
        words = ("-c", "fastimport.unpackLimit=1", "fast-import", "--quiet", "--done", f"--export-marks={marks}")
        git.feed(*words, pieces=itertools.chain(pieces, [END]))
        # :1 <id>
        pairs = (line.split() for line in marks.read_text().splitlines())
        ids = {int(mark[1:]): commit_id for mark, commit_id in pairs}
    return [ids[number] for number in range(1, len(commits) + 1)]


def record_refs(git: Git, new: Mapping[str, Draft], tips: Mapping[str, str], report: ImportReport) -> ImportReport:
    """Checks the written runs as fetched ones are, and creates the refs of those that are sound, in one transaction."""
    faults: dict[str, str] = {}
    written = {new[key].run_id: tip for key, tip in tips.items()}
    with store.runs.local_reader(git) as reader, store.index.garbage_collector_off():
        chains = list(sharing.quarantine.sound_chains(sharing.validate.Inspector(git, reader), written, faults))
    refused = {**report.refused, **{key: faults[draft.run_id] for key, draft in new.items() if draft.run_id in faults}}
    # before the refs move, so that readers find these runs dated and checked
    sharing.quarantine.record_arrival(git, chains, {chain.run_id for chain in chains})
    if chains:
        # none of them may exist: if one has appeared since, git moves no ref
        store.refs.ref_store(git).apply([RefEdit(run_ref(chain.run_id), chain.tip, None, "import run") for chain in chains])
        lifecycle.launch.pack_many_refs(git)
    arrived = {chain.run_id: None for chain in chains}
    with_source = [draft.run_id for draft in new.values() if draft.run_id in arrived and draft.has_source]
    return replace(report, new=tuple(arrived), refused=refused, restartable=with_source[-1] if with_source else "")

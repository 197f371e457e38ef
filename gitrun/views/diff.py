"""Differences between two runs: value by value for flags and metrics, with git itself for source and output."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from gitrun.dataclass import dataclass
from gitrun.git.objects import Objects, TreeMaker
from gitrun.model.flags import same_value
from gitrun.model.provenance import dependency_ids
from gitrun.model.record_files import OUTPUT
from gitrun.model.run import DIRECTORY
from gitrun.store.checkpoints import source_tree
from gitrun.store.submodules import ComparedSource, align_sources, compared_source
from gitrun.views.contents import ADDED, CARRIED, CHANGED, DELETED, Change, PathsBesideSource, changed_paths
from gitrun.views.lineage import read_bases

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TypeAlias

    from gitrun.git.exe import Git
    from gitrun.model.plan import Source
    from gitrun.model.run import Run

    Differing: TypeAlias = dict[str, tuple[Any, Any]]


PLAIN = (
    "--patch", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--unified=3", "--src-prefix=a/",
    "--dst-prefix=b/", "--diff-algorithm=histogram", "--submodule=short", "--no-color-moved", "--ignore-submodules=none",
)  # fmt: skip
"""Options of `git diff` for a plain format."""


@dataclass(frozen=True, slots=True)
class DiffStyle:
    """The format of git's differences: a statistic of `stat` columns (None for line by line), in colour or not.

    A plain one depends on no setting of the user, and starts no program that the settings name.
    """

    stat: int | None = None
    colour: bool = False
    is_plain: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """Two source trees to compare, and their runs: two runs, or a single one compared with a commit or the working tree."""

    old: str
    new: str
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Differences:
    """Differences between the two sides of a pair. `output` only tells whether there are any.

    `carried` are files that a restart took over from the attempt before: no source, but the program may execute them.
    """

    flags: Differing
    needs: Differing
    metrics: Differing
    source: list[Change]
    carried: list[Change]
    files: list[Change]
    output: bool


def pair_of_runs(git: Git, old: Run, new: Run) -> Pair:
    """Returns the pair for two runs."""
    before, after = map(compared_source, (old.attempt, new.attempt), source_trees(git, (old, new)))
    return Pair(*align_sources(git, before, after), (old, new))


def pair_with_base(git: Git, run: Run) -> Pair:
    """Returns the pair for a run and the commit that it was made from."""
    (tree,) = source_trees(git, (run,))
    base = ComparedSource(run.attempt.base or git.object_format.empty_tree)
    return Pair(*align_sources(git, base, compared_source(run.attempt, tree)), (run,))


def pair_with_worktree(git: Git, run: Run, working: Source) -> Pair:
    """Returns the pair for a run and the current working tree."""
    (tree,) = source_trees(git, (run,))
    return Pair(
        *align_sources(git, compared_source(run.attempt, tree), ComparedSource(working.whole, dict(working.submodules))), (run,)
    )


def differences(git: Git, pair: Pair) -> Differences:
    """Returns the differences between the two sides."""
    source = changed_paths(git, pair.old, pair.new)
    # a commit or a working tree has no flags, metrics or output
    if len(pair.runs) < 2:
        return Differences({}, {}, {}, source, carried_files(git, pair.runs[0]), [], output=False)
    old, new = pair.runs
    return Differences(
        differing_values(old.flags, new.flags),
        differing_values(*map(dependency_ids, read_bases(git, pair.runs))),
        differing_values(old.metrics, new.metrics),
        source,
        carried_differences(git, old, new),
        differing_files(old, new),
        output=outputs_differ(git, old, new),
    )


def carried_files(git: Git, run: Run) -> list[Change]:
    """Returns the files that the run's last attempt took over from the attempt before."""
    if not run.attempt.carried:
        return []
    # --full-tree: paths are from the top, wherever the command was started
    words = ("ls-tree", "-r", "-z", "--full-tree", "--name-only", run.attempt.id, "--", *run.attempt.carried)
    return [Change(os.fsdecode(path), CARRIED) for path in git.run(*words).split(b"\0")[:-1]]


def carried_differences(git: Git, old: Run, new: Run) -> list[Change]:
    """Returns the differences between the files that the last attempts of two runs took over from the attempts before."""
    if not (old.attempt.carried or new.attempt.carried):
        return []
    among = PathsBesideSource(old.attempt), PathsBesideSource(new.attempt)
    paths = changed_paths(git, old.attempt.id, new.attempt.id)
    return [one for one in paths if not one.path.startswith(f"{DIRECTORY}/") and any(one.path in others for others in among)]


def differing_values(old: Mapping[str, Any], new: Mapping[str, Any]) -> Differing:
    """Returns the names whose values differ, each with both values. None is a missing value; 1 equals 1.0, nan equals nan."""
    # a dict, not a set: the order of the names is that of the runs
    names = dict.fromkeys((*old, *new))
    pairs = {name: (old.get(name), new.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if not same_value(*pair)}


def flatten(table: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Returns a nested table as a flat one with names such as `python.version`."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= flatten(value, f"{above}{name}.") if isinstance(value, dict) else {above + name: value}
    return flat


def differing_files(old: Run, new: Run) -> list[Change]:
    """Returns the produced files whose contents differ."""
    # a file without a recorded sha256 is compared by its size alone
    before, after = ({file.path: (file.sha256, file.size) for file in run.attempt.files} for run in (old, new))
    return [
        Change(path, ADDED if path not in before else DELETED if path not in after else CHANGED)
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    ]


def source_trees(git: Git, runs: Sequence[Run]) -> list[str]:
    """Returns the id of each run's source tree, without its records and the files taken over from the attempt before."""
    with Objects(git) as objects, TreeMaker(git) as maker:
        return [source_tree(objects, maker, run.attempt) for run in runs]


def diff_source(git: Git, pair: Pair, look: DiffStyle) -> Iterator[bytes]:
    """Yields the lines of `git diff` for the two sources, with the user's diff drivers and settings."""
    return git.lines("diff", *diff_options(look), pair.old, pair.new, "--")


def diff_output(git: Git, pair: Pair, look: DiffStyle) -> Iterator[bytes]:
    """Yields the lines of `git diff` for the outputs of the two runs."""
    old, new = pair.runs
    return git.lines("diff", *diff_options(look), old.attempt.left, new.attempt.left, "--", OUTPUT)


def diff_options(look: DiffStyle) -> tuple[str, ...]:
    """Returns the options of `git diff` for a format."""
    if look.is_plain:
        return PLAIN
    stat = () if look.stat is None else (f"--stat={look.stat}",)
    # git writes into a pipe, and would never colour on its own
    return (f"--color={'always' if look.colour else 'never'}", *stat)


def outputs_differ(git: Git, old: Run, new: Run) -> bool:
    """Returns whether the outputs of two runs differ."""
    # git compares the ids, without reading the outputs
    return bool(git.run("diff-tree", "--name-only", "-r", old.attempt.left, new.attempt.left, "--", OUTPUT))

"""Reads what a batch varies: flags with several values, and the rows of files of points (`@points.csv`)."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from gitrun import source
from gitrun.dataclass import dataclass, replace
from gitrun.model.flags import Typed, default_values, find_declared
from gitrun.model.grid import point_at
from gitrun.model.space import Choice, read_space
from gitrun.source.planning import mark_as_text, text_kept

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gitrun.git.exe import Git
    from gitrun.model.batch import BatchDefinition
    from gitrun.model.flags import Flag, Value
    from gitrun.model.plan import Request
    from gitrun.model.space import Domain, Space
    from gitrun.source.declared_flags import Declaration
    from gitrun.source.point_files import PointRow

PROBES = 20
"""Most points that are planned before a batch begins. Each takes some milliseconds."""


@dataclass(frozen=True, slots=True)
class BatchSpace:
    """The given flags of a batch: those with one value, the space of the others, and the rows of files.

    A flag is in one of the three. All rows have values for the same flags, as far as these have defaults.
    """

    fixed: Mapping[str, Value | Typed | None]
    space: Space
    points: tuple[Mapping[str, Value], ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Returns the flags of the rows."""
        return tuple(dict.fromkeys(name for row in self.points for name in row))

    def probes(self) -> Iterator[dict[str, Value]]:
        """Yields points with which the plan of a trial can be checked: one of each set of flags, if these are few."""
        lists = {name: domain if isinstance(domain, Choice) else Choice((domain.low,)) for name, domain in self.space.items()}
        rows = {frozenset(row): row for row in reversed(self.points or ({},))}
        yield from (point_at(lists, (row,), 1, 0) for row in islice(rows.values(), PROBES))


@dataclass(frozen=True, slots=True)
class SpaceBefore:
    """The space of the last attempt of a batch, and its other flags. A restart that names a flag, or a file, replaces these."""

    definition: BatchDefinition
    flags: Mapping[str, Value]


def read_batch_space(
    git: Git, declaration: Declaration, request: Request, *, force: bool, before: SpaceBefore | None = None
) -> BatchSpace:
    """Returns what the request varies. Reads its files of points. Raises UsageError, MissingPackage."""
    own = before.flags if before else {}
    single = {name: value for name, value in request.flags.items() if not (isinstance(value, Typed) and "[" in value.text)}
    declared = declaration.with_values({**own, **single})
    as_typed, operation = text_kept(declaration.operation, declared), declaration.operation.name
    flags = tuple(replace(flag, default=own.get(flag.name, flag.default)) for flag in declared.flags or ())
    rows = read_rows(git, request)
    columns = {declared_name(flags, name) for row in rows for name in row.flags}
    domains: dict[str, Domain] = dict(before.definition.space) if before else {}
    points = before.definition.points if before and not rows else ()
    values = {**{name: domains[name] for name in domains if name not in columns}, **mark_as_text(as_typed, request.flags)}
    columns |= {name for row in points for name in row}
    space = read_space(values, declared.flags and flags, operation=operation, force=force, columns=columns)
    if rows:
        is_partial = bool(declared.script and declared.script.partial)
        points = source.point_files.resolve_points(
            rows, declared.flags, operation=operation, as_typed=as_typed, force=force, partial=is_partial
        )
        defaults = {name: value for name, value in default_values(declared.flags or ()).items() if name in columns}
        points = tuple({**defaults, **row} for row in points)
    covered = {*space.fixed, *space.space}
    if any(covered & row.keys() for row in points):
        points = tuple({name: value for name, value in row.items() if name not in covered} for row in points)
    return BatchSpace(space.fixed, space.space, points)


def read_rows(git: Git, request: Request) -> tuple[PointRow, ...]:
    """Returns the rows of the request's files of points, which are relative to the user's directory. Raises UsageError."""
    here = (git.worktree or git.git_dir) / git.prefix
    return tuple(row for name in request.points for row in source.point_files.read_points(here / name))


def declared_name(declared: Sequence[Flag], name: str) -> str:
    """Returns the name under which a flag is declared; the given one if it is not."""
    flag = find_declared(declared, name)
    return flag.name if flag else name

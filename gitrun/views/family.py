"""The family of a run as a graph: what it rests on, what rests on it, and its earlier attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun import store
from gitrun.dataclass import dataclass
from gitrun.git.objects import Objects
from gitrun.model.run import BATCH, STEPS, Run
from gitrun.views.lineage import read_bases, read_family

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gitrun.git.exe import Git
    from gitrun.model.run import Attempt
    from gitrun.store.index import Index

MOST = 200
"""Runs and attempts of a family that are named; further ones are counted."""
SEARCHED = 1_000
"""The newest runs that are searched for what rests on a run. Reading what one rests on takes git 0.3 ms."""
NEED, STEP, TRIAL, RESTART, MERGE = "need", "step", "trial", "restart", "merge"
"""Kinds of links: a needed run, a step of a pipeline, a trial of a batch, an attempt before, the other side of a merge."""


@dataclass(frozen=True, slots=True)
class Link:
    """A relation between two runs, or between an earlier attempt and its run: `new` rests on `old`.

    A run is named by its id; an earlier attempt by its number, because the first one has the id of the run. `operation` is
    that of the old run, as far as the new one names it.
    """

    old: str
    new: str
    kind: str
    operation: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """A run with its relatives, and the links between them.

    `earlier` are its attempts by number, but for the last one, which the run itself stands for. `absent` maps the ids of runs
    that are not here to their operations (empty: unknown). `more` counts relatives that are left out.
    """

    run: Run
    relatives: tuple[Run, ...]
    earlier: Mapping[str, Attempt]
    absent: Mapping[str, str]
    links: tuple[Link, ...]
    more: int = 0


def build_family(git: Git, index: Index, run: Run, most: int = MOST) -> Family:
    """Returns the family of a run: all that it rests on, then what rests on it among the newest runs."""
    above, links = trace_up(git, index, run)
    below, more_links = trace_down(git, index, run)
    restarts, earlier = link_attempts(git, run)
    links = list(dict.fromkeys((*restarts, *links, *more_links)))
    absent = {link.old: link.operation for link in links if link.old not in above | below and link.kind in {NEED, STEP, TRIAL}}
    earlier = dict(list(earlier.items())[-most:])
    relatives = [one for one in (above | below).values() if one.id != run.id]
    room = max(most - 1 - len(earlier) - len(absent), 0)
    known = {run.id, *absent, *earlier, *(one.id for one in relatives[:room])}
    shown = tuple(link for link in links if link.old in known and link.new in known)
    return Family(run, tuple(relatives[:room]), earlier, absent, shown, max(len(relatives) - room, 0))


def trace_up(git: Git, index: Index, run: Run) -> tuple[dict[str, Run], list[Link]]:
    """Returns the runs that a run rests on, nearest first, after the run itself, and the links between them."""
    runs, links, front = {run.id: run}, list[Link](), [run]
    while front and len(runs) <= MOST:
        into = list(links_into(git, front))
        links += into
        ids = dict.fromkeys(link.old for link in into if link.old not in runs)
        front = [one for one in map(index.get, ids) if isinstance(one, Run)]
        runs |= {one.id: one for one in front}
    return runs, links


def trace_down(git: Git, index: Index, run: Run) -> tuple[dict[str, Run], list[Link]]:
    """Returns the runs that rest on a run, nearest first, and the links between them."""
    trials = index.trials_of(run.id) if run.attempt.kind == BATCH else []
    runs = {one.id: one for one in (*trials, *index.readable_runs(SEARCHED))}
    links = [*links_into(git, list(runs.values())), *step_links(git, run)]
    runs |= {one.id: one for one in (index.get(link.new) for link in links if link.new not in runs) if isinstance(one, Run)}
    children: dict[str, list[str]] = {}
    for link in links:
        children.setdefault(link.old, []).append(link.new)
    order, front = dict[str, Run](), [run.id]
    while front:
        front = [new for old in front for new in dict.fromkeys(children.get(old, ())) if new not in order and new != run.id]
        order |= {new: runs[new] for new in front if new in runs}
    return order, [link for link in links if link.old == run.id or link.old in order]


def links_into(git: Git, runs: Sequence[Run]) -> Iterator[Link]:
    """Yields the links from what these runs rest on: needed runs, their pipeline, their batch."""
    for run, basis in zip(runs, read_bases(git, runs), strict=True):
        yield from (Link(need.run_id, run.id, NEED, need.operation) for need in basis.needs)
        if basis.parent:
            yield Link(basis.parent, run.id, STEP)
        if run.attempt.batch:
            yield Link(run.attempt.batch, run.id, TRIAL)


def step_links(git: Git, run: Run) -> Iterator[Link]:
    """Yields the links to the steps of a pipeline, also to earlier runs that it took for a step."""
    if run.attempt.kind == STEPS:
        _, steps = read_family(git, run)
        yield from (Link(run.id, step.run_id, STEP, run.operation) for step in steps if step.run_id)


def link_attempts(git: Git, run: Run) -> tuple[list[Link], dict[str, Attempt]]:
    """Returns the links between the attempts of a run, in which the run stands for its last one, and the earlier attempts."""
    if run.attempt.id == run.id:
        return [], {}
    with Objects(git) as objects:
        attempts = store.runs.read_attempts(git, objects, run)
        chain = store.runs.read_chain(objects, run)
    names = {attempt.id: str(number) for number, attempt in enumerate(attempts, 1)} | {run.attempt.id: run.id}
    before = {attempt.id: attempts_before(chain, chain[attempt.id].parents) for attempt in attempts}
    links = [Link(names[old], names[new], RESTART) for new, olds in before.items() for old in sorted(olds)]
    # the other side of a merge ends with an attempt that nothing was made from
    ends = names.keys() - set[str]().union(*before.values()) - {run.attempt.id}
    links += [Link(names[old], run.id, MERGE) for old in sorted(ends)]
    return links, {names[one.id]: one for one in attempts if one.id != run.attempt.id}


def attempts_before(chain: Mapping[str, store.commits.Commit], parents: Iterable[str]) -> set[str]:
    """Returns the nearest attempts at or behind these commits, on all sides of merges; does not follow the user's commits."""
    attempts, front = set[str](), [parent for parent in parents if parent in chain]
    while front:
        commit = chain[front.pop()]
        if commit.kind == "attempt":
            attempts.add(commit.id)
        else:
            front += [parent for parent in commit.parents if parent in chain]
    return attempts

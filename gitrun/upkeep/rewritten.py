"""Runs that `git filter-repo` or `git filter-branch` rewrote with the history: detects them and gives them new ids.

A rewritten run's name is no longer the id of its first attempt. The source that run.toml names no longer matches.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass, replace
from gitrun.errors import BadRun
from gitrun.git.objects import Entry, Objects, TreeMaker, edit_tree
from gitrun.model import decode, encode, record_files
from gitrun.model.run import DIRECTORY, RUNS, Comment, is_id, short_id
from gitrun.model.tree import FILE
from gitrun.model.validation_rules import MAX_COMMITS, own_parents, read_claim
from gitrun.store.annotations import annotate
from gitrun.store.commits import hash_files, read_commit, scratch_directory
from gitrun.store.live import is_live
from gitrun.store.refs import RefEdit, read_ref, ref_store
from gitrun.store.trust import append_lines, trusted_ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.git.objects import ObjectReader
    from gitrun.model.run import Notes, Run
    from gitrun.store.commits import Commit

ORIGINAL = "refs/original/"
"""Namespace where git filter-branch keeps the old refs."""
# tree <id>, parent <id>, author and committer each on a line, an empty line, the message
HEADER = re.compile(rb"\A(.*?)\n\n", re.DOTALL)
KEPT = re.compile(rb"^(?:author|committer|encoding) [^\n]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RewrittenChain:
    """The commits of a run, parents first, and the id of the first attempt."""

    commits: tuple[Commit, ...]
    first: str


def commit_map(git: Git) -> dict[str, str]:
    """Returns the commits that git filter-repo rewrote, old id -> new id. A dropped commit maps to zeros."""
    with suppress(OSError):
        # <old id> <new id>, below a first line `old new`
        lines = (line.split() for line in (git.common_dir / "filter-repo" / "commit-map").read_text().splitlines())
        return {words[0]: words[1] for words in lines if len(words) == 2 and all(map(is_id, words))}
    return {}


def read_rewritten_chain(objects: ObjectReader, tip: str) -> RewrittenChain | None:
    """Returns the commits of the run behind a tip, whatever its name. None unless they lead to one first attempt."""
    commits: dict[str, Commit] = {}
    order: list[Commit] = []
    firsts: list[str] = []
    # each commit is taken from the stack twice: before its parents, and after them
    stack = [(tip, False)]
    while stack and len(commits) < MAX_COMMITS:
        name, is_done = stack.pop()
        if is_done:
            order.append(commits[name])
        elif name not in commits:
            commit = read_commit(objects.read(name, 1 << 21))
            if commit is None:
                return None
            commits[name] = commit
            before = own_parents(name, commit.kind, commit.parents, "")
            # the first attempt is based on a commit that belongs to no run, or on none
            if commit.kind == "attempt" and not any(is_commit_of_run(objects, parent) for parent in before):
                firsts.append(name)
                before = ()
            stack += [(name, True), *((parent, False) for parent in before)]
    return RewrittenChain(tuple(order), firsts[0]) if len(firsts) == 1 and not stack else None


def is_commit_of_run(objects: ObjectReader, commit: str) -> bool:
    """Returns whether the commit belongs to a run."""
    return read_commit(objects.read(commit, 1 << 21)) is not None


def is_rewritten(git: Git, objects: ObjectReader, run_id: str, tip: str) -> bool:
    """Returns whether an unreadable run is intact under another id because history was rewritten here."""
    chain = read_rewritten_chain(objects, tip)
    if chain is None or chain.first == run_id:
        return False
    # git filter-repo leaves a map, git filter-branch the old ref
    return commit_map(git).get(run_id) == chain.first or read_ref(git, f"{ORIGINAL}{RUNS}{run_id}") is not None


def rename_rewritten_run(git: Git, run_id: str) -> str:
    """Gives a rewritten run its new id and returns that. Adds a comment with the old id. Raises GitrunError.

    Each attempt gets the source and base that it has now. Trust is kept only where the commit map of git filter-repo, a
    local file, proves which commit became which.
    """
    tip = read_ref(git, RUNS + run_id)
    if tip is None or is_live(git.state, run_id):
        raise BadRun(f"cannot repair run {short_id(run_id)} while it is running")
    with Objects(git) as objects, TreeMaker(git) as maker, scratch_directory(git) as directory:
        chain = read_rewritten_chain(objects, tip)
        if chain is None:
            raise BadRun(f"run {short_id(run_id)} leads to no first attempt")
        new_ids = rewrite_commits(git, (objects, maker), chain, directory)
    name, former_ids = new_ids[chain.first], old_ids(git, chain, run_id)
    transfer_trust(git, former_ids, new_ids)
    if read_ref(git, RUNS + name) is None:  # an earlier, killed doctor may have set it
        ref_store(git).apply([RefEdit(RUNS + name, new_ids[tip], None, "new id of rewritten run")])
    move_kept_files(
        git, (run_id, name), {old: new_ids[new] for new, old in former_ids.items() if new in new_ids} | {run_id: name}
    )
    # nearly last: after a kill, the old ref is there for another try
    ref_store(git).apply([RefEdit(RUNS + run_id, None, tip, "old id of rewritten run")])
    comment = Comment(
        f"was run {run_id} before history was rewritten", "gitrun", datetime.now(timezone.utc).replace(microsecond=0)
    )

    def noted(notes: Notes) -> Notes:
        return replace(notes, comments=(*notes.comments, comment))

    annotate(git, name, noted, f"note that it was run {short_id(run_id)}")
    return name


def rewrite_commits(git: Git, through: tuple[Objects, TreeMaker], chain: RewrittenChain, directory: Path) -> dict[str, str]:
    """Rewrites the chain with corrected run.toml files. Returns new id by old id; unchanged commits keep theirs."""
    objects, maker = through
    new_ids: dict[str, str] = {}
    tables: dict[str, bytes | None] = {}
    for number, commit in enumerate(chain.commits):
        before = [parent for parent in commit.parents if parent in new_ids]
        table = corrected_run_toml(objects, maker, commit) if commit.kind == "attempt" else tables[commit.parents[0]]
        tables[commit.id] = table
        tree = commit.tree
        if table is not None:
            (directory / "run.toml").write_bytes(table)
            (blob,) = hash_files(git, [directory / "run.toml"])
            tree = edit_tree(objects, maker, tree, {record_files.RUN.encode(): Entry(FILE, blob)})
        # a commit that stays the same keeps its id, and its signature
        if tree == commit.tree and all(new_ids[parent] == parent for parent in before):
            new_ids[commit.id] = commit.id
            continue
        content = objects.read(commit.id)
        file = directory / f"commit.{number}"
        file.write_bytes(
            replace_parents((content.data if content else None) or b"", tree, [new_ids.get(one, one) for one in commit.parents])
        )
        (new_ids[commit.id],) = hash_files(git, [file], "commit")
    return new_ids


def corrected_run_toml(objects: Objects, maker: TreeMaker, attempt: Commit) -> bytes | None:
    """Returns run.toml with the attempt's present source and base. None if it is right already. Raises BadRun."""
    record = objects.read(f"{attempt.id}:{record_files.RUN}", decode.MAX_TOML)
    table = decode.parse_toml((record.data if record else None) or b"", record_files.RUN)
    claim = read_claim(table)
    own_paths = {DIRECTORY.encode(), *claim.carried}
    source = edit_tree(objects, maker, attempt.tree, dict.fromkeys(own_paths))
    if source == claim.source:
        return None
    inner = {**decode.get_table(table, "source"), "tree": source}
    if len(attempt.parents) > 0 and "base" in inner and not is_commit_of_run(objects, attempt.parents[0]):
        inner["base"] = attempt.parents[0]
    return encode.encode_table({**table, "source": inner})


def replace_parents(data: bytes, tree: str, parents: Sequence[str]) -> bytes:
    """Returns the commit with another tree and other parents. Drops its signature, which would no longer match."""
    head = HEADER.match(data)
    lines = [f"tree {tree}".encode(), *(f"parent {parent}".encode() for parent in parents)]
    return b"\n".join([*lines, *KEPT.findall(head[1] if head else b"")]) + b"\n\n" + (data[head.end() :] if head else data)


def old_ids(git: Git, chain: RewrittenChain, run_id: str) -> dict[str, str]:
    """Maps the commits of the chain to their ids before the rewrite, as far as git filter-repo records them."""
    new = {commit.id for commit in chain.commits}
    olds = {now: old for old, now in commit_map(git).items() if now in new}
    return olds | ({chain.first: run_id} if chain.first not in olds else {})


def transfer_trust(git: Git, former_ids: Mapping[str, str], new_ids: Mapping[str, str]) -> None:
    """Trusts the new commits of those that were trusted, where the commit map confirms the pair."""
    trusted, mapped = trusted_ids(git), commit_map(git)
    again = [new_ids[new] for new, old in former_ids.items() if old in trusted and mapped.get(old) == new]
    if again:
        append_lines(git, again)


def move_kept_files(git: Git, names: tuple[str, str], attempts: Mapping[str, str]) -> None:
    """Moves the files kept outside of git to the new ids of the run and its attempts."""
    old, new = (git.state / "files" / name for name in names)
    # an earlier, killed doctor may have moved them
    if not old.is_dir() or new.exists():
        return
    os.rename(old, new)
    for before, now in attempts.items():
        if before != now and (new / before).is_dir():
            (new / before).rename(new / now)


def replaced_commits(git: Git) -> frozenset[str]:
    """Returns the commits that a rewrite of the branches replaced."""
    return frozenset(old for old, new in commit_map(git).items() if old != new) | frozenset(replaced_by_filter_branch(git))


def runs_on_commits(git: Git, runs: Iterable[Run], replaced: frozenset[str]) -> list[str]:
    """Returns the ids of those of the runs that are based on one of these commits."""
    if not replaced:
        return []
    with Objects(git) as objects:
        return [run.id for run in runs if not replaced.isdisjoint(base_commits(objects, run))]


def base_commits(objects: ObjectReader, run: Run) -> Iterator[str]:
    """Yields the base commits of the run's attempts."""
    chain = read_rewritten_chain(objects, run.tip)
    commit_ids = {commit.id for commit in chain.commits} if chain else set()
    for commit in chain.commits if chain else ():
        yield from (parent for parent in commit.parents if commit.kind == "attempt" and parent not in commit_ids)


def replaced_by_filter_branch(git: Git) -> list[str]:
    """Returns the commits that git filter-branch removed from branches and tags."""
    heads = git.run("for-each-ref", "--format=%(objectname)", f"{ORIGINAL}refs/heads", f"{ORIGINAL}refs/tags")
    words = ("rev-list", "--stdin", "--not", "--branches", "--tags", "--remotes")
    return git.run(*words, stdin=heads).decode().split() if heads else []

"""Merges a run that has new commits in two clones. Both clones make the same merge commit."""

from __future__ import annotations

from datetime import datetime, timezone
from itertools import takewhile
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from gitrun.dataclass import dataclass, replace
from gitrun.errors import BadRun
from gitrun.git.objects import Entry, Objects, TreeMaker, edit_tree
from gitrun.model import decode, encode, record_files
from gitrun.model.run import Notes
from gitrun.model.tree import FILE
from gitrun.model.validation_rules import credible_start, own_parents
from gitrun.store.commits import hash_files, read_commit, scratch_directory
from gitrun.store.runs import file_content, parse_notes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from gitrun.git.exe import Git
    from gitrun.model.run import Comment
    from gitrun.sharing.validate import Chain
    from gitrun.store.commits import Commit

    Rank: TypeAlias = tuple[bool, datetime, str, bool, datetime, str]


T = TypeVar("T")
BEGINNING = datetime(1970, 1, 1, tzinfo=timezone.utc)

WHO = "gitrun <gitrun@localhost>"
"""Fixed author, so that two people who merge the same tips make the same commit and do not diverge again."""


@dataclass(frozen=True, slots=True)
class MergeTip:
    """One of two diverged tips: its newest commit, the rank of its last attempt, and its annotations over time."""

    commit: Commit
    rank: Rank
    side: NotesHistory


def merge_chains(git: Git, mine: Chain, theirs: Chain) -> str:
    """Merges two checked chains of one run and returns the id of the commit. Raises BadRun.

    Neither chain may contain the tip of the other.
    """
    with Objects(git) as objects, TreeMaker(git) as maker, scratch_directory(git) as directory:
        base = common_commit(objects, mine, theirs)
        one, two = merge_tip(objects, mine, theirs, base), merge_tip(objects, theirs, mine, base)
        # ranked, not mine and theirs: both clones must make the same commit
        later, earlier = (one, two) if one.rank > two.rank else (two, one)
        notes = merge_notes(notes_of_commit(objects, base), later.side, earlier.side)
        (directory / "notes").write_bytes(encode_within_limit(notes))
        (blob,) = hash_files(git, [directory / "notes"])
        has_notes = notes != Notes()
        tree = edit_tree(
            objects, maker, later.commit.tree, {record_files.NOTES.encode(): Entry(FILE, blob) if has_notes else None}
        )
        (directory / "merge").write_bytes(build_merge_commit(tree, later.commit, earlier.commit))
        (commit_ids,) = hash_files(git, [directory / "merge"], "commit")
    return commit_ids


def encode_within_limit(notes: Notes) -> bytes:
    """Encodes notes.toml, dropping the oldest comments if it would be too large. The merged tips still have them."""
    data = encode.encode_notes(notes)
    if len(data) <= decode.MAX_TOML:
        return data
    bare = encode.encode_notes(replace(notes, comments=()))
    weighed = [(comment, len(encode.encode_notes(Notes(comments=(comment,)))) + 32) for comment in reversed(notes.comments)]
    newest = encode.cut_to_weight(weighed, decode.MAX_TOML - len(bare))
    return encode.encode_notes(replace(notes, comments=tuple(reversed(newest)))) if len(bare) <= decode.MAX_TOML else b""


def build_merge_commit(tree: str, later: Commit, earlier: Commit) -> bytes:
    """Builds the merge commit. The later attempt's tip is the first parent, for readers that follow only that one."""
    # a time from the merged commits, not the clock: the id must not depend on when somebody merges
    stamp = int(max(later.time, earlier.time).timestamp())
    who = f"{WHO} {stamp} +0000"
    head = f"tree {tree}\nparent {later.id}\nparent {earlier.id}\nauthor {who}\ncommitter {who}\n\n"
    return head.encode() + encode.commit_message("merge what was done in two places", "merge")


def common_commit(objects: Objects, mine: Chain, theirs: Chain) -> str:
    """Returns the id of the newest common commit of the two chains."""
    common = set(mine.commits) & set(theirs.commits)
    covered: set[str] = set()
    commits: list[Commit] = []
    for name in common:
        commit = require_commit(objects, name)
        commits.append(commit)
        covered.update(own_parents(name, commit.kind, commit.parents, mine.run_id))
    heads = [commit for commit in commits if commit.id not in covered]
    # after earlier merges several common commits can be newest: time and id choose the same one everywhere
    return max(heads, key=lambda commit: (commit.time, commit.id)).id


def require_commit(objects: Objects, name: str) -> Commit:
    """Reads a commit of a run. Raises BadRun."""
    commit = read_commit(objects.read(name))
    if commit is None:
        raise BadRun(f"commit {name[:8]} was not made by gitrun")
    return commit


def notes_of_commit(objects: Objects, commit: str) -> Notes:
    """Returns the annotations in a commit."""
    return parse_notes(objects.read(f"{commit}:{record_files.NOTES}", decode.MAX_TOML))


def merge_tip(objects: Objects, chain: Chain, other: Chain, base: str) -> MergeTip:
    """Describes the tip of `chain`: its rank beside `other`, and its annotations since `base`."""
    line = list(first_parents(objects, chain))
    position = next(number for number, commit in enumerate(line) if commit.kind == "attempt")
    attempt, result = line[position], next((commit for commit in line[:position] if commit.kind == "result"), None)
    table = decode.parse_toml(
        file_content(objects.read(f"{attempt.id}:{record_files.RUN}"), record_files.RUN) or b"", record_files.RUN
    )
    ended = result.time if result else attempt.time
    # both clones must compute the same rank, so only times in the commits count, never our clock
    created = credible_start(decode.get_time(table, "created") or attempt.time, attempt.time)
    # an attempt that the other side goes on from is earlier, whatever the clocks said
    rank = (attempt.id not in other.attempts, created, attempt.id, result is not None, ended, chain.tip)
    since = list(takewhile(lambda commit: commit.id != base, line))
    noted = [(commit.time, notes_of_commit(objects, commit.id)) for commit in reversed(since)]
    return MergeTip(line[0], rank, NotesHistory(tuple(noted)))


def first_parents(objects: Objects, chain: Chain) -> Iterator[Commit]:
    """Yields the commits from the tip to the first attempt, following the first parent of merges."""
    name = chain.tip
    while name:
        commit = require_commit(objects, name)
        yield commit
        name = next(iter(own_parents(name, commit.kind, commit.parents, chain.run_id)), "")


@dataclass(frozen=True, slots=True)
class NotesHistory:
    """The changes of one side since the common ancestor: time and annotations after each, oldest first."""

    history: tuple[tuple[datetime, Notes], ...]

    def notes(self, base: Notes) -> Notes:
        """Returns the side's current annotations."""
        return self.history[-1][1] if self.history else base

    def changed(self, base: Notes, name: str) -> datetime:
        """Returns the time of the side's last change of a field; 1970 if it never changed it."""
        last, before = BEGINNING, base
        for time, notes in self.history:
            # a commit that leaves the field alone does not date it
            if getattr(notes, name) != getattr(before, name):
                last = time
            before = notes
        return last


def merge_notes(base: Notes, one: NotesHistory, two: NotesHistory) -> Notes:
    """Merges the annotations of both sides; the order of the sides does not matter.

    Tags and comments are merged as sets. Of label and mark, the latest change wins.
    """
    first, second = one.notes(base), two.notes(base)
    merged: dict[str, Any] = {name: merge_value(base, name, one, two) for name in ("label", "marked")}
    tags = merge_items(frozenset(base.tags), frozenset(first.tags), frozenset(second.tags))
    comments = merge_items(frozenset(base.comments), frozenset(first.comments), frozenset(second.comments))
    return replace(Notes(**merged), tags=tuple(sorted(tags)), comments=tuple(sorted(comments, key=comment_order)))


def merge_value(base: Notes, name: str, one: NotesHistory, two: NotesHistory) -> Any:  # noqa: ANN401 - whatever the field holds
    """Returns the value that one side changed; if both did, the one changed last."""
    before, mine, theirs = (getattr(notes, name) for notes in (base, one.notes(base), two.notes(base)))
    if mine in (before, theirs):
        return theirs
    if theirs == before:
        return mine
    # the text breaks ties, so that both people get the same result
    first, second = ((side.changed(base, name), str(side.notes(base))) for side in (one, two))
    return mine if first > second else theirs


def merge_items(base: AbstractSet[T], one: AbstractSet[T], two: AbstractSet[T]) -> set[T]:
    """Returns the items that both sides kept or either added."""
    # a removal on one side wins over an item that the other side only kept
    return {*(base & one & two), *(one - base), *(two - base)}


def comment_order(comment: Comment) -> tuple[datetime, str, str]:
    """Returns the sort key of a comment: time, author, text."""
    return comment.time or BEGINNING, comment.author, comment.text

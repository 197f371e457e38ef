"""Three-way merge of the annotations of two people, field by field; no I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from gitrun.model.run import Notes

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from gitrun.model.run import Comment

T = TypeVar("T")

BEGINNING = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class Side:
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


def merge_notes(base: Notes, one: Side, two: Side) -> Notes:
    """Merges the annotations of both sides; the order of the sides does not matter.

    Tags and comments are merged as sets. Of label and mark, the latest change wins.
    """
    first, second = one.notes(base), two.notes(base)
    merged: dict[str, Any] = {name: merge_value(base, name, one, two) for name in ("label", "marked")}
    tags = three_way(frozenset(base.tags), frozenset(first.tags), frozenset(second.tags))
    said = three_way(frozenset(base.comments), frozenset(first.comments), frozenset(second.comments))
    return replace(Notes(**merged), tags=tuple(sorted(tags)), comments=tuple(sorted(said, key=in_time)))


def merge_value(base: Notes, name: str, one: Side, two: Side) -> Any:  # noqa: ANN401 - whatever the field holds
    """Returns the value that one side changed; if both did, the one changed last."""
    before, mine, theirs = (getattr(notes, name) for notes in (base, one.notes(base), two.notes(base)))
    if mine in (before, theirs):
        return theirs
    if theirs == before:
        return mine
    # the text breaks ties, so that both people get the same result
    first, second = ((side.changed(base, name), str(side.notes(base))) for side in (one, two))
    return mine if first > second else theirs


def three_way(base: AbstractSet[T], one: AbstractSet[T], two: AbstractSet[T]) -> set[T]:
    """Returns the items that both sides kept or either added."""
    return {*(base & one & two), *(one - base), *(two - base)}


def in_time(comment: Comment) -> tuple[datetime, str, str]:
    """Returns the sort key of a comment: time, author, text."""
    return comment.time or BEGINNING, comment.author, comment.text

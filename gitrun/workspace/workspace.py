"""The place where a program runs, and what gitrun put there before it started."""

from __future__ import annotations

from gitrun.dataclass import dataclass, field
from gitrun.workspace.manifest import Manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.workspace.slot_index import SlotIndex


@dataclass(frozen=True, slots=True)
class Workspace:
    """The directory in which a program runs: the worktree of a slot, or the user's own. `git` is bound to it.

    `linked` are links into the user's working tree. `apart` are paths that are not the program's: those links that hold no
    files of the run's own, and in the user's working tree what git ignored before the run.
    """

    tree: Path
    git: Git
    linked: tuple[bytes, ...] = ()
    apart: frozenset[bytes] = frozenset()
    index: Path | None = None
    """The snapshot's index if this is the user's working tree; None in a slot."""
    stamps: Mapping[bytes, tuple[int, int]] = field(default_factory=dict)
    """Files that gitrun put there, with their mtime in nanoseconds and their inode. Unchanged ones are not recorded."""
    outputs: tuple[str, ...] = ()
    """Paths, directories and patterns that are recorded even if git ignores them."""
    lent: Manifest = Manifest()
    """Copies of ignored files of the user's working tree."""
    checkout: SlotIndex | None = None
    """The tracked files of a slot as git has checked them out; None if only git can tell."""
    bare: tuple[bytes, ...] = ()
    """Directories of submodules of which the source has only the commit. git does not search them."""

    @property
    def is_working_tree(self) -> bool:
        """Returns whether this is the user's working tree, where files of the program stay."""
        return self.index is not None

"""Does gitrun's part of each git hook, and installs the hooks: the class of `project.hooks`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun import git, sharing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.model.settings import Settings
    from gitrun.sharing.hook_files import Hooks, Update
    from gitrun.sharing.hooks import HookResult


class HookCalls:
    """Does what git's hooks ask for in one repository."""

    def __init__(self, repository: Git, settings: Settings) -> None:
        self._git, self._settings = repository, settings

    @property
    def files(self) -> Hooks:
        """Returns the object that installs and removes the hook files."""
        return sharing.hook_files.Hooks(self._git)

    def prepare_commit_msg(self, index_file: Path | None, message: Path, *, is_edited: bool) -> bool:
        """Adds a `Run:` trailer for the tree of an index (None: the user's). Returns whether it wrote anything."""
        index_file = index_file or self._git.git_dir / "index"
        return sharing.hooks.prepare_commit_msg(self._git, index_file, message, is_edited=is_edited)

    def commit_msg(self, message: Path) -> bool:
        """Empties a message that holds only what prepare-commit-msg added. Returns whether it did."""
        return sharing.hooks.commit_msg(self._git, message)

    def post_commit(self) -> bool:
        """Writes a note for the new commit, if notes are enabled and it has runs. Returns whether it did."""
        return sharing.hooks.post_commit(self._git)

    def pre_push(self, remote: str, updates: Sequence[Update]) -> HookResult:
        """Pushes the runs of the pushed commits, or only checks that they are there, as `gitrun.prePush` says."""
        return sharing.hooks.pre_push(self._git, self._settings, remote, updates)

    def pre_receive(self, updates: Sequence[Update], environ: Mapping[str, str], *, may_delete: bool) -> list[str]:
        """Returns a safe line for each of gitrun's refs whose update must be refused; empty if all may be updated.

        `environ` is the environment of the hook, in which git names the directories of the pushed objects.
        """
        return sharing.hooks.pre_receive(git.exe.with_quarantine(self._git, environ), updates, may_delete=may_delete)

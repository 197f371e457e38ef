"""Installs gitrun's hooks: as files in the hooks directory, or as settings from git 2.54 on.

A foreign hook is never overwritten. With `chain` it is kept as `<name>.before-gitrun` and run first; removing ours puts it
back. Every step leaves a hook in place, so that a kill loses none.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.errors import CannotRun, UsageError
from gitrun.sharing import hook_rules
from gitrun.sharing.hook_rules import CLIENT, CONFIGURED, MANAGERS, SERVER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitrun.git.exe import Git

BEFORE = ".before-gitrun"
MISSING, INSTALLED, CHAINED, OUTDATED, FOREIGN = "missing", "installed", "chained", "out of date", "foreign"
PLACES = (Path(__file__).parents[1] / "share" / "hooks", Path(__file__).parents[2] / "hooks")
"""Directories with the shipped hooks: in an installed package, and in a checkout of the project."""


@dataclass(frozen=True, slots=True)
class Hook:
    """The state of one hook: its path, and missing, installed, chained, out of date or foreign.

    Out of date means ours, of another version. `path` is empty for a hook that is a setting.
    """

    name: str
    status: str
    path: str


class Hooks:
    """The hooks of one repository. `version` is the version of git, asked for if not given."""

    def __init__(self, git: Git, version: tuple[int, int] | None = None) -> None:
        self._git = git
        self._version = version or hook_rules.version_from(git.run("version").decode())
        self._directory = Path(os.fsdecode(git.run(*ASKED, hooks=True)).removesuffix("\n"))

    def names(self, asked: Sequence[str] = ()) -> tuple[str, ...]:
        """Returns the requested hooks, or all that fit the repository. Raises UsageError for one that does not fit."""
        suitable = CLIENT if self._git.worktree else SERVER
        for name in asked:
            if name not in hook_rules.NAMES:
                raise UsageError(f"there is no hook '{name}' of ours", f"there are {', '.join(hook_rules.NAMES)}")
            if name not in suitable:
                where = "repositories with a working tree" if name in CLIENT else "bare repositories"
                raise UsageError(f"{name} is for {where}", f"here go {', '.join(suitable)}")
        return tuple(name for name in suitable if name in asked or not asked)

    def manager(self) -> str:
        """Returns the name of the program that manages the hooks of this working tree; empty if there is none."""
        top = self._git.worktree
        return next((name for file, name in MANAGERS.items() if top and (top / file).exists()), "")

    def status(self, name: str) -> Hook:
        """Returns the current state of this hook."""
        path = self._directory / name
        if self._is_by_setting(name) and (found := self._settings(name)):
            return Hook(name, INSTALLED if found == hook_rules.settings_of(name) else OUTDATED, "")
        if not os.path.lexists(path):
            return Hook(name, MISSING, str(path))
        data = b"" if path.is_symlink() or not path.is_file() else path.read_bytes()
        if not hook_rules.is_ours(data):
            return Hook(name, FOREIGN, str(path))
        if data != text_of(name) or not os.access(path, os.X_OK):
            return Hook(name, OUTDATED, str(path))
        return Hook(name, CHAINED if os.path.lexists(before(path)) else INSTALLED, str(path))

    def install(self, name: str, *, chain: bool = False) -> Hook:
        """Installs our hook and returns its state. A foreign hook is left alone unless `chain`. Raises CannotRun."""
        found = self.status(name)
        if self._is_by_setting(name):
            self._take_file_away(name)  # left by an older git without hook settings: git would run both
            self._set(name)
            return self.status(name)
        self._require_directory()
        path = self._directory / name
        if found.status == FOREIGN and not chain:
            return found
        if found.status == FOREIGN:
            # the foreign hook has both names until ours replaces one, so a kill loses nothing
            put_beside(path)
        if found.status not in {INSTALLED, CHAINED}:
            write(path, text_of(name))
        return self.status(name)

    def _require_directory(self) -> None:
        """Raises CannotRun if the hooks path is not a directory. People set it to /dev/null to disable hooks."""
        place = self._directory
        if not os.path.lexists(place) or place.is_dir():
            return
        if "core.hookspath" not in self._git.config:
            raise CannotRun(f"{place} is no directory, and hooks lie there", "move it away")
        hint = "git config --show-origin core.hooksPath says where it is set; take it away, or name a directory"
        raise CannotRun(f"core.hooksPath is {place}, which is no directory", hint)

    def uninstall(self, name: str) -> Hook:
        """Removes our hook and restores the one before it. Returns the previous state. A foreign hook is left alone.

        Raises UsageError if the hook is a setting from outside this repository.
        """
        found = self.status(name)
        if self._settings(name):  # also one of another version, or in a git too old for hook settings
            section = f"hook.gitrun-{name}"
            if self._git.attempt("config", "--local", "--remove-section", section).returncode:
                raise UsageError(
                    f"hook {name} is not a setting of this repository, but of yours",
                    f"git config --global --remove-section {section}",
                )
            self._git = reread(self._git)
        self._take_file_away(name)
        return found

    def _take_file_away(self, name: str) -> None:
        path = self._directory / name
        if os.path.lexists(path) and not path.is_symlink() and path.is_file() and hook_rules.is_ours(path.read_bytes()):
            if os.path.lexists(before(path)):
                before(path).replace(path)
            else:
                path.unlink()

    def _is_by_setting(self, name: str) -> bool:
        """Returns whether our hook is to be a setting: git supports it, and the hook is one of the client's."""
        return name in CLIENT and self._version >= CONFIGURED

    def _settings(self, name: str) -> dict[str, str]:
        return {
            setting: self._git.config[setting][-1] for setting in hook_rules.settings_of(name) if setting in self._git.config
        }

    def _set(self, name: str) -> None:
        for setting, value in hook_rules.settings_of(name).items():
            self._git.run("config", "--local", "--replace-all", setting, value)
        self._git = reread(self._git)


ASKED = ("rev-parse", "--path-format=absolute", "--git-path", "hooks")


def reread(git: Git) -> Git:
    """Returns the repository with its settings read again."""
    from dataclasses import replace

    from gitrun.git.exe import read_config

    return replace(git, config=read_config(git))


def text_of(name: str) -> bytes:
    """Returns the content of our shipped hook of this name. Raises CannotRun."""
    for place in PLACES:
        if (place / name).is_file():
            return (place / name).read_bytes()
    raise CannotRun(f"this installation of gitrun lacks its hook {name}", "install git-run-tracker again")


def before(path: Path) -> Path:
    """Returns the path to which a foreign hook is moved when ours is chained before it."""
    return path.with_name(path.name + BEFORE)


def put_beside(path: Path) -> None:
    """Keeps a second name for the hook at `before(path)`: links as links, with its mode.

    Raises CannotRun if that path is taken by another hook.
    """
    beside = before(path)
    if os.path.lexists(beside):
        if not is_same(path, beside):
            raise CannotRun(f"{beside} is there already, and is another hook than {path.name}", "move one of them away")
        return
    try:
        os.link(path, beside, follow_symlinks=False)
    except OSError:  # a file system without hard links
        shutil.copy2(path, beside, follow_symlinks=False)


def is_same(one: Path, other: Path) -> bool:
    """Returns whether two paths are the same file or link."""
    first, second = one.lstat(), other.lstat()
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def write(path: Path, data: bytes) -> None:
    """Writes an executable hook atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # renamed into place, since git must never run half a hook
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o777)  # less what umask takes
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def as_json(found: Mapping[str, Hook]) -> list[dict[str, str | None]]:
    """Returns the hooks as JSON values; `path` is null for a hook that is a setting."""
    return [{"name": hook.name, "status": hook.status, "path": hook.path or None} for hook in found.values()]

"""Installs gitrun's hooks: as files in the hooks directory, or as settings from git 2.54 on.

A foreign hook is never overwritten. With `chain` it is kept as `<name>.before-gitrun` and run first; removing ours puts it
back. Every step leaves a hook in place, so that a kill loses none.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass, replace
from gitrun.errors import HookConflict, UsageError
from gitrun.git.exe import read_config
from gitrun.model.digest import sha256
from gitrun.model.object_format import is_absent
from gitrun.model.run import ARCHIVE, COMPLETED, ID_DIGITS, RUNS, is_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gitrun.git.exe import Git
    from gitrun.model.run import Run


CLIENT = ("prepare-commit-msg", "commit-msg", "post-commit", "pre-push")
SERVER = ("pre-receive",)
NAMES = (*CLIENT, *SERVER)
READERS = frozenset({"pre-push", "pre-receive"})
"""Hooks that read stdin. Stdin can be read only once, so a file cannot hold two of them."""
BLOCKED = 9
"""Exit code with which `git run hook pre-push` stops the push; no other failure of gitrun has it."""
DELETE_OPTION = "gitrun.delete"
"""The value of `git push -o` that asks to delete runs."""
CONFIGURED = (2, 54)
"""The first git that takes hooks from its config, any number for each event."""
MANAGERS = {
    ".husky": "husky",
    "lefthook.yml": "lefthook", "lefthook.yaml": "lefthook", ".lefthook.yml": "lefthook", ".lefthook.yaml": "lefthook",
    "lefthook.toml": "lefthook", "lefthook.json": "lefthook",
    ".pre-commit-config.yaml": "pre-commit", ".pre-commit-config.yml": "pre-commit",
}  # fmt: skip
"""Programs that manage hooks, by the file at the top of a working tree that shows their use."""
# a line of the file: git-run-tracker hook pre-push 0123456789ab, behind a # and a blank
MARK = re.compile(rb"^# git-run-tracker hook [a-z-]+ ([0-9a-f-]{12})$", re.MULTILINE)
TRAILER = re.compile(rf"^Run: {ID_DIGITS}\r?\n?".encode(), re.MULTILINE)
# git commit --verbose puts its diff below a line such as ------------------------ >8 ------------------------
SCISSORS = re.compile(rb"^[^ \n] -+ >8 -+$", re.MULTILINE)
SIGNED = b"Signed-off-by: "
OURS = re.compile(r"refs/(runs|gitrun)(?:/.*)?", re.IGNORECASE | re.DOTALL)
TALK = re.compile(r"refs/gitrun/(?:progress|stop|inputs)/[0-9a-f]{40,64}")
"""Refs through which workers and those who hand runs out talk; what they lead to is never executed."""
HEADS = {
    "husky": "",
    "lefthook": "# lefthook.yml, then: lefthook install",
    "pre-commit": "# .pre-commit-config.yaml, below `repos:`; then: pre-commit install -t STAGE, for each of the stages\n"
    "  - repo: local\n    hooks:",
}

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
        self._version = version or parse_version(git.run("version").decode())
        # other git commands of gitrun run with core.hooksPath=/dev/null, which --git-path would answer
        self._directory = Path(os.fsdecode(git.run(*ASKED, hooks=True)).removesuffix("\n"))

    def names(self, names: Sequence[str] = ()) -> tuple[str, ...]:
        """Returns the requested hooks, or all that fit the repository. Raises UsageError for one that does not fit."""
        suitable = CLIENT if self._git.worktree else SERVER
        for name in names:
            if name not in NAMES:
                raise UsageError(f"gitrun has no hook '{name}'", f"Hooks: {', '.join(NAMES)}")
            if name not in suitable:
                where = "repositories with a working tree" if name in CLIENT else "bare repositories"
                raise UsageError(f"hook {name} is only for {where}", f"Hooks for this repository: {', '.join(suitable)}")
        return tuple(name for name in suitable if name in names or not names)

    def manager(self) -> str:
        """Returns the name of the program that manages the hooks of this working tree; empty if there is none."""
        top = self._git.worktree
        return next((name for file, name in MANAGERS.items() if top and (top / file).exists()), "")

    def status(self, name: str) -> Hook:
        """Returns the current state of this hook."""
        path = self._directory / name
        if self._is_by_setting(name) and (value := self._settings(name)):
            return Hook(name, INSTALLED if value == hook_settings(name) else OUTDATED, "")
        if not os.path.lexists(path):
            return Hook(name, MISSING, str(path))
        # gitrun installs plain files, so a link belongs to somebody else
        data = b"" if path.is_symlink() or not path.is_file() else path.read_bytes()
        if not is_own_hook(data):
            return Hook(name, FOREIGN, str(path))
        # git ignores a hook that is not executable
        if data != shipped_hook(name) or not os.access(path, os.X_OK):
            return Hook(name, OUTDATED, str(path))
        return Hook(name, CHAINED if os.path.lexists(chained_path(path)) else INSTALLED, str(path))

    def install(self, name: str, *, chain: bool = False) -> Hook:
        """Installs our hook and returns its state. A foreign hook is left alone unless `chain`. Raises CannotRun."""
        hook = self.status(name)
        if self._is_by_setting(name):
            self._take_file_away(name)  # left by an older git without hook settings: git would run both
            self._set(name)
            return self.status(name)
        self._require_directory()
        path = self._directory / name
        if hook.status == FOREIGN and not chain:
            return hook
        if hook.status == FOREIGN:
            # the foreign hook has both names until ours replaces one, so a kill loses nothing
            keep_beside(path)
        if hook.status not in {INSTALLED, CHAINED}:
            write_executable(path, shipped_hook(name))
        return self.status(name)

    def _require_directory(self) -> None:
        """Raises CannotRun if the hooks path is not a directory. People set it to /dev/null to disable hooks."""
        directory = self._directory
        if not os.path.lexists(directory) or directory.is_dir():
            return
        if "core.hookspath" not in self._git.config:
            raise HookConflict(f"{directory} must be a directory for hooks", "To install hooks: move it away first")
        hint = "To find where it is set: git config --show-origin core.hooksPath"
        raise HookConflict(f"core.hooksPath is {directory}, which is not a directory", hint)

    def uninstall(self, name: str) -> Hook:
        """Removes our hook and restores the one before it. Returns the previous state. A foreign hook is left alone.

        Raises UsageError if the hook is a setting from outside this repository.
        """
        hook = self.status(name)
        if self._settings(name):  # also one of another version, or in a git too old for hook settings
            section = f"hook.gitrun-{name}"
            if self._git.attempt("config", "--local", "--remove-section", section).returncode:
                raise UsageError(
                    f"hook {name} is set in your own git config, not in this repository",
                    f"To remove it: git config --global --remove-section {section}",
                )
            self._git = read_settings_again(self._git)
        self._take_file_away(name)
        return hook

    def _take_file_away(self, name: str) -> None:
        path = self._directory / name
        if os.path.lexists(path) and not path.is_symlink() and path.is_file() and is_own_hook(path.read_bytes()):
            if os.path.lexists(chained_path(path)):
                chained_path(path).replace(path)
            else:
                path.unlink()

    def _is_by_setting(self, name: str) -> bool:
        """Returns whether our hook is to be a setting: git supports it, and the hook is one of the client's."""
        return name in CLIENT and self._version >= CONFIGURED

    def _settings(self, name: str) -> dict[str, str]:
        return {setting: self._git.config[setting][-1] for setting in hook_settings(name) if setting in self._git.config}

    def _set(self, name: str) -> None:
        for setting, value in hook_settings(name).items():
            # without --replace-all git refuses to overwrite a key that has several values
            self._git.run("config", "--local", "--replace-all", setting, value)
        self._git = read_settings_again(self._git)


ASKED = ("rev-parse", "--path-format=absolute", "--git-path", "hooks")


def read_settings_again(git: Git) -> Git:
    """Returns the repository with its settings read again."""
    return replace(git, config=read_config(git))


def shipped_hook(name: str) -> bytes:
    """Returns the content of our shipped hook of this name. Raises CannotRun."""
    for directory in PLACES:
        if (directory / name).is_file():
            return (directory / name).read_bytes()
    raise HookConflict(f"this installation of gitrun lacks its hook {name}", "To repair it: install git-run-tracker again")


def chained_path(path: Path) -> Path:
    """Returns the path to which a foreign hook is moved when ours is chained before it."""
    return path.with_name(path.name + BEFORE)


def keep_beside(path: Path) -> None:
    """Keeps a second name for the hook at `chained_path(path)`: links as links, with its mode.

    Raises CannotRun if that path is taken by another hook.
    """
    beside = chained_path(path)
    if os.path.lexists(beside):
        if not is_same_file(path, beside):
            raise HookConflict(
                f"{beside} exists, and is another hook than {path.name}", "To install: move one of them away first"
            )
        return
    try:
        os.link(path, beside, follow_symlinks=False)
    except OSError:  # a file system without hard links
        shutil.copy2(path, beside, follow_symlinks=False)


def is_same_file(one: Path, other: Path) -> bool:
    """Returns whether two paths are the same file or link."""
    first, second = one.lstat(), other.lstat()
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def write_executable(path: Path, data: bytes) -> None:
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


def hooks_as_json(hooks: Mapping[str, Hook]) -> list[dict[str, str | None]]:
    """Returns the hooks as JSON values; `path` is null for a hook that is a setting."""
    return [{"name": hook.name, "status": hook.status, "path": hook.path or None} for hook in hooks.values()]


@dataclass(frozen=True, slots=True)
class Update:
    """A ref update as git reports it to hooks: ref, old id, new id; zeros stand for no object."""

    ref: str
    old: str
    new: str

    @property
    def is_deletion(self) -> bool:
        """Returns whether the update deletes the ref."""
        return is_absent(self.new)

    @property
    def is_ours(self) -> bool:
        """Returns whether the ref is below refs/runs or refs/gitrun, ignoring case as some file systems do."""
        return OURS.fullmatch(self.ref) is not None

    @property
    def is_talk(self) -> bool:
        """Returns whether workers and those who hand runs out talk through the ref, which is no run."""
        return TALK.fullmatch(self.ref) is not None


def digest_of_hook(data: bytes) -> bytes:
    """Returns the digest that a hook's mark must have: 12 hex digits over the file without the mark."""
    return sha256(MARK.sub(b"", data, count=1)).hexdigest()[:12].encode()


def is_own_hook(data: bytes) -> bool:
    """Returns whether gitrun, of any version, wrote this hook and nobody changed it."""
    match = MARK.search(data)
    return match is not None and match[1] == digest_of_hook(data)


def parse_version(text: str) -> tuple[int, int]:
    """Parses (major, minor) from the output of `git version`; (0, 0) if there is no number."""
    # git version 2.39.5 (Apple Git-154)
    match = re.search(r"(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def guarded_call(name: str, arguments: str = '"$@"') -> str:
    """Returns the line of shell that calls this hook if `git-run` is installed.

    A client hook fails only with BLOCKED: no other error of gitrun may stop git.
    """
    goes_on = "" if name in SERVER else f" || [ $? -ne {BLOCKED} ]"
    # a clone is also used on machines without gitrun, where the hook must do nothing
    return f"if command -v git-run >/dev/null; then git run hook {name} {arguments}{goes_on} || exit; fi"


def hook_settings(name: str) -> dict[str, str]:
    """Returns the config entries that install this hook in git 2.54 or newer (git-hook(1))."""
    # git appends the hook's arguments to the command, and a function receives them
    return {f"hook.gitrun-{name}.event": name, f"hook.gitrun-{name}.command": f"f() {{ {guarded_call(name)}; }}; f"}


def snippet_for_manager(manager: str, names: Sequence[str]) -> str:
    """Returns the text that users of a hook manager add to its file."""
    return "\n".join(filter(None, (HEADS[manager], *(BODIES[manager](name) for name in names))))


def husky_file(name: str) -> str:
    """Returns the file of husky for this hook."""
    return f"# .husky/{name}\n{guarded_call(name)}"


def lefthook_entry(name: str) -> str:
    """Returns the entry of lefthook.yml for this hook."""
    run, more = guarded_call(name, "{0}"), ""
    if name == "pre-push":
        # lefthook 2 leaves a command out if the pushed commits change no files against @{push}, unless it names files
        run, more = f"{run} # {{files}}", "\n      files: ls lefthook.* .lefthook.* 2>/dev/null || true\n      use_stdin: true"
    return f"{name}:\n  commands:\n    git-run:\n      run: '{run}'{more}"


def pre_commit_entry(name: str) -> str:
    """Returns the entry of .pre-commit-config.yaml for this hook."""
    # pre-commit passes the file of the message to the commit-msg stages as a file name
    takes = "" if name.endswith("commit-msg") else "\n        pass_filenames: false"
    shows = "\n        verbose: true" if name == "pre-push" else ""  # pre-commit hides the output of hooks that succeed
    return (
        f"      - id: git-run-{name}\n        name: git run {name}\n        entry: sh -c '{guarded_call(name)}' -\n"
        f"        language: system\n        stages: [{name}]\n        always_run: true{takes}{shows}"
    )


BODIES = {"husky": husky_file, "lefthook": lefthook_entry, "pre-commit": pre_commit_entry}


def parse_pre_receive(stdin: bytes) -> list[Update]:
    """Parses the ref updates that git writes to pre-receive. Raises ValueError."""
    # <old id> <new id> <ref>
    lines = (line.split(" ", 2) for line in stdin.decode(errors="surrogateescape").splitlines())
    return [Update(ref, require_id(old), require_id(new)) for old, new, ref in lines]


def parse_pre_push(stdin: bytes) -> list[Update]:
    """Parses the ref updates that git writes to pre-push; refs have their remote names. Raises ValueError."""
    # <local ref> <local id> <remote ref> <remote id>; the local ref may be an expression with blanks
    lines = (line.rsplit(" ", 3) for line in stdin.decode(errors="surrogateescape").splitlines())
    return [Update(ref, require_id(old), require_id(new)) for _, new, ref, old in lines]


def require_id(word: str) -> str:
    """Returns the word if it is a full object id. Raises ValueError otherwise."""
    if not is_id(word):
        raise ValueError(word)
    return word


def reason_to_refuse_name(update: Update, *, may_delete: bool) -> str:
    """Returns the reason to refuse an update of a run ref, judged by its name alone; empty if there is none."""
    if update.is_deletion:
        return (
            ""
            if may_delete
            else "deleting needs push option gitrun.delete, and setting gitrun.allowDelete in the other repository"
        )
    if not update.ref.startswith((RUNS, ARCHIVE)):
        return "runs are pushed to refs/runs/<id> only"
    return ""


def best_run(runs: Iterable[Run]) -> Run | None:
    """Returns the run to name for a tree: the marked completed run, else the first (`runs` are newest first)."""
    completed = [run for run in runs if run.status == COMPLETED]
    return next((run for run in completed if run.notes.marked), completed[0] if completed else None)


def split_off_trailers(message: bytes) -> tuple[bytes, bytes]:
    """Splits a commit message into the text without our trailers and the rest from git's scissors line on."""
    cut = SCISSORS.search(message)
    end = cut.start() if cut else len(message)
    return TRAILER.sub(b"", message[:end]), message[end:]


def is_empty_message(message: bytes, comment: bytes = b"#") -> bool:
    """Returns whether a message without its scissors part holds only comments, our trailers and Signed-off-by."""
    # git commit --signoff adds its line before the hooks see the message
    lines = TRAILER.sub(b"", message).splitlines()
    return not any(line.strip() and not line.startswith((comment, SIGNED)) for line in lines)


def run_of_trailer(trailers: bytes, runs: Sequence[Run]) -> Run | None:
    """Returns the run that a `Run:` trailer names by its id or the first 4 or more digits of it; None without one."""
    values = [line.partition(b":")[2].strip().decode(errors="replace") for line in trailers.splitlines() if line[:4] == b"Run:"]
    return next((run for value in values if len(value) >= 4 for run in runs if run.id.startswith(value)), None)

"""Runs the git executable. Only this module starts git: in a cleaned environment, for one explicit repository."""

from __future__ import annotations

import errno
import os
import re
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from gitrun import git
from gitrun.dataclass import dataclass, field, replace
from gitrun.errors import GitFailed, NotARepository, NoWorktree
from gitrun.lazy import lazy_pattern
from gitrun.model.object_format import FORMATS, SHA1
from gitrun.process.child import run_child, start_talker, subprocess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType
    from typing import IO, NoReturn

    from typing_extensions import Self

    from gitrun.model.object_format import ObjectFormat
    from gitrun.process.child import Child, Ended

# `git rev-parse --local-env-vars` of git 2.39; those that carry `-c` settings are kept for git, dropped for programs.
REPOSITORY_VARIABLES = frozenset({
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_CONFIG", "GIT_DIR", "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_INTERNAL_SUPER_PREFIX", "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_WORK_TREE",
})  # fmt: skip
SETTING_VARIABLES = ("GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_")

# Hooks of the user are for the user's own index and refs; bigFileThreshold bounds memory (a 400 MB file took 414 MB);
# to warn of refs that are called like an object, git looks for thirty files for each id that it is given.
STEADY = (
    "-c", "core.hooksPath=/dev/null", "-c", "core.bigFileThreshold=32m", "-c", "core.safecrlf=false",
    "-c", "core.warnAmbiguousRefs=false",
)  # fmt: skip
# git 2.36 or later; batch means one flush of the disk for many objects
DURABLE = ("-c", "core.fsync=loose-object,pack,pack-metadata,reference", "-c", "core.fsyncMethod=batch")
REF_STORAGE = "extensions.refstorage"
FATAL = 128
"""The exit status of git after a fatal error."""
PROGRESS = lazy_pattern(r"[A-Z][a-z]+ing [a-z ]+: +[0-9]+|Total [0-9]+ \(|Delta compression using ")


@dataclass(frozen=True, slots=True)
class RemoteAnswer:
    """The answer of a git that talked to another repository: exit status, stdout, and the line that gives a reason."""

    status: int
    data: bytes
    reason: str
    messages: tuple[str, ...] = ()
    """Lines from rules and hooks of the other side."""
    is_seen: bool = False
    """True if these lines were already shown to the user."""


@dataclass(frozen=True, slots=True)
class Git:
    """A repository seen from one worktree, None in a bare one. `prefix` is empty or ends with `/`.

    `is_inside` tells that it is seen from its git directory, where git itself looks but does not touch the worktree.

    Locks on the descriptors `held_files` pass to every git started here, so they outlive us if we are killed.
    """

    git_dir: Path
    common_dir: Path
    worktree: Path | None
    prefix: str
    environ: Mapping[str, str]
    config: Mapping[str, tuple[str, ...]]
    extra: tuple[str, ...] = ()
    held_files: tuple[int, ...] = ()
    object_format: ObjectFormat = SHA1
    is_inside: bool = False
    processes: KeptProcesses | None = field(default=None, compare=False)
    """Git processes that answer many requests, and wait here for the next one."""

    @property
    def state(self) -> Path:
        """Returns the directory of gitrun's local state, shared by all worktrees."""
        return state_below(self.common_dir)

    def require_top(self, hint: str = "To add one: git worktree add PATH") -> Path:
        """Returns the working tree. Raises NoWorktree if there is none, and in the git directory."""
        if self.is_inside:
            raise NoWorktree("this is git's own directory, not a working tree", "To go on: change to the working tree")
        if self.worktree is None:
            raise NoWorktree("this repository has no working tree", hint)
        return self.worktree

    def run(self, *words: str, stdin: bytes = b"", index: Path | None = None, hooks: bool = False) -> bytes:
        """Runs `git <words>` and returns its stdout. Raises GitFailed with git's message if it fails."""
        done = self.attempt(*words, stdin=stdin, index=index, hooks=hooks)
        if done.returncode:
            said = failure_reason(done.stderr)
            hint = "To get the files of git-lfs: git lfs fetch --all" if said.endswith("smudge filter lfs failed") else ""
            raise GitFailed(unwritable_message(said) or f"git {command_name(words)} failed: {said}", hint)
        return done.stdout

    def attempt(self, *words: str, stdin: bytes = b"", index: Path | None = None, hooks: bool = False) -> Ended:
        """Runs `git <words>` and returns the ended process, whatever its exit status."""
        # ref moves run the repository's own reference-transaction hook; nothing else runs hooks
        steady = STEADY[2:] if hooks else self.steady
        # a split index would put its shared part beside the user's index
        steady += ("-c", "core.splitIndex=false") if index else ()
        return run_git(
            (*steady, *self.durable, *self.extra, *words),
            self.variables(index),
            self.worktree or self.git_dir,
            stdin,
            self.held_files,
        )

    def lines(self, *words: str, end: bytes = b"\n") -> Iterator[bytes]:
        """Yields stdout of `git <words>` as git writes it, split after each `end`.

        Git's stderr goes to ours. Raises GitFailed if git fails.
        """
        with subprocess.Popen(
            ("git", *self.steady, *self.extra, *words), cwd=self.worktree or self.git_dir, env=self.variables(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=1 << 16, pass_fds=self.held_files,
        ) as process:  # fmt: skip
            assert process.stdout is not None  # noqa: S101 - it is a PIPE above
            yield from process.stdout if end == b"\n" else split_stream(process.stdout, end)
        if process.returncode:
            raise GitFailed(f"git {words[0]} ended with {process.returncode}")

    def run_remote(self, *words: str, progress: bool) -> RemoteAnswer:
        """Runs `git <words>`, which talks to another repository, and returns its answer, whatever its exit status.

        With `progress`, git's stderr reaches the user at once.
        """
        with subprocess.Popen(
            ("git", *self.steady, *self.extra, *words), cwd=self.worktree or self.git_dir, env=self.variables(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=self.held_files,
        ) as process:  # fmt: skip
            assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018 - both are PIPEs above
            hearing = git.stderr_reader.StderrReader(process.stderr, progress=progress)
            data = process.stdout.read()
            reason = hearing.end()
        return RemoteAnswer(process.returncode, data, transport_reason(reason), remote_messages(reason), is_seen=progress)

    def pipe(self, first: tuple[str, ...], second: tuple[str, ...], stdin: bytes) -> Iterator[bytes]:
        """Yields the output of `git <first> | git <second>` in pieces. Raises GitFailed if the first one fails."""
        directory, env, out, quiet = self.worktree or self.git_dir, self.variables(), subprocess.PIPE, subprocess.DEVNULL
        words, more = ("git", *self.steady, *first), ("git", *self.steady, *second)
        with (
            subprocess.Popen(words, cwd=directory, env=env, stdin=subprocess.PIPE, stdout=out, stderr=quiet) as one,
            subprocess.Popen(more, cwd=directory, env=env, stdin=one.stdout, stdout=out, stderr=quiet) as two,
        ):
            assert one.stdin is not None and one.stdout is not None and two.stdout is not None  # noqa: S101, PT018 - they are PIPEs
            # or the first git would not notice the end of the second one
            one.stdout.close()
            with suppress(BrokenPipeError):
                # git rev-list reads all of its input before it writes, so this cannot block
                one.stdin.write(stdin)
                one.stdin.close()
            while piece := two.stdout.read(1 << 20):
                yield piece
        if one.returncode:
            raise GitFailed(f"git {first[0]} ended with {one.returncode}", "To check the repository: git fsck")

    def feed(self, *words: str, pieces: Iterable[bytes]) -> None:
        """Runs `git <words>` and streams the pieces to its stdin. Raises GitFailed with git's message."""
        with subprocess.Popen(
            ("git", *self.steady, *self.durable, *self.extra, *words), cwd=self.worktree or self.git_dir,
            env=self.variables(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            pass_fds=self.held_files,
        ) as process:  # fmt: skip
            assert process.stdin is not None and process.stderr is not None  # noqa: S101, PT018 - they are PIPEs above
            try:
                with suppress(BrokenPipeError), process.stdin as stream:  # git ended early; its message is read below
                    for piece in pieces:
                        stream.write(piece)
            except BaseException:
                process.kill()
                raise
            reason = failure_reason(process.stderr.read())
        if process.returncode:
            raise GitFailed(unwritable_message(reason) or f"git {command_name(words)} failed: {reason}")

    @property
    def steady(self) -> tuple[str, ...]:
        """Returns options with which git behaves the same everywhere and runs no hooks, nor those of settings (git 2.54)."""
        names = (key[5:-6] for key in self.config if key.startswith("hook.") and key.endswith(".event"))
        # `-c` ends a name at its first `=`
        return STEADY + tuple(word for name in names if "=" not in name for word in ("-c", f"hook.{name}.enabled=false"))

    @property
    def has_reftables(self) -> bool:
        """Returns whether refs are in reftables (git 2.45 and newer), and not in files."""
        return self.config.get(REF_STORAGE, ("files",))[-1] == "reftable"

    @property
    def durable(self) -> tuple[str, ...]:
        """Returns options that make git's writes survive a power cut; none if `gitrun.fsync` is false."""
        return DURABLE if self.is_enabled("gitrun.fsync") else ()

    def is_enabled(self, name: str) -> bool:
        """Returns whether a setting is not false; it is true if it is not there. The last of several values counts."""
        return self.config.get(name, ("true",))[-1].lower() not in {"false", "no", "off", "0"}

    def variables(self, index: Path | None = None) -> dict[str, str]:
        """Returns the environment in which git uses exactly this repository and worktree, and `index` if given."""
        # no optional locks: `git status` must not refresh the user's index; pathspecs are names, not patterns
        here = {"GIT_DIR": str(self.git_dir), "GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "1"}
        here["GIT_NO_REPLACE_OBJECTS"] = "1"  # refs/replace come with a mirror's refs, and an id would prove nothing
        if self.worktree:
            here["GIT_WORK_TREE"] = str(self.worktree)
        if index:
            here["GIT_INDEX_FILE"] = str(index)
        # the user's variables win over the fallback identity, ours over both
        return {**self.identity(), **self.environ, **here}

    def outlasting_worktree(self) -> Git:
        """Returns the repository seen from its common directory if the current worktree no longer exists; else itself."""
        if self.git_dir.is_dir() and (self.worktree is None or self.worktree.is_dir()):
            return self
        return replace(self, git_dir=self.common_dir, worktree=None, prefix="")

    def at(self, worktree: Path, git_dir: Path, settings: Mapping[str, str]) -> Git:
        """Returns the same repository seen from another worktree, with additional settings."""
        config = {**self.config, **{name: (value,) for name, value in settings.items()}}
        extra = tuple(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))
        return replace(self, worktree=worktree, git_dir=git_dir, prefix="", config=config, extra=extra)

    def identity(self) -> dict[str, str]:
        """Returns fallback author and committer variables for what is not configured, so that commits never fail."""
        user = self.environ.get("LOGNAME") or self.environ.get("USER") or "gitrun"
        defaults = {"NAME": user, "EMAIL": self.environ.get("EMAIL") or f"{user}@localhost"}
        return {
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in defaults.items()
            if not {f"user.{part.lower()}", f"{role.lower()}.{part.lower()}"} & self.config.keys()
        }


@lru_cache(maxsize=16)
def state_below(common_dir: Path) -> Path:
    """Returns the directory of gitrun's local state. Asked for a dozen times by each run."""
    return common_dir / "gitrun"


def open_repository(directory: Path, environ: Mapping[str, str]) -> Git:
    """Finds the repository of `directory` in the environment `environ`. Raises NotARepository."""
    if not directory.is_dir():
        raise NotARepository(f"no such directory: {directory}")
    # the last two fail in a bare repository and inside .git, after the others were printed
    options = (
        "--path-format=absolute", "--show-object-format", "--is-bare-repository",
        "--git-dir", "--git-common-dir", "--show-toplevel", "--show-prefix",
    )  # fmt: skip
    result = run_git(("rev-parse", *options), environ, directory)
    lines = os.fsdecode(result.stdout).removesuffix("\n").split("\n")
    if len(lines) < 4:
        reason = failure_reason(result.stderr)
        raise NotARepository(reason, hint_for(reason) or recommended_command(result.stderr))
    # git answers each question with one line, so further lines are part of a path
    if len(lines) > 6:
        raise NotARepository(
            "the path of this repository contains a line break, which gitrun does not support",
            "To use gitrun: rename the directory",
        )
    form, bare, git_dir, common_dir = lines[:4]
    if form not in FORMATS:
        raise NotARepository(f"this repository uses the object format {form}, which gitrun does not support")
    is_inside = bare == "false" and len(lines) < 6
    top, prefix = (Path(lines[4]), lines[5]) if bare == "false" and not is_inside else (None, "")
    git = Git(
        Path(git_dir), Path(common_dir), top, prefix, without_repository_variables(environ), {}, object_format=FORMATS[form]
    )
    git = replace(git, config=read_config(git))
    if is_inside:
        git = replace(git, worktree=find_owner(git), is_inside=True)
    storage = git.config.get(REF_STORAGE, ("files",))[-1]
    if storage not in {"files", "reftable"}:
        raise NotARepository(f"this repository keeps its refs as {storage}, which gitrun does not support")
    return git


def find_owner(git: Git) -> Path:
    """Returns the working tree that the git directory belongs to. Raises NotARepository if it is not known."""
    # submodules have core.worktree, linked worktrees the path of their .git file in `gitdir`
    top = git.git_dir / git.config.get("core.worktree", ("..",))[-1]
    with suppress(OSError):
        if git.git_dir != git.common_dir:
            top = (git.git_dir / os.fsdecode((git.git_dir / "gitdir").read_bytes().rstrip(b"\n"))).parent
        top = top.resolve(strict=True)
        answer = run_git(("rev-parse", "--path-format=absolute", "--git-dir"), without_repository_variables(git.environ), top)
        if os.fsdecode(answer.stdout).removesuffix("\n") == str(git.git_dir):
            return top
    raise NotARepository("this is git's own directory, not a working tree", "To go on: change to the working tree")


def hint_for(reason: str) -> str:
    """Returns what to do about git's reason for finding no repository; empty if that is unknown."""
    if "refstorage" in reason:
        return "To read reftables: install git 2.45 or newer"
    return "To make one: git init" if "not a git repository" in reason else ""


def read_config(git: Git) -> dict[str, tuple[str, ...]]:
    """Returns all settings that git sees here, each with all its values, the effective one last. Raises NotARepository.

    Names are in git's spelling.
    """
    return read_settings(git.variables(), git.worktree or git.git_dir)


def read_settings(environ: Mapping[str, str], directory: Path) -> dict[str, tuple[str, ...]]:
    """Returns the settings that git sees in a directory, which need not be in a repository. Raises NotARepository."""
    settings: dict[str, tuple[str, ...]] = {}
    result = run_git(("config", "-z", "--list"), environ, directory)
    if result.returncode:
        raise NotARepository(f"git cannot read its configuration: {failure_reason(result.stderr)}")
    for entry in result.stdout.split(b"\0")[:-1]:
        name, _, value = os.fsdecode(entry).partition("\n")
        settings[name] = (*settings.get(name, ()), value)
    return settings


def with_quarantine(git: Git, environ: Mapping[str, str]) -> Git:
    """Returns the repository with the objects of a push whose pre-receive hook is running: git names their directories."""
    # until the hook accepts a push, its objects are only in these directories
    names = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES")
    return replace(git, environ={**git.environ, **{name: environ[name] for name in names if name in environ}})


def without_repository_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment without variables that select a repository."""
    return {key: value for key, value in environ.items() if key not in REPOSITORY_VARIABLES}


def environment_for_programs(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment for user programs: without variables that git passes to its children."""
    return {
        key: value
        for key, value in environ.items()
        if key not in REPOSITORY_VARIABLES and not key.startswith(SETTING_VARIABLES)
    }


def run_git(
    words: Iterable[str], environ: Mapping[str, str], directory: Path, stdin: bytes = b"", held_files: tuple[int, ...] = ()
) -> Ended:
    """Runs git to its end. Raises NotARepository if git is not installed.

    Git inherits the locks on the descriptors `held_files`, so they outlive us if we are killed.
    """
    try:
        ended = run_child(("git", "-C", str(directory), *words), environ, stdin, held_files)
    except FileNotFoundError as error:
        raise NotARepository("git is not installed, or not on PATH", "Install git 2.36 or newer") from error
    if ended.returncode == FATAL and not directory.is_dir():
        raise NotARepository(f"no such directory: {directory}")
    return ended


def edit_text(git: Git, name: str, text: str) -> str:
    """Opens `text` in the editor that git would use. Returns the edited text. Raises GitFailed if the editor fails."""
    path = git.git_dir / name
    path.write_text(text)
    # git-sh-setup's way to the editor: GIT_EDITOR, core.editor, VISUAL, EDITOR, each a command of the shell
    editor = os.fsdecode(git.run("var", "GIT_EDITOR")).strip()
    ended = subprocess.run(("sh", "-c", f'{editor} "$@"', editor, str(path)), env=git.variables(), check=False)
    try:
        if ended.returncode:
            raise GitFailed(
                f"the editor '{editor}' ended with {ended.returncode}", "To use another editor: git config core.editor PROGRAM"
            )
        return path.read_text(errors="replace")
    finally:
        path.unlink(missing_ok=True)


def split_stream(stream: IO[bytes], end: bytes) -> Iterator[bytes]:
    """Yields the stream's content split after each `end`."""
    rest = b""
    while piece := stream.read(1 << 16):
        *whole, rest = (rest + piece).split(end)
        yield from (one + end for one in whole)
    if rest:
        yield rest


def exec_git(*words: str) -> NoReturn:
    """Replaces our process by `git <words>`, in the user's own environment."""
    os.execvp("git", ("git", *words))  # noqa: S606


def command_name(words: tuple[str, ...]) -> str:
    """Returns the name of git's command in the words of a call, past options such as `-c <name>=<value>`."""
    names = (word for before, word in zip(("", *words), words, strict=False) if before != "-c" and not word.startswith("-"))
    return next(names, words[0])


def failure_reason(stderr: bytes) -> str:
    """Returns the line of git's stderr that gives the reason, without `fatal: ` or `error: `."""
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    # hints and warnings surround the line that matters
    fatal = [line for line in lines if line.startswith(("fatal: ", "error: "))]
    reason = (fatal or lines or ["no reason given"])[-1 if not fatal else 0]
    if reason.startswith("error: external filter"):  # the last line names the file
        reason = fatal[-1]
    if reason.rstrip().endswith(":"):  # the lines after it complete the sentence
        behind = lines[lines.index(reason) + 1 :]
        about = [line for line in behind if line.startswith("\t")] or behind[:1]
        reason = " ".join([reason.rstrip(), *(line.strip().removeprefix("error: ") for line in about)])
    return reason.removeprefix("fatal: ").removeprefix("error: ")


def transport_reason(stderr: bytes) -> str:
    """Returns the reason why git could not talk to another repository: git's message, or that of the transport (ssh)."""
    reason = failure_reason(stderr)
    if not reason.startswith(("Could not read from remote", "the remote end hung up", "early EOF")):
        return reason
    lines = [line.strip() for line in re.split(r"[\r\n]+", stderr.decode(errors="replace")) if line.strip()]
    mine = ("fatal: ", "error: ", "warning: ", "hint: ", "remote: ", "Please make sure", "and the repository exists")
    other = [line for line in lines if not line.startswith(mine) and not PROGRESS.match(line)]
    return "; ".join(other[-3:]) or reason


def remote_messages(stderr: bytes) -> tuple[str, ...]:
    """Returns the lines that the other side sent, without its progress."""
    lines = re.split(r"[\r\n]+", stderr.decode(errors="replace"))
    messages = (line.removeprefix("remote: ").rstrip() for line in lines if line.startswith("remote: "))
    return tuple(line for line in messages if line and not PROGRESS.match(line))


def unwritable_message(explanation: str) -> str:
    """Returns a message if git's stderr means that the repository is not writable; else empty."""
    reasons = (reason for reason in map(os.strerror, (errno.EROFS, errno.EACCES)) if explanation.endswith(reason))
    reason = next(reasons, "") if "create" in explanation else ""
    return reason and f"cannot write to this repository: {reason}"


def recommended_command(stderr: bytes) -> str:
    """Returns the command that git recommends, for example for a repository of another owner; else empty."""
    commands = (line.strip() for line in stderr.decode(errors="replace").splitlines() if line.startswith("\tgit "))
    return next(commands, "")


class KeptProcesses:
    """Git processes that wait between two uses. They end at the end of the `with`, or by `end_all`.

    `remembered` is what their users know of the repository, if more than one run is to come; None for a single one. Runs that
    come `together` are parts of one: they share looks at the machine, and write notes together.
    `objects` is what is kept of objects, by its class: the memory of them, and the packs that new ones are written to.
    """

    def __init__(self) -> None:
        self.remembered: dict[object, object] | None = None
        self.together = False
        self.objects: dict[object, object] = {}
        self._waiting: dict[object, list[Child]] = {}
        self._pid = os.getpid()

    def __enter__(self) -> KeptProcesses:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end_all()

    @contextmanager
    def remembering(self, *, together: bool) -> Iterator[None]:
        """Prepares for more than one run, until the `with` ends: users may remember what they know of the repository."""
        before = self.remembered, self.together
        self.remembered, self.together = {}, together
        try:
            yield
        finally:
            self.remembered, self.together = before

    def take(self, key: object) -> Child | None:
        """Returns a waiting process that was kept with this key; None if there is none."""
        # after a fork the pipes belong to the parent process
        if self._pid == os.getpid():
            with suppress(KeyError, IndexError):  # another thread may take the last one
                return self._waiting[key].pop()
        return None

    def keep(self, key: object, process: Child) -> None:
        """Keeps a process that has answered all its questions."""
        self._waiting.setdefault(key, []).append(process)

    def end_all(self) -> None:
        """Ends the waiting processes."""
        for process in [process for waiting in self._waiting.values() for process in waiting]:
            if self._pid == os.getpid():
                end_coprocess(process)
            else:
                process.returncode = 0  # it is a child of our parent, so there is nothing to wait for
        self._waiting.clear()


def end_coprocess(process: Child) -> None:
    """Kills a process and closes its pipes."""
    with process:
        process.kill()


@contextmanager
def keep_processes(git: Git) -> Iterator[Git]:
    """Yields the repository with processes that are kept until the `with` ends, or as it is if it has such already."""
    if git.processes:
        yield git
        return
    with KeptProcesses() as processes:
        yield replace(git, processes=processes)


class Coprocess:
    """A git process that answers many questions. Use it in a `with`; the first question starts it.

    If the repository keeps processes (`Git.processes`), it may have answered others before, and waits for the next user.
    """

    def __init__(self, git: Git, *words: str, hooks: bool = False) -> None:
        steady = STEADY[2:] if hooks else git.steady
        self._git, self._words = git, words
        self._argv = ("git", "-C", str(git.git_dir), *steady, *git.durable, *words)
        self._process: Child | None = None
        self._key: object = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # after an error there may be answers that nobody has read
        if self._git.processes and kind is None and process.poll() is None:
            self._git.processes.keep(self._key, process)
        else:
            end_coprocess(process)

    def end(self) -> None:
        """Ends the process. The next question starts another one."""
        process, self._process = self._process, None
        if process:
            end_coprocess(process)

    def ask(self, question: bytes) -> IO[bytes]:
        """Sends a question. Returns the stream from which to read the answer. Raises GitFailed if git has ended."""
        if self._process is None:
            self._process = self._start()
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None  # noqa: S101 - both are PIPE
        assert answers is not None  # noqa: S101
        try:
            requests.write(question)
            requests.flush()
        except BrokenPipeError as error:
            raise GitFailed(f"git {self._words[0]} ended early", "To check the repository: git fsck") from error
        return answers

    def _start(self) -> Child:
        """Returns a waiting process, or starts one."""
        environ = self._git.variables()
        if self._git.processes:
            self._key = self._argv, frozenset(environ.items())
            if process := self._git.processes.take(self._key):
                return process
        return start_talker(self._argv, environ)

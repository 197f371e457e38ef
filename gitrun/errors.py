"""Errors that a user can meet: a stable kind for programs, a message, a hint and the exit code.

GitrunError (128)              fatal
├── UsageError (129)           usage: the command line is wrong; nothing was written
│   ├── UnknownOperation       unknown-operation
│   ├── UnknownFlag            unknown-flag
│   ├── UnknownCommit          unknown-commit
│   ├── BadValue               bad-value: of a flag or an option
│   ├── BadSetting             bad-setting: of git config
│   ├── BadProjectFile         bad-project-file
│   ├── FilterError            bad-filter
│   └── GateError              bad-gate
├── NotARepository             not-a-repository
├── UnknownRun                 unknown-run
│   ├── AmbiguousRun           ambiguous-run
│   └── NoMatch                no-match
├── RunIsRunning               run-is-running
├── StaleRun                   stale-run
├── BadRun                     bad-run
├── NotTrusted                 untrusted
├── GitFailed                  git-failed
│   ├── RemoteFailed           remote-failed
│   ├── TooLarge               too-large
│   └── ObjectsGone            objects-gone
├── NotRecorded                not-recorded
└── CannotRun                  cannot-run
    ├── NoWorktree             no-worktree
    ├── CannotStart            cannot-start
    ├── NoInterpreter          no-interpreter
    ├── MissingPackage         missing-package
    ├── OptimizerFailed        optimizer-failed: the library that proposes trials raised
    ├── MissingInput           missing-input
    ├── DownloadFailed         download-failed
    ├── FlagsUnknown           flags-unknown
    ├── Declined               declined
    ├── NotRunning             not-running
    ├── Unfinished             unfinished
    ├── CannotVerify           cannot-verify
    ├── CannotBisect           cannot-bisect
    ├── NotHere                not-here: another machine may be able to run it (75)
    ├── LostClaim              lost-claim: another worker was first (75)
    ├── CannotSign             cannot-sign
    └── HookConflict           hook-conflict
"""

from __future__ import annotations


class GitrunError(Exception):
    """Base of all errors: `message` states the fact, `hint` what to do (may be empty), `exit_code` is for `git run`."""

    kind = "fatal"
    """A stable word for programs."""
    # git's own code for a fatal error
    exit_code = 128
    detail = ""
    """Lines to print below the message, such as the expression with a mark at the fault."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return joined(self.message, self.hint)


def joined(message: str, hint: str) -> str:
    """Joins fact and hint. A hint that is only a command becomes a sentence."""
    # messages of git and of libraries may end with a full stop
    message = message.removesuffix(".")
    if hint.startswith(("git ", "chmod ")):
        hint = f"Try: {hint}"
    # `Did you mean lr?` needs no full stop before the hint
    between = " " if message.endswith(("?", "!")) else ". "
    return f"{message}{between}{hint}" if hint else message


class UsageError(GitrunError):
    """A wrong command line; nothing was written."""

    kind = "usage"
    # git's own code for a wrong command line
    exit_code = 129


class UnknownOperation(UsageError):
    """No operation is called `name`; `near` holds similar names that exist."""

    kind = "unknown-operation"

    def __init__(self, message: str, hint: str, name: str, near: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.name = name
        self.near = near


class UnknownFlag(UsageError):
    """The operation has no flag of that name, or nothing would read it."""

    kind = "unknown-flag"


class UnknownCommit(UsageError):
    """Git finds no commit of that name."""

    kind = "unknown-commit"


class BadValue(UsageError):
    """A flag or an option does not take this value."""

    kind = "bad-value"


class BadSetting(UsageError):
    """A setting of git config has a value that gitrun does not take."""

    kind = "bad-setting"


class BadProjectFile(UsageError):
    """The project file is not TOML, or has keys or values that gitrun does not take."""

    kind = "bad-project-file"


class FilterError(UsageError):
    """A filter that does not parse; `detail` marks the place."""

    kind = "bad-filter"


class GateError(UsageError):
    """A gate that does not parse; `detail` marks the place."""

    kind = "bad-gate"


class NotARepository(GitrunError):
    """No git repository here, or none that gitrun can use."""

    kind = "not-a-repository"


class UnknownRun(GitrunError):
    """No run has this name, or the run has no such file."""

    kind = "unknown-run"


class AmbiguousRun(UnknownRun):
    """Several runs have this name; the message lists them."""

    kind = "ambiguous-run"


class NoMatch(UnknownRun):
    """No run matches the filters, or there are no runs."""

    kind = "no-match"


class RunIsRunning(GitrunError):
    """A process holds the run's live lock: the run must end, or be stopped, first."""

    kind = "run-is-running"


class StaleRun(GitrunError):
    """Another process moved the run's ref between our read and our write."""

    kind = "stale-run"


class BadRun(GitrunError):
    """The commits below the run's ref are not a valid run; `message` says why."""

    kind = "bad-run"


class NotTrusted(GitrunError):
    """The run came from elsewhere, and nobody here has allowed gitrun to execute it."""

    kind = "untrusted"


class GitFailed(GitrunError):
    """An unexpected failure of git; `message` holds git's own error text."""

    kind = "git-failed"


class RemoteFailed(GitFailed):
    """Another repository cannot be reached, or refuses the request."""

    kind = "remote-failed"


class TooLarge(GitFailed):
    """The other repository refuses requests of this size."""

    kind = "too-large"


class ObjectsGone(GitFailed):
    """A gc removed objects while they were being written. Their sources still exist, so a retry can succeed."""

    kind = "objects-gone"


class NotRecorded(GitrunError):
    """A submodule cannot be part of a snapshot; `message` says why."""

    kind = "not-recorded"


class CannotRun(GitrunError):
    """The program cannot start, or gitrun cannot keep its outcome."""

    kind = "cannot-run"


class NoWorktree(CannotRun):
    """The repository is bare, and the command needs a working tree."""

    kind = "no-worktree"


class CannotStart(CannotRun):
    """The system does not start the program: it is missing, or not executable."""

    kind = "cannot-start"


class NoInterpreter(CannotRun):
    """No Python is found that can run the script."""

    kind = "no-interpreter"


class MissingPackage(CannotRun):
    """An optional package is not installed; the hint installs it."""

    kind = "missing-package"


class OptimizerFailed(CannotRun):
    """The library that proposes the trials of a batch raised an exception, which is the cause."""

    kind = "optimizer-failed"


class MissingInput(CannotRun):
    """A file that the operation needs, or the run that makes it, is missing or has changed."""

    kind = "missing-input"


class DownloadFailed(CannotRun):
    """An input could not be downloaded, or the server sent another file."""

    kind = "download-failed"


class FlagsUnknown(CannotRun):
    """The script was started to list its flags, and did not."""

    kind = "flags-unknown"


class Declined(CannotRun):
    """The user answered no."""

    kind = "declined"


class NotRunning(CannotRun):
    """The run is not running on this machine, or cannot be signalled."""

    kind = "not-running"


class Unfinished(CannotRun):
    """The supervisor of the run died, and its outcome is not recorded yet."""

    kind = "unfinished"


class CannotVerify(CannotRun):
    """The run cannot be executed again, or has no result to compare with."""

    kind = "cannot-verify"


class CannotBisect(CannotRun):
    """The commits are not the ends of a search: the condition fails at the good one, or holds at the bad one."""

    kind = "cannot-bisect"


class NotHere(CannotRun):
    """A run that was handed out cannot be executed on this machine; nothing was written."""

    kind = "not-here"
    # EX_TEMPFAIL of sysexits.h: try again, here or elsewhere
    exit_code = 75


class LostClaim(CannotRun):
    """Another worker has claimed the run; nothing was executed."""

    kind = "lost-claim"
    exit_code = 75


class CannotSign(CannotRun):
    """git could not sign the run."""

    kind = "cannot-sign"


class HookConflict(CannotRun):
    """Another hook, or something that is not a directory, is where gitrun's hook must go."""

    kind = "hook-conflict"

"""Errors that a user can meet: a stable kind for programs, a message, a hint and the exit code.

GitrunError (128)
├── UsageError (129)      the command line is wrong: unknown flag, wrong kind, bad option
│   └── UnknownOperation  no operation of that name
├── NotARepository        no git repository here, or one that gitrun cannot use
├── UnknownRun            no run of that name, or more than one
├── RunIsRunning          the run must end first
├── StaleRun              another process moved the run's ref at the same time
├── BadRun                a run in the repository is damaged or not valid
├── NotTrusted            the run came from elsewhere and is not trusted here
├── GitFailed             git failed
│   ├── TooLarge          another repository refuses a request of that size
│   └── ObjectsGone       a gc removed objects while they were written
├── NotRecorded           a submodule cannot be part of a snapshot
└── CannotRun             the program cannot start, or its outcome cannot be kept
"""

from __future__ import annotations


class GitrunError(Exception):
    """Base of all errors: `message` states the fact, `hint` what to do (may be empty), `exit_code` is for `git run`."""

    kind = "fatal"
    """A stable word for programs."""
    exit_code = 128
    detail = ""
    """Lines to print below the message, such as the expression with a mark at the fault."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(GitrunError):
    """A wrong command line; nothing was written."""

    kind = "usage"
    exit_code = 129


class UnknownOperation(UsageError):
    """No operation is called `name`; `near` holds similar names that exist."""

    kind = "unknown-operation"

    def __init__(self, message: str, hint: str, name: str, near: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.name = name
        self.near = near


class NotARepository(GitrunError):
    """No git repository here, or none that gitrun can use."""

    kind = "not-a-repository"


class UnknownRun(GitrunError):
    """No run, or more than one, matches the name."""

    kind = "unknown-run"


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

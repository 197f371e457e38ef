"""Every error a user can meet: its kind for programs, what is, in the user's words, what to do, and the exit code.

GitrunError (128)
├── UsageError (129)      the words of the call are off: unknown flag, wrong kind, bad option
│   └── UnknownOperation  nothing of that name is here to be run
├── NotARepository        no git repository here, or one that cannot be used
├── UnknownRun            no run of that name, or more than one
├── RunIsRunning          it must end first
├── StaleRun              somebody else moved the run in the same instant
├── BadRun                a run in the repository does not read
├── NotTrusted            it came from elsewhere, and nobody here has said that it may be executed
├── GitFailed             git said no
├── NotRecorded           a submodule cannot be part of a snapshot
└── CannotRun             the program cannot be started or its outcome cannot be kept
"""

from __future__ import annotations


class GitrunError(Exception):
    """What is (`message`) and what to do about it (`hint`, may be empty); `exit_code` is that of `git run`."""

    kind = "fatal"
    """A stable word for programs."""
    exit_code = 128
    detail = ""
    """Lines that show the place, below the message."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(GitrunError):
    """The words of the call are off; nothing was written."""

    kind = "usage"
    exit_code = 129


class UnknownOperation(UsageError):
    """Nothing of the `name` can be run here; `near` are names of what can be and may have been meant."""

    kind = "unknown-operation"

    def __init__(self, message: str, hint: str, name: str, near: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.name = name
        self.near = near


class NotARepository(GitrunError):
    """There is no git repository here, or none that gitrun can use."""

    kind = "not-a-repository"


class UnknownRun(GitrunError):
    """No run, or more than one, answers to the name."""

    kind = "unknown-run"


class RunIsRunning(GitrunError):
    """The run's live lock is held: it must end, or be stopped, first."""

    kind = "run-is-running"


class StaleRun(GitrunError):
    """The run's ref was moved by somebody else between our look and our write."""

    kind = "stale-run"


class BadRun(GitrunError):
    """What lies under the run's ref does not read as a run; `message` says why."""

    kind = "bad-run"


class NotTrusted(GitrunError):
    """The run came from elsewhere, and nobody here has said that it may be executed."""

    kind = "untrusted"


class GitFailed(GitrunError):
    """git ended with an error that no caller expected; `message` holds git's own last words."""

    kind = "git-failed"


class TooLarge(GitFailed):
    """Another repository takes no request of that size."""

    kind = "too-large"


class ObjectsGone(GitFailed):
    """A gc took away what was being written; what it was made of is still there, so it may be tried again."""

    kind = "objects-gone"


class NotRecorded(GitrunError):
    """A submodule cannot be part of a snapshot; `message` says why."""

    kind = "not-recorded"


class CannotRun(GitrunError):
    """The program cannot be started, or what it left cannot be kept."""

    kind = "cannot-run"

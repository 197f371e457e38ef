"""A user's request: the words of a call as one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gitrun.errors import UsageError
from gitrun.model.text import is_text, safe_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PARAMS = ("force_flags", "gpus", "no_gpus", "random_seed", "metrics")
LATER = ("optimizer", "opt_flags", "max_trials", "minimize", "maximize")


@dataclass(frozen=True, slots=True)
class Request:
    """A start or restart as asked for. None means not given: a restart keeps the run's value.

    `operation` is a script as typed. `command` holds the words after `--`, which are arguments if there is an operation.
    `flags` maps names to values or to words as typed. `restart` names a run. `stop_after` is in seconds. `links` and `outputs`
    are relative to the current directory.
    """

    operation: str | None = None
    command: tuple[str, ...] = ()
    flags: Mapping[str, Any] = field(default_factory=dict)
    restart: str | None = None
    needed: bool = False
    needed_source: bool = False
    force_sourcecode: bool = False
    stage: bool = False
    clean: bool = False
    label: str | None = None
    tags: tuple[str, ...] = ()
    comment: str | None = None
    in_place: bool = False
    bring: bool | None = None
    links: tuple[str, ...] = ()
    no_link: bool = False
    outputs: tuple[str, ...] = ()
    stop_after: float | None = None
    background: bool = False
    force_flags: bool | None = None
    gpus: str | None = None
    no_gpus: bool | None = None
    random_seed: int | None = None
    metrics: tuple[str, ...] | None = None

    def given_params(self) -> dict[str, Any]:
        """Returns the run parameters that were given."""
        found = {name: getattr(self, name) for name in PARAMS}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def compares(self) -> bool:
        """Returns whether an existing run may make this one unnecessary."""
        return self.needed or self.needed_source


def check(request: Request) -> None:
    """Raises UsageError if the request contradicts itself or cannot be recorded."""
    check_words(request)
    check_patterns(request)
    if request.restart is None and not request.operation and not request.command:
        raise UsageError(
            "nothing to run", "git run <script> runs a script, git run -- <command> anything else; git run -h says more"
        )
    if request.restart is not None and (request.operation or request.command):
        what = request.operation or " ".join(request.command)
        raise UsageError(f"a restart runs what its run ran, not '{what}'", "leave it out; flags are given as lr=0.1")
    if request.gpus is not None and request.no_gpus:
        raise UsageError("--gpus and --no-gpus exclude each other")
    if request.random_seed is not None and abs(request.random_seed) >= 1 << 63:
        raise UsageError("--random-seed takes a whole number of at most 64 bits")
    if request.in_place and request.restart is not None and not request.force_sourcecode:
        raise UsageError(
            "a restart in place would overwrite your working tree",
            "add --force-sourcecode to run what lies there",
        )
    if request.stage and (request.background or request.in_place):
        raise UsageError("a staged run is not started", "leave out --background and --in-place, and give them with --start")
    if request.clean and request.restart is None:
        raise UsageError("--clean is for restarts", "a new run always starts without files of another")
    if request.links and request.no_link:
        raise UsageError("--link and --no-link exclude each other")


def check_patterns(request: Request) -> None:
    """Raises UsageError if a pattern for a metric cannot find a number."""
    if request.metrics:
        from gitrun.model.metric_patterns import read_patterns

        read_patterns(request.metrics, "--metric")


def check_words(request: Request) -> None:
    """Raises UsageError if a word of the request is not UTF-8."""
    texts = (request.label, *request.tags, request.comment, request.gpus, *request.outputs)
    words = (request.operation, *request.command, *texts)
    values = (getattr(value, "text", value) for value in request.flags.values())
    for word in (*words, *request.flags, *values):
        if isinstance(word, str):
            require_text(word)


def require_text(word: str) -> None:
    """Raises UsageError if the word is not UTF-8."""
    if not is_text(word):
        raise UsageError(f"'{safe_text(word)}' is not UTF-8, and a run records nothing else", "give it another name")

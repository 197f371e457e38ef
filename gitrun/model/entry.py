"""Values of an entry of `gitrun.toml`."""

from __future__ import annotations

from gitrun.dataclass import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitrun.model.flags import Flag

GLOBALS, ARGS, ENV, FILE_PREFIX = "globals", "args", "env", "file:"
"""Ways to pass flags to a program; `file:` precedes the path of a config file that receives them."""


@dataclass(frozen=True, slots=True)
class Need:
    """Files (patterns) from a run of another operation that must exist before this one starts.

    Of a batch, `best` names the metric of the trial to use: the best as the batch judges it, or by `direction` (`minimize` or
    `maximize`). With `each`, the files of every completed trial are needed, below `<operation>+/<number>/`.
    """

    operation: str
    patterns: tuple[str, ...]
    always: bool = False
    """If set, a restart looks for the latest run instead of keeping the first choice."""
    best: str = ""
    direction: str = ""
    each: bool = False

    @property
    def takes_batch(self) -> bool:
        """Returns whether a batch of the operation can give the files."""
        return bool(self.best) or self.each


@dataclass(frozen=True, slots=True)
class Input:
    """A file or directory that the program reads. URL and sha256 in hex are empty if the entry gives none."""

    path: str
    url: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """An operation that a pipeline runs, with its flags as pairs of name and value, or text as typed (`Typed`).

    `options` are options of a batch by their names in `Request`.
    """

    operation: str
    flags: tuple[tuple[str, object], ...] = ()
    options: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Definition:
    """A named operation. `kind` tells whether `command` is the path of a script, words, or the path of a notebook.

    `stop_after` is in seconds. `asks` permits running the program to ask for its flags.
    """

    name: str
    kind: str
    command: tuple[str, ...] = ()
    description: str = ""
    steps: tuple[Step, ...] = ()
    flags_to: str = ""
    flags: tuple[Flag, ...] = ()
    asks: bool = False
    needs: tuple[Need, ...] = ()
    inputs: tuple[Input, ...] = ()
    outputs: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    stop_after: float | None = None
    env: tuple[tuple[str, str], ...] = ()
    metrics: tuple[tuple[str, str], ...] = ()
    resources: tuple[tuple[str, str], ...] = ()
    """Resources that a worker of a cluster must have, as pairs of name and amount."""

    @property
    def file(self) -> str:
        """Returns the path of the config file that receives the flags; empty if there is none."""
        return self.flags_to.removeprefix(FILE_PREFIX) if self.flags_to.startswith(FILE_PREFIX) else ""


def override_flags(overrides_of_operation: Sequence[Flag], declared: Iterable[Flag]) -> tuple[Flag, ...]:
    """Returns the flags found in a program, overridden by those of the entry; flags only in the entry come last."""
    by_name = {flag.name: flag for flag in declared}
    # pop leaves the flags that only the entry has
    both = [override_flag(flag, by_name.pop(flag.name)) if flag.name in by_name else flag for flag in overrides_of_operation]
    return (*both, *by_name.values())


def override_flag(own: Flag, declared: Flag) -> Flag:
    """Returns the flag that was found, overridden by the keys that the entry sets."""
    # `int` or `float` from the program says more than `number` from the entry
    says_less = declared.kind == "any" or (declared.kind == "number" and own.kind in {"int", "float"})
    kind = own.kind if says_less else declared.kind
    return replace(
        own,
        default=own.default if declared.default is None else declared.default,
        kind=kind,
        choices=declared.choices or own.choices,
        help=declared.help or own.help,
        # a default in the entry makes a required flag optional
        required=declared.required or (own.required and declared.default is None),
        least=own.least if declared.least is None else declared.least,
        most=own.most if declared.most is None else declared.most,
        when=declared.when or own.when,
    )

"""What an entry of `gitrun.toml` says about an operation, as values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitrun.model.flags import Flag

GLOBALS, ARGS, ENV, FILE = "globals", "args", "env", "file:"
"""How a program is given its flags; `file:` stands before the path of a file whose values are the flags."""


@dataclass(frozen=True, slots=True)
class Need:
    """Files (patterns) of a run of another operation that must be there before this one starts."""

    operation: str
    patterns: tuple[str, ...]
    always: bool = False
    """Whether a restart looks for the run anew, instead of keeping the one that was found first."""


@dataclass(frozen=True, slots=True)
class Input:
    """A file or directory that the program reads; its sha256 in hex and where it is to be had, if the entry says so."""

    path: str
    url: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """An operation that a pipeline runs, with flags of its own (name and value)."""

    operation: str
    flags: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Definition:
    """An operation with a name. `kind` says what `command` is: a script's path, words, or a notebook's path.

    `stop_after` is in seconds; `asks` allows asking the program itself which flags it has.
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

    @property
    def file(self) -> str:
        """The path of the file whose values are the flags; empty if there is none."""
        return self.flags_to.removeprefix(FILE) if self.flags_to.startswith(FILE) else ""


def over(found: Sequence[Flag], said: Iterable[Flag]) -> tuple[Flag, ...]:
    """The flags that a program was found to have, with what the entry says about them over it; new ones follow."""
    by_name = {flag.name: flag for flag in said}
    both = [merged(flag, by_name.pop(flag.name)) if flag.name in by_name else flag for flag in found]
    return (*both, *by_name.values())


def merged(found: Flag, said: Flag) -> Flag:
    """A flag that is both found and said; what is not said stays as it was found."""
    says_less = said.kind == "any" or (said.kind == "number" and found.kind in {"int", "float"})
    kind = found.kind if says_less else said.kind
    return replace(
        found,
        default=found.default if said.default is None else said.default,
        kind=kind,
        choices=said.choices or found.choices,
        help=said.help or found.help,
        required=said.required or (found.required and said.default is None),
        least=found.least if said.least is None else said.least,
        most=found.most if said.most is None else said.most,
    )

"""The tree of parsers that argparse makes, and the flags and sub-commands that come of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from gitrun.model.frontends.script import Command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitrun.model.flags import Flag, Value
    from gitrun.model.frontends.module import Module


@dataclass(eq=False, slots=True)
class Parser:
    """A parser while it is being read; `parents` are those whose options it takes over."""

    flags: list[tuple[tuple[int, int], Flag]] = field(default_factory=list)
    commands: dict[str, tuple[Parser, tuple[str, ...]]] = field(default_factory=dict)
    parents: list[Parser] = field(default_factory=list)
    defaults: dict[str, Value | None] = field(default_factory=dict)
    is_parent: bool = False


@dataclass(eq=False, slots=True)
class Commands:
    """What `add_subparsers` returns."""

    parser: Parser


@dataclass(eq=False, slots=True)
class Adder:
    """`parser.add_argument`, under another name."""

    owner: Known


Known: TypeAlias = "Parser | Commands | Adder | None"


@dataclass(eq=False, slots=True)
class Findings:
    """What one reading finds in all modules that it goes through, and how much it did so far.

    `unmet` says what is used as a parser without being known; `seen` are the calls that were read, `entered` the functions.
    `untyped`: an option whose name is computed may be a switch, for it has no type.
    """

    loose: Parser = field(default_factory=Parser)
    parsers: list[Parser] = field(default_factory=list)
    partial: str = ""
    unmet: str = ""
    untyped: bool = False
    seen: set[int] = field(default_factory=set)
    entered: set[int] = field(default_factory=set)
    modules: dict[str, Module] = field(default_factory=dict)
    calls: int = 0
    depth: int = 0

    def tops(self) -> list[Parser]:
        """The parsers that are nobody's parent and nobody's sub-parser."""
        return [parser for parser in (self.loose, *self.parsers) if not parser.is_parent]

    def unread(self, reason: str) -> None:
        """There may be more flags; the first reason is enough."""
        self.partial = self.partial or reason


def gathered(parsers: Sequence[Parser]) -> tuple[tuple[Flag, ...], tuple[Command, ...]]:
    """The flags and sub-commands of parsers that are one; the first flag of a name counts."""
    flags: dict[str, Flag] = {}
    commands: dict[str, Command] = {}
    for parser in parsers:
        inner, more = gathered(parser.parents)
        own = [flag for _, flag in sorted(parser.flags, key=lambda found: found[0])]
        for flag in (*inner, *own):
            dest = flag.name.replace("-", "_")
            mine = replace(flag, default=parser.defaults[dest]) if dest in parser.defaults else flag
            flags[flag.name] = joined(flags[flag.name], mine) if flag.name in flags else mine
        commands |= {command.name: command for command in more}
        for name, (child, aliases) in parser.commands.items():
            commands[name] = Command(name, *gathered([child]), aliases)
    return tuple(flags.values()), tuple(commands.values())


def joined(first: Flag, second: Flag) -> Flag:
    """One flag of several options that stand for its values; else the first, for argparse refuses to have it twice."""
    if (first.action, second.action) != ("const", "const") or any(word in first.words for word in second.words):
        return first
    default = first.default if first.default is not None else second.default
    return replace(first, choices=first.choices + second.choices, words=first.words + second.words, default=default)


def has_parser(given: Sequence[Known], named: Mapping[str, Known]) -> bool:
    """Whether a parser is among the arguments."""
    return any(isinstance(argument, Parser) for argument in (*given, *named.values()))

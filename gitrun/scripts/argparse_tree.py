"""The tree of parsers that a program builds with argparse, and the flags and sub-commands that it amounts to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from gitrun.scripts.script import Command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitrun.model.flags import Flag, Value
    from gitrun.scripts.module import Module


@dataclass(eq=False, slots=True)
class Parser:
    """A parser while it is being read. `parents` are the parsers whose options it includes."""

    flags: list[tuple[tuple[int, int], Flag]] = field(default_factory=list)
    commands: dict[str, tuple[Parser, tuple[str, ...]]] = field(default_factory=dict)
    parents: list[Parser] = field(default_factory=list)
    defaults: dict[str, Value | None] = field(default_factory=dict)
    is_parent: bool = False


@dataclass(eq=False, slots=True)
class Commands:
    """The object that `add_subparsers` returns."""

    parser: Parser


@dataclass(eq=False, slots=True)
class Adder:
    """A `parser.add_argument` that is bound to another name."""

    owner: Known


Known: TypeAlias = "Parser | Commands | Adder | None"


@dataclass(eq=False, slots=True)
class Findings:
    """The findings of one reading in all the modules that it visits, and the amount of work so far.

    `unmet` is the reason to expect options if something unknown is used as a parser. `seen` holds the ids of the calls that
    were read, `entered` those of the functions. `untyped` is true if an option with a computed name has no type: it may be
    a switch.
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
        """Returns the parsers that are neither a parent nor a sub-parser of another."""
        return [parser for parser in (self.loose, *self.parsers) if not parser.is_parent]

    def unread(self, reason: str) -> None:
        """Records that there may be more flags. Only the first reason is kept."""
        self.partial = self.partial or reason


def gathered(parsers: Sequence[Parser]) -> tuple[tuple[Flag, ...], tuple[Command, ...]]:
    """Returns the flags and sub-commands of parsers that act as one. The first flag of a name counts."""
    flags: dict[str, Flag] = {}
    commands: dict[str, Command] = {}
    for parser in parsers:
        inner, more = gathered(parser.parents)
        own = [flag for _, flag in sorted(parser.flags, key=lambda found: found[0])]
        for flag in (*inner, *own):
            # set_defaults takes the name of the attribute
            dest = flag.name.replace("-", "_")
            mine = replace(flag, default=parser.defaults[dest]) if dest in parser.defaults else flag
            flags[flag.name] = joined(flags[flag.name], mine) if flag.name in flags else mine
        commands |= {command.name: command for command in more}
        for name, (child, aliases) in parser.commands.items():
            commands[name] = Command(name, *gathered([child]), aliases)
    return tuple(flags.values()), tuple(commands.values())


def joined(first: Flag, second: Flag) -> Flag:
    """Joins two `store_const` options that stand for values of one flag. Returns the first flag in all other cases."""
    # argparse refuses two options of one name
    if (first.action, second.action) != ("const", "const") or any(word in first.words for word in second.words):
        return first
    default = first.default if first.default is not None else second.default
    return replace(first, choices=first.choices + second.choices, words=first.words + second.words, default=default)


def has_parser(given: Sequence[Known], named: Mapping[str, Known]) -> bool:
    """Tells whether one of the arguments is a parser."""
    return any(isinstance(argument, Parser) for argument in (*given, *named.values()))

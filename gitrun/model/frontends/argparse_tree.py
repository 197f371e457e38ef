"""The tree of parsers that argparse makes, and the flags and sub-commands that come of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from gitrun.model.frontends.script import Command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.model.flags import Flag, Value


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


Known: TypeAlias = "Parser | Commands | None"


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

"""What is known of a script without running it: its flags, its sub-commands, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from gitrun.model.flags import Typed, parse_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitrun.model.flags import Flag, Value

GLOBALS = "globals"
ARGS = "args"
CONFIG = "config"
"""The action of an option that names a file with values of other options."""
LATE = ("hydra", "omegaconf")
"""The front ends that miss a value only when the program uses it."""
WITH_GRAMMAR = ("fire", "jsonargparse", "hydra", "omegaconf", "sacred")
"""The front ends that read a literal, JSON or YAML."""


class Files(Protocol):
    """The files that lie around a script; paths are those of the repository, with `/`."""

    def read(self, path: str) -> bytes | None:
        """The content of a file; None if there is none that can be read."""

    def names(self, path: str) -> tuple[str, ...]:
        """The names in a directory; none if there is none."""


BESIDE = "{script}"
"""The directory of the script, at the start of the path of a file that is found beside it."""


@dataclass(frozen=True, slots=True)
class ParameterFile:
    """A file whose values a script loads: its path as the program opens it, or `BESIDE` and the path from there.

    `section` is the table of which the script picks the values at once, `named` the constant that holds the path.
    """

    path: str
    section: str = ""
    named: str = ""


class NoFiles:
    """Nothing lies around the script."""

    def read(self, path: str) -> bytes | None:  # noqa: ARG002
        """None."""
        return None

    def names(self, path: str) -> tuple[str, ...]:  # noqa: ARG002
        """None at all."""
        return ()


@dataclass(frozen=True, slots=True)
class Command:
    """A sub-command of a program, or an option of a group of Hydra's: what it adds to the flags when it is chosen.

    `partial` says why it may take more flags than these.
    """

    name: str
    flags: tuple[Flag, ...] = ()
    commands: tuple[Command, ...] = ()
    aliases: tuple[str, ...] = ()
    partial: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A group of Hydra's: its flag, what each of its options adds, and whether that goes over what the config itself says."""

    flag: str
    options: tuple[Command, ...]
    over: bool = False

    def brought(self, value: object) -> dict[str, Flag]:
        """What the option of this name adds, or each of a list of names."""
        value = parse_value(value.text) if isinstance(value, Typed) else value
        wanted = set(map(str, value if isinstance(value, list) else [value]))
        return {flag.name: flag for option in self.options if option.name in wanted for flag in option.flags}


@dataclass(frozen=True, slots=True)
class Script:
    """The flags of a script in the order of its source, and how it takes them.

    `style` is "globals" (assignments at the top of the module) or "args" (words after its name), `frontend` what reads
    these words. `commands` are its sub-commands, `groups` those of Hydra. `partial` says why there may be more flags than
    these; it is empty if there are not. `advice` names a front end whose values cannot be flags, and the way that works.
    `files` are those whose values it loads, `arguments` those that it needs as words although its flags are constants.
    """

    flags: tuple[Flag, ...]
    style: str
    frontend: str = "argparse"
    commands: tuple[Command, ...] = ()
    groups: tuple[Group, ...] = ()
    partial: str = ""
    advice: str = ""
    files: tuple[ParameterFile, ...] = ()
    arguments: tuple[str, ...] = ()

    def must_have(self, words: Sequence[str]) -> tuple[Flag, ...]:
        """The flags without which it ends at once, as far as the words behind `--` do not leave that open.

        Words that nobody could read may be arguments, name a file of values, or ask for help. Hydra and OmegaConf miss a
        value only where it is used.
        """
        rest = [word for at, word in enumerate(words) if at not in dict(places(self, words))]
        if self.style != ARGS or self.frontend in LATE or rest:
            return ()
        return tuple(flag for flag in self.flags if flag.required)

    @property
    def takes_text(self) -> bool:
        """Whether it is given text that it makes its values of, not what has a grammar of its own."""
        return self.style == ARGS and self.frontend not in WITH_GRAMMAR

    def chosen(self, words: Sequence[str] = (), given: Mapping[str, object] | None = None) -> Script:
        """The script with the flags of what these words (after `--`) and these flags choose among those it declares."""
        flags = {flag.name: flag for flag in self.flags}
        path = path_of(self, words)
        for command in path:
            flags |= {flag.name: flag for flag in command.flags}
        partial = next(filter(None, (self.partial, *(command.partial for command in path))), "")
        given = given or {}
        if any(flag.action == CONFIG and (flag.name in given or flag.option in words) for flag in flags.values()):
            # the file that it names may say anything of the others
            flags = {name: flag if flag.action == CONFIG else replace(flag, default=None) for name, flag in flags.items()}
        defaults = self.group_defaults(given)
        for group in self.groups:
            more = group.brought(given.get(group.flag, defaults.get(group.flag)))
            flags = flags | more if group.over else more | flags
        flags |= {name: replace(flags[name], default=value) for name, value in defaults.items() if name in flags}
        return replace(self, flags=tuple(flags.values()), partial=partial)

    def group_defaults(self, given: Mapping[str, object]) -> dict[str, Value | None]:
        """What each group is by default, which an option of another group may say: an experiment of Hydra's."""
        defaults = {flag.name: flag.default for flag in self.flags}
        found = {group.flag: defaults.get(group.flag) for group in self.groups}
        # groups that stand in the options of another come before it, and experiments last
        for group in reversed(self.groups):
            more = group.brought(given.get(group.flag, found[group.flag]))
            found |= {name: flag.default for name, flag in more.items() if name in found}
        return found

    def all_flags(self) -> tuple[Flag, ...]:
        """Its flags and those of all its sub-commands; the first of a name counts."""
        found = {flag.name: flag for flag in self.flags}
        queue = list(self.commands)
        for command in queue:
            for flag in command.flags:
                found.setdefault(flag.name, flag)
            queue += command.commands
        return tuple(found.values())


def path_of(script: Script, words: Sequence[str]) -> list[Command]:
    """The sub-commands that the words name, the outermost first."""
    return [command for _, command in places(script, words)]


def places(script: Script, words: Sequence[str]) -> list[tuple[int, Command]]:
    """Where in the words which sub-command is named, the outermost first."""
    found: list[tuple[int, Command]] = []
    commands, flags, at = script.commands, script.flags, 0
    while commands and at < len(words):
        word = words[at]
        if word.startswith("-"):
            taking = next((flag for flag in flags if flag.option == word), None)
            at += 2 if taking and taking.kind != "bool" and taking.action in {"store", "repeat", "append"} else 1
            continue
        command = next((command for command in commands if word in (command.name, *command.aliases)), None)
        if command:
            found.append((at, command))
            commands, flags = command.commands, command.flags
        at += 1
    return found

"""The description of a script that was read without running it: flags, sub-commands, and the parts that could not be read."""

from __future__ import annotations

from gitrun.dataclass import dataclass, replace
from gitrun.lazy import lazy_pattern
from gitrun.model.flags import Typed, parse_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from gitrun.model.flags import Flag, Value

Given: TypeAlias = "Value | Typed | None"
# ${db} in the defaults list of Hydra
REFERENCE = lazy_pattern(r"\$\{([\w./-]+)\}")
GLOBALS = "globals"
ARGS = "args"
CONFIG = "config"
"""The action of an option that names a file with values of other options."""
LATE = ("hydra", "omegaconf")
"""The front ends that miss a required value only when the program uses it."""
WITH_GRAMMAR = ("fire", "jsonargparse", "hydra", "omegaconf", "sacred")
"""The front ends that read a literal, JSON or YAML."""
LONGEST_FILE = 1 << 20
"""Bytes of a module or config file around a script, above which it is not read."""
NEAR = (".py", ".yaml", ".yml")
"""The endings of the files around a script that are looked for by name: its modules, and the options of a group."""


BESIDE = "{script}"
"""Stands for the directory of the script, at the start of a path that is relative to it."""


@dataclass(frozen=True, slots=True)
class ParameterFile:
    """A file whose values a script loads: its path as the program opens it, or `BESIDE` and the path from there.

    `section` is the table that the script picks at once, `constant` the constant that holds the path.
    """

    path: str
    section: str = ""
    constant: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """A sub-command or an option of a Hydra group, with the flags that it adds when it is chosen.

    `partial` is the reason why it may take more flags than these; empty if it does not.
    """

    name: str
    flags: tuple[Flag, ...] = ()
    commands: tuple[Command, ...] = ()
    aliases: tuple[str, ...] = ()
    partial: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A Hydra config group: its flag, and the flags that each option adds. With `over`, these override the config's own.

    `follows` is its default option if other flags decide about it, such as `${dataset}_${model}`.
    """

    flag: str
    options: tuple[Command, ...]
    over: bool = False
    follows: str = ""

    def flags_chosen_by(self, values: Mapping[str, object]) -> dict[str, Flag]:
        """Returns the flags, by name, that the option adds which these values of flags choose."""
        value = values.get(self.flag)
        if value is not None or not self.follows:
            return self.flags_added_by(value)
        option = self.follows
        for name in REFERENCE.findall(option):
            value = values.get(name)
            value = parse_value(value.text) if isinstance(value, Typed) else value
            if value is None:
                # any of them may be chosen
                flags = {flag.name: flag for option in self.options for flag in option.flags}
                return {name: replace(flag, default=None) for name, flag in flags.items()}
            option = option.replace(f"${{{name}}}", str(value))
        return self.flags_added_by(option)

    def flags_added_by(self, value: object) -> dict[str, Flag]:
        """Returns the flags, by name, that the chosen option adds. `value` is the name of an option or a list of names."""
        value = parse_value(value.text) if isinstance(value, Typed) else value
        options = set(map(str, value if isinstance(value, list) else [value]))
        return {flag.name: flag for option in self.options if option.name in options for flag in option.flags}


@dataclass(frozen=True, slots=True)
class Script:
    """The flags of a script in the order of its source, and the way it takes them.

    `style` is "globals" (assignments at the top of the module) or "args" (words after its name). `frontend` names the library
    that reads these words. `commands` are its sub-commands, `groups` its Hydra groups. `partial` is the reason why there may be
    more flags than these; empty if there are not. `advice` is a hint for a front end whose values cannot be flags.
    `files` are those whose values it loads. `arguments` are the words that it requires although its flags are constants. With
    `by_words`, words may set its constants again. A word that begins with one of `file_prefixes` names a file of words.
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
    by_words: bool = False
    file_prefixes: str = ""

    def required_flags(self, words: Sequence[str]) -> tuple[Flag, ...]:
        """Returns the flags without which the program ends at once. `words` are those after `--`.

        Returns none if some words could not be read: they may be arguments, name a file of values, or ask for help.
        Returns none for Hydra and OmegaConf, which miss a value only when it is used.
        """
        rest = [word for at, word in enumerate(words) if at not in dict(locate_commands(self, words))]
        if self.style != ARGS or self.frontend in LATE or rest:
            return ()
        return tuple(flag for flag in self.flags if flag.required)

    @property
    def takes_text(self) -> bool:
        """Returns whether the program is given plain text and converts it itself, rather than a literal, JSON or YAML."""
        return self.style == ARGS and self.frontend not in WITH_GRAMMAR

    def chosen(self, words: Sequence[str] = (), values: Mapping[str, object] | None = None) -> Script:
        """Returns the script with the flags of the sub-commands and groups that `words` (after `--`) and `values` choose.

        All defaults are None if an option names a file of values.
        """
        flags = {flag.name: flag for flag in self.flags}
        path = find_commands(self, words)
        for command in path:
            flags |= {flag.name: flag for flag in command.flags}
        partial = next(filter(None, (self.partial, *(command.partial for command in path))), "")
        values = values or {}
        options = {word.partition("=")[0] for word in words}
        files = [flag for flag in flags.values() if flag.action == CONFIG]
        if any(flag.name in values or options & {flag.option, *flag.aliases} for flag in files):
            # that file may set any of the other options
            flags = {name: flag if flag.action == CONFIG else replace(flag, default=None) for name, flag in flags.items()}
        defaults = self.group_defaults(values)
        known: dict[str, object] = {flag.name: flag.default for flag in flags.values()}
        known |= defaults
        known |= values
        before: dict[str, Flag] = {}
        # later groups override earlier ones
        for group in self.groups:
            before |= {} if group.over else group.flags_chosen_by(known)
        flags = before | flags
        for group in self.groups:
            flags |= group.flags_chosen_by(known) if group.over else {}
        flags |= {name: replace(flags[name], default=value) for name, value in defaults.items() if name in flags}
        return replace(self, flags=tuple(flags.values()), partial=partial)

    def group_defaults(self, defaults_given: Mapping[str, object]) -> dict[str, Value | None]:
        """Returns the default option of each group, by the name of its flag.

        An option of another group, such as a Hydra experiment, may set it.
        """
        defaults = {flag.name: flag.default for flag in self.flags}
        options = {group.flag: defaults.get(group.flag) for group in self.groups}
        # a group comes before the groups that name it in their options, so experiments come last
        for group in reversed(self.groups):
            more = group.flags_added_by(defaults_given.get(group.flag, options[group.flag]))
            options |= {name: flag.default for name, flag in more.items() if name in options}
        return options

    def all_flags(self) -> tuple[Flag, ...]:
        """Returns the flags of the program and of all its sub-commands. The first flag of a name counts."""
        flags = {flag.name: flag for flag in self.flags}
        queue = list(self.commands)
        # the loop also visits the commands that are appended to the list
        for command in queue:
            for flag in command.flags:
                flags.setdefault(flag.name, flag)
            queue += command.commands
        return tuple(flags.values())


@dataclass(frozen=True, slots=True)
class ReadWords:
    """The result of reading words: the values of flags by name, and the words that stay, in order.

    `unsure` names the flags whose value one of the words that stay may change.
    """

    flags: Mapping[str, Given]
    rest: tuple[str, ...]
    unsure: frozenset[str] = frozenset()


def find_commands(script: Script, words: Sequence[str]) -> list[Command]:
    """Returns the sub-commands that the words name, the outermost first."""
    return [command for _, command in locate_commands(script, words)]


def locate_commands(script: Script, words: Sequence[str]) -> list[tuple[int, Command]]:
    """Returns the index of each sub-command in the words and the sub-command, the outermost first."""
    levels: list[tuple[int, Command]] = []
    commands, flags, at = script.commands, script.flags, 0
    while commands and at < len(words):
        word = words[at]
        if word.startswith("-"):
            # the value of an option is not the name of a sub-command
            taking = next((flag for flag in flags if flag.option == word), None)
            at += 2 if taking and taking.kind != "bool" and taking.action in {"store", "repeat", "append"} else 1
            continue
        command = next((command for command in commands if word in (command.name, *command.aliases)), None)
        if command:
            levels.append((at, command))
            commands, flags = command.commands, command.flags
        at += 1
    return levels

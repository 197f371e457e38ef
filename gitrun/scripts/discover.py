"""Flags that a Python script declares, read from its source, and the words or constants that pass their values.

Only this package reads the source of user programs; they never execute it.
"""

from __future__ import annotations

from gitrun import scripts
from gitrun.dataclass import replace
from gitrun.errors import BadValue, UnknownFlag
from gitrun.model.flags import Flag, Value, find_nested_name, format_value, same_value
from gitrun.model.tree import MemoryTree
from gitrun.scripts.script import (
    ARGS,
    BESIDE,
    GLOBALS,
    Command,
    Group,
    ParameterFile,
    ReadWords,
    Script,
    find_commands,
    locate_commands,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gitrun.model.tree import Tree

MANY = 10
"""Flags that a note names."""

__all__ = [
    "ARGS",
    "BESIDE",
    "GLOBALS",
    "Command",
    "Group",
    "ParameterFile",
    "Script",
    "argument_words",
    "changed_constants",
    "own_options_note",
    "place_arguments",
    "read_script",
    "read_words",
    "require_command",
    "unchecked_warning",
    "unsure_warning",
]


def read_words(script: Script | None, words: Sequence[str]) -> ReadWords:
    """Returns the flags that the words after `--` give the script, and the words that stay."""
    if script is not None and script.by_words:
        return ReadWords({}, tuple(words), find_set_constants(script, words))
    # a script of constants gets no flags from its words
    if script is None or script.style != ARGS or not words:
        return ReadWords({}, tuple(words))
    return scripts.passthrough.read_given_words(script, words)


def find_set_constants(script: Script, words: Sequence[str]) -> frozenset[str]:
    """Returns the constants that words may set again: those that `--name=value` names, or all if there is another word."""
    names = {flag.name for flag in script.flags}
    set_by = {word.partition("=")[0].lstrip("-").replace("-", "_") if "=" in word else "" for word in words}
    return frozenset(names if set_by - names else set_by)


def read_script(source: bytes, name: str, tree: Tree | None = None) -> Script:
    """Returns the flags of the script at the path `name`, read from its text alone.

    Never raises: a file that does not parse has no flags. `tree` holds the config files and modules around it. A
    script without options has as flags the names that it assigns a literal at the top level. The encoding follows PEP 263.
    """
    # lazy: each script is parsed once, and its flags are cached by blob id
    return scripts.detect.detect_flags(source, name, tree or MemoryTree())


def argument_words(script: Script | Sequence[Flag], flags: Mapping[str, Value], words: Sequence[str] = ()) -> list[str]:
    """Returns the words that pass these flags to an "args" script: those required or different from the default.

    `words` are the user's words after `--`; the result includes them. Undeclared names are passed in the front end's syntax,
    such as `--name value`. Raises UsageError for values that words cannot pass.
    """
    inserted = place_arguments(script, flags, words)
    return [
        word
        for at in range(len(words) + 1)
        for word in (*(text for start, text in inserted if start == at), *words[at : at + 1])
    ]


def place_arguments(
    script: Script | Sequence[Flag], flags: Mapping[str, Value], words: Sequence[str] = ()
) -> list[tuple[int, str]]:
    """Returns only the words that `argument_words` adds, each with the number of the user's words before it.

    Options of the program come before its sub-command, those of a sub-command after it. They come before the user's words if an
    argument takes all that follows.
    """
    script = script if isinstance(script, Script) else Script(tuple(script), ARGS)
    in_files = {flag.name for flag in script.flags if flag.file}
    script = replace(script, flags=tuple(flag for flag in script.flags if not flag.file))
    flags = {name: value for name, value in flags.items() if name not in in_files}
    # an option that stands alone would take an argument or a sub-command for its value
    if script.commands or any(flag.action == "positional" for flag in script.flags):
        script = replace(script, flags=tuple(replace(flag, bare=None) for flag in script.flags))
    path = find_commands(script, words)
    declared = {flag.name: flag for flag in (*script.flags, *(flag for command in path for flag in command.flags))}
    levels: list[list[Flag]] = [[] for _ in range(len(path) + 1)]
    for flag in declared.values():
        inner = (level for level, command in enumerate(path, 1) if any(own.name == flag.name for own in command.flags))
        levels[max(inner, default=0)].append(flag)
    # an argument that takes all that follows would swallow options after it
    is_first = [any(flag.action == "positional" and flag.words for flag in level) for level in levels]
    # absl wants --config before --config.lr, which may be one of the words
    parts = {word.lstrip("-").partition(".")[0] for word in words if script.frontend == "absl" and "." in word}
    bases = [flag for flag in levels[0] if flag.name in parts]
    levels[0] = [flag for flag in levels[0] if flag not in bases]
    # an option of several values would swallow the words, so another option must follow it
    sorts = [
        sorted(level, key=lambda flag: not flag.many) if first else level for level, first in zip(levels, is_first, strict=True)
    ]
    options = [_options(level, flags) for level in sorts]
    for name, value in _undeclared(declared.values(), flags).items():
        options[-1] += scripts.argv.undeclared_words(script.frontend, name, value, partial=bool(script.partial))
    if script.frontend == "sacred" and options[0] and "with" not in words:
        # sacred takes flags only after the word `with`
        options[0].insert(0, "with")
    for level, more in zip(levels, options, strict=True):
        more.extend(scripts.argv.positional_words([flag for flag in level if flag.action == "positional"], flags))
    if any("\0" in word for more in options for word in more):
        raise BadValue("a flag with NUL cannot be given on a command line", "Remove the NUL from its value")
    at = [start for start, _ in locate_commands(script, words)]
    # after the user's words, which an option of several values would swallow, but before `--`, which ends all options
    end = words.index("--", at[-1] if at else 0) if "--" in words[at[-1] if at else 0 :] else len(words)
    starts, ends = [0, *(start + 1 for start in at)], [*at, end]
    where = [start if first else end for start, end, first in zip(starts, ends, is_first, strict=True)]
    return [(0, word) for word in _options(bases, flags)] + [
        (start, word) for start, more in zip(where, options, strict=True) for word in more
    ]


def changed_constants(declared: Sequence[Flag], flags: Mapping[str, Value]) -> dict[str, Value | None]:
    """Returns the names that the launcher must set in a "globals" script: those that differ from its source.

    `1` and `1.0` differ here, because the program sees the value as given. An absent flag is None if the source gives it
    another value. Undeclared names are set too.
    """
    values = [(flag, flags.get(flag.name)) for flag in declared if not flag.file]
    changed = {flag.name: value for flag, value in values if _exact(value) != _exact(flag.default)}
    return changed | _undeclared(declared, flags)


def require_command(script: Script | None, operation: str, words: Sequence[str], names: Iterable[str]) -> None:
    """Raises UsageError for a flag of a sub-command if the words name no sub-command."""
    if script is None or not script.commands or find_commands(script, words):
        return
    known_names = {flag.name.replace("-", "_") for flag in script.flags}
    inner = {flag.name.replace("-", "_") for flag in script.all_flags()} - known_names
    for name in names:
        if name.replace("-", "_") in inner:
            commands = ", ".join(command.name for command in script.commands)
            hint = f"To name one: git run {operation} {name}=VALUE -- {script.commands[0].name}"
            raise UnknownFlag(f"flag {name!r} of {operation} belongs to a sub-command: {commands}", hint)
        if not script.partial and name not in known_names and (nested := find_nested_name(script.all_flags(), name)):
            hint = f"To set {nested}: git run {operation} {nested}=VALUE -- {script.commands[0].name}"
            raise UnknownFlag(f"{operation} has no flag {name!r}", hint)


def unchecked_warning(script: Script | None, operation: str, flags: Mapping[str, Value]) -> str:
    """Returns a warning about flags that were passed on unchecked; empty without one."""
    if script is None or not script.partial:
        return ""
    names = list(_undeclared(script.flags, flags))
    nested = "".join(
        f". To set {nested_name}: {nested_name}=VALUE"
        for name in names
        if (nested_name := find_nested_name(script.flags, name))
    )
    return f"note: {operation}: passed without a check: {', '.join(names)}; {script.partial}{nested}" if names else ""


def unsure_warning(operation: str, names: Iterable[str], words: Sequence[str]) -> str:
    """Returns a note about flags that words after `--` may set; empty without one."""
    all_names = sorted(names)
    more = f" and {len(all_names) - MANY} more" if len(all_names) > MANY else ""
    names_text = ", ".join(all_names[:MANY]) + more
    return (
        f"note: {operation}: not recorded as flags, because the words {' '.join(words)} may set them: {names_text}"
        if names_text
        else ""
    )


def own_options_note(script: Script, options: Sequence[str], operation: str, words: Sequence[str]) -> str:
    """Returns a note about options of git run that the script has too; empty without one, or if `words` have them."""
    own = {word for word, _ in scripts.passthrough.option_table(replace(script, flags=script.all_flags()))}
    both = [option for option in dict.fromkeys(options) if option in own and option not in words]
    if script.style != ARGS or not both:
        return ""
    names = ", ".join(both)
    return f"note: {names}: taken by git run; {operation} has this option too. To pass it: git run {operation} -- {both[0]}"


def _options(declared: Sequence[Flag], flags: Mapping[str, Value]) -> list[str]:
    """Returns the words for the options of one command."""
    words: list[str] = []
    for flag in declared:
        value = flags.get(flag.name)
        # a flag that is absent although it has a default is null, where the front end has a word for that
        is_removed = value is None and flag.default is not None and flag.action in scripts.argv.NONE
        is_given = value is not None and (flag.required or not same_value(value, flag.default))
        if flag.action != "positional" and (is_removed or is_given):
            words += scripts.argv.words_for(flag, value)
    return words


def _undeclared(declared: Iterable[Flag], flags: Mapping[str, Value]) -> dict[str, Value]:
    names = {flag.name for flag in declared}
    return {name: value for name, value in flags.items() if name not in names}


def _exact(value: Value | None) -> str:
    return "null" if value is None else format_value(value)

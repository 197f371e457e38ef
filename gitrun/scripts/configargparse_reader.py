"""ConfigArgParse's addition to argparse: values of options from configuration files and the environment."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from gitrun.dataclass import replace
from gitrun.model.flags import Flag, parse_value
from gitrun.scripts.constant_folding import fold_to_items, fold_to_text, fold_to_value
from gitrun.scripts.imports import list_folders
from gitrun.scripts.module import last_name, named_arguments, unpack_arguments
from gitrun.scripts.passthrough import option_table
from gitrun.scripts.script import CONFIG, LONGEST_FILE, Script

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gitrun.model.flags import Value
    from gitrun.scripts.module import Module

PARSERS = ("ArgParser", "ArgumentParser", "get_arg_parser", "get_argument_parser", "getArgumentParser", "getArgParser")
ADDERS = ("add_argument", "add", "add_arg")
TRUE = ("true", "yes", "1")
"""The texts that give an option without a value."""
IS_CONFIG = ("is_config_file", "is_config_file_arg")
# configargparse 1.7, DefaultConfigFileParser.parse
LINE = re.compile(
    r"^(?P<key>[^:=;#\s]+)\s*(?:(?P<equal>[:=\s])\s*(['\"]?)(?P<value>.+?)?\3)?\s*(?:\s[;#]\s*(?P<comment>.*?)\s*)?$"
)


def uses_configargparse(module: Module) -> bool:
    """Returns whether the module makes its parser with ConfigArgParse."""
    return module.names(b"configargparse") and any(name.startswith("configargparse") for name in module.imports.values())


def with_config_defaults(script: Script, module: Module) -> Script:
    """Returns the script with the values of its default configuration files as defaults.

    The default is None for options that the environment can give. It is None for all options if the source does not tell
    the files. No option is required on the command line.
    """
    calls = [node for node in module.near(b"arse", b"add") if isinstance(node, ast.Call)]
    options = [call for call in calls if last_name(call.func) in ADDERS]
    configs = {name for call in options if is_config(call, module) for name in option_spellings(call, module)}
    from_environment = {
        name for call in options if "env_var" in named_arguments(call) for name in option_spellings(call, module)
    }
    parsers = [named_arguments(call) for call in calls if last_name(call.func) in PARSERS]
    config_files = [
        item for parser in parsers for item in fold_to_items(parser.get("default_config_files"), module.scope) or []
    ]
    files = [*map(str, config_files), *(str(flag.default) for flag in script.flags if flag.option in configs and flag.default)]
    values, unread = read_config_values(module, files)
    unread = unread or any("auto_env_var_prefix" in parser or "config_file_parser_class" in parser for parser in parsers)
    table = [(word.lstrip("-"), flag.name, one) for word, (flag, one) in option_table(script)]
    switches = [(word, name, one) for word, name, one in table if isinstance(one, bool | int | float | str)]

    def with_file_default(flag: Flag) -> Flag:
        """Returns the flag with its default from the files; with None if that is not known."""
        # a file may name an option by any of its spellings
        spellings = (option.lstrip("-") for option in (flag.option, *flag.aliases))
        keys = (flag.name, flag.name.replace("-", "_"), *spellings)
        value = next((values[key] for key in keys if key in values), None)
        # the file says `no-amp = true` for --no-amp
        fixed = [one for word, name, one in switches if name == flag.name and values.get(word, "").lower() in TRUE]
        # a file or the environment may give a required option
        flag = replace(flag, required=False, action=CONFIG if flag.option in configs else flag.action)
        if unread or flag.option in from_environment:
            return flag if flag.action == CONFIG else replace(flag, default=None)
        if fixed:
            return replace(flag, default=fixed[-1])
        return flag if value is None else replace(flag, default=read_option_value(flag, value))

    return replace(script, flags=tuple(map(with_file_default, script.flags)))


def is_config(call: ast.Call, module: Module) -> bool:
    """Returns whether the option names a configuration file."""
    keywords, _ = unpack_arguments(call, module.scope)
    return any(fold_to_value(keywords.get(name), module.scope) == (True, True) for name in IS_CONFIG)


def option_spellings(call: ast.Call, module: Module) -> list[str]:
    """Returns the spellings of an option."""
    return [fold_to_text(argument, module.scope) for argument in call.args]


def read_config_values(module: Module, paths: Iterable[str]) -> tuple[dict[str, str], bool]:
    """Returns the values in these files by name, and whether there may be further ones in files that are not read."""
    values: dict[str, str] = {}
    is_unread = False
    for path in paths:
        # files outside of the repository, and patterns such as *.ini, differ from machine to machine
        if path.startswith(("/", "~")) or re.search(r"[*?\[]", path):
            is_unread = True
        elif data := read_config_file(module, path):
            values |= dict(parse_config_lines(data.decode(errors="replace")))
    return values, is_unread


def read_config_file(module: Module, path: str) -> bytes | None:
    """Returns a file from the top of the repository or beside the script; None if there is none."""
    tries = (
        f"{folder}/{path.removeprefix('./')}".lstrip("/")
        for folder in reversed(list(list_folders(module.path.rpartition("/")[0])))
    )
    return next((data for path in tries if (data := module.files.read(path, LONGEST_FILE)) is not None), None)


def parse_config_lines(text: str) -> Iterator[tuple[str, str]]:
    """Yields the (name, text) pairs of a configuration file."""
    for line in map(str.strip, text.splitlines()):
        # lr = 0.1, lr: 0.1, --lr 0.1, or just verbose
        match = LINE.match(line) if line and line[0] not in "#;[" and not line.startswith("---") else None
        if match:
            yield match["key"].lstrip("-"), (match["value"] or ("" if match["equal"] in ("=", ":") else "true"))


def read_option_value(flag: Flag, text: str) -> Value | None:
    """Returns the value that the option reads from the text in a file."""
    return text if flag.kind == "str" else parse_value(text)

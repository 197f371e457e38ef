"""Configuration files whose values are flags: read and write TOML, YAML, JSON and INI by dotted names."""

from __future__ import annotations

import io
import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gitrun.errors import BadValue, MissingPackage, UsageError
from gitrun.model.encode import dump_toml
from gitrun.model.flags import Flag, copy_value, is_flag_name, parse_value, same_value
from gitrun.model.toml import load_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from configparser import ConfigParser

    from gitrun.model.flags import Value

DEEPEST = 32
"""Nesting of tables below which no flags are read."""
LARGEST, MOST = 1 << 20, 100_000
"""Limits of a file: bytes, and values after every YAML reference is expanded."""
KINDS = {bool: "bool", int: "number", float: "number", str: "str", list: "list"}


def read_flags(data: bytes, path: str) -> tuple[Flag, ...]:
    """Returns the values of the file as flags named `table.key`, with their kinds.

    Drops values that no flag can hold. The extension of `path` decides between TOML, YAML, JSON and INI. Raises UsageError if
    the file is not valid.
    """
    return tuple(Flag(name, value, KINDS.get(type(value), "any")) for name, value in iterate_leaves(load_tables(data, path)))


def find_changes(flags: Mapping[str, Value], flags_of_file: tuple[Flag, ...]) -> dict[str, Value | None]:
    """Returns the flags whose value or type differs from the file's; None marks a key of the file to remove."""
    defaults = {flag.name: flag.default for flag in flags_of_file}
    # Python says 1 == 1.0 == True, but a program may tell them apart
    changes: dict[str, Value | None] = {
        name: value
        for name, value in flags.items()
        if name not in defaults or type(defaults[name]) is not type(value) or not same_value(defaults[name], value)
    }
    return changes | {name: None for name, value in defaults.items() if value is not None and name not in flags}


def edit_config(data: bytes, path: str, values: Mapping[str, Value | None]) -> bytes:
    """Returns the file with these values under their dotted names; comments are lost, except in INI.

    None is written as null in YAML and JSON. TOML and INI have no null, so the key is removed. Raises UsageError.
    """
    tables = load_tables(data, path)
    if get_format(path) == "ini":
        return edit_ini(data.decode("utf-8-sig"), values)
    for name, value in values.items():
        table = tables
        # optimizer.lr: the table optimizer, and its key lr
        *above, last = name.split(".")
        for key in above:
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                raise BadValue(f"{path} has no table for the flag '{name}'", f"'{key}' is a value there")
        if value is None and get_format(path) == "toml":
            table.pop(last, None)
        else:
            table[last] = value
    return dump_tables(tables, path)


def load_tables(data: bytes, path: str) -> dict[str, Any]:
    """Parses the file into tables. Raises UsageError, or CannotRun if the parser is not installed."""
    if len(data) > LARGEST:
        raise UsageError(f"{path} is larger than 1 MiB", "gitrun reads flags from smaller files only")
    try:
        # some editors begin files with a byte order mark, which json and tomli refuse
        text = data.decode("utf-8-sig")
        tables = LOADERS[get_format(path)](text)
        if count_values(tables, {}) > MOST:
            raise UsageError(f"{path} has more than {MOST:,} values", "gitrun reads flags from smaller files only")
        # YAML: after `base: &a {lr: 1}` and `other: *a`, both are one dict
        tables = copy_unshared(tables)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"cannot read {path}: {' '.join(str(error).split())}") from error
    if not isinstance(tables, dict):
        raise UsageError(f"{path} has no names with values")
    return tables


def count_values(value: object, counts: dict[int, int]) -> int:
    """Counts a value and all values in it, up to MOST + 1. YAML references can make a short file huge.

    A value that contains itself counts as too many.
    """
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in counts:
        # set before its items are counted, so that the recursion ends
        counts[id(value)] = MOST
        inner = value.values() if isinstance(value, dict) else value
        counts[id(value)] = min(1 + sum(count_values(one, counts) for one in inner), MOST + 1)
    return counts[id(value)]


def copy_unshared(value: Any) -> Any:  # noqa: ANN401 - whatever a file has
    """Returns a copy in which no two places share a table or list. A change in one would show in the other."""
    if isinstance(value, dict):
        return {key: copy_unshared(one) for key, one in value.items()}
    return [copy_unshared(one) for one in value] if isinstance(value, list) else value


def dump_tables(tables: dict[str, Any], path: str) -> bytes:
    """Returns the bytes of a TOML, YAML or JSON file with these tables."""
    return DUMPERS[get_format(path)](tables).encode()


def iterate_leaves(tables: Mapping[Any, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Value | None]]:
    """Yields the values in the tables with their dotted names; skips names and values that no flag can have."""
    for key, value in tables.items():
        name = f"{prefix}{key}"
        # YAML has keys such as 1 and true; a key with a dot would name a nested value
        if not isinstance(key, str) or "." in key or not is_flag_name(name):
            continue
        if isinstance(value, dict):
            if depth < DEEPEST:
                yield from iterate_leaves(value, f"{name}.", depth + 1)
            continue
        try:
            yield name, None if value is None else copy_value(name, value)
        except UsageError:
            continue


def get_format(path: str) -> str:
    """Returns toml, yaml, json or ini; any other extension as it is."""
    ending = path.rpartition(".")[2].lower()
    return {"yml": "yaml", "cfg": "ini"}.get(ending, ending)


def load_yaml(text: str) -> object:
    """Parses YAML. Raises ValueError."""
    yaml = import_yaml()
    try:
        # an empty YAML file is None; safe_load creates no Python objects from tags
        return yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def dump_yaml(tables: dict[str, Any]) -> str:
    """Returns the tables as YAML, keys in their order."""
    text: str = import_yaml().safe_dump(tables, sort_keys=False, allow_unicode=True)
    return text


def import_yaml() -> Any:  # noqa: ANN401 - a module without types
    """Imports PyYAML. Raises CannotRun if it is not installed."""
    try:
        return import_module("yaml")  # an optional package
    except ImportError as error:
        raise MissingPackage("YAML files need PyYAML", "To install it: pip install 'git-run-tracker[yaml]'") from error


def load_ini(text: str) -> object:
    """Parses INI; values are typed as flags on a command line are."""
    reader = parse_ini(text)
    return {name: {key: parse_value(value) for key, value in reader[name].items()} for name in reader.sections()}


def parse_ini(text: str) -> ConfigParser:
    """Returns a parser that holds the INI as text, with the case of keys kept. Raises ValueError."""
    import configparser  # few projects keep flags in INI files

    class Reader(configparser.ConfigParser):
        # keys keep their case
        def optionxform(self, optionstr: str) -> str:
            return optionstr

    # `%` in a value is data here, and no reference
    reader = Reader(interpolation=None)
    try:
        reader.read_string(text)
    except configparser.Error as error:
        raise ValueError(str(error)) from error
    return reader


def edit_ini(text: str, values: Mapping[str, Value | None]) -> bytes:
    """Returns the INI with these values under `section.key`; other values keep their text."""
    reader = parse_ini(text)
    for name, value in values.items():
        section, dot, key = name.partition(".")
        if not dot or "." in key:
            raise BadValue(f"'{name}' names no section", "Flags of an INI file are named section.key")
        if value is not None:
            # read_dict creates a section that does not exist
            reader.read_dict({section: {key: value if isinstance(value, str) else json.dumps(value)}})
            continue
        if key in reader.defaults():  # a default reaches every section: keep it in the others
            for other in reader.sections():
                reader[other][key] = reader[other][key]
            reader.remove_option(reader.default_section, key)
        reader.remove_option(section, key)
    buffer = io.StringIO()
    reader.write(buffer)
    return buffer.getvalue().encode()


LOADERS: dict[str, Callable[[str], object]] = {"toml": load_toml, "yaml": load_yaml, "json": json.loads, "ini": load_ini}
DUMPERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "toml": dump_toml,
    "yaml": dump_yaml,
    # json.dumps ends without a newline
    "json": lambda tables: json.dumps(tables, indent=2, ensure_ascii=False) + "\n",
}

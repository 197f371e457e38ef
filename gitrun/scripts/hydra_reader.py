"""The flags of Hydra: the values of the YAML file that `@hydra.main` names, and the groups of its defaults list."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from itertools import islice
from posixpath import normpath
from typing import TYPE_CHECKING, Any

from gitrun.dataclass import dataclass, replace
from gitrun.model.flags import Flag, is_flag_name
from gitrun.scripts.constant_folding import fold_to_text
from gitrun.scripts.module import FUNCTIONS, named_arguments
from gitrun.scripts.script import ARGS, LONGEST_FILE, NEAR, Command, Group, Script
from gitrun.scripts.signatures import read_fields
from gitrun.scripts.yaml_text import MAX_FLAGS, MISSING, NoYamlError, read_yaml, read_yaml_flags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.model.tree import Tree
    from gitrun.scripts.module import Module

MAX_DEPTH = 6
MAX_OPTIONS = 200
ENDS = (".yaml", ".yml")
# # @package _global_
HEADER = re.compile(r"\s*#\s*@package\s+(\S+)\s*$")


def read_hydra_flags(module: Module) -> Script | None:
    """Returns the values of the configuration; None if the module has no `@hydra.main`."""
    if not module.names(b"hydra"):
        return None
    functions = (node for node in module.near(b"main") if isinstance(node, FUNCTIONS))
    decorators = (decorator for node in functions for decorator in node.decorator_list)
    call = next((node for node in decorators if isinstance(node, ast.Call) and module.full_name(node.func) in NAMES), None)
    if call is None:
        return None
    nodes = dict(zip(("config_path", "config_name"), call.args, strict=False)) | named_arguments(call)
    folder = fold_to_text(nodes.get("config_path"), module.scope)
    name = fold_to_text(nodes.get("config_name"), module.scope)
    if not name:
        return Script((), ARGS, "hydra", partial="its @hydra.main names no configuration that its source tells")
    # Hydra takes config_path from the directory of the script
    directory = normpath(f"{module.path.rpartition('/')[0]}/{folder}").strip("/").removeprefix(".")
    reading = HydraReading(module.files, directory.lstrip("/"))
    try:
        config = reading.config(name)
    except NoYamlError as error:
        return Script((), ARGS, "hydra", partial=str(error))
    if config is None:
        return read_structured_config(module, name)
    # the values of the config win over those of groups that only `+` adds
    config = reading.added() | config
    return Script(tuple(config.values()), ARGS, "hydra", groups=tuple(reading.groups.values()), partial=reading.partial)


NAMES = ("hydra.main", "hydra.main.main")


def read_structured_config(module: Module, name: str) -> Script:
    """Returns the fields of the class that the ConfigStore holds under the name."""
    for call in module.near(b".store"):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.func.attr != "store":
            continue
        # for example `ConfigStore.instance().store(name="config", node=Config)`
        nodes = named_arguments(call)
        node = nodes.get("node", call.args[1] if len(call.args) > 1 else None)
        node_name = fold_to_text(nodes.get("name", call.args[0] if call.args else None), module.scope)
        inner = module.classes.get(getattr(node, "id", ""))
        if node_name == name and inner and "group" not in nodes:
            return Script(tuple(read_class_fields(inner, module, "")), ARGS, "hydra")
    return Script((), ARGS, "hydra", partial=f"its configuration {name} is not in the source")


def read_class_fields(node: ast.ClassDef, module: Module, prefix: str, depth: int = 0) -> Iterator[Flag]:
    """Yields the fields of a structured configuration."""
    for field in read_fields(node, module):
        inner = module.classes.get(field.hint.config)
        name = prefix + field.name
        if inner and depth < MAX_DEPTH:
            yield from read_class_fields(inner, module, f"{name}.", depth + 1)
        elif name != "defaults" and is_flag_name(name):
            choices = field.hint.names or ()
            kind = "str" if choices else field.kind
            default = None if field.default == MISSING else field.default
            yield Flag(name, default, kind, choices, action="override", required=field.required or field.default == MISSING)


@dataclass(frozen=True, slots=True)
class ConfigPosition:
    """The position of the values of a file in the configuration: below `prefix`.

    Unless it is `fixed`, a `# @package` line in the file can change it.
    """

    prefix: str = ""
    fixed: bool = False


TOP = ConfigPosition()


class HydraReading:
    """The files of one configuration directory, and the groups found in it."""

    def __init__(self, files: Tree, directory: str) -> None:
        self.files, self.directory = files, directory
        self.groups: dict[str, Group] = {}
        self.partial = ""
        self.met: set[str] = set()

    def text(self, path: str) -> bytes | None:
        """Returns the content of a file of the directory; `path` may lack its ending. None if there is no such file."""
        for end in ("", *ENDS):
            if path.endswith(ENDS) == (not end):
                data = self.files.read(f"{self.directory}/{path}{end}".strip("/"), LONGEST_FILE)
                if data is not None:
                    return data
        return None

    def config(self, path: str, at: ConfigPosition = TOP, depth: int = 0) -> dict[str, Flag] | None:
        """Returns the flags of a file and of those in its defaults list; None if there is no such file. Raises NoYamlError."""
        data = self.text(path)
        if data is None:
            return None
        document = read_yaml(data)
        self.met.add(path)
        prefix = at.prefix if at.fixed else read_package(data, at.prefix)
        # `hydra:` configures Hydra itself
        own = read_yaml_flags(
            {key: value for key, value in document.items() if key not in {"defaults", "hydra"}}, "override", prefix
        )
        values = {flag.name: flag for flag in islice(own, MAX_FLAGS)}
        defaults = document.get("defaults")
        # the depth ends a circle of files that name each other
        entries = defaults if isinstance(defaults, list) and depth < MAX_DEPTH else []
        folder = path.rpartition("/")[0]
        # later entries override earlier ones; Hydra 1.1 and later appends a missing _self_
        start = entries.index("_self_") if "_self_" in entries else len(entries)
        for entry in entries[start:]:
            values |= self.default(entry, folder, prefix, depth, over=True)
        before: dict[str, Flag] = {}
        for entry in entries[:start]:
            before |= self.default(entry, folder, prefix, depth, over=False)
        return apply_overrides(before | values, entries, folder)

    def added(self) -> dict[str, Flag]:
        """Returns the groups that are in no defaults list: `+experiment=a` adds such a group and overrides the config."""
        flags: dict[str, Flag] = {}
        for name in self.files.names(self.directory, NEAR):
            # the directory hydra/ configures Hydra itself
            if name in {group.flag for group in self.groups.values()} or name == "hydra" or not is_flag_name(name):
                continue
            if any(file.endswith(ENDS) for file in self.files.names(f"{self.directory}/{name}".strip("/"), NEAR)):
                partial = self.partial
                # problems in a group that only `+` adds do not make the script partial
                flags_added = self.group(name, None, (name, ConfigPosition(f"{name}.")), 1, over=True)
                self.partial = partial
                flags |= {key: replace(flag, option=f"+{key}") for key, flag in flags_added.items()}
        return flags

    def default(self, entry: object, folder: str, prefix: str, depth: int, *, over: bool) -> dict[str, Flag]:
        """Returns the flags that an entry of a defaults list adds: those of another file, or of a group."""
        if isinstance(entry, str):
            return self.other(entry, folder, prefix, depth) if entry != "_self_" else {}
        # - db: mysql, - override /db: pg, - optional db: mysql, - db@source: mysql
        if not isinstance(entry, Mapping) or len(entry) != 1:
            return {}
        ((key, value),) = entry.items()
        words = str(key).split()
        if "override" in words or not words:
            return {}
        name, _, package = words[-1].partition("@")
        group = resolve_config_name(name, folder)
        inner = package_prefix(prefix, package or name)
        flag = group if inner == package_prefix("", group) else f"{group}@{inner}"
        return self.group(group, value, (flag, ConfigPosition(inner, bool(package))), depth, over=over)

    def other(self, entry: str, folder: str, prefix: str, depth: int) -> dict[str, Flag]:
        """Returns the flags of another file: `base`, `db/mysql`, `base@_global_`."""
        name, _, package = entry.partition("@")
        path = resolve_config_name(name, folder)
        if path in self.met:
            return {}
        inner = package_prefix(prefix, package or name.rpartition("/")[0])
        flags = self.config(path, ConfigPosition(inner, bool(package)), depth + 1)
        if flags is None:
            self.partial = self.partial or f"its configuration names {entry}, which is not in the source"
        return flags or {}

    def group(self, group: str, value: object, names: tuple[str, ConfigPosition], depth: int, *, over: bool) -> dict[str, Flag]:
        """Returns the flag of a group, whose choices are the files in its directory. Keeps what they add in `groups`."""
        flag, at = names
        there = self.files.names(f"{self.directory}/{group}".strip("/"), NEAR)
        options = sorted({name.removesuffix(end) for name in there for end in ENDS if name.endswith(end)})[:MAX_OPTIONS]
        if not options:
            self.partial = self.partial or f"its configuration group {group} is not in the source"
            return {}
        if not is_flag_name(flag):
            self.partial = self.partial or f"its configuration group {flag.rstrip('.')} has no name that a flag can have"
            return self.config(f"{group}/{value}", at, depth + 1) or {}
        commands = []
        for option in options:
            self.met.discard(f"{group}/{option}")
            flags = self.config(f"{group}/{option}", at, depth + 1) or {}
            commands.append(Command(option, tuple(flags.values())))
        follows = value if isinstance(value, str) and "${" in value else ""
        self.groups[flag] = Group(flag, tuple(commands), over=over, follows=follows)
        default: Any = value if isinstance(value, str) and value != MISSING and not follows else None
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            default = value
        many, required = isinstance(default, list), value == MISSING
        return {flag: Flag(flag, default, "any", tuple(options), action="override", many=many, required=required)}


def resolve_config_name(name: str, folder: str) -> str:
    """Returns the path, below the configuration directory, of a name in the defaults list of a file in `folder`."""
    return name.lstrip("/") if name.startswith("/") else f"{folder}/{name}".lstrip("/")


def package_prefix(prefix: str, package: str) -> str:
    """Returns the prefix of an entry's package: below that of the file with the entry, unless the package is global."""
    inner = package.strip("/").replace("/", ".")
    # the package of the file with the entry
    inner = inner.removeprefix("_here_").lstrip(".") if inner.partition(".")[0] == "_here_" else inner
    start, is_global, rest = inner.rpartition("_global_")
    inner = rest.lstrip(".") if is_global else f"{prefix}{start}{rest}"
    return inner if not inner or inner.endswith(".") else f"{inner}."


def read_package(data: bytes, prefix: str) -> str:
    """Returns the prefix that the `# @package a.b` line at the top of a file sets; `prefix` without such a line."""
    # the package comment counts only above the first value
    for line in data[:512].decode(errors="replace").splitlines():
        header = HEADER.match(line)
        # _group_ stands for the package that a file has without such a line
        if header and header[1] != "_group_":
            return package_prefix("", header[1])
        if line.strip() and not line.lstrip().startswith("#"):
            break
    return prefix


def apply_overrides(flags: dict[str, Flag], entries: list[object], folder: str) -> dict[str, Flag]:
    """Returns the flags with the options that entries such as `override /db: pg` set for groups of other files."""
    overridden = dict(flags)
    for entry in entries:
        for key, value in entry.items() if isinstance(entry, Mapping) else ():
            first, _, last = str(key).partition(" ")
            name = resolve_config_name(last.strip(), folder)
            if first == "override" and isinstance(value, str) and is_flag_name(name) and not name.startswith("hydra/"):
                overridden[name] = replace(overridden.get(name, Flag(name, action="override")), default=value)
    return overridden

"""The flags of Hydra: the values of the YAML that `@hydra.main` names, and the groups of its defaults list."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from itertools import islice
from posixpath import normpath
from typing import TYPE_CHECKING, Any

from gitrun.model.flags import Flag, is_name
from gitrun.model.frontends.folding import text_of
from gitrun.model.frontends.module import FUNCTIONS, keywords_of
from gitrun.model.frontends.parameters import fields_of
from gitrun.model.frontends.script import ARGS, Command, Group, Script
from gitrun.model.frontends.yaml_text import MISSING, MOST_FLAGS, NoYamlError, flags_in, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.model.frontends.module import Module
    from gitrun.model.frontends.script import Files

DEEPEST = 6
MOST_OPTIONS = 200
ENDS = (".yaml", ".yml")


def read(module: Module) -> Script | None:
    """The values of the configuration; None if the module has no `@hydra.main`."""
    if not module.names(b"hydra"):
        return None
    functions = (node for node in module.near(b"main") if isinstance(node, FUNCTIONS))
    decorators = (decorator for node in functions for decorator in node.decorator_list)
    call = next((node for node in decorators if isinstance(node, ast.Call) and module.full_name(node.func) in NAMES), None)
    if call is None:
        return None
    nodes = dict(zip(("config_path", "config_name"), call.args, strict=False)) | keywords_of(call)
    folder = text_of(nodes.get("config_path"), module.scope)
    name = text_of(nodes.get("config_name"), module.scope)
    if not name:
        return Script((), ARGS, "hydra", partial="its @hydra.main names no configuration that its source tells")
    place = normpath(f"{module.path.rpartition('/')[0]}/{folder}").strip("/").removeprefix(".")
    reading = Reading(module.files, place.lstrip("/"))
    try:
        found = reading.config(name)
    except NoYamlError as error:
        return Script((), ARGS, "hydra", partial=str(error))
    if found is None:
        return structured(module, name)
    return Script(tuple(found.values()), ARGS, "hydra", groups=tuple(reading.groups.values()), partial=reading.partial)


NAMES = ("hydra.main", "hydra.main.main")


def structured(module: Module, name: str) -> Script:
    """The fields of the class that is stored under the name in the ConfigStore."""
    for call in module.near(b".store"):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.func.attr != "store":
            continue
        nodes = keywords_of(call)
        node = nodes.get("node", call.args[1] if len(call.args) > 1 else None)
        stored = text_of(nodes.get("name", call.args[0] if call.args else None), module.scope)
        inner = module.classes.get(getattr(node, "id", ""))
        if stored == name and inner and "group" not in nodes:
            return Script(tuple(class_flags(inner, module, "")), ARGS, "hydra")
    return Script((), ARGS, "hydra", partial=f"its configuration {name} is not in the source")


def class_flags(node: ast.ClassDef, module: Module, prefix: str, depth: int = 0) -> Iterator[Flag]:
    """The fields of a structured configuration."""
    for field in fields_of(node, module):
        inner = module.classes.get(field.hint.config)
        name = prefix + field.name
        if inner and depth < DEEPEST:
            yield from class_flags(inner, module, f"{name}.", depth + 1)
        elif name != "defaults" and is_name(name):
            choices = field.hint.names or ()
            kind = "str" if choices else field.kind
            default = None if field.default == MISSING else field.default
            yield Flag(name, default, kind, choices, action="override", required=field.required or field.default == MISSING)


class Reading:
    """The files of one configuration directory."""

    def __init__(self, files: Files, place: str) -> None:
        self.files, self.place = files, place
        self.groups: dict[str, Group] = {}
        self.partial = ""
        self.met: set[str] = set()

    def document(self, path: str) -> Mapping[str, Any] | None:
        """A file of the directory, by its path without ending."""
        for end in ("", *ENDS):
            if path.endswith(ENDS) == (not end):
                data = self.files.read(f"{self.place}/{path}{end}".strip("/"))
                if data is not None:
                    return read_yaml(data)
        return None

    def config(self, path: str, prefix: str = "", depth: int = 0) -> dict[str, Flag] | None:
        """The flags of a file and of those that its defaults list names; None if there is no such file."""
        document = self.document(path)
        if document is None:
            return None
        self.met.add(path)
        own = flags_in({key: value for key, value in document.items() if key not in {"defaults", "hydra"}}, "override", prefix)
        values = {flag.name: flag for flag in islice(own, MOST_FLAGS)}
        listed = document.get("defaults")
        before: dict[str, Flag] = {}
        after: dict[str, Flag] = {}
        is_after = False
        folder = path.rpartition("/")[0]
        for entry in listed if isinstance(listed, list) else []:
            if entry == "_self_":
                is_after = True
            elif depth < DEEPEST:
                found = self.default(entry, folder, prefix, depth, over=is_after)
                (after if is_after else before).update(found)
        return before | values | after

    def default(self, entry: object, folder: str, prefix: str, depth: int, *, over: bool) -> dict[str, Flag]:
        """The flags that an entry of a defaults list adds: those of another file, or of a group."""
        if isinstance(entry, str):
            return self.other(entry, folder, prefix, depth)
        if not isinstance(entry, Mapping) or len(entry) != 1:
            return {}
        ((key, value),) = entry.items()
        words = str(key).split()
        if "override" in words or not words:
            return {}
        name, _, package = words[-1].partition("@")
        group = name.lstrip("/") if name.startswith("/") else f"{folder}/{name}".lstrip("/")
        inner = "" if package == "_global_" else f"{package}." if package else group.replace("/", ".") + "."
        flag = words[-1].lstrip("/") if package else group
        return self.group(group, value, (flag, inner), depth, over=over)

    def other(self, entry: str, folder: str, prefix: str, depth: int) -> dict[str, Flag]:
        """Another file: `base`, `db/mysql`, `base@_global_`."""
        name, _, package = entry.partition("@")
        path = name.lstrip("/") if name.startswith("/") else f"{folder}/{name}".lstrip("/")
        if path in self.met:
            return {}
        below = path.rpartition("/")[0].replace("/", ".")
        inner = (
            "" if package == "_global_" else f"{package}." if package else f"{below}." if below and below != folder else prefix
        )
        found = self.config(path, inner, depth + 1)
        if found is None:
            self.partial = self.partial or f"its configuration names {entry}, which is not in the source"
        return found or {}

    def group(self, group: str, value: object, names: tuple[str, str], depth: int, *, over: bool) -> dict[str, Flag]:
        """The flag of a group, whose choices are the files of its directory; what these add is kept beside it."""
        flag, prefix = names
        there = self.files.names(f"{self.place}/{group}".strip("/"))
        options = sorted({name.removesuffix(end) for name in there for end in ENDS if name.endswith(end)})[:MOST_OPTIONS]
        if not options or not is_name(flag):
            self.partial = self.partial or f"its configuration group {group} is not in the source"
            return {}
        commands = []
        for option in options:
            self.met.discard(f"{group}/{option}")
            commands.append(Command(option, tuple((self.config(f"{group}/{option}", prefix, depth + 1) or {}).values())))
        self.groups[flag] = Group(flag, tuple(commands), over=over)
        default: Any = value if isinstance(value, str) and value != MISSING else None
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            default = value
        many, required = isinstance(default, list), value == MISSING
        return {flag: Flag(flag, default, "any", tuple(options), action="override", many=many, required=required)}

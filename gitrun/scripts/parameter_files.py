"""The parameter files that a script loads by a literal name, as in `yaml.safe_load(open("params.yaml"))`."""

from __future__ import annotations

import ast
from collections import Counter
from posixpath import normpath
from typing import TYPE_CHECKING

from gitrun.scripts.constant_folding import fold_to_text
from gitrun.scripts.module import last_name, named_arguments
from gitrun.scripts.script import BESIDE, ParameterFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.scripts.module import Module

WORDS = (b"yaml", b"json", b"toml", b"params_show", b"OmegaConf", b"configparser")
FILE_LOADERS = {
    "yaml.safe_load", "yaml.load", "yaml.full_load", "yaml.unsafe_load", "json.load", "json.loads", "tomllib.load",
    "tomllib.loads", "tomli.load", "tomli.loads", "toml.load", "toml.loads", "rtoml.load", "ruamel.yaml.safe_load",
    "ruamel.yaml.load", "orjson.loads", "ujson.load", "ujson.loads",
}  # fmt: skip
PATH_LOADERS = {"toml.load", "omegaconf.OmegaConf.load"}
"""The functions that take a path instead of an open file."""
INI_READERS = {f"configparser.{name}" for name in ("ConfigParser", "RawConfigParser", "SafeConfigParser")}
DVC = ("dvc.api.params_show", "dvc.api.show.params_show")
ENDS = (".yaml", ".yml", ".json", ".toml", ".ini", ".cfg")
OPENERS = ("open", "read_text", "read_bytes")
WRITERS = ("write_text", "write_bytes")
# ends the search for names that are assigned to each other
MAX_DEPTH = 12
# calls that return the same place
LIKE_ITS_ARGUMENT = ("Path", "PurePath", "abspath", "realpath", "resolve", "absolute", "str", "expanduser", "as_posix")


def find_parameter_files(module: Module) -> tuple[ParameterFile, ...]:
    """Returns the files that the module reads and does not write, each once per table that it picks at once.

    `load(file)["train"]` picks the table `train`.
    """
    if not module.names(*WORDS):
        return ()
    reading = ParameterFileReading(module)
    files = dict.fromkeys(reading.files())
    whole = {one.path for one in files if not one.section}
    # a file that is also loaded as a whole needs no sections
    files_needed = (one for one in files if not one.section or one.path not in whole)
    # a file that the script writes holds results, not parameters
    return tuple(one for one in files_needed if one.path not in reading.written and one.path.endswith(ENDS))


class ParameterFileReading:
    """The calls of one module that open files."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.nodes = list(module.near(b"open", b"load", b"read", b"write", b"params_show"))
        self.named = sorted(self.bindings(), key=lambda match: match[1])
        self.written = {self.path(node) for node in self.writes()}

    def bindings(self) -> Iterator[tuple[str, float, ast.expr]]:
        """Yields name, first line and expression of each opened file, as in `with open(...) as f`."""
        for node in self.nodes:
            match node:
                case ast.With(items=items):
                    for item in items:
                        if isinstance(item.optional_vars, ast.Name):
                            yield item.optional_vars.id, node.lineno, item.context_expr
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as value):
                    # half a line later, so that `data` in `data = load(data)` is the earlier one
                    yield name, node.lineno + 0.5, value

    def writes(self) -> Iterator[ast.expr]:
        """Yields the paths of the files that the module opens for writing."""
        for node in self.nodes:
            match node:
                case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in WRITERS:
                    yield value
                case ast.Call() if last_name(node.func) == "open" and not opens_for_reading(node):
                    yield opened_path(node)

    def files(self) -> Iterator[ParameterFile]:
        """Yields the files that the module loads."""
        sections = {id(node.value): node.slice for node in self.nodes if isinstance(node, ast.Subscript)}
        for node in self.nodes:
            if not isinstance(node, ast.Call):
                continue
            name = self.module.full_name(node.func)
            if name in DVC:
                # params_show() without a name reads params.yaml
                texts = [fold_to_text(argument, self.module.scope) for argument in node.args] or ["params.yaml"]
                yield from (ParameterFile(normpath(text)) for text in texts if text)
                continue
            argument = node.args[0] if node.args else None
            if argument is None or name not in FILE_LOADERS | PATH_LOADERS:
                continue
            source = self.source(argument, node.lineno, 0)
            if source is None and name in PATH_LOADERS:
                source = argument
            path = self.path(source) if source else ""
            if path:
                section = fold_to_text(sections.get(id(node)), self.module.scope)
                yield ParameterFile(path, section, source.id if isinstance(source, ast.Name) else "")
        yield from self.ini_files()

    def ini_files(self) -> Iterator[ParameterFile]:
        """Yields the INI file that each configparser reads. Of several files, each has a say in the values of all."""
        names = [name for name, full in self.module.imports.items() if full in {"configparser", *INI_READERS}]
        nodes = list(self.module.near(*map(str.encode, names))) if names else []
        parsers = Counter(
            node.targets[0].id
            for node in nodes
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Call)
            if self.module.full_name(node.value.func) in INI_READERS
        )
        reads: dict[str, list[ast.expr | None]] = {}
        for node in self.nodes:
            match node:
                # read("c.ini"), or read(["c.ini"])
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id=name), attr="read"),
                    args=[ast.List(elts=[path]) | ast.Tuple(elts=[path]) | path, *_],
                ):
                    reads.setdefault(name, []).append(path)
                case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="read_file"), args=[argument, *_]):
                    reads.setdefault(name, []).append(self.source(argument, node.lineno, 0))
        for name in [name for name, count in parsers.items() if count == 1]:
            sources = reads.get(name, [])
            if len(sources) == 1 and sources[0] is not None and (location := self.path(sources[0])):
                yield ParameterFile(location)

    def source(self, node: ast.expr, line: float, depth: int) -> ast.expr | None:
        """Returns the expression for the path of the loaded file; None if the file is opened elsewhere."""
        if depth > MAX_DEPTH:
            return None
        match node:
            # as in `yaml.safe_load(open(path).read())`
            case ast.Call(func=ast.Attribute(value=inner, attr="read"), args=[]):
                return self.source(inner, line, depth + 1)
            case ast.Call() if last_name(node.func) in OPENERS and (last_name(node.func) != "open" or opens_for_reading(node)):
                return opened_path(node)
            case ast.Name(id=name):
                before = [(value, at) for name_known, at, value in self.named if name_known == name and at <= line]
                # half a line back, so that `data = load(data)` does not find its own binding
                return self.source(before[-1][0], before[-1][1] - 0.5, depth + 1) if before else None
        return None

    def path(self, node: ast.expr, depth: int = 0) -> str:
        """Returns the path that an expression stands for; "" if it is not known or absolute.

        A path beside the script begins with `BESIDE`.
        """
        text = self.part(node, depth)
        # an absolute path leads out of the repository
        return normpath(text) if text and not text.startswith(("/", "~")) else ""

    def part(self, node: ast.expr | None, depth: int) -> str:
        """Returns a part of a path as text, with `BESIDE` for the directory of the script; "" if it is not known."""
        if node is None or depth > MAX_DEPTH:
            return ""
        match node:
            # Path(__file__).parent / "params.yaml", or folder + "/params.yaml"
            case ast.BinOp(left=left, op=ast.Div() | ast.Add() as op, right=right):
                parts = self.part(left, depth + 1), self.part(right, depth + 1)
                return ("/" if isinstance(op, ast.Div) else "").join(parts) if all(parts) else ""
            case ast.Attribute(value=inner, attr="parent") | ast.Call(func=ast.Attribute(attr="dirname"), args=[inner]):
                return BESIDE if self.is_script(inner) else ""
            # as in `os.path.join(folder, "params.yaml")` and `Path(folder, "params.yaml")`
            case ast.Call(func=func, args=args) if last_name(func) in {"join", "joinpath", "Path", "PurePath"}:
                owner = [func.value] if isinstance(func, ast.Attribute) and func.attr == "joinpath" else []
                parts_of = [self.part(inner, depth + 1) for inner in (*owner, *args)]
                return "/".join(parts_of) if all(parts_of) else ""
            case ast.Call(func=ast.Attribute(value=inner, attr=attr), args=[]) if attr in LIKE_ITS_ARGUMENT:
                return self.part(inner, depth + 1)
            case ast.Call(args=[inner]) if last_name(node.func) in LIKE_ITS_ARGUMENT:
                return self.part(inner, depth + 1)
            case ast.Name(id=name) if name in self.module.statements:
                return self.part(self.module.statements[name], depth + 1)
        return fold_to_text(node, self.module.scope)

    def is_script(self, node: ast.expr) -> bool:
        """Returns whether the expression is the path of the script itself: `__file__`, `Path(__file__).resolve()`."""
        match node:
            case ast.Name(id="__file__"):
                return True
            case ast.Call(func=ast.Attribute(value=inner, attr=attr), args=[]) if attr in LIKE_ITS_ARGUMENT:
                return self.is_script(inner)
            case ast.Call(args=[inner]) if last_name(node.func) in LIKE_ITS_ARGUMENT:
                return self.is_script(inner)
        return False


def opened_path(call: ast.Call) -> ast.expr:
    """Returns the path that `open(path)`, `path.open()` or `path.read_text()` opens."""
    if isinstance(call.func, ast.Attribute) and is_method(call.func):
        return call.func.value
    return call.args[0] if call.args else named_arguments(call).get("file", ast.Constant(""))


def opens_for_reading(call: ast.Call) -> bool:
    """Returns whether a call to `open` opens a file for reading only, as far as its mode is known."""
    # path.open("w"), but open(path, "w")
    position = 0 if is_method(call.func) else 1
    mode = named_arguments(call).get("mode", call.args[position] if len(call.args) > position else None)
    return not (isinstance(mode, ast.Constant) and isinstance(mode.value, str) and set(mode.value) & set("wax+"))


def is_method(func: ast.expr) -> bool:
    """Returns whether a function such as `path.open` is a method of a path, and not `io.open`."""
    return isinstance(func, ast.Attribute) and last_name(func.value) not in {"io", "codecs", "builtins"}

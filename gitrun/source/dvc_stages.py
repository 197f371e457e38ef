"""The stages of a dvc.yaml (DVC 3) as operations: https://dvc.org/doc/user-guide/project-structure/dvcyaml-files."""

from __future__ import annotations

import posixpath
import re
import shlex
from graphlib import CycleError, TopologicalSorter
from itertools import product
from typing import TYPE_CHECKING, Any

from gitrun.dataclass import dataclass
from gitrun.errors import UsageError
from gitrun.model.entry import FILE_PREFIX
from gitrun.model.flags import format_value, is_flag_name
from gitrun.source import draft
from gitrun.source.config_files import iterate_leaves, load_tables
from gitrun.source.draft import Draft, as_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gitrun.git.exe import Git
    from gitrun.model.tree import Tree

PARAMS = "params.yaml"
WHOLE = "all"
TEMPLATE = re.compile(r"(?<!\\)\$\{\s*([^{}\s]+)\s*\}")
# keys of a stage that say nothing about what runs, or that are carried over
CARRIED = {"cmd", "deps", "params", "outs", "metrics", "plots", "desc", "wdir", "vars", "do", "foreach", "matrix"}
UNEQUAL = {
    "frozen": "gitrun has no frozen operations",
    "always_changed": "an operation always runs, unless --needed is given",
    "meta": "gitrun.toml has no key for it",
}
OF_THE_FILE = {"stages", "vars", "params", "metrics"}


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage as dvc.yaml has it. `values` are what its templates can name, `choices` those of a `foreach` or `matrix`.

    `base` is the directory of dvc.yaml, below the top; empty for the top.
    """

    name: str
    table: Mapping[str, Any]
    values: Mapping[str, Any]
    choices: Mapping[str, tuple[Any, ...]]
    base: str = ""

    def paths(self, key: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Returns paths below the top with their options, of `deps`, `outs`, `metrics` or `plots`."""
        directory = self.directory
        pairs = (
            next(iter(item.items())) if isinstance(item, dict) and item else (item, {}) for item in as_list(self.table.get(key))
        )
        return [
            (posixpath.normpath(posixpath.join(directory, self.fill(path))), options if isinstance(options, dict) else {})
            for path, options in pairs
            if isinstance(path, str)
        ]

    @property
    def directory(self) -> str:
        """Returns where it runs, below the top; empty for the top."""
        directory = posixpath.normpath(posixpath.join(self.base, self.fill(str(self.table.get("wdir") or "."))))
        return "" if directory == "." else directory

    def fill(self, text: str) -> str:
        """Returns a path with the values of its templates. A name without a value stays."""
        return TEMPLATE.sub(lambda match: str(self.values.get(match[1], match[0])), text)


def read_stages(git: Git, tree: Tree, path: str) -> Draft:
    """Returns the stages of a dvc.yaml as operations, with one of all of them in their order. Raises UsageError."""
    document, stages = load_stages(tree, path)
    losses = [f"{path}: {key}" for key in document if key not in OF_THE_FILE]
    outs = makers(stages)
    ignored = draft.read_ignored(git, tree, [dep for stage in stages for dep, _ in stage.paths("deps") if dep not in outs])
    operations: dict[str, dict[str, Any]] = {}
    for stage in stages:
        operations[stage.name] = draft_stage(tree, stage, outs, ignored)
        losses += [f"{path}: {stage.name}: {loss}" for loss in list_losses(stage)]
    operations |= draft_whole(operations)
    return Draft(path, operations, tuple(losses))


def load_stages(tree: Tree, path: str) -> tuple[Mapping[str, Any], list[Stage]]:
    """Returns the document of a dvc.yaml, and its stages. Raises UsageError."""
    document, base = draft.load_yaml(tree, path), posixpath.dirname(path)
    common = read_template_values(tree, [PARAMS, *as_list(document.get("vars"))], base)
    tables = document.get("stages")
    return document, [
        make_stage(tree, name, table, common, base)
        for name, table in (tables.items() if isinstance(tables, dict) else ())
        if isinstance(name, str) and isinstance(table, dict)
    ]


def makers(stages: Iterable[Stage]) -> dict[str, str]:
    """Returns the stage that writes each path."""
    return {out: stage.name for stage in stages for key in ("outs", "metrics", "plots") for out, _ in stage.paths(key)}


def draft_repro(tree: Tree, stages: Sequence[Stage]) -> dict[str, Any]:
    """Returns one operation that runs the commands of all stages in their order, as `dvc repro` does if all have changed.

    Returns nothing if only DVC can do that: for `foreach`, `matrix`, and templates without a value.
    """
    outs = makers(stages)
    by_name = {stage.name: stage for stage in stages if not stage.table.get("frozen")}
    graph = {
        name: draft_stage(tree, stage, outs, set()).get("needs", {}).keys() & by_name.keys() for name, stage in by_name.items()
    }
    try:
        ordered = [by_name[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError:
        return {}
    texts = [command_text(stage) for stage in ordered]
    names = [(stage, name) for stage, text in zip(ordered, texts, strict=True) for name in TEMPLATE.findall(text)]
    unfolded = any(stage.choices or not stage.table.get("cmd") for stage in ordered)
    if not ordered or unfolded or not all(is_word(stage, name) for stage, name in names):
        return {}
    lines = [
        f"cd {shlex.quote(stage.directory)} && {text}" if stage.directory else text
        for stage, text in zip(ordered, texts, strict=True)
    ]
    text = " && ".join(f"({line})" if draft.OF_A_SHELL.search(line) else line for line in lines) if len(lines) > 1 else lines[0]
    operation = draft.draft_command(TEMPLATE.sub(r"{\1}", text))
    files = [file for stage in ordered for file in parameter_files(stage)]
    in_file = read_template_values(tree, files[:1])
    outputs = kept_outputs(ordered)
    flags = {name: stage.values[name] for stage, name in names if name not in in_file}
    operation |= {"flags-to": FILE_PREFIX + files[0]} if files else {}
    operation |= {"outputs": outputs} if outputs else {}
    return operation | ({"flags": flags} if flags else {})


def make_stage(tree: Tree, name: str, table: Mapping[str, Any], common: Mapping[str, Any], base: str) -> Stage:
    """Returns a stage. Of `foreach` and `matrix`, one stage stands for all: its flags choose among them."""
    inner = table.get("do")
    body = inner if isinstance(inner, dict) else table
    values = dict(common) | read_template_values(tree, as_list(body.get("vars")), base)
    choices = dict(read_choices(table, values))
    return Stage(name, body, values | {flag: options[0] for flag, options in choices.items()}, choices, base)


def read_choices(table: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yields the names that the templates of `foreach` or `matrix` use, each with its values."""
    for name, items in (table.get("matrix") or {}).items() if isinstance(table.get("matrix"), dict) else ():
        yield from name_items(f"item.{name}", resolve(items, values))
    each = resolve(table.get("foreach"), values)
    if isinstance(each, dict) and (keys := tuple(key for key in each if isinstance(key, str))):
        yield "key", keys
    yield from name_items("item", list(each.values()) if isinstance(each, dict) else each)


def name_items(name: str, items: object) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yields `item` with plain values, or `item.lr` and others if the values are tables."""
    rows = items if isinstance(items, list) else []
    plain = tuple(dict.fromkeys(row for row in rows if isinstance(row, str | int | float)))
    if plain:
        yield name, plain
    leaves = [dict(iterate_leaves(row, f"{name}.")) for row in rows if isinstance(row, dict)]
    for leaf in dict.fromkeys(key for row in leaves for key in row):
        of_leaf = tuple(dict.fromkeys(row[leaf] for row in leaves if isinstance(row.get(leaf), str | int | float)))
        if of_leaf:
            yield leaf, of_leaf


def resolve(value: object, values: Mapping[str, Any]) -> object:
    """Returns the value that a template such as `${models}` names, or the value itself."""
    match = TEMPLATE.fullmatch(value.strip()) if isinstance(value, str) else None
    return values.get(match[1], value) if match else value


def read_template_values(tree: Tree, sources: Iterable[object], base: str = "") -> dict[str, Any]:
    """Returns values by dotted name: of files such as params.yaml (`params.yaml:train` picks a table), and of tables.

    Files are named as below `base`.
    """
    values: dict[str, Any] = {}
    for one in sources:
        tables: Mapping[str, Any] = one if isinstance(one, dict) else {}
        if isinstance(one, str):
            path, _, picked = one.partition(":")
            data = tree.read(posixpath.normpath(posixpath.join(base, path)), draft.LARGEST)
            try:
                tables = load_tables(data, path) if data else {}
            except UsageError:
                tables = {}
            tables = {key: tables[key] for key in picked.split(",") if key in tables} if picked else tables
        # lists and tables for `foreach: ${models}`, and single values for words
        values |= tables
        values |= dict(iterate_leaves(tables))
    return values


def draft_stage(tree: Tree, stage: Stage, outs: Mapping[str, str], ignored: set[str]) -> dict[str, Any]:
    """Returns the table of one stage."""
    text = command_text(stage)
    used = [name for name in dict.fromkeys(TEMPLATE.findall(text)) if is_word(stage, name)]
    # `{lr}` in a word of a command stands for the flag
    text = TEMPLATE.sub(lambda match: f"{{{match[1]}}}" if match[1] in used else match[0], text)
    operation: dict[str, Any] = {}
    if isinstance(stage.table.get("desc"), str):
        operation["description"] = " ".join(stage.table["desc"].split())
    operation |= draft.draft_command(text, stage.directory)
    file = next(iter(parameter_files(stage)), "")
    in_file = dict(read_template_values(tree, [file])) if file else {}
    if file and (used or "script" not in operation):
        operation["flags-to"] = FILE_PREFIX + file
    flags = {name: draft_flag(stage, name) for name in used if name not in in_file or "flags-to" not in operation}
    needs: dict[str, list[str]] = {}
    inputs = []
    for dep, _ in stage.paths("deps"):
        maker = next((name for out, name in outs.items() if is_inside(dep, out) and name != stage.name), "")
        if maker:
            needs.setdefault(maker, []).append(dep)
        elif dep in ignored:
            inputs.append(dep)
    outputs = kept_outputs([stage])
    operation |= {"needs": needs} if needs else {}
    operation |= {"inputs": inputs} if inputs else {}
    operation |= {"outputs": outputs} if outputs else {}
    return operation | ({"flags": flags} if flags else {})


def command_text(stage: Stage) -> str:
    """Returns the command line of a stage; of several, all in order, each if the one before succeeded."""
    lines = [line for line in as_list(stage.table.get("cmd")) if isinstance(line, str)]
    text = " && ".join(" ".join(line.split("\n")) if line.rstrip().count("\n") == 0 else line.strip() for line in lines)
    return TEMPLATE.sub(lambda match: expand_table(stage, match[1]) or match[0], text)


def expand_table(stage: Stage, name: str) -> str:
    """Returns the options that `${train}` stands for if it names a table: `--lr ${train.lr}`, and so on; else empty."""
    if not isinstance(stage.values.get(name), dict):
        return ""
    leaves = dict(iterate_leaves(stage.values[name]))
    return " ".join(f"--{leaf} ${{{name}.{leaf}}}" for leaf, value in leaves.items() if isinstance(value, str | int | float))


def draft_flag(stage: Stage, name: str) -> Any:  # noqa: ANN401 - a value, or a table
    """Returns a flag of gitrun.toml: its default, or a table with the choices of a `foreach`."""
    choices = stage.choices.get(name, ())
    if len(choices) > 1 and len({type(one) for one in choices}) == 1:
        return {"default": choices[0], "choices": list(choices)}
    return stage.values[name]


def parameter_files(stage: Stage) -> list[str]:
    """Returns the files whose values the stage takes, in their order, below the top."""
    items = as_list(stage.table.get("params"))
    names = [name for item in items for name in (item if isinstance(item, dict) else (PARAMS,)) if isinstance(name, str)]
    files = (posixpath.normpath(posixpath.join(stage.directory, stage.fill(name))) for name in names)
    return [file for file in dict.fromkeys(files) if file.endswith((".yaml", ".yml", ".json", ".toml"))]


def draft_whole(operations: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Returns an operation that runs all stages, each after those whose files it needs; none for a single stage."""
    graph = {name: list(table.get("needs", ())) for name, table in operations.items()}
    name = next(name for name in (WHOLE, "pipeline", "repro", "") if name not in operations)
    if len(graph) < 2 or not name:
        return {}
    try:
        return {name: {"description": "All stages in their order", "steps": list(TopologicalSorter(graph).static_order())}}
    except CycleError:
        return {}


def list_losses(stage: Stage) -> Iterator[str]:
    """Yields what of a stage has no equal in gitrun.toml."""
    for key in stage.table:
        if key in UNEQUAL and stage.table[key]:
            yield f"{key}: {UNEQUAL[key]}"
        elif key not in CARRIED | set(UNEQUAL):
            yield f"{key} is unknown"
    text = command_text(stage)
    yield from (f"${{{name}}} has no value here" for name in dict.fromkeys(TEMPLATE.findall(text)) if not is_word(stage, name))
    files = parameter_files(stage)
    yield from (f"flags of {file}: an operation has one file of flags, and {files[0]} is it" for file in files[1:])
    for path, _ in stage.paths("metrics"):
        if posixpath.basename(path) != "metrics.json":
            yield f"metrics of {path} are not read. To have them read: name it metrics.json"
    yield from (f"{path} is outside the repository" for path, _ in stage.paths("outs") if leaves_top(path))
    if stage.choices:
        words = " ".join(
            shlex.quote(f"{name}=[{','.join(map(format_value, options))}]") for name, options in stage.choices.items()
        )
        count = len(list(product(*stage.choices.values())))
        yield f"one operation stands for its {count} stages. To run all: git run {shlex.quote(stage.name)} {words}"


def is_word(stage: Stage, name: str) -> bool:
    """Returns whether a template names a single value that a flag can hold."""
    return is_flag_name(name) and isinstance(stage.values.get(name), str | int | float)


def is_inside(path: str, directory: str) -> bool:
    """Returns whether one path is the other, or below it, or above it."""
    return f"{path}/".startswith(f"{directory}/") or f"{directory}/".startswith(f"{path}/")


def leaves_top(path: str) -> bool:
    """Returns whether a path is not inside the repository."""
    return path.startswith(("/", "../", "~")) or "://" in path or path in {".", ".."}


def kept_outputs(stages: Iterable[Stage]) -> list[str]:
    """Returns the outputs that DVC keeps in its cache, each once, as far as they are in the repository."""
    paths = (pair for stage in stages for key in ("outs", "metrics", "plots") for pair in stage.paths(key))
    return list(dict.fromkeys(out for out, options in paths if options.get("cache", True) and not leaves_top(out)))

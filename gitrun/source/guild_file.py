"""The operations of a guild.yml (Guild 0.9) as operations of gitrun.toml: https://my.guild.ai/t/guild-file-reference."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from gitrun import source
from gitrun.dataclass import dataclass
from gitrun.errors import BadProjectFile, UsageError
from gitrun.model.encode import dump_toml
from gitrun.model.entry import ARGS, FILE_PREFIX, GLOBALS
from gitrun.model.flags import copy_value, is_flag_name
from gitrun.model.plan import GITRUN
from gitrun.model.tree import is_regular_file
from gitrun.source.draft import LARGEST, Draft, as_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitrun.git.exe import Git
    from gitrun.model.entry import Definition
    from gitrun.model.tree import Tree

NAMES = ("guild.yml", "guild.yaml")
TYPES = {
    "int": "int", "float": "float", "number": "number", "string": "str", "boolean": "bool", "path": "str",
    "existing-path": "str",
}  # fmt: skip
# keys that are carried over, or that only say what gitrun does anyway
CARRIED = frozenset({
    "main", "exec", "notebook", "steps", "description", "flags", "flags-dest", "flags-import", "requires", "output-scalars",
    "env", "stop-after", "sourcecode", "name", "default", "pip-freeze",
})  # fmt: skip
UNEQUAL = {
    "python-path": "set PYTHONPATH in env", "compare": "git run compare --columns", "label": "git run --label",
    "tags": "git run --tag", "optimizers": "git run -o", "optimizer": "git run -o",
    "objective": "git run --minimize or --maximize",
    "default-max-trials": "git run -m", "env-secrets": "gitrun records no secrets",
    "python-requires": "gitrun uses your Python",
    "delete-on-success": "git run rm", "flags-import-skip": "all flags of a script can be set",
}  # fmt: skip
MODEL_KEYS = frozenset(
    {"model", "config", "operations", "extends", "description", "resources", "sourcecode", "params", "flags"}
)
OPTIMIZERS = {"random": "random", "gp": "gp", "bayesian": "gp"}
"""Optimizers of Guild and those of the same method here."""
# ${lr} in a word of exec, {{name}} of a parameter
REFERENCE, PARAMETER = re.compile(r"\$\{([^{}$\s]+)\}"), re.compile(r"\{\{\s*([\w-]+)\s*\}\}")
# Guild selects files by a regular expression
NO_PATTERN = re.compile(r"[\w./ -]+")
NUMBER = r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"


@dataclass(frozen=True, slots=True)
class Model:
    """A model of a guild.yml: its name (empty: operations without one), its table with what it extends, and its operations."""

    name: str
    table: Mapping[str, Any]
    operations: Mapping[str, Any]

    def qualify(self, operation: str) -> str:
        """Returns the full name of an operation as this model names it: `m:train` for `train`."""
        return f"{self.name}:{operation}" if self.name and ":" not in operation and operation in self.operations else operation


def read_operations(_git: Git | None, tree: Tree, path: str) -> Draft:
    """Returns the operations of a guild.yml, with what of them has no equal here. Raises UsageError, MissingPackage."""
    items = load_items(tree, path)
    configs = {one["config"]: one for one in items if isinstance(one.get("config"), str)}
    losses = list[str]()
    operations: dict[str, Mapping[str, Any]] = {}
    for item in items:
        # a config only counts where a model extends it
        if "config" in item or ("operations" not in item and "model" not in item):
            losses += [f"{path}: {key}" for key in item if key not in MODEL_KEYS]
            continue
        model = make_model(item, configs)
        losses += [f"{path}: {model.name or 'model'}: {key}" for key in model.table if key not in MODEL_KEYS]
        for name, table in model.operations.items():
            if not isinstance(name, str) or not isinstance(table, dict):
                losses.append(f"{path}: {name} is no operation")
                continue
            full = model.qualify(name)
            lost = list[str]()
            operations[full] = draft_operation(tree, model, default_main(tree, name) | table, configs, lost)
            losses += [f"{path}: {full}: {loss}" for loss in lost]
    return Draft(path, operations, tuple(losses))


def load_items(tree: Tree, path: str) -> list[dict[str, Any]]:
    """Returns the models and configs of a guild.yml. Raises UsageError."""
    data = tree.read(path, LARGEST)
    if data is None:
        raise UsageError(f"cannot read {path}", "gitrun reads files up to 1 MiB")
    try:
        value = source.config_files.load_yaml(data.decode("utf-8-sig"))
    except (ValueError, RecursionError, TypeError) as error:
        raise BadProjectFile(f"cannot read {path}: {' '.join(str(error).split())}") from error
    if source.config_files.count_values(value, {}) > source.config_files.MOST:
        raise BadProjectFile(f"cannot read {path}: it has too many values")
    if isinstance(value, dict):
        # a file may have only operations, each under its name
        return [value if {"model", "operations", "config"} & value.keys() else {"operations": value}]
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def make_model(item: Mapping[str, Any], configs: Mapping[str, Mapping[str, Any]]) -> Model:
    """Returns a model with what it extends. Of two settings, its own wins, and of two configs the later one."""
    table: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for name in texts(item.get("extends")):
        config = configs.get(name, {})
        table |= {key: value for key, value in config.items() if key not in {"config", "operations"}}
        operations |= config["operations"] if isinstance(config.get("operations"), dict) else {}
    table |= {key: value for key, value in item.items() if key != "operations"}
    operations |= item["operations"] if isinstance(item.get("operations"), dict) else {}
    params = item.get("params")
    if isinstance(params, dict):
        operations = fill(operations, params)
    title = item.get("model")
    # `train: train` is short for `train: {main: train}`
    bodies = {key: {"main": value} if isinstance(value, str) else value for key, value in operations.items()}
    return Model(title if isinstance(title, str) else "", table, bodies)


def fill(value: Any, params: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever the file has
    """Returns the value with `{{name}}` replaced by parameters of the model."""
    if isinstance(value, dict):
        return {key: fill(one, params) for key, one in value.items()}
    if isinstance(value, list):
        return [fill(one, params) for one in value]
    return PARAMETER.sub(lambda match: str(params.get(match[1], match[0])), value) if isinstance(value, str) else value


def texts(value: object) -> list[str]:
    """Returns the texts of a list, or the one text."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str)]


def draft_operation(
    tree: Tree, model: Model, table: Mapping[str, Any], configs: Mapping[str, Mapping[str, Any]], lost: list[str]
) -> dict[str, Any]:
    """Returns the table of one operation. Adds to `lost` what cannot be kept."""
    operation: dict[str, Any] = {}
    if isinstance(table.get("description"), str) and table["description"].strip():
        operation["description"] = " ".join(table["description"].split())
    flags = draft_flags(table.get("flags"), configs, lost)
    operation |= draft_body(tree, model, table, flags, lost)
    if variables := draft_variables(table.get("flags"), flags, operation, lost):
        operation["command"] = ["env", *variables, *operation["command"]]
    if "steps" in operation:
        defaults = {key: one.get("default") if isinstance(one, dict) else one for key, one in flags.items()}
        lost += [f"flag {key}: steps have their own defaults. To set it: {key}={one}" for key, one in defaults.items() if one]
        flags = {}
    operation |= draft_destination(table, lost) if "script" in operation else {}
    operation |= {"flags": flags} if flags else {}
    operation |= draft_requires(model, table.get("requires"), lost)
    metrics = dict(draft_metrics(table.get("output-scalars"), lost))
    operation |= {"metrics": metrics} if metrics else {}
    env = table.get("env")
    if isinstance(env, dict):
        operation["env"] = {str(name): str(value) for name, value in env.items() if value is not None}
    minutes = table.get("stop-after")
    if isinstance(minutes, int | float) and minutes > 0:
        operation["stop-after"] = f"{minutes * 60:g}s"
    lost += [f"{key}: {UNEQUAL[key]}" if key in UNEQUAL else str(key) for key in table if key not in CARRIED]
    return {
        key: value
        for key, value in operation.items()
        if "steps" not in operation or key in {"description", "steps", "stop-after"}
    }


def draft_body(tree: Tree, model: Model, table: Mapping[str, Any], flags: Mapping[str, Any], lost: list[str]) -> dict[str, Any]:
    """Returns the key that says what runs: script, command, notebook or steps."""
    if "steps" in table:
        return {"steps": [step for one in as_list(table["steps"]) if (step := draft_step(model, one, lost))]}
    if isinstance(table.get("exec"), str):
        return {"command": draft_words(table["exec"], flags, lost)}
    if isinstance(table.get("notebook"), str):
        return {"notebook": table["notebook"].split(" ")[0]}
    main = table.get("main")
    if not isinstance(main, str):
        lost.append("it says nothing about what runs")
        return {}
    spec, *words = split_words(main)
    directory, slash, module = spec.rpartition("/")
    path = f"{directory}{slash}{module.replace('.', '/')}.py"
    if not is_regular_file(tree, path):
        path = spec if spec.endswith(".py") and is_regular_file(tree, spec) else ""
    if path and not words:
        return {"script": path}
    return {"command": ["python3", *([path] if path else ["-m", module]), *words]}


def default_main(tree: Tree, name: str) -> dict[str, str]:
    """Returns the main module that Guild takes if an operation has none: the one of its name. Empty if there is none."""
    module = re.sub(r"(?i)\.py$", "", name).replace("-", "_")
    paths = (f"{module.replace('.', '/')}{end}" for end in (".py", "/__main__.py"))
    return {"main": module} if any(is_regular_file(tree, path) for path in paths) else {}


def split_words(text: str) -> list[str]:
    """Returns the words of a command line; the text itself if it has no closing quote."""
    try:
        return shlex.split(text) or [text]
    except ValueError:
        return [text]


def draft_words(text: str, flags: Mapping[str, Any], lost: list[str]) -> list[str]:
    """Returns the words of `exec`, with `{lr}` for `${lr}`."""
    words = list[str]()
    for word in split_words(text):
        if word == "${flag_args}":
            words += [part for name in flags for part in (f"--{name}", f"{{{name}}}")]
            continue
        unknown = [name for name in REFERENCE.findall(word) if name not in flags and name != "python_exe"]
        lost += [f"${{{name}}} is no flag" for name in unknown]
        words.append(REFERENCE.sub(lambda match: "python3" if match[1] == "python_exe" else f"{{{match[1]}}}", word))
    return words


def draft_step(model: Model, step: object, lost: list[str]) -> str | dict[str, Any]:
    """Returns a step as `m:train lr=0.1`, or as a table if it has options or flags of its own; empty if it runs nothing."""
    table: Mapping[str, Any] = step if isinstance(step, dict) else {"run": step}
    if not isinstance(table.get("run"), str):
        lost += [f"steps: {key}" for key in table if key != "name"] if isinstance(step, dict) else []
        return ""
    operation, *words = split_words(table["run"])
    lost += [f"steps: {word}" for word in words if "=" not in word or word.startswith("-")]
    pairs = [(name, value) for name, is_flag, value in map(split_at_sign, words) if is_flag and not name.startswith("-")]
    own = table.get("flags")
    flags: dict[str, Any] = dict(pairs) | ({str(name): value for name, value in own.items()} if isinstance(own, dict) else {})
    lost += [f"steps: flag {name}" for name in flags if not is_flag_name(name)]
    flags = {name: value for name, value in flags.items() if is_flag_name(name)}
    # flags of the whole reach the steps that have them
    lost += [f"steps: {name}={value}" for name, value in flags.items() if "${" in str(value) and value != f"${{{name}}}"]
    flags = {name: value for name, value in flags.items() if "${" not in str(value)}
    text = " ".join([model.qualify(operation), *(f"{name}={value}" for name, value in flags.items() if is_word(value))])
    others = {name: plain(name, value) for name, value in flags.items() if not is_word(value)}
    lost += [f"steps: flag {name}" for name, value in others.items() if value is None]
    options = draft_step_options(table, lost)
    others = {name: value for name, value in others.items() if value is not None}
    return {"run": text} | ({"flags": others} if others else {}) | options if others or options else text


def split_at_sign(word: str) -> tuple[str, str, str]:
    """Returns the parts of `lr=0.1`."""
    return word.partition("=")


def is_word(value: object) -> bool:
    """Returns whether a step can have the value as it is typed, such as `logspace[-4:-1:4]`."""
    return isinstance(value, str) and not re.search(r"""[\s'"]""", value)


def draft_step_options(table: Mapping[str, Any], lost: list[str]) -> dict[str, Any]:
    """Returns the options of a step that is a batch."""
    options = {key: table[key] for key in ("minimize", "maximize") if isinstance(table.get(key), str)}
    most = table.get("max-trials")
    options |= {"max-trials": most} if isinstance(most, int) and most > 0 else {}
    optimizer = OPTIMIZERS.get(str(table.get("optimizer")))
    options |= {"optimizer": optimizer} if optimizer else {}
    lost += [f"steps: {key}" for key in table if key not in options and key not in {"run", "name", "flags"}]
    return options


def draft_flags(value: object, configs: Mapping[str, Mapping[str, Any]], lost: list[str]) -> dict[str, Any]:
    """Returns the flags of an operation: defaults, or tables with more."""
    table: dict[str, Any] = {}
    for key, one in value.items() if isinstance(value, dict) else ():
        if key == "$include":
            for name in texts(one):
                # common-flags, or common#flags
                shared = configs.get(name.partition("#")[0], {}).get("flags")
                table |= shared if isinstance(shared, dict) else {}
        else:
            table[str(key)] = one
    flags: dict[str, Any] = {}
    for name, one in table.items():
        if not is_flag_name(name):
            lost.append(f"flag {name!r}: no flag can have this name")
        elif (flag := draft_flag(name, one, lost)) is not None:
            flags[name] = flag
    return flags


def draft_variables(value: object, flags: Mapping[str, Any], operation: Mapping[str, Any], lost: list[str]) -> list[str]:
    """Returns the words `LR={lr}` of env for flags that a command gets as environment variables of other names."""
    table = value if isinstance(value, dict) else {}
    names = {str(name): one["env-name"] for name, one in table.items() if isinstance(one, dict) and "env-name" in one}
    variables = [f"{variable}={{{name}}}" for name, variable in names.items() if name in flags]
    if "command" not in operation:
        lost += [f"flag {name}: env-name" for name in names]
    return variables if "command" in operation else []


def draft_flag(name: str, value: object, lost: list[str]) -> Any:  # noqa: ANN401 - a value, or a table
    """Returns a flag of gitrun.toml; None if it has no form there."""
    if isinstance(value, list):
        lost.append(f"flag {name}: a list as default, which makes a batch. To run it: git run OPERATION {name}=[…]")
        value = value[0] if value else None
    if not isinstance(value, dict):
        return plain(name, value) if value is not None else {}
    flag: dict[str, Any] = {}
    default = plain(name, value.get("default"))
    choices = [plain(name, one.get("value") if isinstance(one, dict) else one) for one in as_list(value.get("choices"))]
    if default is not None and (not choices or default in choices):
        flag["default"] = default
    if value.get("type") in TYPES:
        flag["type"] = TYPES[str(value["type"])]
    flag |= {"choices": choices} if choices and None not in choices else {}
    flag |= {key: value[key] for key in ("min", "max") if isinstance(value.get(key), int | float)}
    if isinstance(value.get("description"), str) and value["description"].strip():
        flag["help"] = " ".join(value["description"].split())
    flag |= {"required": True} if value.get("required") is True else {}
    known = {"default", "type", "choices", "min", "max", "description", "required", "$include", "env-name"}
    lost += [f"flag {name}: {key}" for key in value if key not in known]
    return flag


def plain(name: str, value: object) -> Any:  # noqa: ANN401 - whatever a flag can hold
    """Returns a value that a flag can hold; a date as text, None for anything else."""
    try:
        return None if value is None else copy_value(name, value)
    except UsageError:
        return str(value) if hasattr(value, "isoformat") else None


def draft_destination(table: Mapping[str, Any], lost: list[str]) -> dict[str, str]:
    """Returns how flags reach the program. Without a setting, gitrun finds that out."""
    destination = table.get("flags-dest")
    if not isinstance(destination, str):
        return {}
    kind, _, rest = destination.partition(":")
    if kind == "config" and rest:
        return {"flags-to": f"{FILE_PREFIX}{rest}"}
    if kind in {GLOBALS, ARGS} and (not rest or kind == ARGS):
        return {"flags-to": kind}
    lost.append(f"flags-dest: {destination}")
    return {}


def draft_requires(model: Model, value: object, lost: list[str]) -> dict[str, Any]:
    """Returns the needs and inputs of an operation."""
    needs: dict[str, list[str]] = {}
    inputs: list[Any] = []
    for one in sources_of(model, value):
        entry: Mapping[str, Any] = one if isinstance(one, dict) else {"file": one}
        if isinstance(entry.get("operation"), str):
            # several operations may give the files: prepare|prepare-small
            operation = model.qualify(entry["operation"].split("|")[0].strip())
            selected = texts(entry.get("select")) or ["*"]
            patterns = [text.replace("\\.", ".") for text in selected]
            # a run of gitrun has no directory .guild
            known = [text for text in patterns if text == "*" or (NO_PATTERN.fullmatch(text) and ".guild/" not in text)]
            lost += [f"requires: select {text}" for text in patterns if text not in known]
            needs.setdefault(operation, []).extend(known)
        elif isinstance(entry.get("file"), str) and "${" not in entry["file"]:
            inputs.append(entry["file"])
        elif isinstance(entry.get("url"), str) and isinstance(entry.get("sha256"), str):
            inputs.append({"url": entry["url"], "sha256": entry["sha256"]})
        else:
            lost.append(f"requires: {' '.join(map(str, list(entry)[:1]))}{': needs sha256' if 'url' in entry else ''}")
        lost += [f"requires: {key}" for key in entry if key in {"target-path", "path", "rename", "unpack"}]
    needs = {name: patterns for name, patterns in needs.items() if patterns}
    return {**({"needs": needs} if needs else {}), **({"inputs": inputs} if inputs else {})}


def sources_of(model: Model, value: object) -> Iterator[Any]:
    """Yields what an operation requires: files and operations, also those of named resources of the model."""
    resources = model.table.get("resources")
    for one in as_list(value):
        named = resources.get(one) if isinstance(one, str) and isinstance(resources, dict) else None
        if named is None:
            yield one
        else:
            yield from as_list(named.get("sources") if isinstance(named, dict) else named)


def draft_metrics(value: object, lost: list[str]) -> Iterator[tuple[str, str]]:
    """Yields name and pattern of the metrics in an operation's output. Guild's own words for parts of a line are replaced."""
    for one in as_list(value):
        for name, pattern in one.items() if isinstance(one, dict) else ():
            text = str(pattern).replace("\\value", NUMBER[1:-1])
            try:
                groups = re.compile(text).groups
            except (re.error, OverflowError, RecursionError):
                groups = 0
            if isinstance(name, str) and groups == 1:
                yield name, text
            elif name != "step":
                lost.append(f"output-scalars: {name}")


def guild_definition(tree: Tree, name: str) -> Definition | None:
    """Returns the operation of that name in the tree's guild.yml; None if there is none. `train` finds `m:train`.

    Raises UsageError, MissingPackage without PyYAML.
    """
    path = next((path for path in NAMES if is_regular_file(tree, path)), "")
    # a misspelt script must not need PyYAML, or tell of an error in a file that has nothing like it
    if not path or name.rpartition(":")[2].encode(errors="replace") not in (tree.read(path, LARGEST) or b""):
        return None
    operations = read_operations(None, tree, path).operations
    full = [one for one in operations if one == name or one.rpartition(":")[2] == name]
    chosen = name if name in operations else full[0] if len(full) == 1 else ""
    if not chosen:
        return None
    return define({chosen: operations[chosen]})[chosen]


def define(operations: Mapping[str, Mapping[str, Any]]) -> dict[str, Definition]:
    """Returns the definitions of drafted operations. Raises UsageError."""
    text = dump_toml({"operations": {name: dict(table) for name, table in operations.items()}})
    return source.project_file.read_definitions(text.encode(), GITRUN)


def guild_entries(tree: Tree) -> dict[str, Definition | UsageError]:
    """Returns the operations of the tree's guild.yml by name, each as its definition or its error.

    Raises as `read_operations`.
    """
    path = next((path for path in NAMES if is_regular_file(tree, path)), "")
    entries: dict[str, Definition | UsageError] = {}
    for name, table in read_operations(None, tree, path).operations.items() if path else ():
        try:
            entries |= define({name: table})
        except UsageError as error:
            message = error.message.removeprefix(f"{GITRUN}, ").partition(": ")[2] or error.message
            entries[name] = BadProjectFile(f"{path}: {message}", error.hint)
    return entries

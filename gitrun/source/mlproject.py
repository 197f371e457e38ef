"""The entry points of an MLproject file as operations: https://mlflow.org/docs/latest/ml/projects/."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gitrun.source import draft
from gitrun.source.draft import Draft

if TYPE_CHECKING:
    from gitrun.git.exe import Git
    from gitrun.model.tree import Tree

PLACEHOLDER = re.compile(r"\{\s*(\w+)\s*\}")
# mlflow/projects/_project_spec.py: what is given nowhere is required; `path` and `uri` are texts
TYPES = {"float": "float", "int": "int", "string": "str", "path": "str", "uri": "str"}
KNOWN = {"name", "entry_points"}


def read_entry_points(git: Git, tree: Tree, path: str) -> Draft:  # noqa: ARG001 - readers have one signature
    """Returns the entry points of an MLproject as operations. Raises UsageError if it is not YAML."""
    document = draft.load_yaml(tree, path)
    entries = document.get("entry_points")
    losses = [f"{path}: {key}: {explain_key(key)}" for key in document if key not in KNOWN]
    operations = {}
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        if not isinstance(entry, dict) or not isinstance(entry.get("command"), str):
            losses.append(f"{path}: {name} has no command")
            continue
        parameters = entry.get("parameters")
        flags = {key: draft_parameter(value) for key, value in parameters.items()} if isinstance(parameters, dict) else {}
        words = PLACEHOLDER.sub(r"{\1}", entry["command"])
        unused = [key for key in flags if f"{{{key}}}" not in words]
        losses += [f"{path}: {name}: parameter {key} is not in the command" for key in unused]
        flags = {key: value for key, value in flags.items() if key not in unused}
        operations[str(name)] = draft.draft_command(words) | ({"flags": flags} if flags else {})
    return Draft(path, operations, tuple(losses))


def draft_parameter(parameter: object) -> dict[str, Any]:
    """Returns a flag of gitrun.toml for a parameter: its type, or a table of type and default."""
    table = parameter if isinstance(parameter, dict) else {"type": parameter}
    kind = TYPES.get(str(table.get("type", "string")), "any")
    default = table.get("default")
    if isinstance(default, dict | list) or default is None:
        return {"type": kind, "required": True}
    # `default: 1` of a float, and `default: "0.1"`
    if kind == "str":
        return {"default": str(default), "type": kind}
    with suppress(ValueError):
        default = {"float": float, "int": int}.get(kind, lambda value: value)(default)
    return {"default": default, "type": kind}


def explain_key(key: object) -> str:
    """Returns why a key at the top of an MLproject has no equal."""
    if str(key).endswith("_env"):
        return "gitrun uses your environment, and records it"
    return "gitrun.toml has no key for it"

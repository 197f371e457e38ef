"""The flags of scripts that merge a YAML file with `OmegaConf.from_cli()`: its values, given as `key=value`."""

from __future__ import annotations

import ast
from itertools import islice
from typing import TYPE_CHECKING

from gitrun.scripts.constant_folding import fold_to_text
from gitrun.scripts.module import last_name, named_arguments
from gitrun.scripts.script import ARGS, LONGEST_FILE, Script
from gitrun.scripts.yaml_text import MAX_FLAGS, NoYamlError, read_yaml, read_yaml_flags

if TYPE_CHECKING:
    from gitrun.model.flags import Flag
    from gitrun.scripts.module import Module


def read_omegaconf_flags(module: Module) -> Script | None:
    """Returns the values of the files that the module loads; None if it does not call `from_cli`."""
    if not module.names(b"from_cli"):
        return None
    calls = [node for node in module.near(b"from_cli", b"OmegaConf") if isinstance(node, ast.Call)]
    # the word can also be in a comment
    if not any(last_name(call.func) == "from_cli" for call in calls):
        return None
    flags: dict[str, Flag] = {}
    partial = ""
    # later files override earlier ones, as scripts usually merge them
    calls.sort(key=lambda call: (call.lineno, call.col_offset))
    for call in calls:
        if module.full_name(call.func) not in {"omegaconf.OmegaConf.load", "omegaconf.omegaconf.OmegaConf.load"}:
            continue
        path = fold_to_text(call.args[0] if call.args else named_arguments(call).get("file_"), module.scope)
        data = read_loaded_file(module, path) if path else None
        if data is None:
            partial = partial or "it loads a configuration that is not in the source"
            continue
        try:
            flags |= {flag.name: flag for flag in islice(read_yaml_flags(read_yaml(data), "dotlist"), MAX_FLAGS)}
        except NoYamlError as error:
            partial = str(error)
    partial = partial if flags or partial else "it loads no configuration"
    return Script(tuple(flags.values()), ARGS, "omegaconf", partial=partial)


def read_loaded_file(module: Module, path: str) -> bytes | None:
    """Returns a file from the top of the repository or beside the script; None if there is none."""
    folder = module.path.rpartition("/")[0]
    tries = dict.fromkeys([path.removeprefix("./"), f"{folder}/{path}".strip("/")])
    return next((data for path in tries if (data := module.files.read(path, LONGEST_FILE)) is not None), None)

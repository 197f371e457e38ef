"""The choice of a script's front end: the first reader that finds its library in the source; else constants are flags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.dataclass import replace
from gitrun.scripts import (
    absl_reader,
    argparse_reader,
    click_reader,
    dataclass_configs,
    docopt_reader,
    fire_reader,
    hydra_reader,
    jsonargparse_reader,
    omegaconf_reader,
    pydantic_reader,
    sacred_reader,
    typer_reader,
)
from gitrun.scripts.module import parse_module
from gitrun.scripts.namespace_changes import read_constant_script
from gitrun.scripts.parameter_files import find_parameter_files
from gitrun.scripts.script import GLOBALS, Script

if TYPE_CHECKING:
    from gitrun.model.tree import Tree

# the order decides for a script that uses several of these libraries
READERS = (
    hydra_reader.read_hydra_flags,
    sacred_reader.read_sacred_flags,
    absl_reader.read_absl_flags,
    typer_reader.read_typer_flags,
    click_reader.read_click_flags,
    fire_reader.read_fire_flags,
    jsonargparse_reader.read_jsonargparse_flags,
    docopt_reader.read_docopt_flags,
    dataclass_configs.read_config_class_flags,
    argparse_reader.read_argparse_flags,
    omegaconf_reader.read_omegaconf_flags,
    pydantic_reader.read_pydantic_flags,
)

CONFIGURED = ("hydra", "omegaconf")
"""The front ends that read the values of files as flags themselves."""


def detect_flags(source: bytes, path: str, tree: Tree) -> Script:
    """Returns the flags of the script at `path`. Never raises: a file that does not parse has no flags."""
    module = parse_module(source, path, tree)
    if module is None:
        return Script((), GLOBALS)
    try:
        # a generator, so that no reader runs after the first that finds something
        read_by = (script_found for reader in READERS if (script_found := reader(module)))
        script = next(read_by, None) or read_constant_script(module)
        # Hydra and OmegaConf read these files themselves, with their own rules
        return script if script.frontend in CONFIGURED else replace(script, files=find_parameter_files(module))
    # a deeply nested source can exhaust the stack
    except RecursionError:
        return Script((), GLOBALS)

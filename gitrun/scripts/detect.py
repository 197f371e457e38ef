"""The choice of a script's front end: the first reader that finds its library in the source; else constants are flags."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

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
from gitrun.scripts.constants import constants_of
from gitrun.scripts.module import parse
from gitrun.scripts.parameter_files import files_of
from gitrun.scripts.script import GLOBALS, Script

if TYPE_CHECKING:
    from gitrun.model.tree import Tree

# the order decides for a script that uses several of these libraries
READERS = (
    hydra_reader.read, sacred_reader.read, absl_reader.read, typer_reader.read, click_reader.read,
    fire_reader.read, jsonargparse_reader.read, docopt_reader.read, dataclass_configs.read, argparse_reader.read,
    omegaconf_reader.read, pydantic_reader.read,
)  # fmt: skip

CONFIGURED = ("hydra", "omegaconf")
"""The front ends that read the values of files as flags themselves."""


def read(source: bytes, path: str, tree: Tree) -> Script:
    """Returns the flags of the script at `path`. Never raises: a file that does not parse has no flags."""
    module = parse(source, path, tree)
    if module is None:
        return Script((), GLOBALS)
    try:
        read_by = (found for reader in READERS if (found := reader(module)))
        script = next(read_by, None) or Script(tuple(constants_of(module)), GLOBALS)
        return script if script.frontend in CONFIGURED else replace(script, files=files_of(module))
    # a deeply nested source can exhaust the stack
    except RecursionError:
        return Script((), GLOBALS)

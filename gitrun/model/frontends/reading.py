"""The choice of a script's front end: the first reader that finds its library in the source; else constants are flags."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gitrun.model.frontends import (
    absl_flags,
    argparse_parsers,
    click_commands,
    docopt_usage,
    fire_component,
    hydra_config,
    jsonargparse_cli,
    omegaconf_config,
    pydantic_settings,
    sacred_experiment,
    typed_config,
    typer_functions,
)
from gitrun.model.frontends.constants import constants_of
from gitrun.model.frontends.module import parse
from gitrun.model.frontends.parameter_files import files_of
from gitrun.model.frontends.script import GLOBALS, Script

if TYPE_CHECKING:
    from gitrun.model.frontends.script import Files

# the order decides for a script that uses several of these libraries
READERS = (
    hydra_config.read, sacred_experiment.read, absl_flags.read, typer_functions.read, click_commands.read,
    fire_component.read, jsonargparse_cli.read, docopt_usage.read, typed_config.read, argparse_parsers.read,
    omegaconf_config.read, pydantic_settings.read,
)  # fmt: skip

CONFIGURED = ("hydra", "omegaconf")
"""The front ends that read the values of files as flags themselves."""


def read(source: bytes, path: str, files: Files) -> Script:
    """Returns the flags of the script at `path`. Never raises: a file that does not parse has no flags."""
    module = parse(source, path, files)
    if module is None:
        return Script((), GLOBALS)
    try:
        read_by = (found for reader in READERS if (found := reader(module)))
        script = next(read_by, None) or Script(tuple(constants_of(module)), GLOBALS)
        return script if script.frontend in CONFIGURED else replace(script, files=files_of(module))
    # a deeply nested source can exhaust the stack
    except RecursionError:
        return Script((), GLOBALS)

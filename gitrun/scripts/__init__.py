"""Reads the flags of a script from its source. Pure: nothing is executed."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitrun.scripts import absl_reader as absl_reader
    from gitrun.scripts import argparse_model as argparse_model
    from gitrun.scripts import argparse_reader as argparse_reader
    from gitrun.scripts import argv as argv
    from gitrun.scripts import arithmetic as arithmetic
    from gitrun.scripts import click_reader as click_reader
    from gitrun.scripts import configargparse_reader as configargparse_reader
    from gitrun.scripts import constant_folding as constant_folding
    from gitrun.scripts import constants as constants
    from gitrun.scripts import dataclass_configs as dataclass_configs
    from gitrun.scripts import detect as detect
    from gitrun.scripts import discover as discover
    from gitrun.scripts import docopt_reader as docopt_reader
    from gitrun.scripts import fire_reader as fire_reader
    from gitrun.scripts import hydra_reader as hydra_reader
    from gitrun.scripts import imports as imports
    from gitrun.scripts import jsonargparse_reader as jsonargparse_reader
    from gitrun.scripts import module as module
    from gitrun.scripts import namespace_changes as namespace_changes
    from gitrun.scripts import notebooks as notebooks
    from gitrun.scripts import omegaconf_reader as omegaconf_reader
    from gitrun.scripts import parameter_files as parameter_files
    from gitrun.scripts import passthrough as passthrough
    from gitrun.scripts import pydantic_reader as pydantic_reader
    from gitrun.scripts import rebinding as rebinding
    from gitrun.scripts import sacred_reader as sacred_reader
    from gitrun.scripts import script as script
    from gitrun.scripts import signatures as signatures
    from gitrun.scripts import typer_reader as typer_reader
    from gitrun.scripts import usage as usage
    from gitrun.scripts import yaml_text as yaml_text
else:
    from gitrun.lazy import lazy_modules

    __getattr__ = lazy_modules(__name__)

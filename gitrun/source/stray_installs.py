"""Finds Python environments that import from a slot: something installed the project there from inside a run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import unquote

from gitrun.model.diagnostics import Diagnostic
from gitrun.source.editable_installs import find_installs, read_source
from gitrun.source.prefixes import find_prefixes, list_names, site_directories

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.git.exe import Git

MENDING = (("uv.lock", "uv sync --reinstall-package {name}"), ("poetry.lock", "poetry install"), ("pdm.lock", "pdm install"))
"""Lock files of a project, and the command that reinstalls it."""


def find_stray_installs(git: Git) -> Iterator[Diagnostic]:
    """Yields a finding for each environment that imports from a slot.

    Searches the environments of the project, the active one, and that of the Python on PATH.
    """
    if git.worktree is None:
        return
    top = str(git.worktree)
    # installers record the path with or without links
    slots = tuple(dict.fromkeys((str(git.state / "slots"), os.path.realpath(git.state / "slots"))))
    for prefix in find_prefixes([], git.environ, (top,)):
        sites = list(site_directories(prefix))
        installs = find_installs(sites, slots)
        names = [name for site in sites for name in list_stray_distributions(site, slots)]
        if names or installs.roots or installs.modules or installs.unread:
            prefix_text = os.path.relpath(prefix, top) if prefix.startswith(top + "/") else prefix
            words = f"{prefix_text} imports {names[0] if names else 'the project'} from a workspace of gitrun"
            yield Diagnostic("environment", words, mending_command(top, prefix, names), prefix)


def list_stray_distributions(site: str, slots: tuple[str, ...]) -> Iterator[str]:
    """Yields the names of distributions whose metadata (direct_url.json) says that they were installed from a slot."""
    for name in list_names(site):
        if name.endswith(".dist-info"):
            # {"url": "file:///home/ann/my%20project/.git/gitrun/slots/0/tree/ann/x", ...}
            origin = unquote(read_source(os.path.join(site, name, "direct_url.json")))
            if any(f"{slot}/" in origin for slot in slots):
                yield name.partition("-")[0]


def mending_command(directory: str, prefix: str, names: list[str]) -> str:
    """Returns the command, run at the project's top, that makes the environment import from the working tree."""
    for lock, command in MENDING:
        if os.path.exists(os.path.join(directory, lock)) and (names or "{name}" not in command):
            return command.format(name=names[0] if names else "")
    # uv writes its version into pyvenv.cfg, and puts no pip into its environments
    if "\nuv = " in read_source(os.path.join(prefix, "pyvenv.cfg")):
        return f"uv pip install --python {prefix}/bin/python -e ."
    return f"{prefix}/bin/python -m pip install -e ."

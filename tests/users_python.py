"""A Python as a user has it: an environment with the libraries of front ends in it, and without gitrun."""

from __future__ import annotations

import re
import subprocess
import venv
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

LIBRARIES = (
    "click", "typer", "absl-py", "fire", "jsonargparse", "hydra-core", "omegaconf", "tyro", "PyYAML", "simple-parsing",
    "docstring-parser", "typeshed-client", "ConfigArgParse", "sacred", "docopt-ng", "pydantic-settings",
    "ml-collections",
)  # fmt: skip


MODULES = {"hydra": "hydra", "sacred": "sacred", "simple": "simple_parsing", "jax": "ml_collections"}
"""Programs of tests whose library is not installed for a Python in which it does not start, each with its module."""


def make(place: Path, libraries: tuple[str, ...] = LIBRARIES) -> Path:
    """The interpreter of a new environment at `place`, with libraries that are installed here, each file a link."""
    venv.create(place, with_pip=False, symlinks=True)
    python = place / "bin" / "python"
    question = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.run([python, "-c", question], capture_output=True, text=True, check=True).stdout.strip())
    for name in closure(libraries):
        link_in(name, site)
    return python


def need(program: str) -> None:
    """Skips the test if it is about a library that is not installed here, as none is that does not start in this Python."""
    if library := MODULES.get(program):
        pytest.importorskip(library)


def closure(names: tuple[str, ...]) -> list[str]:
    """The distributions and what they need, as far as it is installed."""
    queue, met = list(names), set()
    for name in queue:
        if name not in met and (found := installed(name)):  # what is not installed here is missed by the tests that need it
            met.add(name)
            queue += [re.split(r"[^A-Za-z0-9._-]", need)[0].lower() for need in found.requires or [] if "extra ==" not in need]
    return sorted(met)


def installed(name: str):
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def link_in(name: str, site: Path) -> None:
    """Links to all that belongs to the distribution at the top of site-packages."""
    found = distribution(name)
    tops = {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}
    # of what setup.py installed, the files are told as they lay in its source
    for file in tops.union((found.read_text("top_level.txt") or "").split()):
        target = Path(str(found.locate_file(file)))
        if target.exists() and not (site / file).exists():
            (site / file).symlink_to(target)

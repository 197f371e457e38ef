"""A virtual environment with an editable install in it, laid out by hand as setuptools and hatchling do: pip takes seconds."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FINDER = """\
import sys
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
MAPPING = {mapping!r}

class _EditableFinder:
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        place = MAPPING.get(fullname)
        if place:
            return spec_from_file_location(fullname, place + "/__init__.py", submodule_search_locations=[place])

def install():
    sys.meta_path.append(_EditableFinder)
"""


def make_environment(place: Path) -> Path:
    """The directory of installed packages of a new virtual environment at `place`."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    (site,) = place.glob("lib/python*/site-packages")
    return site


def install_by_path(site: Path, source: Path) -> None:
    """As hatchling, and setuptools for a `src` layout, install in editable mode: one line in a .pth file."""
    (site / "_project.pth").write_text(f"{source}\n")


def install_by_finder(site: Path, packages: dict[str, Path]) -> None:
    """As setuptools otherwise installs in editable mode: a finder that maps packages to their directories."""
    mapping = {name: str(place) for name, place in packages.items()}
    (site / "__editable___project_finder.py").write_text(FINDER.format(mapping=mapping))
    (site / "__editable__.project.pth").write_text(
        "import __editable___project_finder; __editable___project_finder.install()\n"
    )

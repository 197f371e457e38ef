"""Scripts as text, read without being run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun.model.tree import MemoryTree
from gitrun.scripts.discover import read_script

if TYPE_CHECKING:
    from gitrun.scripts.discover import Script


def around(files: dict[str, str]) -> MemoryTree:
    """Files that lie around a script."""
    return MemoryTree({path: text.encode() for path, text in files.items()})


def read(source: str, **files: str) -> Script:
    return read_script(
        source.encode(),
        "tool.py",
        around({(name if "/" in name else name.replace("__", "/")) + ".py": text for name, text in files.items()}),
    )


def kinds(script: Script) -> dict[str, tuple[object, str]]:
    return {flag.name: (flag.default, flag.kind) for flag in script.flags}


IMPORTS = {
    "argparse": "import argparse\np = argparse.ArgumentParser()\n",
    "click": "import click\n",
    "absl": "from absl import flags\n",
}


LR = {"lr": (0.1, "float")}


CONFIG = "from dataclasses import dataclass, field\nfrom typing import Annotated, Optional, Union\n@dataclass\n"

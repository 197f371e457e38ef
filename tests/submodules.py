"""A repository with a submodule, `lib`, which has one of its own, `lib/deep`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from repository import Repo

if TYPE_CHECKING:
    from pathlib import Path

COPIES = "cat ../a.txt\ncp ../a.txt ../b.txt\n"
"""What reads and writes a file beside the submodule in which it is."""


@dataclass(frozen=True, slots=True)
class Modules:
    """The repository at the top and the working trees in it."""

    top: Repo
    lib: Repo
    deep: Repo


def make_modules(place: Path) -> Modules:
    """Makes the three at `place`; all is committed."""
    deep = Repo.create(place / "sources" / "deep")
    deep.write("d.txt", "deep\n")
    deep.commit()
    lib = Repo.create(place / "sources" / "lib")
    lib.write("run.sh", COPIES)
    lib.write("l.txt", "lib\n")
    lib.write(".gitignore", "build/\n")
    lib.git("submodule", "--quiet", "add", str(deep.path), "deep")
    lib.commit()
    top = Repo.create(place / "top")
    top.write("a.txt", "first\n")
    top.git("submodule", "--quiet", "add", str(lib.path), "lib")
    top.git("submodule", "--quiet", "update", "--init", "--recursive")
    top.commit()
    return Modules(top, Repo(top.path / "lib"), Repo(top.path / "lib" / "deep"))

"""A repository with a submodule, `lib`, which has one of its own, `lib/deep`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from repository import Repo
from templates import copy_tree, refresh_index

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


def make_modules(place: Path, *, remote: bool = False) -> Modules:
    """Makes the three at `place`, the `tmp_path` of a test; all is committed. They are made once and copied.

    With `remote`, the top has been pushed to `remote.git`.
    """
    template = place.parent / "templates" / ("submodules-pushed" if remote else "submodules")
    if not template.exists():
        commit_modules(template)
        if remote:
            push_top(template)
    copy_tree(template, place)
    top = place / "top"
    modules = Modules(Repo(top), Repo(top / "lib"), Repo(top / "lib" / "deep"))
    inner = top / ".git" / "modules" / "lib"
    for repo, git_dir in ((modules.top, top / ".git"), (modules.lib, inner), (modules.deep, inner / "modules" / "deep")):
        config = git_dir / "config"
        config.write_text(config.read_text().replace(str(template), str(place)))
        refresh_index(repo, git_dir)
    return modules


def commit_modules(place: Path) -> None:
    """Makes the three at `place`, by git."""
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


def push_top(place: Path) -> None:
    """Pushes the repository at the top to a new one, which becomes its upstream."""
    top, remote = Repo(place / "top"), place / "remote.git"
    top.git("init", "--quiet", "--bare", remote)
    top.git("remote", "add", "origin", remote)
    top.git("push", "--quiet", "--set-upstream", "origin", "main")

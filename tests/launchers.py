"""Projects made by the tools that people make them with, and the ways in which programs of them are started."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from notebook import notebook
from repository import Repo
from users_python import closure, link_in

if TYPE_CHECKING:
    from collections.abc import Mapping

TOOLS = {
    "poetry": ("poetry>=2",),
    "hatch": ("hatch>=1.14",),
    "pdm": ("pdm>=2.26", "hishel<2"),
    "dvc": ("dvc>=3.60",),
    "mlflow": ("mlflow-skinny>=3", "sqlalchemy", "alembic"),
    "datalad": ("datalad>=1.1", "git-annex"),
}  # pdm 2.29 does not start with hishel 2
"""Launchers that have too many requirements for an environment that they share with others."""
PROGRAM = '''\
"""Says which value it has, and what it reads back of what it wrote."""

import os
import pathlib
import time


def main() -> None:
    name, gate = os.environ.get("DEMO_NAME", "one"), os.environ.get("DEMO_GATE")
    if gate:
        pathlib.Path(gate, "started").touch()
        while not pathlib.Path(gate, "go").exists():
            time.sleep(0.01)
    from demo.value import VALUE

    here = pathlib.Path.cwd()
    out = (here if (here / "pyproject.toml").exists() else here.parent) / "out"
    out.mkdir(exist_ok=True)
    (out / "result").write_text(name)
    time.sleep(0.3 if "DEMO_NAME" in os.environ else 0)
    print("value", VALUE, "read", (out / "result").read_text(), flush=True)


if __name__ == "__main__":
    main()
'''
CALL = "from demo.work import main\n\nmain()\n"
CMAKE = """\
cmake_minimum_required(VERSION 3.13)
project(demo NONE)
add_custom_target(demo ALL COMMAND python -m demo.work WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
"""
ENTRIES = """\
[operations.work]
command = ["python", "-m", "demo.work"]

[operations.all]
steps = ["work"]
"""
FILES = {
    "src/demo/work.py": PROGRAM,
    "src/demo/value.py": "VALUE = 1\n",
    "train.py": CALL,
    "job": f"#!/usr/bin/env python\n{CALL}",
    "tests/test_demo.py": "from demo.work import main\n\n\ndef test_demo():\n    main()\n",
    "Makefile": "demo:\n\tpython -m demo.work\n",
    "CMakeLists.txt": CMAKE,
    "gitrun.toml": ENTRIES,
    "look.ipynb": notebook(CALL),
    "sub/keep": "",
    ".gitignore": ".venv/\nout/\n.pdm-python\n.pdm-build/\n__pycache__/\n",
}


@dataclass(frozen=True, slots=True)
class Project:
    """A package `demo` in a repository, installed in editable mode in its environment, and the variables to work in it."""

    repo: Repo
    environment: Path
    environ: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str, inside: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        """The ended `git run WORDS`, in a directory of the project, which must have completed."""
        return self.repo.run(*words, check=True, cwd=self.repo.path / inside, env={**self.environ, **more})

    def reset(self) -> None:
        """Makes the working tree as it was, without files that programs left in it."""
        self.repo.git("checkout", "--quiet", "--", ".")
        shutil.rmtree(self.repo.path / "out", ignore_errors=True)


def ran(ended: subprocess.CompletedProcess[str]) -> str:
    """The id of the run that ended, as its last line has it."""
    return re.findall(r"run ([0-9a-f]{8})", ended.stderr)[-1]


def step(ended: subprocess.CompletedProcess[str]) -> str:
    """The id of the run that ended first: that of a step, where a run has one."""
    return re.findall(r"run ([0-9a-f]{8}) completed", ended.stderr)[0]


def tool(name: str) -> Path:
    """The directory with the launcher of this name, installed once beside what runs the tests. Skips the test."""
    home = Path(sys.prefix) / "launchers"
    home.mkdir(exist_ok=True)
    with (home / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = home / f"{name}.txt"
        if not done.exists() or done.read_text() != repr(TOOLS[name]):
            make = ["uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(home / name)]
            install = ["uv", "pip", "install", "--quiet", "--python", str(home / name), *TOOLS[name]]
            for words in (make, install):
                ended = subprocess.run(words, capture_output=True, text=True, check=False)
                if ended.returncode:
                    pytest.skip(f"{name} cannot be installed here: {ended.stderr.strip()[-200:]}")
            done.write_text(repr(TOOLS[name]))
    return home / name / "bin"


def said(words: list[str], directory: Path, environ: Mapping[str, str]) -> str:
    """What a tool writes to stdout. Raises CalledProcessError."""
    ended = subprocess.run(words, cwd=directory, env={**os.environ, **environ}, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{words}: {ended.stdout}{ended.stderr}"
    return ended.stdout.strip()


def world(home: Path, *programs: Path) -> dict[str, str]:
    """The variables of a user with this home and these directories of programs."""
    home.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
    return {"HOME": str(home), "PATH": path, "POETRY_KEYRING_ENABLED": "false", "PDM_CHECK_UPDATE": "false"}


def filled(place: Path) -> Repo:
    """A repository at the place, in which there may be files, with those of the project."""
    repo = Repo(place)
    place.mkdir(exist_ok=True)
    repo.git("init", "--quiet", "--initial-branch=main")
    for name, text in FILES.items():
        repo.write(name, text)
    (place / "job").chmod(0o755)
    return repo


def make_uv(place: Path) -> Project:
    """A project of uv, with pytest, ipykernel and, where the tests have it, torch in its environment."""
    environ = world(place / "home")
    said(["uv", "init", "--quiet", "--package", "--python", sys.executable, "--vcs", "none", "demo"], place, environ)
    repo = filled(place / "demo")
    text = (repo.path / "pyproject.toml").read_text()
    repo.write("pyproject.toml", text.replace("demo:main", "demo.work:main"))
    said(["uv", "sync", "--quiet", "--python", sys.executable], repo.path, environ)
    (site,) = (repo.path / ".venv").glob("lib/python*/site-packages")
    for name in closure(("pytest", "ipykernel", "torch")):
        link_in(name, site)
    script = f"#!{repo.path}/.venv/bin/python\nfrom pytest import console_main\nraise SystemExit(console_main())\n"
    (repo.path / ".venv" / "bin" / "pytest").write_text(script)
    (repo.path / ".venv" / "bin" / "pytest").chmod(0o755)
    repo.commit()
    return Project(repo, repo.path / ".venv", environ)


def make_poetry(place: Path) -> Project:
    """A project of poetry, whose environment is where poetry keeps those of all projects."""
    environ = world(place / "home", tool("poetry"))
    repo = filled(place / "demo")
    metadata = '[project]\nname = "demo"\nversion = "0.1"\nrequires-python = ">=3.10"\nscripts = { demo = "demo.work:main" }\n'
    backend = '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
    repo.write("pyproject.toml", f'{metadata}[tool.poetry]\npackages = [{{ include = "demo", from = "src" }}]\n{backend}')
    repo.write("src/demo/__init__.py", "")
    environ["POETRY_VIRTUALENVS_PATH"] = str(place / "environments")
    said(["poetry", "install", "--quiet", "--no-interaction"], repo.path, environ)
    repo.commit()
    (environment,) = (place / "environments").glob("demo-*")
    return Project(repo, environment, environ)


def make_pdm(place: Path) -> Project:
    """A project of pdm, with its environment in it."""
    environ = world(place / "home", tool("pdm"))
    repo = filled(place / "demo")
    metadata = '[project]\nname = "demo"\nversion = "0.1"\nrequires-python = ">=3.10"\nscripts = { demo = "demo.work:main" }\n'
    backend = '[build-system]\nrequires = ["pdm-backend"]\nbuild-backend = "pdm.backend"\n[tool.pdm]\ndistribution = true\n'
    repo.write("pyproject.toml", metadata + backend)
    repo.write("src/demo/__init__.py", "")
    # pdm takes an interpreter of a virtual environment for that environment: it would install into that of the tests
    said(["uv", "venv", "--quiet", "--python", sys.executable, ".venv"], repo.path, environ)
    repo.write(".pdm-python", f"{repo.path}/.venv/bin/python")  # as `pdm use` writes it
    said(["pdm", "install", "--quiet"], repo.path, environ)
    repo.commit()
    return Project(repo, repo.path / ".venv", environ)


def activated(project: Project) -> dict[str, str]:
    """The variables with which the project's environment is active."""
    path = f"{project.environment}/bin{os.pathsep}{project.environ['PATH']}"
    return {"VIRTUAL_ENV": str(project.environment), "PATH": path}


def digest(environment: Path) -> str:
    """A digest over all names, links and contents of an environment but bytecode, which any use of it writes."""
    assert (environment / "pyvenv.cfg").is_file()
    found = hashlib.sha256()
    for path in sorted(environment.rglob("*")):
        if "__pycache__" in path.parts:
            continue
        found.update(os.fsencode(path.relative_to(environment)))
        if path.is_symlink():
            found.update(os.fsencode(path.readlink()))
        elif path.is_file():
            found.update(path.read_bytes())
    return found.hexdigest()

"""Programs that manage environments: what hands them the user's environment, and keeps them from writing to it.

Each of them takes the directory it is started in for another project. In a workspace uv and hatch would install the
project again, into the user's environment, and poetry would make an empty one for the new path.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.engine.environment import write_cache
from gitrun.engine.interpreter import mtime, read_cache
from gitrun.engine.prefixes import is_environment
from gitrun.engine.process import ask
from gitrun.errors import CannotRun

if TYPE_CHECKING:
    from collections.abc import Mapping

WRITES = {
    "uv": frozenset({"add", "remove", "sync", "venv", "lock"}),
    "poetry": frozenset({"add", "init", "install", "remove", "sync", "update"}),
    "pdm": frozenset({"add", "init", "install", "remove", "sync", "update", "use", "venv"}),
}
"""Commands of each that are there to write to the project's environment: they get one that is the run's own."""
INSTALL = {"uv": "uv sync", "poetry": "poetry install", "pdm": "pdm install"}
OWN = "{own}"
PATIENCE = 30.0
"""Seconds that poetry may take to say where an environment is."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project as a launcher sees it: its directories, from where it is started up to the top, in the working tree.

    `state` is where answers are kept.
    """

    directories: tuple[str, ...]
    state: Path


@dataclass(frozen=True, slots=True)
class Handed:
    """Variables to set, those to take away, the prefix of an environment that is elsewhere, and a word for the user.

    In variables OWN stands for where the run may have environments of its own; `made` is one to be made there first.
    """

    variables: Mapping[str, str]
    dropped: tuple[str, ...] = ()
    prefix: str = ""
    notice: str = ""
    made: str = ""


def hand_over(words: list[str], environ: Mapping[str, str], project: Project, *, is_script: bool) -> Handed:
    """What makes each launcher that a command may start use the user's environment. Raises CannotRun."""
    launcher = os.path.basename(words[0]) if words else ""
    text = b"".join(read(os.path.join(directory, "pyproject.toml")) for directory in project.directories)
    found = [handed for handed in (for_uv(launcher, words, environ, project, text), for_pixi(project)) if handed]
    if launcher == "pdm" or b"[tool.pdm" in text or b"pdm.backend" in text or at(project, "pdm.lock"):
        found.append(for_pdm(launcher, words, project))
    if launcher == "poetry" or (not is_script and (b"poetry" in text or at(project, "poetry.lock"))):
        found.append(for_poetry(launcher, words, environ, project))
    if launcher == "hatch" or b"[tool.hatch.env" in text or at(project, "hatch.toml"):
        # in an environment that was made for another path it would install the project again
        found.append(Handed({"HATCH_DATA_DIR": f"{OWN}/hatch"}))
    return Handed(
        {name: value for handed in found for name, value in handed.variables.items()},
        tuple(name for handed in found for name in handed.dropped),
        next((handed.prefix for handed in found if handed.prefix), ""),
        next((handed.notice for handed in found if handed.notice), ""),
        next((handed.made for handed in found if handed.made), ""),
    )


def variables_of(handed: Handed, environ: Mapping[str, str], own: Path) -> dict[str, str]:
    """The variables of a run that may have environments at `own`; makes what must be there first. Raises CannotRun."""
    made = handed.made.replace(OWN, str(own))
    python = shutil.which("python3", path=environ.get("PATH"))
    if made and python and not is_environment(made):
        ask((python, "-m", "venv", "--without-pip", made), environ, own.parent)
    return {name: value.replace(OWN, str(own)) for name, value in handed.variables.items()}


def for_uv(launcher: str, words: list[str], environ: Mapping[str, str], project: Project, text: bytes) -> Handed | None:
    """UV_PROJECT_ENVIRONMENT, and UV_NO_SYNC if that is the user's."""
    if launcher != "uv" and not text and not at(project, ".venv"):
        return None
    own = {"UV_PROJECT_ENVIRONMENT": f"{OWN}/uv"}
    if launcher == "uv" and writes(words):
        return Handed(own, ("UV_NO_SYNC",), notice=notice_of(words))
    typed = environ.get("UV_PROJECT_ENVIRONMENT", "")
    places = [os.path.join(directory, typed or ".venv") for directory in project.directories]
    if place := next(filter(is_environment, places), ""):
        return Handed({"UV_PROJECT_ENVIRONMENT": place, "UV_NO_SYNC": "1"}, prefix=place)
    if "--active" in words and is_environment(environ.get("VIRTUAL_ENV", "")):
        return Handed({"UV_NO_SYNC": "1"})
    return Handed(own, notice=notice_of(words) if launcher == "uv" and b"[project]" in text else "")


def for_pixi(project: Project) -> Handed | None:
    """PIXI_FROZEN: the lock file of a run stays as it is."""
    return Handed({"PIXI_FROZEN": "true"}) if at(project, ".pixi") else None


def for_pdm(launcher: str, words: list[str], project: Project) -> Handed:
    """PDM_PYTHON, which goes before what pdm has noted in `.pdm-python`."""
    if not (launcher == "pdm" and writes(words)):
        for directory in project.directories:
            noted = os.fsdecode(read(os.path.join(directory, ".pdm-python"))).strip()
            for python in (noted, os.path.join(directory, ".venv", "bin", "python")):
                if os.path.isabs(python) and os.access(python, os.X_OK):
                    return Handed({"PDM_PYTHON": python}, prefix=os.path.dirname(os.path.dirname(python)))
    if launcher != "pdm":
        return Handed({})
    # pdm takes an interpreter, and makes an environment nowhere but in the project and in its own data
    return Handed({"PDM_PYTHON": f"{OWN}/pdm/bin/python"}, notice=notice_of(words), made=f"{OWN}/pdm")


def for_poetry(launcher: str, words: list[str], environ: Mapping[str, str], project: Project) -> Handed:
    """VIRTUAL_ENV, which poetry takes for the project's environment."""
    own = {"POETRY_VIRTUALENVS_PATH": f"{OWN}/poetry", "POETRY_VIRTUALENVS_IN_PROJECT": "false"}
    if launcher == "poetry" and writes(words):
        return Handed(own, ("VIRTUAL_ENV",), notice=notice_of(words))
    if environ.get("VIRTUAL_ENV"):
        return Handed({})
    for directory in project.directories:
        if is_environment(place := os.path.join(directory, ".venv")):
            return Handed({"VIRTUAL_ENV": place}, prefix=place)
    place = answer("poetry", ("env", "info", "--path"), environ, project, anew=launcher == "poetry")
    if is_environment(place):
        return Handed({"VIRTUAL_ENV": place}, prefix=place)
    return Handed(own, notice=notice_of(words) if launcher == "poetry" and not place else "")


def notice_of(words: list[str]) -> str:
    """What is said where the command of a launcher gets an environment of the run's own."""
    launcher = os.path.basename(words[0])
    if writes(words):
        typed = " ".join(words)
        return f"note: '{typed}' writes to an environment of this run alone. To change yours: {typed}, without git run"
    return (
        f"note: {launcher} has no environment for this project yet: this run gets its own. "
        f"To make one for all runs: {INSTALL[launcher]}"
    )


def writes(words: list[str]) -> bool:
    """Whether the command of a launcher is there to write to the environment."""
    before = words[1 : words.index("run")] if "run" in words else words[1:]
    return not WRITES[os.path.basename(words[0])].isdisjoint(before)


def answer(launcher: str, question: tuple[str, ...], environ: Mapping[str, str], project: Project, *, anew: bool) -> str:
    """The environment that a launcher names in the working tree, from the cache while nothing has changed that it looks at.

    Empty if there is none; `anew`: then it is asked each time.
    """
    program = shutil.which(launcher, path=environ.get("PATH"))
    if program is None:
        return ""
    here, cache = project.directories[0], project.state / "launchers.json"
    home = environ.get("POETRY_CACHE_DIR") or os.path.join(environ.get("HOME", ""), ".cache", "pypoetry")
    looked_at = [program, os.path.join(environ.get("POETRY_VIRTUALENVS_PATH") or os.path.join(home, "virtualenvs"))]
    looked_at += [os.path.join(place, name) for place in project.directories for name in ("pyproject.toml", "poetry.toml")]
    key, known = " ".join((here, launcher, *question)), read_cache(cache)
    entry = known.get(key)
    place = str(entry.get("path", "")) if isinstance(entry, dict) else ""
    now = stamp_of(place, looked_at)
    if isinstance(entry, dict) and entry.get("stamp") == now and (is_environment(place) or not (place or anew)):
        return place
    try:
        place = (
            os.fsdecode(ask((program, *question), {**environ, "PWD": here}, Path(here), PATIENCE)).strip().rpartition("\n")[2]
        )
    except CannotRun:
        place = ""
    place = place if is_environment(place) else ""
    write_cache(cache, known | {key: {"path": place, "stamp": stamp_of(place, looked_at)}})
    return place


def stamp_of(place: str, looked_at: list[str]) -> list[int]:
    """What is the same as long as an answer is; poetry notes in `envs.toml` which environment it was told to use."""
    return [mtime(file) for file in (*looked_at, os.path.join(os.path.dirname(place), "envs.toml") if place else "")]


def at(project: Project, name: str) -> bool:
    """Whether there is something of this name in a directory of the project."""
    return any(os.path.lexists(os.path.join(directory, name)) for directory in project.directories)


def read(file: str) -> bytes:
    """A small file; empty if it does not read."""
    try:
        with open(file, "rb") as opened:
            return opened.read(1 << 20)
    except OSError:
        return b""

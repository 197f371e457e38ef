"""Programs that manage environments: makes them use the user's environment in a workspace, and not change it.

Each of them takes the workspace for a new project. uv and hatch would install the project again into the user's environment,
and poetry would create an empty one for the new path.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from gitrun import model
from gitrun.dataclass import dataclass
from gitrun.errors import CannotRun
from gitrun.process.child import find_program
from gitrun.process.run import capture_output
from gitrun.source.environment import normalize_name
from gitrun.source.interpreter import get_mtime, read_cache, write_cache
from gitrun.source.prefixes import is_environment, list_names, site_directories

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WRITES = {
    "uv": frozenset({"add", "remove", "sync", "venv", "lock"}),
    "poetry": frozenset({"add", "init", "install", "remove", "sync", "update"}),
    "pdm": frozenset({"add", "init", "install", "remove", "sync", "update", "use", "venv"}),
}
"""Commands that exist to change the project's environment. They get an environment of the run's own."""
INSTALL = {"uv": "uv sync", "poetry": "poetry install", "pdm": "pdm install"}
OWN = "{own}"
PATIENCE = 30.0
"""Seconds that poetry may take to report an environment."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project as a launcher sees it: its directories, from the start directory up to the top, in the working tree.

    `state` is the directory for cached answers.
    """

    directories: tuple[str, ...]
    state: Path


@dataclass(frozen=True, slots=True)
class LauncherHelp:
    """Instructions for a launcher: variables to set and to remove, the prefix of an environment, a message to print.

    OWN in a variable stands for the directory of the run's own environments. `environment` is one to create there first.
    """

    variables: Mapping[str, str]
    dropped: tuple[str, ...] = ()
    prefix: str = ""
    notice: str = ""
    environment: str = ""


def help_launchers(words: list[str], environ: Mapping[str, str], project: Project, *, is_script: bool) -> LauncherHelp:
    """Returns what makes each launcher that a command may start use the user's environment. Raises CannotRun."""
    launcher = os.path.basename(words[0]) if words else ""
    # searched as bytes: parsing TOML would cost more time at each start
    text = b"".join(read_start(os.path.join(directory, "pyproject.toml")) for directory in project.directories)
    helps = list(filter(None, (help_uv(launcher, words, environ, project, text), help_pixi(project))))
    if launcher == "pdm" or b"[tool.pdm" in text or b"pdm.backend" in text or has_file(project, "pdm.lock"):
        helps.append(help_pdm(launcher, words, project))
    if launcher == "poetry" or (not is_script and (b"poetry" in text or has_file(project, "poetry.lock"))):
        helps.append(help_poetry(launcher, words, environ, project))
    if launcher == "hatch" or b"[tool.hatch.env" in text or has_file(project, "hatch.toml"):
        # hatch reinstalls the project if the environment was made for another path
        helps.append(LauncherHelp({"HATCH_DATA_DIR": f"{OWN}/hatch"}))
    return LauncherHelp(
        {name: value for one in helps for name, value in one.variables.items()},
        tuple(name for one in helps for name in one.dropped),
        next((one.prefix for one in helps if one.prefix), ""),
        next((one.notice for one in helps if one.notice), ""),
        next((one.environment for one in helps if one.environment), ""),
    )


def choose_variables(launcher_help: LauncherHelp, environ: Mapping[str, str], own: Path) -> dict[str, str]:
    """Returns the variables to set, with `own` for OWN. Creates the environment in `variables`. Raises CannotRun."""
    variables = launcher_help.environment.replace(OWN, str(own))
    python = find_program("python3", environ)
    if variables and python and not is_environment(variables):
        capture_output((python, "-m", "venv", "--without-pip", variables), environ, own.parent)
    return {name: value.replace(OWN, str(own)) for name, value in launcher_help.variables.items()}


def help_uv(launcher: str, words: list[str], environ: Mapping[str, str], project: Project, text: bytes) -> LauncherHelp | None:
    """Returns UV_PROJECT_ENVIRONMENT, with UV_NO_SYNC if the environment is the user's; None if uv is not in use."""
    if launcher != "uv" and not text and not has_file(project, ".venv"):
        return None
    # without this, uv would create `.venv` in the workspace
    own = {"UV_PROJECT_ENVIRONMENT": f"{OWN}/uv"}
    if launcher == "uv" and changes_environment(words):
        return LauncherHelp(own, ("UV_NO_SYNC",), notice=launcher_notice(words))
    # relative to the project, as uv reads it
    typed = environ.get("UV_PROJECT_ENVIRONMENT", "")
    environments = [os.path.join(directory, typed or ".venv") for directory in project.directories]
    if environment := next(filter(is_environment, environments), ""):
        return LauncherHelp({"UV_PROJECT_ENVIRONMENT": environment, "UV_NO_SYNC": "1"}, prefix=environment)
    if "--active" in words and is_environment(environ.get("VIRTUAL_ENV", "")):
        return LauncherHelp({"UV_NO_SYNC": "1"})
    return LauncherHelp(own, notice=launcher_notice(words) if launcher == "uv" and b"[project]" in text else "")


def help_pixi(project: Project) -> LauncherHelp | None:
    """Returns PIXI_FROZEN, so that pixi does not update the lock file; None if pixi is not in use."""
    return LauncherHelp({"PIXI_FROZEN": "true"}) if has_file(project, ".pixi") else None


def help_pdm(launcher: str, words: list[str], project: Project) -> LauncherHelp:
    """Returns PDM_PYTHON, which takes precedence over the interpreter noted in `.pdm-python`."""
    if not (launcher == "pdm" and changes_environment(words)):
        for directory in project.directories:
            # one line: /home/ann/x/.venv/bin/python
            noted = os.fsdecode(read_start(os.path.join(directory, ".pdm-python"))).strip()
            for python in (noted, os.path.join(directory, ".venv", "bin", "python")):
                if os.path.isabs(python) and os.access(python, os.X_OK):
                    return LauncherHelp({"PDM_PYTHON": python}, prefix=os.path.dirname(os.path.dirname(python)))
    if launcher != "pdm":
        return LauncherHelp({})
    # pdm creates environments only in the project or in its own data, so it gets the interpreter of one made here
    return LauncherHelp({"PDM_PYTHON": f"{OWN}/pdm/bin/python"}, notice=launcher_notice(words), environment=f"{OWN}/pdm")


def help_poetry(launcher: str, words: list[str], environ: Mapping[str, str], project: Project) -> LauncherHelp:
    """Returns VIRTUAL_ENV, which poetry uses as the project's environment."""
    own = {"POETRY_VIRTUALENVS_PATH": f"{OWN}/poetry", "POETRY_VIRTUALENVS_IN_PROJECT": "false"}
    if launcher == "poetry" and changes_environment(words):
        return LauncherHelp(own, ("VIRTUAL_ENV",), notice=launcher_notice(words))
    if environ.get("VIRTUAL_ENV"):
        return LauncherHelp({})
    for directory in project.directories:
        if is_environment(environment := os.path.join(directory, ".venv")):
            return LauncherHelp({"VIRTUAL_ENV": environment}, prefix=environment)
    environment = ask_launcher("poetry", ("env", "info", "--path"), environ, project, refresh=launcher == "poetry")
    if is_environment(environment):
        return LauncherHelp({"VIRTUAL_ENV": environment}, prefix=environment)
    return LauncherHelp(own, notice=launcher_notice(words) if launcher == "poetry" and not environment else "")


def launcher_notice(words: list[str]) -> str:
    """Returns the message for a command of a launcher that gets an environment of the run's own."""
    launcher = os.path.basename(words[0])
    if changes_environment(words):
        typed = " ".join(words)
        return f"note: '{typed}' writes to an environment of this run alone. To change yours: {typed}, without git run"
    return (
        f"note: {launcher} has no environment for this project yet: this run gets its own. "
        f"To make one for all runs: {INSTALL[launcher]}"
    )


def changes_environment(words: list[str]) -> bool:
    """Returns whether the command of a launcher exists to change the environment."""
    # `poetry run sync` runs a program named sync
    before = words[1 : words.index("run")] if "run" in words else words[1:]
    return not WRITES[os.path.basename(words[0])].isdisjoint(before)


def ask_launcher(
    launcher: str, question: tuple[str, ...], environ: Mapping[str, str], project: Project, *, refresh: bool
) -> str:
    """Returns the environment that a launcher reports in the working tree; empty if there is none.

    The answer is cached until a file that the launcher reads changes. With `refresh` a cached empty answer is ignored.
    """
    program = find_program(launcher, environ)
    if program is None:
        return ""
    here, cache = project.directories[0], project.state / "launchers.json"
    # poetry's default on Linux
    home = environ.get("POETRY_CACHE_DIR") or os.path.join(environ.get("HOME", ""), ".cache", "pypoetry")
    looked_at = [program, os.path.join(environ.get("POETRY_VIRTUALENVS_PATH") or os.path.join(home, "virtualenvs"))]
    looked_at += [
        os.path.join(directory, name) for directory in project.directories for name in ("pyproject.toml", "poetry.toml")
    ]
    key, cached = " ".join((here, launcher, *question)), read_cache(cache)
    entry = cached.get(key)
    environment = str(entry.get("path", "")) if isinstance(entry, dict) else ""
    now = stamp_launcher(environment, looked_at)
    if isinstance(entry, dict) and entry.get("stamp") == now and (is_environment(environment) or not (environment or refresh)):
        return environment
    try:
        # poetry may print warnings before the path
        environment = (
            os.fsdecode(capture_output((program, *question), {**environ, "PWD": here}, Path(here), PATIENCE))
            .strip()
            .rpartition("\n")[2]
        )
    except CannotRun:
        environment = ""
    environment = environment if is_environment(environment) else ""
    write_cache(cache, cached | {key: {"path": environment, "stamp": stamp_launcher(environment, looked_at)}})
    return environment


def lacks_packages(prefix: str, directories: Iterable[str]) -> bool:
    """Returns whether the nearest pyproject.toml requires a package that the environment at `prefix` does not have.

    Requirements with a marker are not checked: they may be for another platform.
    """
    text = next(filter(None, (read_start(os.path.join(directory, "pyproject.toml")) for directory in directories)), b"")
    try:
        project = model.toml.load_toml(text.decode()).get("project")
    except (ValueError, RecursionError):
        return False
    dependencies = project.get("dependencies") if isinstance(project, dict) else None
    # "numpy>=1.24", or with a marker: "tomli; python_version < '3.11'"
    required = (
        [one for one in dependencies if isinstance(one, str) and ";" not in one] if isinstance(dependencies, list) else []
    )
    names = {normalize_name(match[0]) for one in required if (match := re.match(r"[A-Za-z0-9][\w.-]*", one.strip()))}
    # numpy-1.26.4.dist-info
    there = {
        normalize_name(name.rpartition(".")[0].split("-")[0])
        for site in site_directories(prefix)
        for name in list_names(site)
        if "info" in name
    }
    return bool(names - there)


def stamp_launcher(path: str, looked_at: list[str]) -> list[int]:
    """Returns the modification times of what an answer depends on. In `envs.toml` poetry notes the chosen environment."""
    return [get_mtime(file) for file in (*looked_at, os.path.join(os.path.dirname(path), "envs.toml") if path else "")]


def has_file(project: Project, name: str) -> bool:
    """Returns whether a directory of the project contains this name."""
    return any(os.path.lexists(os.path.join(directory, name)) for directory in project.directories)


def read_start(file: str) -> bytes:
    """Returns the first MiB of a file; empty if it cannot be read."""
    try:
        with open(file, "rb") as stream:
            return stream.read(1 << 20)
    except OSError:
        return b""

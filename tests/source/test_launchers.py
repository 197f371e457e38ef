"""Launchers are handed the environment that the user has, or one of the run's own, and never write to the user's."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import launchers
import pytest
from sampled import sampled_values

if TYPE_CHECKING:
    from pathlib import Path

    from launchers import Project
    from repository import Repo


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A package made by `uv init --package`."""
    return launchers.make_uv(tmp_path)


def imported(repo: Repo, *words: str, **environ: str) -> str:
    """Where the package is imported from in a run."""
    code = "import demo, sys; print(demo.__file__, sys.prefix)"
    return repo.run("--", *words, "python", "-c", code, check=True, env=environ).stdout


@pytest.mark.parametrize(
    "words", sampled_values(1, [("sync",), ("sync", "--reinstall"), ("add", "--frozen", "./sub"), ("--quiet", "sync")])
)
def test_what_uv_is_asked_to_install_goes_to_the_run_alone(project, words):
    project.repo.write("sub/pyproject.toml", '[project]\nname = "sub"\nversion = "0.1"\n')
    before = launchers.digest(project.environment)
    ended = project.run("--", "uv", *words)
    assert launchers.digest(project.environment) == before
    typed = " ".join(("uv", *words))
    assert f"note: '{typed}' writes to an environment of this run alone. To change yours: {typed}, without git" in ended.stderr


def test_without_an_environment_uv_makes_one_for_the_run_and_says_how_to_share_one(project):
    launchers.shutil.rmtree(project.environment)
    ended = project.run("--", "uv", "run", "demo")
    assert "value 1" in ended.stdout
    note = "note: uv has no environment for this project yet: this run gets its own. To make one for all runs: uv sync\n"
    assert note in ended.stderr
    assert not project.environment.exists()
    assert ".venv" not in project.repo.run("ls", "1", check=True).stdout
    launchers.said(["uv", "sync", "--quiet"], project.repo.path, project.environ)
    assert "note" not in project.run("--", "uv", "run", "demo").stderr


SYNC = "note: uv's environment was not synced. To sync it: uv sync"


def test_failed_run_of_uv_says_that_a_required_package_is_missing(project):
    file = project.repo.path / "pyproject.toml"
    text = file.read_text()
    need = "certifi"
    file.write_text(text.replace("dependencies = []", f'dependencies = ["{need}>=1"]'))
    words = ("--", "uv", "run", "python", "-c")
    assert SYNC in project.repo.run(*words, f"import {need}", env=project.environ).stderr
    assert SYNC not in project.run(*words, "print(1)").stderr
    file.write_text(text.replace("dependencies = []", f'dependencies = ["PyTest", "{need}; python_version < \'3\'"]'))
    ended = project.repo.run(*words, "raise SystemExit(3)", env=project.environ)
    assert (ended.returncode, SYNC in ended.stderr) == (3, False)


def test_uv_uses_the_environment_that_a_variable_names(project, tmp_path):
    other = tmp_path / "other"
    environ = {**project.environ, "UV_PROJECT_ENVIRONMENT": str(other)}
    launchers.said(["uv", "sync", "--quiet", "--python", launchers.sys.executable], project.repo.path, environ)
    before = launchers.digest(other)
    assert imported(project.repo, "uv", "run", **environ).endswith(f" {other}\n")
    assert launchers.digest(other) == before


def test_uv_runs_scripts_with_requirements_of_their_own(project):
    project.repo.write("own.py", "# /// script\n# dependencies = []\n# ///\nimport sys\nprint(sys.prefix)\n")
    ended = project.run("--", "uv", "run", "own.py")
    assert str(project.environment) not in ended.stdout


def test_doctor_says_how_to_repair_an_active_environment_without_a_lock_file(project, tmp_path):
    (project.repo.path / "uv.lock").unlink()
    project.run("--", "true")
    (slot,) = (project.repo.path / ".git" / "gitrun" / "slots").glob("0/tree/**/src")
    active = tmp_path / "active"
    subprocess.run(["uv", "venv", "--quiet", "--no-config", active], check=True)
    words = ["uv", "pip", "install", "--quiet", "--python", str(active / "bin" / "python"), "--editable", str(slot.parent)]
    subprocess.run(words, check=True)
    found = project.repo.run("doctor", env={**project.environ, "VIRTUAL_ENV": str(active)})
    repair = f"uv pip install --python {active}/bin/python -e ."
    assert found.stdout == f"{active} imports demo from a workspace of gitrun. {repair}\n"


@pytest.mark.slow  # each of these launchers takes seconds to start, and to make its environment
def test_without_an_environment_poetry_makes_one_for_the_run(tmp_path):
    project = launchers.make_poetry(tmp_path)
    launchers.shutil.rmtree(project.environment)
    before = sorted(project.environment.parent.iterdir())
    ended = project.run("--", "poetry", "run", "python", "-c", "import sys; print(sys.prefix)")
    assert "/slots/0/environments/poetry/" in ended.stdout
    assert "note: poetry has no environment for this project yet: this run gets its own. To make" in ended.stderr
    assert sorted(project.environment.parent.iterdir()) == before


@pytest.mark.slow
def test_poetry_is_asked_once_and_again_when_its_environment_is_another(tmp_path):
    project = launchers.make_poetry(tmp_path)
    cache = project.repo.path / ".git" / "gitrun" / "launchers.json"
    project.run("--", "poetry", "run", "demo")
    asked = cache.stat().st_mtime_ns
    project.run("--", "make", "-s")
    assert cache.stat().st_mtime_ns == asked
    launchers.shutil.rmtree(project.environment)
    launchers.said(["poetry", "install", "--quiet"], project.repo.path, project.environ)
    project.run("--", "poetry", "run", "demo")
    assert cache.stat().st_mtime_ns > asked


@pytest.mark.slow
@pytest.mark.parametrize("make", [launchers.make_poetry, launchers.make_pdm])
def test_what_a_launcher_is_asked_to_install_goes_to_the_run_alone(tmp_path, make):
    project = make(tmp_path)
    before = launchers.digest(project.environment)
    name = make.__name__.removeprefix("make_")
    assert "writes to an environment of this run alone" in project.run("--", name, "install").stderr
    assert launchers.digest(project.environment) == before


@pytest.mark.slow
def test_hatch_has_an_environment_of_its_own_for_a_workspace(tmp_path):
    # with pip, which hatch takes otherwise, each environment takes a minute where the registry is slow
    uv = {"HATCH_ENV_TYPE_VIRTUAL_UV_PATH": str(launchers.shutil.which("uv"))}
    environ = {**launchers.world(tmp_path / "home", launchers.tool("hatch")), **uv}
    project = launchers.Project(launchers.filled(tmp_path / "demo"), tmp_path, environ)
    # `hatch new` asks a server for the text of the licence
    backend = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    project.repo.write("pyproject.toml", f'[project]\nname = "demo"\nversion = "0.1"\n{backend}')
    project.repo.write("src/demo/__init__.py", "")
    launchers.said(["hatch", "run", "true"], project.repo.path, environ)
    environment = launchers.Path(launchers.said(["hatch", "env", "find"], project.repo.path, environ))
    project.repo.commit()
    before = launchers.digest(environment)
    words = ("--", "hatch", "run", "python", "-m", "demo.work")
    assert "value 1" in project.run(*words).stdout
    project.repo.write("src/demo/value.py", "VALUE = 2\n")
    assert "value 1" in project.run("--restart", "1").stdout
    assert "value 2" in project.run(*words).stdout
    assert launchers.digest(environment) == before

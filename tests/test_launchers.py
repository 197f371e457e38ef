"""Whatever starts a program of a project, it runs the code of the run, in the user's environment, which stays as it is."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import launchers
import pytest
from calling import with_client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _pytest.mark import ParameterSet
    from launchers import Project


@dataclass(frozen=True, slots=True)
class Launcher:
    """A way to start the program: the words after `git run`, at the top and in a directory below, and what it needs."""

    words: tuple[str, ...]
    below: tuple[str, ...] = ()
    project: str = "uv"
    needs: str = ""
    is_active: bool = True


LAUNCHERS = {
    "script": Launcher(("train.py",), ("../train.py",)),
    "module": Launcher(("--", "python", "-m", "demo.work")),
    "module-operation": Launcher(("-m", "demo.work")),
    "console-script": Launcher(("--", "demo")),
    "uv-run": Launcher(("--", "uv", "run", "demo"), is_active=False),
    "poetry-run": Launcher(("--", "poetry", "run", "demo"), project="poetry", is_active=False),
    "pdm-run": Launcher(("--", "pdm", "run", "demo"), project="pdm", is_active=False),
    "make": Launcher(("--", "make", "-s", "demo"), ("--", "make", "-s", "-C", "..", "demo"), needs="make"),
    "cmake": Launcher(
        ("--", "sh", "-c", "cmake -S . -B out/b && cmake --build out/b"),
        ("--", "sh", "-c", "cmake -S .. -B ../out/b && cmake --build ../out/b"),
        needs="cmake",
    ),
    "pytest": Launcher(("--", "pytest", "-qs", "tests"), ("--", "pytest", "-qs", "../tests")),
    "mpirun": Launcher(
        ("--", "mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2", "python", "-m", "demo.work"), needs="mpirun"
    ),
    "torchrun": Launcher(
        ("--", "python", "-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "demo.work"), needs="torch"
    ),
    "executable": Launcher(("./job",), ("../job",)),
    "notebook": Launcher(("look.ipynb",), ("../look.ipynb",)),
    "step": Launcher(("all",)),
}
SITUATIONS = ("edited", "restarted", "at once", "ignored", "below")
"""What each launcher is tried in. All of it takes minutes: by default each launcher meets one, and each is met by three."""
MAKERS = {"uv": launchers.make_uv, "poetry": launchers.make_poetry, "pdm": launchers.make_pdm}


@pytest.fixture(scope="session")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    """The projects that there are so far; each takes some seconds to make."""
    return {}


@pytest.fixture
def project(request: pytest.FixtureRequest, projects: dict[str, Project], tmp_path_factory) -> Iterator[Project]:
    """The project of the launcher, as it was made; its environment is the same afterwards, to the byte."""
    launcher: Launcher = LAUNCHERS[request.getfixturevalue("name")]
    if launcher.needs and not shutil.which(launcher.needs) and not importlib.util.find_spec(launcher.needs):
        pytest.skip(f"{launcher.needs} is not installed")
    if launcher.project not in projects:
        projects[launcher.project] = MAKERS[launcher.project](tmp_path_factory.mktemp(launcher.project))
    project = projects[launcher.project]
    project.reset()
    before = launchers.digest(project.environment)
    yield project
    assert launchers.digest(project.environment) == before, "the run has written to the user's environment"


def in_turn(situation: str) -> list[ParameterSet]:
    """The launchers, of which all but each fifth are slow in this situation."""
    turn = SITUATIONS.index(situation)
    return [pytest.param(name, marks=[pytest.mark.slow] * (at % 5 != turn)) for at, name in enumerate(LAUNCHERS)]


def variables(name: str, project: Project) -> dict[str, str]:
    """The variables that the launcher is started with beyond those of the project."""
    return launchers.activated(project) if LAUNCHERS[name].is_active else {}


def edit(project: Project) -> None:
    project.repo.write("src/demo/value.py", "VALUE = 2\n")


@pytest.mark.parametrize("name", in_turn("edited"))
def test_an_edit_during_a_run_does_not_reach_it(name, project, tmp_path):
    gate = {**project.environ, **variables(name, project), "DEMO_GATE": str(tmp_path)}
    words = ["git", "run", *LAUNCHERS[name].words]
    with subprocess.Popen(
        words,
        cwd=project.repo.path,
        env=with_client({**os.environ, **gate}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        end = time.monotonic() + 60
        while not (tmp_path / "started").exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        edit(project)
        (tmp_path / "go").touch()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert "value 1 read one" in out


@pytest.mark.parametrize("name", in_turn("restarted"))
def test_a_restart_after_an_edit_runs_what_the_run_ran(name, project):
    more = variables(name, project)
    first = project.run(*LAUNCHERS[name].words, **more)
    assert "value 1 read one" in first.stdout
    edit(project)
    assert "value 1 read one" in project.run("--restart", launchers.ran(first), **more).stdout


@pytest.mark.parametrize("name", in_turn("below"))
def test_a_run_from_a_subdirectory_runs_the_code_as_it_is(name, project):
    edit(project)
    launcher = LAUNCHERS[name]
    ended = project.run(*(launcher.below or launcher.words), inside="sub", **variables(name, project))
    assert "value 2 read one" in ended.stdout


def lend(project: Project) -> Path:
    """An ignored file of an output directory that exists."""
    return project.repo.write("out/result", "old")


def left(project: Project, run: str, place: Path) -> str:
    """What a run has left in the ignored file."""
    project.run("checkout", run, "--to", str(place))
    return (place / "out" / "result").read_text()


@pytest.mark.parametrize("name", in_turn("ignored"))
def test_output_in_an_ignored_directory_is_the_runs_own(name, project, tmp_path):
    mine = lend(project)
    ended = project.run(*LAUNCHERS[name].words, **variables(name, project))
    assert "value 1 read one" in ended.stdout
    assert mine.read_text() == "old"
    assert left(project, launchers.step(ended), tmp_path / "left") == "one"


@pytest.mark.parametrize("name", in_turn("at once"))
def test_four_at_once_do_not_meet(name, project, tmp_path):
    mine = lend(project)
    environ = {**os.environ, **project.environ, **variables(name, project)}
    started = {
        str(number): subprocess.Popen(
            ["git", "run", *LAUNCHERS[name].words],
            cwd=project.repo.path,
            env=with_client({**environ, "DEMO_NAME": str(number)}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    }
    for number, process in started.items():
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err
        assert f"value 1 read {number}\n" in out
        ended = subprocess.CompletedProcess((), 0, out, err)
        assert left(project, launchers.step(ended), tmp_path / number) == number
    assert mine.read_text() == "old"

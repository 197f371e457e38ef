"""A program of a run sees the run's code, whatever was installed, configured or typed for the working tree."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from editable import install_by_finder, install_by_path, make_environment

from gitrun.source.surroundings import move_word

if TYPE_CHECKING:
    from pathlib import Path

    from repository import Repo

PRINTS = "import sys, {0}\nprint({0}.VALUE)\n"


@pytest.fixture
def site(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of installed packages of the active environment."""
    found = make_environment(tmp_path / "venv")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "venv"))
    monkeypatch.setenv("PATH", f"{tmp_path}/venv/bin{os.pathsep}{os.environ['PATH']}")
    return found


def restarted(repo: Repo, file: str, *words: str) -> str:
    """What a restart prints after the value in a file has been edited."""
    repo.write(file, "VALUE = 'then'\n")
    repo.commit()
    assert repo.run(*words, check=True).stdout.splitlines()[-1] == "then"
    repo.write(file, "VALUE = 'today'\n")
    return repo.run("--restart", "1", check=True).stdout.splitlines()[-1]


def test_a_package_of_another_name_than_its_directory_is_the_runs_own(repo, site):
    install_by_finder(site, {"demo": repo.path / "python"})
    assert restarted(repo, "python/__init__.py", "--", "python", "-c", PRINTS.format("demo")) == "then"


def test_a_module_of_another_name_than_its_file_is_the_runs_own(repo, site):
    line = "from importlib.machinery import ModuleSpec\n# F.map_module('demo', '{0}/other.py')\n"
    (site / "_demo.py").write_text(line.format(repo.path))
    (site / "demo.pth").write_text("import _demo\n")
    assert restarted(repo, "other.py", "--", "python", "-c", PRINTS.format("demo")) == "then"


def test_the_users_own_pythonpath_goes_before_what_is_installed(repo, site, tmp_path):
    install_by_path(site, repo.path / "src")
    repo.write("src/demo.py", "VALUE = 'installed'\n")
    repo.write("mine/demo.py", "VALUE = 'mine'\n")
    code = "import demo; print(demo.VALUE, demo.__file__)"
    ended = repo.run("--", "python", "-c", code, check=True, env={"PYTHONPATH": str(repo.path / "mine")})
    assert ended.stdout.startswith("mine ")
    assert f"{repo.path}/mine" not in ended.stdout


def test_a_module_named_like_one_of_pythons_own_does_not_hide_it(repo, site):
    install_by_path(site, repo.path)
    repo.write("types.py", "raise SystemExit('shadowed')\n")
    repo.write("queue/__init__.py", "raise SystemExit('shadowed')\n")
    code = "#!/usr/bin/env python\nimport demo, sub.inner, types, queue\nprint(demo.VALUE)\n"
    script = site.parents[2] / "bin" / "tool"
    script.write_text(code)
    script.chmod(0o755)
    repo.write("sub/inner.py", "")
    assert restarted(repo, "demo.py", "--", "tool") == "then"


def test_a_loader_that_does_not_read_is_said_recorded_and_shown(repo, site):
    (site / "_demo_loader.py").write_text(f"PLACE = '{repo.path}'\n")
    (site / "demo.pth").write_text("import _demo_loader\n")
    ended = repo.run("echo.py", check=True)
    assert "gitrun: warning: _demo_loader.py imports code of your working tree, not the run's own\n" in ended.stderr
    assert "isolation: uses _demo_loader.py of the working tree\n" in repo.run("show", "1").stdout
    assert json.loads(repo.run("show", "1", "--json").stdout)["not_isolated"] == ["_demo_loader.py"]
    (site / "demo.pth").unlink()
    repo.run("--restart", "1", check=True)
    assert json.loads(repo.run("show", "1", "--json").stdout)["not_isolated"] == []


def test_a_directory_that_the_runs_source_does_not_have_is_said(repo, site):
    repo.write("demo.py", "VALUE = 'then'\n")
    repo.commit()
    repo.run("--", "python", "-c", PRINTS.format("demo"), check=True)
    repo.write("src/demo.py", "VALUE = 'today'\n")
    install_by_path(site, repo.path / "src")
    warning = "gitrun: warning: src imports code of your working tree, not the run's own\n"
    assert warning in repo.run("--restart", "1", check=True).stderr
    assert "warning" not in repo.run("--restart", "1", "--force-sourcecode", check=True).stderr


def test_a_directory_that_the_commit_does_not_have_is_said(repo, site):
    repo.write("src/demo.py", "VALUE = 'today'\n")
    repo.commit()
    install_by_path(site, repo.path / "src")
    words = ("--", "python", "-c", PRINTS.format("demo"))
    warning = "gitrun: warning: src imports code of your working tree, not the run's own\n"
    assert warning in repo.run("--at", "HEAD~1", *words, check=True).stderr
    assert "warning" not in repo.run("--at", "HEAD", *words, check=True).stderr


def test_an_editable_install_means_the_code_of_the_commit(repo, site):
    repo.write("src/demo.py", "VALUE = 'then'\n")
    repo.commit()
    repo.write("src/demo.py", "VALUE = 'today'\n")
    install_by_path(site, repo.path / "src")
    ended = repo.run("--at", "HEAD", "--", "python", "-c", PRINTS.format("demo"), check=True)
    assert ended.stdout.split()[0] == "then"


def test_a_path_into_a_slot_that_an_install_left_means_the_run(repo, site):
    slots = repo.path / ".git" / "gitrun" / "slots" / "7" / "tree" / repo.path.name
    slots.joinpath("src").mkdir(parents=True)
    (slots / "src" / "demo.py").write_text("VALUE = 'of another run'\n")
    install_by_path(site, slots / "src")
    assert restarted(repo, "src/demo.py", "--", "python", "-c", PRINTS.format("demo")) == "then"


def test_a_wrapper_stays_a_wrapper(repo, tmp_path):
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexport LD_LIBRARY_PATH=/of/the/wrapper\nexec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    repo.git("config", "gitrun.python", str(wrapper))
    repo.write("lib.py", "import os\nx = 1\nprint(os.environ.get('LD_LIBRARY_PATH'), x)\n")
    assert repo.run("lib.py", check=True).stdout == "/of/the/wrapper 1\n"
    assert repo.run("lib.py", "x=2", check=True).stdout == "/of/the/wrapper 2\n"


@pytest.mark.parametrize(
    ("word", "moved"),
    [
        ("/top/train.py", "/slot/train.py"),
        ("/top", "/slot"),
        ("/top/", "/slot/"),
        ("/top:/app", "/slot:/app"),
        ("/data:/top/data:/app/data", "/data:/slot/data:/app/data"),
        ("--data=/top/data", "--data=/slot/data"),
        ("-I/top/include", "-I/slot/include"),
        ("file:///top/a", "file:///slot/a"),
        ("cd /top && ls '/top/a b' \"/top\"", "cd /slot && ls '/slot/a b' \"/slot\""),
        ("/topology/x", "/topology/x"),
        ("/other/top/x", "/other/top/x"),
        ("../top/x", "../top/x"),
        ("/top.bak", "/top.bak"),
        ("/top/.git/config", "/top/.git/config"),
        ("top/x", "top/x"),
    ],
)
def test_a_word_that_names_the_working_tree_names_the_workspace(word, moved):
    assert move_word(word, ("/top",), "/slot") == moved


def test_a_word_that_names_an_environment_stays(tmp_path):
    make_environment(tmp_path / ".venv")
    word = f"{tmp_path}/.venv/bin/python"
    assert move_word(word, (str(tmp_path),), "/slot") == word


@pytest.mark.parametrize("way", ["as git has it", "through a link"])
def test_an_absolute_path_is_read_from_the_run_with_a_note(repo, tmp_path, way):
    top = repo.path
    if way == "through a link":
        top = tmp_path / "link"
        top.symlink_to(repo.path)
    repo.write("conf", "then\n")
    repo.commit()
    ended = repo.run("--", "cat", f"{top}/conf", check=True, cwd=top, env={"PWD": str(top)})
    assert ended.stdout == "then\n"
    assert f"gitrun: note: '{top}/conf' names your working tree; the program is given the same path in" in ended.stderr
    repo.write("conf", "today\n")
    assert repo.run("--restart", "1", check=True, cwd=top, env={"PWD": str(top)}).stdout == "then\n"


def test_a_python_script_is_not_warned_of_a_build_directory_but_it_is_recorded(built):
    assert "warning" not in built.run("t.py", check=True).stderr
    assert json.loads(built.run("show", "1", "--json").stdout)["not_isolated"] == ["build"]


def test_a_build_directory_of_the_working_tree_is_said_recorded_and_shown(built):
    warning = "gitrun: warning: build was configured for your working tree: building there uses its source, not the run's. "
    assert warning in built.run("--", "cmake", "--build", "build").stderr
    assert json.loads(built.run("show", "1", "--json").stdout)["not_isolated"] == ["build"]
    assert "isolation: uses build of the working tree\n" in built.run("show", "1").stdout
    assert 'not_isolated = [\n    "build",\n]' in built.git("cat-file", "-p", f"runs/{newest(built)}:.gitrun/run.toml")


def test_a_build_directory_of_elsewhere_is_nothing_to_say(built, tmp_path):
    shutil.move(built.path / "build", tmp_path / "build")
    built.write("build/CMakeCache.txt", "CMAKE_HOME_DIRECTORY:INTERNAL=/elsewhere\n")
    assert "warning" not in built.run("--", "make", "-v").stderr
    assert json.loads(built.run("show", "1", "--json").stdout)["not_isolated"] == []


@pytest.mark.parametrize(
    ("tool", "file", "text"),
    [
        ("ninja", "out/build.ninja", "  command = cd {0}/out && cmake"),
        ("make", "out/x64/config.status", "ac_pwd='{0}/out/x64'"),
        ("meson", "out/meson-info/meson-info.json", '{{"directories": {{"source": "{0}"}}}}'),
        ("ninja", "out/compile_commands.json", '[{{"directory": "{0}/out"}}]'),
    ],
)
def test_each_kind_of_build_directory_is_known_to_its_tool(empty_repo, tmp_path, tool, file, text):
    empty_repo.write(".gitignore", "out/\n")
    empty_repo.write(file, text.format(empty_repo.path))
    empty_repo.commit()
    program = tmp_path / "bin" / tool
    program.parent.mkdir()
    program.symlink_to("/bin/true")
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    assert "was configured for your working tree" in empty_repo.run("--", tool, "-C", "out", env={"PATH": path}).stderr


def newest(repo: Repo) -> str:
    """The id of the newest run."""
    found: str = json.loads(repo.run("list", "--json", check=True).stdout)[0]["id"]
    return found

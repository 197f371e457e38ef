"""Build directories that were configured for the working tree."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from repository import Repo


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

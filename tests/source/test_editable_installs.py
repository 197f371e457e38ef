"""Editable installs, as each build backend makes them, are read without executing any of it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from editable import make_environment
from sampled import sampled_values

from gitrun.source.editable_installs import Installs, find_import_root, find_installs

if TYPE_CHECKING:
    from pathlib import Path

METADATA = '[project]\nname = "demo"\nversion = "0.1"\n[build-system]\nrequires = ["{0}"]\nbuild-backend = "{1}"\n'
BACKENDS = {
    "setuptools-src": ("setuptools", "setuptools.build_meta", "src/demo/__init__.py", "", "src"),
    "setuptools-flat": ("setuptools", "setuptools.build_meta", "demo/__init__.py", "", "."),
    "setuptools-module": ("setuptools", "setuptools.build_meta", "demo.py", '[tool.setuptools]\npy-modules = ["demo"]\n', "."),
    "setuptools-where": (
        "setuptools", "setuptools.build_meta", "lib/python/demo/__init__.py",
        '[tool.setuptools.packages.find]\nwhere = ["lib/python"]\n', "lib/python",
    ),
    "hatchling": ("hatchling", "hatchling.build", "src/demo/__init__.py", "", "src"),
    "flit": ("flit_core", "flit_core.buildapi", "src/demo/__init__.py", "", "src"),
    "pdm": ("pdm-backend", "pdm.backend", "src/demo/__init__.py", "", "src"),
}  # fmt: skip


def made(site: Path, files: dict[str, str], places: tuple[str, ...] = ("/repo",)) -> Installs:
    """What is read of a directory with these files."""
    for name, text in files.items():
        (site / name).write_text(text)
    return find_installs([str(site)], places)


@pytest.mark.parametrize("name", sampled_values(1, BACKENDS))
def test_an_editable_install_of_each_backend_names_its_root(name, tmp_path):
    requires, backend, file, more, root = BACKENDS[name]
    project = tmp_path / "project"
    (project / file).parent.mkdir(parents=True)
    (project / file).write_text('"""A demo."""\n__version__ = "0.1"\n')
    described = METADATA.format(requires, backend).replace("0.1", '0.1"\ndescription = "x', 1)
    (project / "pyproject.toml").write_text(described + more)
    site = make_environment(tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    words = ["uv", "pip", "install", "--quiet", "--python", str(python), "--editable", str(project)]
    subprocess.run(words, check=True, capture_output=True)
    found = find_installs([str(site)], (str(project),))
    assert found == Installs((str(project / root) if root != "." else str(project),))


def test_a_path_of_a_pth_file_is_a_root_if_it_is_in_the_project(tmp_path):
    text = "# a comment\n\n/repo/src\n/repo\n/repository\n/elsewhere\nimport os\n"
    assert made(tmp_path, {"a.pth": text}).roots == ("/repo/src", "/repo")


def test_an_egg_link_of_old_setuptools_names_a_root(tmp_path):
    assert made(tmp_path, {"demo.egg-link": "/repo/lib\n../"}).roots == ("/repo/lib",)


def test_a_link_in_site_packages_names_the_root_above_its_target(tmp_path):
    (tmp_path / "demo").symlink_to("/repo/src/demo")
    (tmp_path / "one.py").symlink_to("/repo/one.py")
    (tmp_path / "other").symlink_to("/elsewhere/other")
    assert made(tmp_path, {}).roots == ("/repo/src", "/repo")


def test_a_package_of_another_name_than_its_directory_is_a_module_of_its_own(tmp_path):
    finder = 'MAPPING: dict[str, str] = {"demo": "/repo/python", "a.b": "/repo/lib/a/b", "x": "/else/x"}\n'
    found = made(tmp_path, {"__editable__.pth": "import __editable___f; __editable___f.install()", "__editable___f.py": finder})
    assert found == Installs(("/repo/lib",), (("demo", "/repo/python"),))


def test_a_redirector_of_the_editables_library_is_read(tmp_path):
    loader = "F.map_module('demo', '/repo/src/demo/__init__.py')\nF.map_module('x', '/repo/other/y.py')\n"
    found = made(tmp_path, {"_demo.pth": "import _editable_impl_demo", "_editable_impl_demo.py": loader})
    assert found == Installs(("/repo/src",), (("x", "/repo/other/y.py"),))


def test_a_loader_that_says_it_in_no_known_way_is_named(tmp_path):
    found = made(tmp_path, {"_demo.pth": "import _demo_loader", "_demo_loader.py": "install({'demo'}, '/repo/build')\n"})
    assert found == Installs(unread=(str(tmp_path / "_demo_loader.py"),))
    assert made(tmp_path, {"_demo_loader.py": "install({'demo'}, '/elsewhere')\n"}) == Installs()


def test_a_tree_of_links_to_the_files_of_a_project_is_named(tmp_path):
    place = "/repo/build/__editable__.demo-0.1-py3-none-any"
    assert made(tmp_path, {"__editable__.demo-0.1.pth": f"{place}\n"}) == Installs(unread=(place,))


@pytest.mark.parametrize(
    ("text", "modules", "is_named"),
    [
        ("MAPPING = {1: 2}\n/repo", (), True),
        ("MAPPING = {'a': ['/repo', 3]}", (("a", "/repo"),), False),
        ("MAPPING = {(((\n/repo", (), True),
    ],
)
def test_a_finder_that_is_broken_is_named_and_the_rest_is_read(tmp_path, text, modules, is_named):
    files = {"a.pth": "import a_finder\n\xff\x00", "a_finder.py": text, "known.pth": "/repo/src\n"}
    unread = (str(tmp_path / "a_finder.py"),) if is_named else ()
    assert made(tmp_path, files) == Installs(("/repo/src",), modules, unread)


def test_nothing_that_is_read_is_executed(tmp_path):
    text = f"MAPPING = {{'a': __import__('pathlib').Path('{tmp_path}/ran').touch()}}  # /repo\n"
    made(tmp_path, {"a.pth": "import a_finder", "a_finder.py": text})
    assert not (tmp_path / "ran").exists()


def test_a_module_has_a_root_where_it_has_its_own_name():
    assert find_import_root("a.b", "/repo/src/a/b") == "/repo/src"
    assert find_import_root("a", "/repo/a/__init__.py") == "/repo"
    assert find_import_root("a", "/repo/ba") == ""

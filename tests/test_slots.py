"""A project runs in a slot as it runs in its working tree: as whole, as fast from the second run on, and never stale."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from editable import install_by_finder, install_by_path, make_environment

if TYPE_CHECKING:
    from repository import Repo

MODULES = 40
C_MODULE = """\
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast", NULL, -1, NULL};
PyMODINIT_FUNC PyInit_fast(void) { return PyModule_Create(&module); }
"""


def slot(repo: Repo) -> Path:
    """The worktree of the first slot."""
    return repo.path / ".git" / "gitrun" / "slots" / "0" / "tree" / repo.path.parent.name / repo.path.name


def bytecode(repo: Repo) -> dict[str, int]:
    """When each file of bytecode in the slot was written, by its module."""
    return {path.name.split(".")[0]: path.stat().st_mtime_ns for path in slot(repo).rglob("*.pyc")}


@pytest.fixture
def project(empty_repo: Repo) -> Repo:
    """A package of 40 modules and a script that imports all of them."""
    for number in range(MODULES):
        empty_repo.write(f"pkg/m{number}.py", f"value = {number}\n")
    empty_repo.write("pkg/__init__.py", "".join(f"from pkg import m{number}\n" for number in range(MODULES)))
    empty_repo.write("main.py", f"import pkg\nprint(sum(getattr(pkg, f'm{{n}}').value for n in range({MODULES})))\n")
    empty_repo.write(".gitignore", "__pycache__/\n.venv/\n*.so\ndata/\n")
    empty_repo.commit()
    return empty_repo


@pytest.fixture
def small(empty_repo: Repo) -> Repo:
    """A script and a module of it."""
    empty_repo.write("main.py", "import mod\nprint(mod.value)\n")
    empty_repo.write("mod.py", "value = 0\n")
    return empty_repo


def test_from_the_second_run_on_only_what_was_edited_is_compiled(project):
    project.run("main.py", check=True)
    first = bytecode(project)
    assert len(first) == MODULES + 1
    time.sleep(1)  # bytecode of what was written in this very second would not be trusted
    project.write("pkg/m7.py", "value = 8\n")
    assert project.run("main.py", check=True).stdout == f"{sum(range(MODULES)) + 1}\n"
    second = bytecode(project)
    assert {name for name in second if second[name] != first[name]} == {"m7"}


def test_bytecode_that_git_does_not_ignore_stays_warm_and_is_not_produced(project):
    project.write(".gitignore", "")
    project.run("main.py", check=True)
    first = bytecode(project)
    time.sleep(1)
    assert "file" not in project.run("main.py", check=True).stderr
    assert bytecode(project) == first


def test_edits_of_the_same_size_within_a_second_never_run_old_code(small):
    for number in range(5):
        small.write("mod.py", f"value = {number}\n")
        assert small.run("main.py", check=True).stdout == f"{number}\n"


def test_a_module_that_the_program_itself_rewrites_is_as_committed_in_the_next_run(small):
    small.write("main.py", "open('mod.py', 'w').write('value = 9\\n')\nimport mod\nprint(mod.value)\n")
    small.write("look.py", "import mod\nprint(mod.value)\n")
    for _ in range(3):
        assert small.run("main.py", check=True).stdout == "9\n"
        assert small.run("look.py", check=True).stdout == "0\n"


def test_a_module_that_the_program_generates_is_never_the_one_of_the_run_before(small):
    small.write(".gitignore", "made.py\n")
    small.write("main.py", "n = 0\nopen('made.py', 'w').write(f'value = {n}\\n')\nimport made\nprint(made.value)\n")
    for number in range(4):
        assert small.run("main.py", f"n={number}", check=True).stdout == f"{number}\n"


def test_a_module_behind_a_link_is_never_stale(small):
    small.write("lib/real.py", "value = 0\n")
    (small.path / "mod.py").unlink()
    (small.path / "mod.py").symlink_to("lib/real.py")
    for number in range(4):
        small.write("lib/real.py", f"value = {number}\n")
        assert small.run("main.py", check=True).stdout == f"{number}\n"


def test_a_module_that_was_removed_is_missing_and_one_put_back_is_new(small):
    for number in (1, 2, 3):
        small.write("mod.py", f"value = {number}\n")
        assert small.run("main.py", check=True).stdout == f"{number}\n"
        (small.path / "mod.py").unlink()
        assert "No module named 'mod'" in small.run("main.py").stderr


def test_a_package_that_was_removed_is_missing_and_no_namespace_of_leftovers(small):
    small.write("main.py", "import pkg.inner.deep\n")
    for name in ("pkg/__init__.py", "pkg/inner/__init__.py", "pkg/inner/deep.py"):
        small.write(name, "")
    small.run("main.py", check=True)
    small.write("main.py", "open('pkg/inner/left.log', 'w')\nimport os\nos.makedirs('pkg/inner/__pycache__/x')\n")
    small.run("main.py", check=True)
    small.write("main.py", "import pkg\nprint(pkg)\n")
    shutil.rmtree(small.path / "pkg")
    assert "ModuleNotFoundError: No module named 'pkg'" in small.run("main.py").stderr


def test_an_empty_cache_does_not_keep_a_package_alive(small):
    small.write("pkg/one.txt", "")
    small.write("main.py", "import os\nos.makedirs('pkg/__pycache__/x')\n")
    small.run("main.py", check=True)
    shutil.rmtree(small.path / "pkg")
    small.write("main.py", "import pkg\n")
    assert "ModuleNotFoundError" in small.run("main.py").stderr


def test_a_package_goes_although_its_bytecode_had_gone_before(small):
    small.write("pkg/one.py", "value = 1\n")
    small.write("main.py", "import pkg.one\n")
    small.run("main.py", check=True)
    small.write("pkg/one.py", "value = 2\n")
    small.write("main.py", "pass\n")
    small.run("main.py", check=True)
    (small.path / "pkg" / "one.py").unlink()
    small.write("main.py", "import pkg\n")
    assert "ModuleNotFoundError" in small.run("main.py").stderr


def test_an_environment_in_the_repository_is_used_as_it_lies_there(project):
    site = make_environment(project.path / ".venv")
    (site / "installed.py").write_text("value = 'installed'\n")
    project.write("main.py", "import sys, installed\nprint(sys.prefix, installed.value, installed.__file__)\n")
    seen = project.run("main.py", env={"VIRTUAL_ENV": str(project.path / ".venv")}, check=True).stdout.split()
    assert seen == [str(project.path / ".venv"), "installed", str(site / "installed.py")]
    project.git("config", "gitrun.python", ".venv/bin/python")
    assert project.run("main.py", check=True).stdout.split() == seen


@pytest.mark.parametrize("layout", ["src", "."])
@pytest.mark.parametrize("way", ["path", "finder"])
def test_the_snapshot_wins_over_an_editable_install(empty_repo, way, layout):
    repo, source = empty_repo, empty_repo.path / layout
    repo.write(f"{layout}/tool/__init__.py", "value = 'then'\n")
    repo.write(f"{layout}/space/tool/__init__.py", "value = 'then'\n")
    repo.write("scripts/main.py", "import tool, space.tool\nprint(tool.value, space.tool.value)\n")
    repo.write(".gitignore", ".venv/\n")
    site = make_environment(repo.path / ".venv")
    if way == "path":
        install_by_path(site, source)
    else:
        install_by_finder(site, {"tool": source / "tool", "space.tool": source / "space" / "tool"})
    env = {"VIRTUAL_ENV": str(repo.path / ".venv")}
    assert repo.run("scripts/main.py", env=env, check=True).stdout == "then then\n"
    repo.write(f"{layout}/tool/__init__.py", "value = 'now'\n")
    repo.write(f"{layout}/space/tool/__init__.py", "value = 'now'\n")
    assert repo.run("--restart", "1", env=env, check=True).stdout == "then then\n"
    assert repo.run("scripts/main.py", env=env, check=True).stdout == "now now\n"


def test_entries_of_pythonpath_below_the_repository_are_those_of_the_snapshot(small):
    small.write("lib/other.py", "value = 'then'\n")
    small.write("main.py", "import other\nprint(other.value)\n")
    for given in (str(small.path / "lib"), "lib"):
        small.write("lib/other.py", "value = 'then'\n")
        assert small.run("main.py", env={"PYTHONPATH": given}, check=True).stdout == "then\n"
        small.write("lib/other.py", "value = 'now'\n")
        assert small.run("--restart", "1", env={"PYTHONPATH": given}, check=True).stdout == "then\n"


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
@pytest.mark.skipif(not Path(sysconfig.get_paths()["include"], "Python.h").exists(), reason="there is no Python.h")
def test_a_compiled_extension_that_git_ignores_is_imported(project):
    include = sysconfig.get_paths()["include"]
    project.write("fast.c", C_MODULE)
    words = ["gcc", "-shared", "-fPIC", f"-I{include}", "fast.c", "-o", "pkg/fast.so"]
    subprocess.run(words, cwd=project.path, check=True)
    project.write("main.py", "import pkg.fast\nprint(pkg.fast.__file__)\n")
    for _ in range(2):
        assert project.run("main.py", check=True).stdout == f"{slot(project) / 'pkg' / 'fast.so'}\n"


def calls(repo: Repo, log: Path) -> int:
    """How many times a warm run and all its children called the system."""
    repo.run("main.py", check=True)
    words = ["strace", "-f", "-c", "-U", "calls,name", "-o", str(log), "git-run", "main.py"]
    subprocess.run(words, cwd=repo.path, check=True, capture_output=True)
    return sum(int(line.split()[0]) for line in log.read_text().splitlines() if line.endswith("total"))


@pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace")
def test_a_big_ignored_tree_costs_next_to_nothing(small, tmp_path):
    small.write(".gitignore", "data/\n__pycache__/\n")
    small.write("data/0/0", "")
    before = calls(small, tmp_path / "log")
    for directory in range(20):
        place = small.path / "data" / f"d{directory}"
        place.mkdir()
        (place / "0").touch()
        for number in range(1, 1000):
            os.link(place / "0", place / str(number))
    # of 20,000 files; on a busy machine gitrun, which waits for git, calls more often
    assert calls(small, tmp_path / "log") - before < 4_000


def test_the_interpreter_is_not_gitruns_own(small, tmp_path):
    make_environment(tmp_path / "theirs")
    small.write("main.py", "import sys\nprint(sys.prefix)\n")
    path = os.pathsep.join([str(tmp_path / "theirs" / "bin"), os.environ["PATH"]])
    assert small.run("main.py", env={"PATH": path}, check=True).stdout == f"{tmp_path / 'theirs'}\n"
    assert small.run("main.py", check=True).stdout == f"{sys.prefix}\n"

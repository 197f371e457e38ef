from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitrun.errors import CannotRun
from gitrun.source.interpreter import describe_python, find_python, make_python_path

TOP, SLOT = Path("/repo"), Path("/slot")


@pytest.fixture
def environ() -> dict[str, str]:
    return dict(os.environ)


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    """An executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def counting(tmp_path: Path) -> tuple[Path, Path]:
    """A shim for this Python, and the file to which each start of it adds a line."""
    log = tmp_path / "starts"
    log.touch()
    return program(tmp_path / "python", f'#!/bin/sh\necho start >> {log}\nexec {sys.executable} "$@"\n'), log


def test_the_setting_wins_then_the_virtual_environment_then_the_path(tmp_path):
    set_to, active = program(tmp_path / "set" / "python"), program(tmp_path / "venv" / "bin" / "python")
    on_path = program(tmp_path / "bin" / "python")
    environ = {"VIRTUAL_ENV": str(tmp_path / "venv"), "PATH": str(on_path.parent)}
    assert find_python(str(set_to), environ, tmp_path) == str(set_to)
    assert find_python("set/python", environ, tmp_path) == str(set_to)
    assert find_python("", environ, tmp_path) == str(active)
    assert find_python("", {"PATH": environ["PATH"]}, tmp_path) == str(on_path)


def test_the_first_python_on_the_path_is_taken_and_python3_where_there_is_no_python(tmp_path):
    second = program(tmp_path / "b" / "python")
    only = program(tmp_path / "a" / "python3")
    assert find_python("", {"PATH": f"{tmp_path}/none:{tmp_path}/a:{tmp_path}/b"}, tmp_path) == str(second)
    assert find_python("", {"PATH": f"{tmp_path}/a"}, tmp_path) == str(only)


@pytest.mark.parametrize(
    ("wanted", "path"), [("", "/nowhere"), ("nosuchpython", "/nowhere"), ("./nosuchpython", "/usr/bin:/bin")]
)
def test_without_a_python_it_is_said_how_to_name_one(wanted, path, tmp_path):
    with pytest.raises(CannotRun, match="python") as caught:
        find_python(wanted, {"PATH": path}, tmp_path)
    assert "git config gitrun.python" in caught.value.hint


def test_a_python_tells_of_itself(environ, tmp_path):
    found = describe_python(sys.executable, environ, tmp_path)
    assert found.executable == sys.executable
    assert found.version == ".".join(map(str, sys.version_info[:3]))
    assert found.implementation == sys.implementation.name


def test_it_is_asked_once_and_again_when_something_is_installed(environ, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    path = str(tmp_path / "venv" / "bin" / "python")
    first = describe_python(path, environ, tmp_path)
    written = (tmp_path / "interpreters.json").stat().st_mtime_ns
    assert describe_python(path, environ, tmp_path) == first
    assert (tmp_path / "interpreters.json").stat().st_mtime_ns == written
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "project.pth").write_text(f"{tmp_path}\n")
    assert str(tmp_path) in describe_python(path, environ, tmp_path).paths


def test_a_shim_is_asked_each_time_for_it_may_choose_another(environ, tmp_path):
    path, log = counting(tmp_path)
    assert describe_python(str(path), environ, tmp_path) == describe_python(str(path), environ, tmp_path)
    assert len(log.read_text().split()) == 2


def test_a_run_asks_a_shim_once_and_goes_through_it(repo, tmp_path):
    path, log = counting(tmp_path)
    repo.git("config", "gitrun.python", str(path))
    assert repo.run("echo.py", check=True).stdout == "1.0 2 'a'\n"
    assert log.read_text().split() == ["start", "start"]


@pytest.mark.parametrize("broken", ["", "[]", "{", "null", '{"PATH": {"stamp": 1}}'])
def test_a_broken_cache_is_asked_anew(environ, tmp_path, broken):
    (tmp_path / "interpreters.json").write_text(broken)
    assert describe_python(sys.executable, environ, tmp_path).executable == sys.executable


def test_a_python_that_fails_is_an_error_of_one_line(environ, tmp_path):
    with pytest.raises(CannotRun, match="broken"):
        describe_python(str(program(tmp_path / "python", "#!/bin/sh\necho broken >&2; exit 3\n")), environ, tmp_path)


def test_a_python_that_prints_when_it_starts_and_ends_tells_of_itself(environ, tmp_path):
    shim = program(tmp_path / "python", f'#!/bin/sh\necho hello\nprintf hello\n{sys.executable} "$@"\necho goodbye\n')
    assert (
        describe_python(str(shim), environ, tmp_path).executable
        == describe_python(sys.executable, environ, tmp_path).executable
    )


def test_a_setting_that_names_no_python_is_an_error_that_says_so(repo):
    repo.git("config", "gitrun.python", "/bin/true")
    done = repo.run("echo.py")
    assert done.returncode == 128
    assert "'/bin/true' does not answer like Python. To name one: git config gitrun.python /path/of/python" in done.stderr
    repo.git("config", "gitrun.python", "/bin/false")
    assert "'/bin/false' failed: it ended with 1" in repo.run("echo.py").stderr


def test_what_is_installed_from_the_working_tree_comes_from_the_slot():
    assert make_python_path(("/usr/lib/python3.12", "/repo/src", "/repo"), "", TOP, SLOT) == "/slot/src:/slot"


def test_an_environment_in_the_repository_stays_where_it_is():
    assert make_python_path(("/repo/.venv/lib/python3.12/site-packages",), "", TOP, SLOT) == ""


def test_a_repository_may_lie_below_a_directory_named_like_an_environment():
    top = Path("/srv/lib/python/site-packages/repo")
    assert make_python_path((f"{top}/src",), "", top, SLOT) == "/slot/src"


def test_entries_of_pythonpath_below_the_repository_are_moved_and_others_stay():
    given = "/repo/lib:/usr/share/lib:relative:/repository"
    assert make_python_path((), given, TOP, SLOT) == "/slot/lib:/usr/share/lib:relative:/repository"


def test_a_directory_of_the_working_tree_is_known_by_any_name(tmp_path):
    (tmp_path / "repo" / "src").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "repo")
    assert make_python_path((f"{tmp_path}/link/src",), f"{tmp_path}/repo/../link", tmp_path / "repo", SLOT) == "/slot:/slot/src"


def test_pythonpath_is_not_taken_for_something_installed(environ, tmp_path):
    found = describe_python(sys.executable, environ | {"PYTHONPATH": "/some/where"}, tmp_path)
    assert "/some/where" not in found.paths


@pytest.mark.parametrize("entry", ["[1]", "{}", "null", '{"stamp": 1}', "3"])
def test_a_damaged_cache_is_as_good_as_none(tmp_path, environ, entry):
    state = tmp_path / "state"
    state.mkdir()
    (state / "interpreters.json").write_text(f'{{"{sys.executable}": {entry}}}')
    assert describe_python(sys.executable, environ, state).implementation == sys.implementation.name

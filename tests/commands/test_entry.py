"""The executable: its interpreter imports nothing that PYTHONPATH leads to, and programs get the variable unchanged."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from notebook import notebook
from sampled import sampled

if TYPE_CHECKING:
    from repository import Repo

STARTED = ("click", "types", "re", "enum", "json", "typing", "contextlib", "encodings", "sitecustomize", "tomli", "gitrun")
TRAP = "import os\nopen(os.path.join(os.path.dirname(__file__), 'executed'), 'a').write(__name__)\nraise SystemExit(9)\n"


@pytest.fixture
def trapped(repo: Repo) -> Repo:
    """A repository with files named like modules that gitrun, or the start of Python, imports."""
    for name in STARTED:
        repo.write(f"{name}.py", TRAP)
    repo.commit()
    return repo


@pytest.mark.parametrize(
    "words", sampled(2, [(["list"],), (["show", "1"],), (["ops"],), (["select", "1"],), (["echo.py", "-h"],)]), ids=" ".join
)
def test_no_verb_imports_from_pythonpath(trapped, words):
    trapped.run("--", "true", check=True)
    plain = trapped.run(*words)
    for given in (".", str(trapped.path), f"/nowhere:{trapped.path}", ":"):
        ended = trapped.run(*words, env={"PYTHONPATH": given})
        assert ended.returncode == plain.returncode
        assert re.sub(r"\((?:just now|.* ago)\)", "", ended.stdout) == re.sub(r"\((?:just now|.* ago)\)", "", plain.stdout)
    assert not (trapped.path / "executed").exists()


def test_pythonhome_of_another_python_is_not_ours(repo):
    assert repo.run("list", env={"PYTHONHOME": "/nowhere"}).returncode == 0


@pytest.mark.parametrize("given", [".", "", "a:b", None])
def test_programs_get_pythonpath_unchanged(empty_repo, given):
    empty_repo.commit()
    env = {} if given is None else {"PYTHONPATH": given}
    words = ["sh", "-c", 'echo "${PYTHONPATH-unset}"; env | grep -c GIVEN']
    assert empty_repo.run("--", *words, env=env).stdout == f"{'unset' if given is None else given}\n0\n"


def test_scripts_import_from_pythonpath_as_ever(empty_repo, tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "click.py").write_text("name = 'mine'\n")
    empty_repo.write("s.py", "import click\nprint(click.name)\n")
    empty_repo.commit()
    assert empty_repo.run("s.py", env={"PYTHONPATH": str(tmp_path / "lib")}, check=True).stdout == "mine\n"


def test_the_runner_of_notebooks_imports_nothing_from_pythonpath(empty_repo, tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "nbclient.py").write_text("raise SystemExit(9)\n")
    (tmp_path / "lib" / "mine.py").write_text("name = 'mine'\n")
    empty_repo.write("n.ipynb", notebook("import mine\nprint(mine.name)"))
    empty_repo.commit()
    assert "mine\n" in empty_repo.run("n.ipynb", env={"PYTHONPATH": str(tmp_path / "lib")}, check=True).stdout


def test_the_module_is_started_as_the_executable_is(trapped):
    words = [sys.executable, "-m", "gitrun", "list"]
    plain = subprocess.run(words, cwd=trapped.path / ".git", capture_output=True, check=False, text=True)
    assert "no runs here yet" in plain.stderr
    (trapped.path / "only").mkdir()
    for name in ("click", "tomli"):
        (trapped.path / f"{name}.py").rename(trapped.path / "only" / f"{name}.py")
    env = {**os.environ, "PYTHONPATH": str(trapped.path / "only")}
    ended = subprocess.run(words, cwd=trapped.path / "only", env=env, capture_output=True, check=False, text=True)
    assert ended.returncode == 0
    assert not (trapped.path / "only" / "executed").exists()


def test_the_executable_is_found_through_links(repo, tmp_path):
    (tmp_path / "with blank").mkdir()
    link = tmp_path / "with blank" / "git-run"
    link.symlink_to(os.path.relpath(shutil.which("git-run") or "", link.parent.resolve()))
    (tmp_path / "second").symlink_to(link)
    for words in ([str(link)], [str(tmp_path / "second")], ["sh", str(link)]):
        assert subprocess.run([*words, "list"], cwd=repo.path, check=True, capture_output=True).returncode == 0


def test_the_installed_executable_is_the_one_of_the_package():
    installed = Path(sysconfig.get_path("scripts"), "git-run")
    assert installed.read_bytes() == (Path(__file__).parents[2] / "gitrun" / "share" / "bin" / "git-run").read_bytes()


@pytest.mark.parametrize("waiting", ["atexit.register(say)", "threading.Thread(target=say).start()"])
def test_a_call_ends_only_after_what_waits_for_its_end(repo, waiting):
    code = (
        "import atexit, sys, threading, time\n"
        "def say(): time.sleep(0.3); sys.stdout.write('ended')\n"
        f"{waiting}\nsys.argv = ['git-run', 'list']\nfrom gitrun.commands.entry import main\nmain()"
    )
    done = subprocess.run((sys.executable, "-c", code), cwd=repo.path, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("ended")


def test_output_that_cannot_be_written_is_an_error(repo):
    repo.run("echo.py", check=True)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            ("git", "run", "list"), cwd=repo.path, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    hint = "To go on: free space there, for example by git run gc"
    assert (done.returncode, done.stderr) == (128, f"gitrun: error: No space left on device. {hint}\n")

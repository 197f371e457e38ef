"""Paths of the workspace in the output of a run, as paths that the user can open."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from sampled import sampled

from gitrun import Project

TRAIN = "import lib.helper\n\nlib.helper.work()\n"
HELPER = "def work():\n    raise ValueError('too bad')\n"


@pytest.fixture
def failed(repo):
    """A repository with a run that failed, two files deep."""
    repo.write("train.py", TRAIN)
    repo.write("lib/helper.py", HELPER)
    repo.commit()
    assert repo.run("train.py").returncode == 1
    return repo


def named(text: str) -> list[str]:
    return re.findall(r'File "([^"]+)", line', text)


def shown(repo, run: str = "1") -> str:
    return repo.run("show", "--traceback", run, check=True).stdout


def test_a_traceback_leads_to_the_users_files(failed):
    recorded = failed.run("cat", "1", check=True).stdout
    assert all("/gitrun/slots/" in path for path in named(recorded))
    assert named(shown(failed)) == [f"{failed.path}/train.py", f"{failed.path}/lib/helper.py"]
    assert failed.run("cat", "1", check=True).stdout == recorded
    assert shown(failed).splitlines()[-1] == recorded.splitlines()[-1]


def test_a_file_that_is_another_by_now_is_named_in_the_run(failed):
    (run,) = Project(failed.path).list_runs()
    failed.write("lib/helper.py", "# edited\n" + HELPER)
    (failed.path / "train.py").unlink()
    paths = named(shown(failed))
    assert paths == [f"runs/{run.id}:train.py", f"runs/{run.id}:lib/helper.py"]
    assert failed.git("show", paths[1]) == HELPER.rstrip("\n")


def test_what_is_no_path_of_the_run_stays_byte_for_byte(repo):
    program = 'printf \'a\\377b /x/gitrun/slots/0/tree/p/q/none.txt \\r\\n/gitrun/slots/\'; pwd; echo "$PWD"; echo "$PWD/gone"'
    repo.run_bytes("--", "sh", "-c", program)
    recorded = subprocess.run(["git", "run", "cat", "1"], cwd=repo.path, capture_output=True, check=True).stdout
    found = subprocess.run(["git", "run", "show", "--traceback"], cwd=repo.path, capture_output=True, check=True).stdout
    assert found == recorded


@pytest.mark.parametrize("text", sampled(3, ['"{}"', "({})", "{}:3: error", "at {} there", "<{}>", "x={}", "{}, {}"]))
def test_paths_are_found_among_other_text(repo, text):
    repo.write("a file.txt", "x")
    repo.write("b.txt", "x")
    repo.commit()
    for name in ("b.txt", "a file.txt"):
        repo.run("--", "sh", "-c", f"cat > out <<END\n{text.replace('{}', '$PWD/' + name)}\nEND\ncat out", check=True)
        assert shown(repo) == text.replace("{}", f"{repo.path}/{name}") + "\n"


def test_produced_and_ignored_files_are_found_too(repo):
    repo.write(".gitignore", "data/\n")
    repo.write("data/in.csv", "1")
    repo.commit()
    repo.run("--", "sh", "-c", "echo made > made.txt; echo $PWD/made.txt; echo $PWD/data/in.csv", check=True)
    (run,) = Project(repo.path).list_runs()
    assert shown(repo).splitlines() == [f"runs/{run.id}:made.txt", f"{repo.path}/data/in.csv"]
    repo.run("checkout", check=True)
    assert shown(repo).splitlines()[0] == f"{repo.path}/made.txt"


def test_a_repository_that_was_moved_is_still_mapped(failed):
    there = failed.path.with_name("moved here")
    shutil.move(failed.path, there)
    done = subprocess.run(["git", "run", "show", "--traceback"], cwd=there, capture_output=True, check=True, text=True)
    assert named(done.stdout) == [f"{there}/train.py", f"{there}/lib/helper.py"]
    assert Path(named(done.stdout)[0]).is_file()

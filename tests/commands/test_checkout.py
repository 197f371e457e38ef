"""`git run checkout` brings what a run produced, and only where nothing of the user's is in its way."""

from __future__ import annotations

import re

import pytest

MODEL = """\
import os
os.makedirs("out", exist_ok=True)
open("out/model.txt", "w").write("trained")
"""


def test_checkout_after_a_restart_brings_what_the_restart_wrote_as_it_was(repo) -> None:
    repo.write("train.py", MODEL)
    repo.run("train.py", check=True)
    repo.run("--restart", "1", check=True)
    told = repo.run("checkout", "1", check=True)
    assert told.stderr.startswith("gitrun: copied 1 file of run ")
    assert (repo.path / "out/model.txt").read_text() == "trained"


def test_checkout_leaves_a_changed_file_and_ends_with_1(repo) -> None:
    repo.write("train.py", MODEL)
    repo.run("train.py", check=True)
    repo.write("out/model.txt", "mine")
    told = repo.run("checkout", "1")
    assert told.returncode == 1
    assert "not overwritten: out/model.txt. To overwrite: --force" in told.stderr
    assert (repo.path / "out/model.txt").read_text() == "mine"


def test_checkout_brings_nothing_that_an_attempt_took_away(repo) -> None:
    repo.write("train.py", 'import os, sys\nopen("a", "w") if sys.argv[1:] else os.remove("a")\n')
    repo.run("train.py", "--", "make", check=True)
    repo.write("train.py", 'import os\nos.remove("a")\n')
    repo.run("--restart", "1", "--force-sourcecode", check=True)
    repo.run("checkout", "1", check=True)
    assert not (repo.path / "a").exists()


def test_checkout_of_a_run_that_produced_nothing_says_so(repo) -> None:
    repo.run("echo.py", check=True)
    assert re.fullmatch("gitrun: run [0-9a-f]{8} produced no files\n", repo.run("checkout", check=True).stderr)
    assert re.match("gitrun: error: run [0-9a-f]{8} produced no 'nosuch'. ", repo.run("checkout", "1", "nosuch").stderr)


@pytest.mark.parametrize(
    "to", [".git", ".git/hooks", ".git/new/place", "link", "link/hooks", "sub/../.git", ".GIT", "other/.git", "x/.git/y"]
)
def test_nothing_is_copied_into_a_directory_of_git(repo, to) -> None:
    repo.run("--", "sh", "-c", "echo evil > made; mkdir hooks; echo evil > hooks/pre-commit", check=True)
    (repo.path / "link").symlink_to(".git")
    (repo.path / "sub").mkdir()
    repo.git("init", "--quiet", "other")
    before = {path: path.stat().st_mtime_ns for path in repo.path.rglob("*") if "gitrun" not in path.parts}
    ended = repo.run("checkout", "1", "--to", to)
    assert ended.returncode == 129
    assert "is inside git's own directory" in ended.stderr
    assert {path: path.stat().st_mtime_ns for path in repo.path.rglob("*") if "gitrun" not in path.parts} == before


def test_a_program_copies_files_of_a_run_into_its_own_directory(repo) -> None:
    repo.run("--", "sh", "-c", "echo made > made", check=True)
    repo.run("--", "sh", "-c", "git run checkout 2 --to inner && cat inner/made", check=True)
    # the two streams of a program are read side by side
    assert "made" in repo.run("cat", "1", check=True).stdout.splitlines()

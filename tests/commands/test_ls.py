"""git run ls: list the files of a run, where they are, how large."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from templates import made_once

MAKE = """\
open("out.txt", "w").write("four")
open("big.bin", "w").write("x" * 1500)
"""


@pytest.fixture
@made_once
def made(empty_repo):
    """A repository with a run that left one file in git and one that git ignores."""
    empty_repo.write(".gitignore", "*.bin\n")
    empty_repo.write("make.py", MAKE)
    empty_repo.write("a/b.txt", "b\n")
    empty_repo.commit()
    empty_repo.run("make.py", check=True)
    return empty_repo


def test_files_are_listed_by_part_with_sizes(made) -> None:
    said = [line.split() for line in made.run("ls", check=True).stdout.splitlines()]
    assert said == [
        ["source", "6", "B", ".gitignore"],
        ["source", "2", "B", "a/b.txt"],
        ["source", str(len(MAKE)), "B", "make.py"],
        ["produced", "4", "B", "out.txt"],
        ["local", "1.5", "kB", "big.bin"],
    ]


def test_files_of_a_part_are_listed_alone(made) -> None:
    assert [line.split()[-1] for line in made.run("ls", "--produced").stdout.splitlines()] == ["out.txt", "big.bin"]
    assert made.run("ls", "--local", "-z").stdout == "big.bin\0"
    assert made.run("ls", "--source", "-z", "1").stdout == ".gitignore\0a/b.txt\0make.py\0"


def test_names_are_safe_for_people_and_exact_for_programs(empty_repo) -> None:
    empty_repo.write("a.py", "pass\n")
    empty_repo.write("new\nline\x1b.txt", "x")
    empty_repo.run("a.py", check=True)
    assert "new\\nline\\x1b.txt" in empty_repo.run("ls").stdout
    assert empty_repo.run_bytes("ls", "-z").stdout.split(b"\0")[:2] == [b"a.py", b"new\nline\x1b.txt"]


def test_json_says_what_is_known_of_each_file(made) -> None:
    found = {file["path"]: file for file in json.loads(made.run("ls", "--json", check=True).stdout)}
    assert (found["out.txt"]["size"], found["out.txt"]["part"], len(found["out.txt"]["sha256"])) == (4, "produced", 64)
    assert (found["big.bin"]["stored"], found["big.bin"]["here"]) == ("local", True)


def test_local_file_of_another_machine_is_said_to_be_there(made) -> None:
    made.git("config", "gitrun.maxIgnored", "0")
    made.run("make.py", check=True)
    shutil.rmtree(made.path / ".git" / "gitrun" / "files")
    assert made.run("ls", "--local").stdout.splitlines()[0].endswith("big.bin  (not on this machine)")


def test_files_of_the_attempt_before_are_produced_not_source(made) -> None:
    made.write("make.py", "pass\n")
    made.run("--restart", "1", "--force-sourcecode", check=True)
    assert made.run("ls", "--source", "-z").stdout == ".gitignore\0a/b.txt\0make.py\0"
    assert "out.txt" in made.run("ls", "--produced", "-z").stdout.split("\0")


def test_reader_who_has_seen_enough_is_no_error(made) -> None:
    for number in range(3000):
        made.write(f"many/{'x' * 50}{number}", "")
    made.run("--yes", "make.py", check=True)
    script = "git run ls | head -n 1; echo ${PIPESTATUS[0]}"
    ended = subprocess.run(["bash", "-c", script], cwd=made.path, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.stdout.splitlines()[-1], ended.stderr) == ("141", "")

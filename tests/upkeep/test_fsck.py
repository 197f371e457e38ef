"""Objects and refs of runs that are damaged or missing."""

from __future__ import annotations

import os
import subprocess
import time
import zlib

import pytest
from doctor_calls import doctor, git_dir, healed
from forms import with_files
from supervised import runs, state

from gitrun import Project


def object_of(repo, name):
    """The file of a loose object, which can be written then."""
    found = repo.git("rev-parse", name)
    path = git_dir(repo) / "objects" / found[:2] / found[2:]
    path.chmod(0o644)
    return path


def test_an_empty_object_is_named_with_the_run_that_it_hurts(lived) -> None:
    path = object_of(lived, f"runs/{runs(lived)[0]['id']}:.gitrun/output")
    path.write_bytes(b"")
    lines, _ = doctor(lived)
    assert f"is empty; run {runs(lived)[0]['id'][:8]} needs it" in lines[0]
    lines, code = doctor(lived, "--fix")
    assert (code, not path.exists()) == (1, True)
    assert lines[0].startswith("fixed: ")
    assert "is missing" in lines[1]


def test_an_object_that_comes_back_heals_the_run(lived) -> None:
    name = lived.git("rev-parse", f"runs/{runs(lived)[0]['id']}:echo.py")
    object_of(lived, name).write_bytes(b"")
    assert doctor(lived, "--fix")[1] == 1
    lived.git("hash-object", "-w", "echo.py")
    assert doctor(lived) == ([], 0)


@pytest.mark.parametrize(
    "damage", [lambda data: b"\0" * len(data), lambda data: data[:-4], lambda _: zlib.compress(b"blob 1\0a")]
)
def test_a_damaged_object_is_set_aside_and_not_lost(lived, damage) -> None:
    name = lived.git("rev-parse", f"runs/{runs(lived)[0]['id']}:.gitrun/env.toml")
    path = object_of(lived, name)
    path.write_bytes(wrong := damage(path.read_bytes()))
    assert "is damaged" in doctor(lived)[0][0]
    doctor(lived, "--fix")
    assert (state(lived) / "damaged" / name).read_bytes() == wrong


def test_no_object_that_is_whole_is_deleted(lived) -> None:
    lived.git("hash-object", "-w", "--stdin")  # nothing leads to it
    lived.write("large", os.urandom(3 << 20))
    lived.run("echo.py", check=True)
    before = lived.git("cat-file", "--batch-all-objects", "--batch-check")
    doctor(lived, "--fix")
    assert lived.git("cat-file", "--batch-all-objects", "--batch-check") == before


def test_a_run_that_does_not_read_is_named_with_its_reason(lived) -> None:
    run = runs(lived)[0]["id"]
    object_of(lived, run).unlink()
    lines, code = doctor(lived, "--fix")
    assert code == 1
    assert any(line.startswith(f"run {run[:8]} cannot be read: ") and f"git run rm {run[:8]}" in line for line in lines)


@pytest.mark.parametrize(
    "name", [b"main", b"a';touch${IFS}owned;'", b"a\xffb", "é".encode()], ids=["plain", "quote", "bytes", "é"]
)
def test_a_ref_that_is_no_run_is_named_with_the_command_that_takes_it_away(lived, name) -> None:
    listed = runs(lived)
    subprocess.run(["git", "update-ref", b"refs/runs/" + name, "HEAD"], cwd=lived.path, check=True)
    (line,), code = doctor(lived)
    assert (code, " is not a run: its name is not an object id. " in line) == (1, True)
    assert [run for run in runs(lived) if run.get("status")] == listed
    subprocess.run(["bash", "-c", line.partition("Try: ")[2]], cwd=lived.path, check=True)
    assert (doctor(lived), runs(lived)) == (([], 0), listed)
    assert not (lived.path / "owned").exists()


@pytest.mark.parametrize("looked", [True, False])
@with_files
def test_emptied_ref_is_set_again_where_the_index_saw_it_and_else_taken_away(repo, looked) -> None:
    run = Project(repo.path).run("echo.py")
    Project(repo.path).list_runs()
    ref = git_dir(repo) / "refs" / "runs" / run.id
    ref.write_text("")
    time.sleep(0.3)
    if looked:
        Project(repo.path).list_runs()
    else:
        (state(repo) / "index.sqlite").unlink()
    assert "the ref of run" in doctor(repo)[0][0]
    assert len(healed(repo)) == 1
    assert [found.tip for found in Project(repo.path).list_runs()] == [run.tip] * looked
    assert ref.exists() == looked

"""A full disk, a read-only one, no descriptors left: one line says so, nothing is half there, and room brings all back."""

from __future__ import annotations

import os
import subprocess

import pytest
from faults.striking import heal, runs, sound
from repository import ECHO, Repo
from sampled import sampled, sampled_values

FILL = "import sys\nsize = 40\nprint('begun', flush=True)\nwith open('made', 'wb') as f:\n    f.write(bytes(size << 20))\n"


@pytest.fixture
def small(tmp_path):
    """A repository, with a run, on a file system of 16 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    words = ("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place))
    if os.geteuid() or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("mounting is for root, and not allowed here")
    repo = Repo.create(place / "repo")
    repo.write("echo.py", ECHO)
    repo.write("fill.py", FILL)
    repo.commit()
    repo.run("echo.py", check=True)
    yield repo
    subprocess.run(["umount", "--lazy", place], check=True)


def remount(repo, mode):
    subprocess.run(["mount", "-o", f"remount,{mode}", repo.path.parent], check=True)


def one_line(ended):
    """The error, if it is one line of ours."""
    (line,) = ended.stderr.splitlines()
    assert (ended.returncode, line.startswith("gitrun: ")) == (128, True), ended.stderr
    return line


def test_a_program_that_fills_the_disk_has_its_own_outcome(small) -> None:
    ended = small.run("fill.py")
    assert "No space left on device" in ended.stderr
    remount(small, "size=64m")
    assert [run["status"] for run in runs(small).values()] == ["error", "completed"]
    assert next(iter(runs(small).values()))["exit_status"] == 1
    heal(small)
    sound(small)


def test_copies_that_fill_the_disk_are_given_back_and_named(small) -> None:
    small.write(".gitignore", "data/\n")
    (small.path / "data").mkdir()
    for name in "abcdefgh":
        (small.path / "data" / name).write_bytes(os.urandom(1 << 20))
    ended = small.run("echo.py", "x=2")
    hint = "To go on: free space there. To link instead: git config --add gitrun.link data"
    assert f"of ignored files for the run: No space left on device. {hint}" in ended.stderr
    assert [run["status"] for run in runs(small).values()] == ["error", "completed"]
    small.git("config", "gitrun.link", "data")
    assert small.run("echo.py", "x=2").returncode == 0
    assert len(list((small.path / "data").iterdir())) == 8
    sound(small)


@pytest.mark.parametrize(
    "words",
    sampled_values(3, [("echo.py", "x=2"), ("--restart", "1"), ("label", "fine", "1"), ("rm", "1"), ("run", "--", "true")]),
)
def test_on_a_full_disk_an_error_is_one_line_and_what_was_there_stays(small, words) -> None:
    before = runs(small)
    subprocess.run(["dd", "if=/dev/zero", "bs=4096", f"of={small.path / 'ballast'}"], capture_output=True, check=False)
    ended = small.run(*words)
    if words[0] != "rm":  # to take away needs hardly any room
        one_line(ended)
    (small.path / "ballast").unlink()
    heal(small)
    sound(small)
    assert before.keys() <= runs(small).keys() or words[0] == "rm"
    assert small.run("echo.py", "x=3").returncode == 0


def test_a_run_whose_result_found_no_room_is_finished_by_the_next_command(small) -> None:
    script = "echo out; dd if=/dev/zero of=$TOP/ballast bs=4096 2>/dev/null; exit 5"
    ended = small.run("--", "sh", "-c", script, env={"TOP": str(small.path)})
    (small.path / "ballast").unlink()
    assert "To record it: free space there, then git run list" in one_line(ended)
    assert not (small.path / ".git" / "gc.pid.lock").exists()
    run = next(iter(runs(small).values()))
    assert (run["status"], run["exit_status"]) == ("error", 5)
    assert small.run("cat", "1", check=True).stdout == "out\n"
    heal(small)


def test_of_a_read_only_repository_runs_can_be_looked_at_and_nothing_else(small) -> None:
    before = runs(small)
    small.git("update-ref", f"refs/runs/{'1' * 40}", "HEAD")  # the index does not know it yet
    remount(small, "ro")
    assert small.run("list", check=True).stdout.count("\n") == 2
    assert small.run("show", "1").returncode == 0
    assert small.run("doctor").stdout.count("\n") == 1
    for words in (("echo.py", "x=2"), ("--restart", "1"), ("label", "fine", "1"), ("notes", "--rebuild")):
        one_line(refused := small.run(*words))
        assert refused.stderr == "gitrun: error: cannot write to this repository: Read-only file system\n"
    one_line(small.run("rm", "1"))
    remount(small, "rw")
    small.git("update-ref", "-d", f"refs/runs/{'1' * 40}")
    assert runs(small) == before
    heal(small)


@pytest.mark.parametrize(
    "words", sampled(3, ["run echo.py x=2", "run --restart 1 x=3", "run list", "run label fine 1", "run rm 1"])
)
def test_without_descriptors_an_error_is_one_line_and_the_next_command_works(repo, words) -> None:
    repo.run("echo.py", check=True)
    failed = 0
    for most in (6, 7, 8, 9, 10, 12, 14, 20):
        words_of_shell = ["/bin/sh", "-c", f"ulimit -n {most}; exec git {words}"]
        ended = subprocess.run(words_of_shell, cwd=repo.path, capture_output=True, text=True, check=False)
        assert "Traceback" not in ended.stderr, (most, ended.stderr)
        failed += bool(ended.returncode)
    assert failed
    heal(repo)
    sound(repo)
    assert repo.run("echo.py", "x=9").returncode == 0


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
def test_rm_and_purge_make_room_on_a_full_disk(small, packed) -> None:
    small.write(".gitignore", "*.bin\n")
    small.run("--", "sh", "-c", "head -c 2000000 /dev/urandom > kept.bin", check=True)
    small.run("list", check=True)
    if packed:
        small.git("pack-refs", "--all")
    subprocess.run(["dd", "if=/dev/zero", "bs=4096", f"of={small.path / 'ballast'}"], capture_output=True, check=False)
    before = os.statvfs(small.path).f_bavail
    small.run("rm", "1", check=True)
    small.run("purge", "--all", check=True)
    assert len(runs(small)) == 1
    assert (os.statvfs(small.path).f_bavail - before) * os.statvfs(small.path).f_frsize > 2_000_000
    (small.path / "ballast").unlink()
    small.run("echo.py", check=True)
    sound(small)

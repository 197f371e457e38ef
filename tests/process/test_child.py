"""Children that are started without the standard library's `subprocess`."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gitrun.process.child import Child, find_program, run_child, start_talker

OPEN = Path("/proc/self/fd")
SHELL = {"PATH": "/usr/bin:/bin"}
LISTING = "import os; print(*(one for one in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + one)))"


@pytest.mark.parametrize("size", [0, 10, 1 << 20])
def test_input_and_both_outputs_pass_whole(size):
    ended = run_child(("sh", "-c", "tee /dev/stderr"), SHELL, b"x" * size)
    assert (ended.returncode, len(ended.stdout), len(ended.stderr)) == (0, size, size)


def test_a_child_may_leave_its_input_unread():
    assert run_child(("sh", "-c", "exit 3"), SHELL, b"x" * (1 << 20)).returncode == 3


def test_a_signal_is_a_negative_exit_status():
    assert run_child(("sh", "-c", "kill -9 $$"), SHELL).returncode == -signal.SIGKILL


def test_a_missing_program_is_named():
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        run_child(("no-such-program",), SHELL)


def test_pipes_end_a_child_as_without_python():
    ended = run_child(("sh", "-c", "yes | head -n 1; trap"), SHELL)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"y\n", b"")


def test_a_child_inherits_only_the_files_it_is_given(tmp_path):
    question = (
        "import os, sys; from gitrun.process.child import run_child\n"
        "lock = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR); kept = os.open(sys.argv[1], os.O_RDWR)\n"
        f"print(kept, run_child((sys.executable, '-c', {LISTING!r}), dict(os.environ), b'', (kept,)).stdout.decode())"
    )
    with (tmp_path / "foreign").open("w") as foreign:
        done = subprocess.run(
            (sys.executable, "-c", question, str(tmp_path / "lock")),
            pass_fds=(foreign.fileno(),), capture_output=True, text=True, check=True,
        )  # fmt: skip
    kept, *seen = done.stdout.split()
    assert sorted(seen) == ["0", "1", "2", kept]


def test_no_descriptor_is_left_open():
    run_child(("true",), SHELL)
    before = sorted(OPEN.iterdir())
    for words in (("true",), ("sh", "-c", "cat; exit 1")):
        run_child(words, SHELL, b"x")
    with pytest.raises(FileNotFoundError):
        start_talker(("no-such-program",), SHELL)
    with start_talker(("cat",), SHELL) as child:
        child.kill()
    assert sorted(OPEN.iterdir()) == before


def test_a_talker_answers_until_its_input_ends():
    with start_talker(("cat",), SHELL) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"a\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"a\n"
        assert child.poll() is None
    assert child.returncode == 0


def test_a_child_that_somebody_else_reaped_has_ended():
    process = subprocess.Popen(("true",))
    process.wait()
    assert Child(process.pid).poll() == 0


def test_an_interrupted_wait_ends_the_child():
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before, begun = signal.signal(signal.SIGALRM, interrupt), time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_child(("sleep", "60"), SHELL)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - begun < 30


def test_a_program_is_found_in_path_alone(tmp_path):
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    assert find_program("tool", {"PATH": str(tmp_path)}) is None
    (tmp_path / "tool").chmod(0o755)
    assert find_program("tool", {"PATH": f"/nowhere:{tmp_path}"}) == str(tmp_path / "tool")
    (tmp_path / "directory").mkdir()
    assert find_program("directory", {"PATH": str(tmp_path)}) is None
    assert find_program(str(tmp_path / "tool"), {}) == str(tmp_path / "tool")

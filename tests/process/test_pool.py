"""Many programs side by side in one loop: their output, their ends, and the signals that each of them gets."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from gitrun.errors import CannotRun
from gitrun.process.pool import ProgramPool
from gitrun.process.run import Command
from gitrun.process.signals import Signals
from gitrun.process.streams import NoStream, PrefixedStream


class Lines:
    """A stream that keeps what it is given."""

    def __init__(self):
        self.data = b""

    def write(self, data):
        self.data += data

    def offer(self, data):
        self.write(bytes(data))
        return len(data)

    def descriptor(self):
        return None


def command(directory, script, tag="t", **more):
    return Command((sys.executable, "-c", script), directory, {**os.environ, "GITRUN_ATTEMPT": tag}, tag, stdin=False, **more)


def wait_for_all(pool, count):
    """The programs that ended, in the order of their ends."""
    ended = []
    end = time.monotonic() + 30
    while len(ended) < count and time.monotonic() < end:
        ended += pool.wait(5)
    return ended


def test_programs_run_at_the_same_time(tmp_path):
    meet = (
        "import pathlib, sys, time\n"
        "pathlib.Path(sys.argv[0] or '.', '{mine}').touch()\n"
        "end = time.monotonic() + 20\n"
        "while not pathlib.Path('{other}').exists() and time.monotonic() < end: time.sleep(.01)\n"
        "sys.exit(0 if pathlib.Path('{other}').exists() else 3)"
    ).replace("sys.argv[0] or '.', ", "")
    with Signals() as signals, ProgramPool(signals) as pool:
        for mine, other in (("a", "b"), ("b", "a")):
            pool.start(
                command(tmp_path, meet.format(mine=mine, other=other), mine), tmp_path / f"{mine}.out", (NoStream(), NoStream())
            )
        assert [program.finish().exit_status for program in wait_for_all(pool, 2)] == [0, 0]


def test_each_program_has_its_own_record(tmp_path):
    with Signals() as signals, ProgramPool(signals) as pool:
        for name in "abc":
            pool.start(command(tmp_path, f"print('{name}' * 3)", name), tmp_path / name, (NoStream(), NoStream()))
        for program in wait_for_all(pool, 3):
            program.finish()
    assert [(tmp_path / name).read_text() for name in "abc"] == ["aaa\n", "bbb\n", "ccc\n"]


def test_the_end_of_one_leaves_the_processes_of_another(tmp_path):
    # the first program ends while the child of the second runs
    parent = "import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', 'import time; time.sleep(1)']).returncode)"
    with Signals() as signals, ProgramPool(signals) as pool:
        pool.start(command(tmp_path, "pass", "first"), tmp_path / "first", (NoStream(), NoStream()))
        pool.start(command(tmp_path, parent, "second"), tmp_path / "second", (NoStream(), NoStream()))
        ends = [program.finish() for program in wait_for_all(pool, 2)]
    assert [(end.exit_status, end.outlived) for end in ends] == [(0, ()), (0, ())]


def test_a_signal_reaches_every_program(tmp_path):
    sleep = "import pathlib, time; pathlib.Path('{name}.on').touch(); time.sleep(30)"
    with Signals() as signals, ProgramPool(signals) as pool:
        for name in "ab":
            pool.start(command(tmp_path, sleep.format(name=name), name), tmp_path / name, (NoStream(), NoStream()))
        while not all((tmp_path / f"{name}.on").exists() for name in "ab"):
            pool.wait(0.05)
        os.kill(os.getpid(), signal.SIGTERM)
        ends = [program.finish() for program in wait_for_all(pool, 2)]
        assert [end.stopped_by for end in ends] == [signal.SIGTERM] * 2
        assert pool.ends == [signal.SIGTERM]
        signals.order = 0


def test_an_order_for_one_program_leaves_the_others(tmp_path):
    chosen = []
    with Signals() as signals, ProgramPool(signals, lambda: chosen) as pool:
        chosen.append(
            pool.start(command(tmp_path, "import time; time.sleep(30)", "a"), tmp_path / "a", (NoStream(), NoStream()))
        )
        pool.start(command(tmp_path, "import time; time.sleep(1)", "b"), tmp_path / "b", (NoStream(), NoStream()))
        os.kill(os.getpid(), signal.SIGTERM)
        first, second = wait_for_all(pool, 2)
        assert (first.finish().exit_status, second.finish().exit_status) == (-signal.SIGTERM, 0)
        assert not pool.ends
        signals.order = 0


def test_a_program_that_is_missing_is_said_at_its_start(tmp_path):
    missing = Command(("no-such-program",), tmp_path, dict(os.environ), "t")
    with Signals() as signals, ProgramPool(signals) as pool, pytest.raises(CannotRun, match="no such program"):
        pool.start(missing, tmp_path / "out", (NoStream(), NoStream()))


def test_an_error_ends_all_programs(tmp_path):
    started = []

    def run():
        with Signals() as signals, ProgramPool(signals) as pool:
            started.append(start(pool))
            raise ZeroDivisionError

    def start(pool):
        return pool.start(command(tmp_path, "import time; time.sleep(30)"), tmp_path / "out", (NoStream(), NoStream()))

    with pytest.raises(ZeroDivisionError):
        run()
    assert started[0].process.returncode == -signal.SIGKILL


def test_prefixed_lines_are_whole():
    lines = Lines()
    one, two = PrefixedStream(lines, "#1 "), PrefixedStream(lines, "#2 ")
    one.write(b"a")
    two.write(b"x\r50%\r100%\ny")
    one.write(b"b\r\n")
    for stream in (one, two):
        stream.close()
    assert lines.data == b"#2 100%\n#1 ab\n#2 y\n"

"""Programs that the starter starts: as `subprocess` would, tied to gitrun, and started without it if it is killed."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gitrun.process import starting
from gitrun.process.pool import ProgramPool
from gitrun.process.run import Command
from gitrun.process.signals import Signals
from gitrun.process.starting import SCRIPT, open_starter
from gitrun.process.streams import NoStream

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to its parent")

LOOK = """
import json, os, signal, sys
blocked = [int(one) for one in signal.pthread_sigmask(signal.SIG_BLOCK, ())]
print(json.dumps([sys.argv[1:], os.getcwd(), os.environ.get("X"), blocked, sys.stdin.read()]))
sys.exit(3)
"""
TIED = """
import os, sys, time
from gitrun.process.starting import SCRIPT, open_starter
starter = open_starter(lambda: None)
child = starter.start_program(["sleep", "60"], "/", os.environ, (0, 1, 2))
print(child.pid, flush=True)
os.kill(os.getpid(), 9)
"""

# the starter itself, which dies when the program has begun and nobody has been told
DYING = """
import os, signal, sys, time
starter = {"__name__": "starter"}
exec(open(%r).read(), starter)
fork = starter["fork_program"]
def fork_and_die(*words):
    fork(*words)
    begun = %r
    while not (os.path.exists(begun) and os.path.getsize(begun)):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
starter["fork_program"] = fork_and_die
starter["carry_out_orders"](starter["_socket"].socket(fileno=int(sys.argv[1])))
"""


@pytest.fixture
def starter():
    """A running starter."""
    with Signals() as signals:
        opened = open_starter(signals.restore_defaults)
        yield opened
        opened.end()


def is_running(pid):
    """Whether the process has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def wait_until(condition):
    """Waits for a condition."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_program_gets_words_directory_environment_and_streams(starter, tmp_path):
    with Path(os.devnull).open("rb") as nothing, (tmp_path / "out").open("w+b") as out:
        streams = (nothing.fileno(), out.fileno(), out.fileno())
        child = starter.start_program([sys.executable, "-c", LOOK, "ä", ""], tmp_path, {"X": "y z", "PATH": "/bin"}, streams)
        assert child.wait() == 3
    assert json.loads((tmp_path / "out").read_text()) == [["ä", ""], str(tmp_path), "y z", [], ""]


def test_pipes_that_break_end_a_program_as_in_a_shell(starter):
    child = starter.start_program(["sh", "-c", "kill -PIPE $$; exit 5"], "/", os.environ, (0, 1, 2))
    assert child.wait() == -signal.SIGPIPE


@pytest.mark.parametrize(("name", "number"), [("absent", errno.ENOENT), ("plain", errno.EACCES), ("text", errno.ENOEXEC)])
def test_errors_of_a_start_are_those_of_subprocess(starter, tmp_path, name, number):
    (tmp_path / "plain").write_text("x")
    (tmp_path / "text").write_text("x")
    (tmp_path / "text").chmod(0o755)
    for words in ([str(tmp_path / name)], [name]):
        environ = {"PATH": str(tmp_path)}
        with pytest.raises(OSError, match=name) as ours:
            starter.start_program(words, tmp_path, environ, (0, 1, 2))
        with pytest.raises(OSError, match=name) as theirs:
            subprocess.run(words, cwd=tmp_path, env=environ, check=False)
        assert ours.value.errno == theirs.value.errno == number
    with pytest.raises(ValueError, match="null"):
        starter.start_program(["a\0b"], tmp_path, {}, (0, 1, 2))


def test_programs_die_with_gitrun():
    done = subprocess.run([sys.executable, "-c", TIED], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    wait_until(lambda: not is_running(int(done.stdout)))


def test_programs_start_without_a_starter_that_was_killed(tmp_path):
    # it is killed when it has told that the program runs, and never this process
    kill = f"sleep 0.5; test $PPID = {os.getpid()} && exit 5; kill -9 $PPID; sleep 60"
    with Signals() as signals, ProgramPool(signals) as pool:
        statuses = [run_shell(pool, tmp_path / words[:6], words) for words in ("exit 3", kill, "exit 4")]
    assert statuses == [3, -signal.SIGKILL, 4]


def test_a_program_that_began_is_not_started_again_when_the_starter_dies(tmp_path, monkeypatch):
    begun = tmp_path / "begun"
    (tmp_path / "dying.py").write_text(DYING % (str(SCRIPT), str(begun)))
    monkeypatch.setattr(starting, "SCRIPT", tmp_path / "dying.py")
    once = f"echo begun >> {begun}; test $(wc -l < {begun}) -gt 1 || exec sleep 60"
    with Signals() as signals, ProgramPool(signals) as pool:
        statuses = [run_shell(pool, tmp_path / words[:6], words) for words in ("exit 3", once, "exit 4")]
    assert statuses == [3, -signal.SIGKILL, 4]
    assert begun.read_text() == "begun\n"


def test_a_program_that_did_not_begin_is_started_when_the_starter_dies(tmp_path, monkeypatch):
    (tmp_path / "dying.py").write_text(DYING.replace("fork(*words)", "") % (str(SCRIPT), str(tmp_path)))
    monkeypatch.setattr(starting, "SCRIPT", tmp_path / "dying.py")
    with Signals() as signals, ProgramPool(signals) as pool:
        assert [run_shell(pool, tmp_path / words[-1], words) for words in ("exit 3", "exit 4")] == [3, 4]


def test_a_program_inherits_no_descriptors_of_the_starter(starter, tmp_path):
    with Path(os.devnull).open("rb") as nothing, (tmp_path / "out").open("w+b") as out:
        streams = (nothing.fileno(), out.fileno(), out.fileno())
        assert starter.start_program(["ls", "-l", "/proc/self/fd"], tmp_path, os.environ, streams).wait() == 0
    leaked = [line for line in (tmp_path / "out").read_text().splitlines() if "socket:" in line or str(tmp_path) in line]
    assert len(leaked) == 2  # its stdout and stderr


def run_shell(pool: ProgramPool, live: Path, words: str) -> int:
    """Runs a shell in the pool. Returns its exit status."""
    command = Command(("sh", "-c", words), live.parent, os.environ, "t", stdin=False)
    pool.start(command, live, (NoStream(), NoStream()))
    ended = []
    while not ended:
        ended = pool.wait(5)
    return ended[0].finish().exit_status


def test_a_pool_that_is_entered_again_starts_programs(tmp_path):
    statuses = []
    with Signals() as signals:
        pool = ProgramPool(signals)
        for number in range(4):
            with pool:
                statuses += [run_shell(pool, tmp_path / f"{number}.{again}", f"exit {number}") for again in range(2)]
    assert statuses == [0, 0, 1, 1, 2, 2, 3, 3]


def test_an_answer_that_nobody_reads_is_no_traceback(tmp_path):
    with (tmp_path / "err").open("w+b") as err:
        ours, theirs = socket.socketpair()
        theirs.set_inheritable(True)
        words = [sys.executable, "-I", "-S", str(SCRIPT), str(theirs.fileno())]
        with subprocess.Popen(words, close_fds=False, stderr=err) as process:
            theirs.close()
            # what has arrived and is not read makes the other side see a reset
            wait_until(lambda: len(ours.recv(64, socket.MSG_PEEK)) == 8)
            ours.close()
        assert process.returncode == 1
        assert (tmp_path / "err").read_bytes() == b""

"""Calls of `git run worker --linger`: a process that has executed one answers the next, and is only that."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from clones import clone, tip
from handed_out import hand_out
from supervised import start, until


@pytest.fixture
def team(waiting_team):
    return waiting_team


@pytest.fixture(autouse=True)
def ended(team):
    """No process of Bob's clone is left."""
    yield
    for pid in {path.name.partition(".")[0] for path in sockets(team.bob)}:
        os.kill(int(pid), signal.SIGTERM)


def sockets(repo):
    """The sockets of the processes that wait in a clone: <pid>.<number of calls before>."""
    return list((repo.path / ".git/gitrun/standby").glob("[0-9]*"))


def waiting(repo) -> Path:
    """The socket of the one process that waits in a clone, which makes it while its caller ends."""
    (path,) = until(lambda: sockets(repo))
    return path


def work(repo, run_id: str, *more: str, **environ: str):
    """A worker that leaves a process behind. The streams and the process are real: the tests' server plays no part."""
    words = ("worker", "origin", "--once", run_id, "--linger", "30s", *more)
    process = start(repo, *words, program=("git-run",), env={**os.environ, **environ})
    stdout, stderr = process.communicate(timeout=120)
    return process.returncode, stdout.decode(), stderr.decode()


def begin_second_call(team, gates):
    """A run of wait.py under way in a process that was left behind: the id of both, and the caller."""
    assert work(team.bob, hand_out(team.ann, "echo.py"), GATES=str(gates))[0] == 0
    before = waiting(team.bob)
    run_id = hand_out(team.ann, "wait.py")
    words = ("worker", "origin", "--once", run_id, "--linger", "30s")
    caller = start(team.bob, *words, program=("git-run",), env={**os.environ, "GATES": str(gates)})
    until((gates / "started").exists)
    return run_id, int(before.name.partition(".")[0]), caller


def test_one_process_answers_calls_one_after_the_other(team) -> None:
    runs = [hand_out(team.ann, "echo.py", f"x={x}.0") for x in range(3)]
    names = []
    for x, run_id in enumerate(runs):
        code, stdout, stderr = work(team.bob, run_id)
        assert (code, stdout) == (0, f"{x}.0 2 'a'\n"), stderr
        names.append(waiting(team.bob).name)
    pid = names[0].partition(".")[0]
    assert names == [f"{pid}.{number}" for number in range(3)]
    team.ann.run("fetch", check=True)
    assert tip(team.ann) == tip(team.remote) == tip(team.bob)


def test_a_refused_call_ends_with_its_exit_status(team) -> None:
    assert work(team.bob, "0" * 40)[0] == 128
    run_id = hand_out(team.ann, "--", "no-such-program")
    code, stdout, stderr = work(team.bob, run_id, "--json")
    assert (code, stdout) == (75, "")
    assert "no-such-program" in stderr
    # it makes its socket again after it has answered
    until(lambda: len(sockets(team.bob)) == 1)


def test_another_environment_gets_another_process(team) -> None:
    runs = [hand_out(team.ann, "echo.py", f"x={x}.0") for x in range(2)]
    for value, run_id in zip("ab", runs, strict=True):
        assert work(team.bob, run_id, OTHER=value)[0] == 0
    # a process that has refused a call makes its socket again
    until(lambda: len({path.name.partition(".")[0] for path in sockets(team.bob)}) == 2)


def test_sigterm_reaches_the_run_of_a_waiting_process(team, gates) -> None:
    _, pid, caller = begin_second_call(team, gates)
    caller.send_signal(signal.SIGTERM)
    caller.communicate(timeout=60)
    team.ann.run("fetch", check=True)
    assert "terminated" in team.ann.run("list", check=True).stdout
    # it was told to end, and so it waits for no other call
    assert sockets(team.bob) == []
    until(lambda: not is_alive(pid))


def test_a_killed_process_leaves_its_run_to_the_next_call(team, gates) -> None:
    run_id, pid, caller = begin_second_call(team, gates)
    os.kill(pid, signal.SIGKILL)
    caller.communicate(timeout=60)
    assert caller.returncode == 1
    (gates / "go").touch()
    # the next call pushes what the killed one left, and the one after that goes on with it
    attempt = tip(team.bob)[run_id]
    assert work(team.bob, run_id, "--attempt", attempt, GATES=str(gates))[0] == 0
    team.ann.run("fetch", check=True)
    statuses = team.ann.run("list", "--columns", "operation,status", check=True).stdout
    assert "wait.py  completed" in statuses


def test_a_socket_of_a_dead_process_is_removed(team) -> None:
    assert work(team.bob, hand_out(team.ann, "echo.py"))[0] == 0
    dead = waiting(team.bob)
    os.kill(int(dead.name.partition(".")[0]), signal.SIGKILL)
    until(lambda: not is_alive(int(dead.name.partition(".")[0])))
    assert work(team.bob, hand_out(team.ann, "echo.py", "x=3.0"))[0] == 0
    assert not dead.exists()


def test_a_linked_worktree_executes_alone(team, tmp_path) -> None:
    run_id = hand_out(team.ann, "echo.py")
    team.bob.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    linked = type(team.bob)(tmp_path / "linked")
    code, stdout, _ = work(linked, run_id)
    assert (code, stdout) == (0, "1.0 2 'a'\n")
    assert sockets(team.bob) == []


def test_a_clone_with_a_long_path_is_no_obstacle(team, tmp_path) -> None:
    place = tmp_path / ("long" * 30) / "clone"
    place.parent.mkdir()
    carol = clone(team.remote.path, place)
    for x in range(2):
        assert work(carol, hand_out(team.ann, "echo.py", f"x={x}.0"))[0] == 0
    path = waiting(carol)
    assert path.name.endswith(".1")
    os.kill(int(path.name.partition(".")[0]), signal.SIGTERM)


def is_alive(pid: int) -> bool:
    try:
        # an ended process that nobody has waited for is a zombie
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False

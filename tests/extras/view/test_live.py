"""The output of a run as a stream: piece by piece, to the byte, to the end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from supervised import until
from view_server import serve_view

FORKED = pytest.mark.usefixtures("forked")
WORDS = "a\u0308 \u20ac \U0001f600\r\n\x1b[31mred\x1b[0m\x00\x07 \udcff end"


@pytest.fixture
def server(repo):
    """A server of a repository whose program writes what the test asks for."""
    repo.write("write.py", 'import sys, time\nfor name in open("pieces").read().split():\n'
               '    sys.stdout.buffer.write(bytes.fromhex(name))\n    sys.stdout.flush()\n    time.sleep(0.1)\n')  # fmt: skip
    repo.write("wait.py", "import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    with serve_view(repo) as server:
        yield server


def background(repo, *words) -> str:
    return repo.run("--background", *words, check=True).stdout.strip()


@FORKED
def test_output_arrives_whole_while_it_is_written(repo, server) -> None:
    data = WORDS.encode(errors="surrogateescape")
    # each byte by itself, so that characters arrive in pieces
    repo.write("pieces", " ".join(f"{byte:02x}" for byte in data))
    run = background(repo, "write.py")
    with server.stream(f"/api/runs/{run}/tail") as stream:
        events = list(stream)
    assert "".join(event.value for event in events[:-1]) == data.decode(errors="replace")
    assert len(events) > 3
    assert (events[-1].name, events[-1].value) == ("end", {"status": "completed", "exit_status": 0})
    assert server.get(f"/api/runs/{run}/output").body == data == repo.run_bytes("cat", run).stdout


@FORKED
def test_stream_goes_on_at_the_byte_where_it_was_lost(repo, server) -> None:
    text = "ä€😀 line\n" * 3
    repo.write("pieces", " ".join(f"{byte:02x}" for byte in text.encode()))
    run = background(repo, "write.py")
    found, at = "", 0
    for _ in range(3):
        with server.stream(f"/api/runs/{run}/tail", {"Last-Event-ID": str(at)}) as stream:
            event = next(stream)
            found, at = found + event.value, event.number
    with server.stream(f"/api/runs/{run}/tail", {"Last-Event-ID": str(at)}) as stream:
        assert found + "".join(event.value for event in stream if event.name == "message") == text


@FORKED
def test_stream_of_an_ended_run_has_its_output_and_end(repo, server) -> None:
    repo.run("--", "sh", "-c", "echo one; echo two; exit 3")
    with server.stream("/api/runs/" + repo.run("select").stdout.strip() + "/tail?from=4") as stream:
        events = list(stream)
    assert [event.value for event in events] == ["two\n", {"status": "error", "exit_status": 3}]


@FORKED
def test_output_begins_at_the_byte_asked_for(repo, server) -> None:
    repo.run("--", "printf", "one\\ntwo ä\\n", check=True)
    run = repo.run("select").stdout.strip()
    starts = {0: "one\ntwo ä\n", 4: "two ä\n", -3: "ä\n", -2: "\n", 99: "", -99: "one\ntwo ä\n"}
    answers = {start: server.get(f"/api/runs/{run}/output?from={start}") for start in starts}
    assert {start: answer.body.decode() for start, answer in answers.items()} == starts
    assert {answer.headers["content-type"] for answer in answers.values()} == {"text/plain; charset=utf-8"}


@FORKED
def test_tail_is_seen_within_half_a_second(repo, server) -> None:
    repo.write("tick.py", "import time\nfor _ in range(40):\n    print(time.time(), flush=True)\n    time.sleep(0.25)\n")
    run = background(repo, "tick.py")
    with server.stream(f"/api/runs/{run}/tail") as stream:
        next(stream)
        delays = []
        for _ in range(12):
            event = next(stream)
            delays.append(time.time() - float(event.value.split()[-1]))
    # on a busy machine single ones may be late
    assert sorted(delays)[6] < 0.5
    repo.run("stop", run, check=True)


def test_open_streams_end_with_the_server(repo, server) -> None:
    run = background(repo, "wait.py")
    with server.stream(f"/api/runs/{run}/tail") as tail, server.stream("/api/events") as changes:
        assert next(tail).value == "ready\n"
        assert next(changes).name == "live"
        before = time.monotonic()
        assert server.end() == 143
        assert time.monotonic() - before < 10
    repo.run("stop", run, check=True)


def test_many_listeners_of_one_run_leave_nothing_behind(repo, server) -> None:
    run = background(repo, "wait.py")
    pid = server.process.pid
    opened = descriptors(pid)
    for _ in range(20):
        with server.stream(f"/api/runs/{run}/tail") as stream:
            assert next(stream).value == "ready\n"
    until(lambda: descriptors(pid) <= opened + 2)
    repo.run("stop", run, check=True)


def descriptors(pid: int) -> int:
    """How many files a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@FORKED
def test_start_that_is_no_number_is_refused(repo, server) -> None:
    repo.run("echo.py", check=True)
    run = repo.run("select").stdout.strip()
    for start in ("x", "1e3", "", "9" * 30, "0x1"):
        for address in (f"/api/runs/{run}/output?from={start}", f"/api/runs/{run}/tail?from={start}"):
            answer = server.get(address)
            assert (answer.status, answer.json["message"]) == (400, f"from must be a whole number, not '{start}'")

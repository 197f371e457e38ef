"""git run watch of several runs: a block on a terminal, prefixed lines in a pipe."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from keyboard import Terminal
from supervised import runs, until

if TYPE_CHECKING:
    from pathlib import Path

    from repository import Repo

WORK = """\
name = "a"
code = 0
import os, sys, time
for step in range(3):
    print(f"loss: {3 - step}\\n{name} \\x1b]0;evil\\x07 {step}", flush=True)
while not os.path.exists(os.environ["GATE"] + name):
    time.sleep(0.05)
print("no line end", end="", flush=True)
sys.exit(code)
"""


class Work:
    """Runs in the background that end when they are told to."""

    def __init__(self, repo: Repo, gate: Path) -> None:
        self.repo, self.gate = repo, gate
        repo.write("work.py", WORK)
        gate.mkdir()

    def start(self, name: str, code: int = 0) -> str:
        """Starts a run. Returns its short id, once it has printed its lines."""
        words = ("--background", "work.py", f"name={name}", f"code={code}")
        run_id = self.repo.run(*words, env={"GATE": f"{self.gate}/"}, check=True).stdout.strip()
        printed = self.repo.path / ".git" / "gitrun" / "live" / run_id / "output"
        until(lambda: printed.exists() and b"evil\x07 2" in printed.read_bytes())
        return run_id[:8]

    def end(self, *names: str) -> None:
        """Lets runs end."""
        for name in names:
            (self.gate / name).touch()


@pytest.fixture
def work(repo: Repo, tmp_path: Path) -> Work:
    return Work(repo, tmp_path / "gate")


def test_lines_in_a_pipe_are_whole_and_behind_their_ids(repo: Repo, work: Work) -> None:
    a, b = work.start("a"), work.start("b", 3)
    out = ""
    with repo.start("watch", a, b) as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        while not (f"{a} | a \\x1b]0;evil\\x07 2" in out and f"{b} | b \\x1b]0;evil\\x07 2" in out):
            line = watching.stdout.readline()
            assert line, out
            out += line
        # a run that has ended before it is looked at shows its end alone
        work.end("a", "b")
        out, err = out + watching.stdout.read(), watching.stderr.read()
    for run_id, name in ((a, "a"), (b, "b")):
        own = [line for line in out.splitlines() if line.startswith(f"{run_id} | ")]
        steps = [line for step in range(3) for line in (f"loss: {3 - step}", f"{name} \\x1b]0;evil\\x07 {step}")]
        assert own == [f"{run_id} | {line}" for line in (*steps, "no line end")]
    assert out.endswith("\n")
    assert re.search(rf"^gitrun: run {b} error \(exit status 3\) in .*: loss=1$", err, flags=re.MULTILINE)
    assert watching.returncode == 3


def test_json_tells_start_progress_and_end(repo: Repo, work: Work) -> None:
    a, b = work.start("a"), work.start("b", 3)
    watching = repo.start("watch", "--json", a, b)
    assert watching.stdout is not None
    told = [json.loads(watching.stdout.readline()) for _ in range(4)]
    work.end("a", "b")
    told += map(json.loads, watching.communicate(timeout=30)[0].splitlines())
    assert watching.returncode == 3
    for run_id, name, code in ((a, "a", 0), (b, "b", 3)):
        own = [event for event in told if event["id"].startswith(run_id)]
        assert [own[0]["event"], own[0]["status"], own[0]["flags"]["name"]] == ["running", "running", name]
        assert [own[-1]["event"], own[-1]["exit_status"], own[-1]["metrics"]] == ["ended", code, {"loss": 1.0}]
        progress = [event for event in own if event["event"] == "progress"]
        assert (progress[-1]["step"], progress[-1]["metrics"]) == (2, {"loss": 1.0})
        assert progress[-1]["line"] in {f"{name}  2", "no line end"}


def test_exit_status_is_that_of_the_worst_run(repo: Repo) -> None:
    for code in (0, 7, 2):
        repo.run("--", "sh", "-c", f"exit {code}")
    repo.run("--stage", "echo.py", check=True)
    assert repo.run("watch", "2:4").returncode == 7
    assert repo.run("watch", "4", "2").returncode == 2
    # a staged run has no result
    assert repo.run("watch", "1", "4").returncode == 1


def test_all_follows_runs_that_start_later(repo: Repo, work: Work) -> None:
    a = work.start("a")
    watching = repo.start("watch", "--all")
    assert watching.stdout is not None
    assert watching.stdout.readline().startswith(f"{a} | ")
    b = work.start("b")
    until(lambda: f"{b} | " in watching.stdout.readline(), 30)
    work.end("a", "b")
    watching.communicate(timeout=30)
    assert watching.returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--remote", "origin", "--json", "1"), "--remote and --json cannot be combined"),
        (("--all",), "no run is running on this machine"),
        (("--all", "--latest"), "cannot be combined"),
        (("--all", "1"), "cannot be combined with runs"),
        (("--remote", "origin", "1", "2"), "--remote takes one run"),
        (("1", "nothing"), "no run 'nothing'"),
    ],
)
def test_wrong_words_are_refused(repo: Repo, words: tuple[str, ...], said: str) -> None:
    repo.run("echo.py", check=True)
    ended = repo.run("watch", *words)
    assert ended.returncode in {128, 129}
    assert said in ended.stderr


def test_terminal_shows_a_line_for_each_run_until_it_ends(repo: Repo, work: Work, monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    a, b = work.start("a"), work.start("b", 3)
    with Terminal(repo, "git-run", "watch", "--all") as terminal:
        seen = terminal.shows("b  2").decode()
        assert all(word in seen for word in (a, b, "step 2", "loss=1"))
        assert "evil" not in seen
        work.end("a")
        terminal.shows("completed in")
        work.end("b")
        terminal.shows("error (exit status 3) in")
        assert terminal.ends() == 3
    assert b"\x1b]0" not in terminal.seen
    assert b"\x1b[?1049h" not in terminal.seen


def test_terminal_that_cannot_move_its_cursor_gets_lines(repo: Repo, work: Work, monkeypatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    a, b = work.start("a"), work.start("b")
    with Terminal(repo, "git-run", "watch", a, b) as terminal:
        terminal.shows(f"{b} | loss: 1")
        work.end("a", "b")
        assert terminal.ends() == 0
    assert f"{a} | loss: 3".encode() in terminal.seen
    assert b"\x1b" not in terminal.seen


def test_interrupt_leaves_the_runs_and_the_lines(repo: Repo, work: Work, monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    a, b = work.start("a"), work.start("b")
    with Terminal(repo, "git-run", "watch", a, b) as terminal:
        terminal.shows(b)
        terminal.type("\x03")
        assert terminal.ends() in {130, -signal.SIGINT}
    # the last drawing ends below its lines, each in colours
    assert re.search(rf"{b}[^\n]*\x1b\[K\r+\n\x1b\[J$", terminal.seen.decode())
    assert [run["status"] for run in runs(repo)] == ["running", "running"]
    work.end("a", "b")
    until(lambda: all(run["status"] == "completed" for run in runs(repo)))


def test_block_survives_windows_of_other_sizes(repo: Repo, work: Work, tmp_path: Path, monkeypatch) -> None:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    monkeypatch.setenv("TERM", "xterm")
    ids = [work.start(name) for name in "abc"]
    tmux = ["tmux", "-S", str(tmp_path / "tmux"), "-f", "/dev/null"]
    start = [*tmux, "new-session", "-d", "-x", "90", "-y", "12", "env", "PS1=$ ", "sh"]
    subprocess.run(start, cwd=repo.path, check=True)

    def capture() -> str:
        return subprocess.check_output([*tmux, "capture-pane", "-p"], text=True)

    def shows(condition) -> str:
        end = time.monotonic() + 30
        while not condition(seen := capture()):
            assert time.monotonic() < end, f"it did not appear: {seen}"
            time.sleep(0.1)
        return seen

    def count(seen: str) -> list[int]:
        return [sum(line.startswith(run_id) for line in seen.splitlines()) for run_id in ids]

    try:
        subprocess.run([*tmux, "send-keys", "clear; git run watch --all; echo s$?", "Enter"], check=True)
        shows(lambda seen: count(seen) == [1, 1, 1])
        for columns, rows, expected in ((60, 12, [1, 1, 1]), (60, 3, [1, 0, 0]), (120, 12, [1, 1, 1])):
            subprocess.run([*tmux, "resize-window", "-x", str(columns), "-y", str(rows)], check=True)
            drawn = shows(lambda seen, expected=expected: count(seen) == expected)
            # the next drawing has other times, and no line is there twice
            shows(lambda seen, expected=expected, drawn=drawn: seen != drawn and count(seen) == expected)
        work.end("a", "b", "c")
        seen = shows(lambda seen: "s0" in seen.splitlines())
        assert count(seen) == [1, 1, 1], seen
        assert seen.count("completed in") == 3
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)

"""The line that tells how far a batch is: on a terminal alone, and gone at the end."""

from __future__ import annotations

import re
import sys

import pytest
from keyboard import Terminal
from sampled import sampled_values
from trial_lists import batch_of, wait_for

from gitrun.lifecycle.batch_progress import Pace, progress_parts
from gitrun.model.batch import Objective, Trial

GATED = """
import os, sys, time
n = 1
print("n:", n, flush=True)
while n > 2 and os.path.exists(os.environ["GATE"]):
    time.sleep(0.01)
print("loss:", n)
sys.exit(n == 2)
"""


def test_parts_come_in_the_order_of_their_weight():
    pace = Pace(100.0)
    trials = [Trial(1, {}, "completed", "a" * 40, (0.5,)), Trial(2, {}, "error"), Trial(3, {}, "running")]
    parts = progress_parts(trials, 1_200, (Objective("loss"),), pace, 110.0)
    assert parts == ["gitrun: 2 of 1,200 trials", "1 running", "1 failed", "best #1 loss=0.5"]


def test_time_left_follows_from_the_trials_that_ended_here():
    pace = Pace(100.0)
    assert pace.time_left(5, 130.0) is None
    pace.note_end(110.0)
    pace.note_end(120.0)
    assert pace.time_left(5, 120.0) == 50.0
    assert pace.time_left(5, 130.0) == 40.0
    assert pace.time_left(5, 500.0) == 0.0
    running = [Trial(1, {}, "completed"), Trial(2, {}, "running")]
    assert progress_parts(running, 12, (), pace, 120.0)[-1] == "1m50s left"


@pytest.fixture
def gate(empty_repo, monkeypatch):
    path = empty_repo.path.parent / "gate"
    path.touch()
    monkeypatch.setenv("GATE", str(path))
    monkeypatch.setenv("TERM", "xterm")
    empty_repo.write("train.py", GATED)
    empty_repo.commit()
    return path


@pytest.mark.parametrize("words", sampled_values(1, [(), ("-j", "2")]))
def test_a_terminal_shows_how_far_the_batch_is(empty_repo, gate, words):
    with Terminal(empty_repo, "git", "run", "train.py", "n=[1,2,3,4]", "--minimize", "loss", *words) as terminal:
        terminal.shows("gitrun: 2 of 4 trials")
        gate.unlink()
        assert terminal.ends() == 0
    screen = replay(terminal.seen)
    prefix = r"(#\d )?"
    assert not [line for line in screen if re.search(r"of 4 trials, \d running", line)]
    assert sum(bool(re.fullmatch(prefix + r"n: \d", line)) for line in screen) == 4
    assert sum(bool(re.fullmatch(prefix + r"loss: \d", line)) for line in screen) == 4
    assert "3 of 4 trials completed, 1 failed; best: #1 loss=1" in screen[-2]
    recorded = empty_repo.run("cat", batch_of(empty_repo, "train.py")["id"], check=True).stdout
    assert "running" not in recorded
    assert "\x1b" not in recorded


SEARCH = """
import gitrun
from gitrun.process.streams import FileStream
project = gitrun.Project(".", stdout=FileStream(1), stderr=FileStream(2))
for trial in project.search("train.py", {"n": [2, 3, 4]}, minimize="loss"):
    trial.run()
    print("words of the caller", trial.number, flush=True)
"""


def test_a_search_shows_its_line_and_never_in_words_of_its_caller(empty_repo, gate):
    with Terminal(empty_repo, sys.executable, "-c", SEARCH) as terminal:
        terminal.shows("gitrun: 1 of 3 trials, 1 running, 1 failed")
        gate.unlink()
        assert terminal.ends() == 0
    screen = replay(terminal.seen)
    assert [line for line in screen if "words" in line] == [f"words of the caller {number}" for number in (1, 2, 3)]
    assert not [line for line in screen if re.search(r"of 3 trials, \d running", line)]


def test_a_pipe_shows_no_line(empty_repo, gate):
    gate.unlink()
    ended = empty_repo.run("train.py", "n=[1,3]", check=True)
    assert "\x1b" not in ended.stdout + ended.stderr
    assert "running" not in ended.stderr


def test_the_line_never_joins_an_open_line_of_a_trial(empty_repo, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    gate = empty_repo.path.parent / "gate"
    gate.touch()
    wait = f"while os.path.exists({str(gate)!r}):\n    time.sleep(0.01)\n"
    empty_repo.write(
        "bar.py", f"import os, time\nn = 1\nprint('half', end='', flush=True)\ntime.sleep(1.5)\n{wait}print(' done')\n"
    )
    empty_repo.commit()
    with Terminal(empty_repo, "git", "run", "bar.py", "n=[1]") as terminal:
        terminal.shows("half")
        wait_for(empty_repo, "bar.py", lambda run: run["status"] == "running")
        gate.unlink()
        assert terminal.ends() == 0
    assert b"half done" in terminal.seen


def replay(data):
    """The lines that a terminal shows after these bytes: text, line ends, and the erasing of all behind the cursor."""
    lines, row, column = [""], 0, 0
    for text in re.findall(r"\x1b\[J|\r|\n|[^\x1b\r\n]+", data.decode()):
        if text == "\r":
            column = 0
        elif text == "\n":
            row += 1
            lines += [""] if row == len(lines) else []
        elif text == "\x1b[J":
            lines = [*lines[:row], lines[row][:column]]
        else:
            lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + len(text) :]
            column += len(text)
    return [line for line in lines if line]

"""Metrics are read while a program runs, each stream by itself, with the same result as at the end."""

from __future__ import annotations

import os
import re
import signal

import pytest
from keyboard import Terminal
from supervised import ended, last, live, owner, runs, shown, start, until

from gitrun import Project
from gitrun.model.run import RUNNING

BAR = """\
import sys, time
from tqdm import tqdm
for epoch in tqdm(range(3), desc="training"):
    print(f"loss: {1 / (epoch + 1):.2f}", flush=True)
    print(f"step {epoch} | acc {epoch / 4}", flush=True)
    time.sleep(0.12)
"""
PLAIN = """\
import sys
for n in (1, 2, 3):
    sys.stderr.write(f"\\r {n}/3")
    sys.stderr.flush()
    print("loss:", n, flush=True)
"""
SLOW = """\
import os, sys, time
print("loss: 2.0", flush=True)
print("Epoch 1: val_loss=0.7, val_acc=0.4", flush=True)
sys.stderr.write("warmth: 3\\n")
with open(os.environ["GITRUN_METRICS"], "a") as log:
    log.write('{"f1": 0.5, "step": 7}\\n')
while not os.path.exists(sys.argv[1]):
    time.sleep(0.05)
print("loss: 1.0")
"""
EARLY = {"f1": 0.5, "loss": 2.0, "val_loss": 0.7, "val_acc": 0.4, "warmth": 3.0}


def metrics(repo, run="1"):
    return shown(repo, run)["metrics"]


@pytest.mark.parametrize("program", [BAR, PLAIN], ids=["tqdm", "plain"])
def test_bar_on_stderr_hides_no_metric_in_pipes(repo, program) -> None:
    repo.write("p.py", program)
    repo.run("p.py", check=True)
    assert metrics(repo) == ({"loss": 0.33, "acc": 0.5} if program is BAR else {"loss": 3.0})
    series = shown(repo)["series"]
    assert series["loss"]["count"] == 3


@pytest.mark.parametrize("program", [BAR, PLAIN], ids=["tqdm", "plain"])
def test_bar_before_a_line_hides_no_metric_on_a_terminal(repo, program) -> None:
    repo.write("p.py", program)
    with Terminal(repo, "git", "run", "p.py") as terminal:
        assert terminal.ends() == 0
    assert metrics(repo)["loss"] == (0.33 if program is BAR else 3.0)
    assert shown(repo)["series"]["loss"]["count"] == 3


def test_bar_before_a_line_hides_no_metric_in_one_pipe(repo) -> None:
    repo.write("p.py", BAR)
    assert ended(repo, "sh", "-c", "git run p.py 2>&1 | cat").returncode == 0
    assert shown(repo)["series"]["loss"]["count"] == 3


def test_unfinished_line_of_one_stream_is_not_continued_by_the_other(repo) -> None:
    script = "import os\nos.write(1, b'lo')\nos.write(2, b'x: ')\nos.write(1, b'ss: 4\\n')\nos.write(2, b'5')\n"
    repo.write("p.py", script.replace("\nos", "\nimport time; time.sleep(.1)\nos"))
    repo.run("p.py", check=True)
    assert metrics(repo) == {"loss": 4.0, "x": 5.0}
    assert repo.run("cat", check=True).stdout == "lox: ss: 4\n5"


def test_metrics_are_seen_while_the_program_runs(repo) -> None:
    repo.write("p.py", SLOW)
    go = repo.path.parent / "go"
    process = start(repo, "p.py", "--", go)
    until(lambda: runs(repo) and metrics(repo) == EARLY)
    assert repo.run("list", "--columns", "status,loss,f1", check=True).stdout.split() == ["running", "2.0", "0.5"]
    assert repo.run("list", "--where", "loss>1", "--format", "%(status)", check=True).stdout == "running\n"
    watching = start(repo, "watch", "1")
    first = watching.stderr.readline()
    go.touch()
    assert process.wait(20) == 0
    told = (first + watching.communicate(timeout=20)[1]).decode().splitlines()
    assert told[0].endswith(" is running: f1=0.5 loss=2 val_loss=0.7 val_acc=0.4 warmth=3")
    assert told[1].endswith(": f1=0.5 loss=1 val_loss=0.7 val_acc=0.4 warmth=3")
    assert metrics(repo) == {**EARLY, "loss": 1.0}
    process.communicate()


def test_own_patterns_are_searched_for_while_the_program_runs(repo) -> None:
    repo.write("p.py", SLOW)
    go = repo.path.parent / "go"
    process = start(repo, "--metric", r"warm=warmth: (\d)", "--metric", r"best=loss: (\S+)", "p.py", "--", go)
    until(lambda: runs(repo) and metrics(repo) == {"f1": 0.5, "warm": 3.0, "best": 2.0, **EARLY})
    go.touch()
    process.communicate(timeout=20)
    assert metrics(repo) == {"f1": 0.5, "warm": 3.0, "best": 1.0, **EARLY, "loss": 1.0}


def test_dead_supervisor_leaves_the_metrics_that_were_seen(repo) -> None:
    repo.write("p.py", SLOW)
    process = start(repo, "p.py", "--", repo.path.parent / "go")
    until(lambda: runs(repo) and metrics(repo) == EARLY)
    os.kill(owner(repo)["pid"], signal.SIGKILL)
    process.communicate()
    until(lambda: last(repo)["status"] == "terminated")
    assert metrics(repo) == EARLY
    assert live(repo) == []


def test_running_run_is_not_selected_as_the_best(repo) -> None:
    repo.run("--", "echo", "loss: 5", check=True)
    repo.write("p.py", SLOW)
    go = repo.path.parent / "go"
    process = start(repo, "p.py", "--", go)
    until(lambda: Project(repo.path).list_runs()[0].metrics == EARLY)
    assert Project(repo.path).list_runs()[0].status == RUNNING
    assert repo.run("select", "--min", "loss", check=True).stdout.strip() == Project(repo.path).list_runs()[1].id
    go.touch()
    process.communicate(timeout=20)


def test_pattern_of_the_command_line_is_kept_by_a_restart(repo) -> None:
    repo.write("p.py", "x = 1\nprint('found', x, 'of 7 things')\nprint('size: 3')\n")
    repo.run("--metric", r"found=found (\d+)", "p.py", check=True)
    assert metrics(repo) == {"found": 1.0, "size": 3.0}
    repo.run("--restart", "1", "x=2", check=True)
    assert metrics(repo) == {"found": 2.0, "size": 3.0}
    repo.run("--restart", "1", "x=3", "--metric", r"things=(\d+) things", check=True)
    assert metrics(repo) == {"things": 7.0, "size": 3.0}


def test_patterns_of_settings_and_of_the_entry_are_searched_for_too(repo) -> None:
    repo.write("p.py", "print('found 1 of 7')\nprint('size: 3')\n")
    repo.git("config", "--add", "gitrun.metric", r"found=found (\d+)")
    repo.git("config", "--add", "gitrun.metric", r"all=of (\d+)")
    repo.run("p.py", check=True)
    assert metrics(repo) == {"found": 1.0, "all": 7.0, "size": 3.0}
    repo.write("gitrun.toml", "[operations.p]\nscript = 'p.py'\nmetrics = { all = 'found (\\d+)' }\n")
    repo.run("p", check=True)
    assert metrics(repo) == {"found": 1.0, "all": 1.0}
    assert Project(repo.path).run("p.py", metrics={"kind": r"size: (\d)"}).metrics["kind"] == 3.0


def test_very_many_logged_points_are_bounded_and_the_bound_is_said(repo) -> None:
    count = 100_000
    repo.write(
        "p.py",
        "import json, os\nwith open(os.environ['GITRUN_METRICS'], 'w') as log:\n"
        f"    log.writelines(json.dumps({{'loss': 1 / (n + 1), 'step': n}}) + '\\n' for n in range({count}))\n",
    )
    said = repo.run("p.py", check=True).stderr
    found = shown(repo)
    assert found["series"]["loss"] == {"first": 1.0, "last": 1 / count, "min": 1 / count, "max": 1.0, "count": count}
    kept = repo.git("cat-file", "-p", f"runs/{found['id']}:.gitrun/metrics.jsonl").count("\n") + 1
    assert 5_000 < kept <= 10_001
    assert f"note: {kept:,} of 100,000 points of metrics are recorded" in said


EVENTS = """\
import struct, time
def varint(n):
    return b"" if n < 0 else bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)
with open("events.out.tfevents.1.host", "wb") as file:
    for step in range(400_000):
        value = b"\\x0a\\x04loss\\x15" + struct.pack("<f", 1 / (step + 1))
        event = b"\\x09" + struct.pack("<d", time.time()) + b"\\x10" + varint(step)
        event += b"\\x2a" + bytes([len(value) + 2]) + b"\\x0a" + bytes([len(value)]) + value
        file.write(struct.pack("<QI", len(event), 0) + event + bytes(4))
"""


@pytest.mark.slow
def test_progress_is_said_while_very_many_events_are_recorded(repo) -> None:
    repo.write("p.py", EVENTS)
    said = repo.run("p.py", check=True).stderr
    assert re.search(r"gitrun: recording metrics: [0-9,]+ points read so far\n", said)
    assert " of 400,000 points of metrics are recorded" in said
    series = shown(repo)["series"]
    assert series["loss"] == {"first": 1.0, "last": 2.5e-06, "min": 2.5e-06, "max": 1.0, "count": 400_000}


def test_supervisor_of_a_chatty_program_keeps_up(repo) -> None:
    repo.write("p.py", "import sys\nfor n in range(20_000): print(f'step {n} | loss {n / 7} | lr 1e-3')\nsys.stdout.flush()\n")
    repo.run("p.py", check=True)
    assert metrics(repo) == {"loss": 19_999 / 7, "lr": 0.001}


def test_flag_that_is_text_hides_no_metric_of_its_name(repo) -> None:
    repo.write("a.py", 'loss = "hinge"\nlr = 0.1\nprint("loss:", 0.3)\nprint("lr: 0.1")\n')
    repo.run("a.py", check=True)
    assert shown(repo)["metrics"] == {"loss": 0.3}

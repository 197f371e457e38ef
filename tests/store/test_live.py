"""The live record of a run: held by one, readable by all, gone when the run has its result."""

from __future__ import annotations

import re
import signal
import threading
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from supervised import live as records
from supervised import start, until

from gitrun.errors import CannotRun, RunIsRunning
from gitrun.git.locks import acquire
from gitrun.model.plan import Outcome
from gitrun.store import live as module
from gitrun.store.live import Owner, hold_live, is_live, owner_of, recorded_runs

RUN = "ab" * 20
OWNER = Owner(123, "boot 456", RUN, "/some/where", in_place=False, started=1.5, linked=("data",))
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
OUTCOME = Outcome("error", 3, MOMENT, MOMENT, 0.25, reason="stopped")


def test_a_held_run_is_live_and_cannot_be_held_again(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOCK_PATIENCE", 0.05)
    with hold_live(tmp_path, RUN):
        assert is_live(tmp_path, RUN)
        with pytest.raises(RunIsRunning, match=f"cannot restart run {RUN[:8]}: it is running"):
            hold_live(tmp_path, RUN)
    assert not is_live(tmp_path, RUN)


def test_a_closed_record_leaves_nothing(tmp_path):
    with hold_live(tmp_path, RUN) as live:
        live.record(OWNER)
        live.output.write_bytes(b"x")
        (live.directory / "more").mkdir()
        assert recorded_runs(tmp_path) == [RUN]
        live.close()
    assert list((tmp_path / "live").iterdir()) == []
    assert recorded_runs(tmp_path) == []


def test_somebody_who_comes_for_the_lock_while_it_is_closed_does_no_harm(tmp_path):
    over = threading.Event()

    def look():
        while not over.is_set():
            lock = acquire(tmp_path / "live" / RUN / "lock", wait=0)
            if lock:
                lock.release()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(300):
            with hold_live(tmp_path, RUN) as live:
                live.close()
    finally:
        over.set()
        looking.join()
    assert not is_live(tmp_path, RUN)


def test_the_owner_reads_as_it_was_written(tmp_path):
    with hold_live(tmp_path, RUN) as live:
        assert owner_of(tmp_path, RUN) is None
        live.record(OWNER)
        assert owner_of(tmp_path, RUN) == replace(OWNER, lock=(live.directory / "lock").stat().st_ino)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": 1}', b"\xff\xfe", b"\0" * 100])
def test_an_owner_that_a_power_cut_left_unreadable_is_none(tmp_path, content):
    with hold_live(tmp_path, RUN) as live:
        (live.directory / "owner").write_bytes(content)
        assert owner_of(tmp_path, RUN) is None


def test_how_the_program_ended_reads_as_it_was_written_and_needs_no_more_room(tmp_path):
    with hold_live(tmp_path, RUN) as live:
        live.record(OWNER)
        assert live.read_end() is None
        before = live.ended.stat()
        live.record_end(OUTCOME)
        assert live.read_end() == OUTCOME
        assert (live.ended.stat().st_size, live.ended.stat().st_ino) == (before.st_size, before.st_ino)


def test_the_end_of_a_pruned_trial_has_its_step(tmp_path):
    pruned = replace(OUTCOME, status="terminated", exit_status=-15, pruned=12)
    with hold_live(tmp_path, RUN) as live:
        live.record(OWNER)
        live.record_end(pruned)
        assert live.read_end() == pruned
        live.close()


def test_what_a_dead_attempt_left_is_not_held_for_another(tmp_path):
    with hold_live(tmp_path, RUN) as live:
        live.record(OWNER)
        live.output.write_bytes(b"kept")
    with pytest.raises(CannotRun, match="died, and its outcome is not recorded yet"):
        hold_live(tmp_path, RUN)
    assert (live.directory / "output").read_bytes() == b"kept"
    assert not is_live(tmp_path, RUN)


def test_every_file_of_a_running_run_is_described(repo):
    repo.write("train.py", "lr = 0.1\nprint('loss:', lr, flush=True)\nimport time\ntime.sleep(30)\n")
    process = start(repo, "--in-place", "--metric", "x=x is ([0-9.]+)", "train.py", "lr=0.2")
    try:
        # the metrics of a running program are shown last
        (directory,) = until(lambda: [path for path in records(repo) if (path / "metrics.json").exists()])
        names = {path.name for path in directory.iterdir()}
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate()
    described = set(re.findall(r"`([^`]+)`", module.__doc__ or ""))
    assert {"lock", "owner", "ended", "output", "index", "rules.json", "launch.spec", "metrics.json"} <= names
    assert names <= described


def test_every_name_of_a_file_is_in_the_table() -> None:
    names = {value for name, value in vars(module).items() if name.isupper() and isinstance(value, str)} - {"live"}
    assert names == set(re.findall(r"`([a-z]+(?:\.[a-z]+)?)`", module.__doc__ or "")) - {".new"}

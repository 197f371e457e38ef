"""Metric files and event files of a running program: shown while they grow, read once, and only up to what is whole."""

from __future__ import annotations

import json
import os
import struct
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from supervised import last, runs, shown, start, until

from gitrun.model.metrics import CollectedMetrics
from gitrun.model.plan import Outcome
from gitrun.model.run import File
from gitrun.workspace import live_files
from gitrun.workspace.live_files import LiveFiles
from gitrun.workspace.metrics import Progress, gather_files

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """\
import json, os, struct, sys, time
def write(path, data, mode="wb"):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, mode) as file:
        file.write(data)
def event(step, number):
    value = b"\\x0a\\x03acc\\x15" + struct.pack("<f", number)
    data = b"\\x09" + struct.pack("<d", time.time()) + bytes([16, step, 42, len(value) + 2, 10, len(value)]) + value
    return struct.pack("<QI", len(data), 0) + data + bytes(4)
def wait(name):
    while not os.path.exists(os.path.join(sys.argv[1], name)):
        time.sleep(0.02)
second = event(2, 0.75)
write("metrics.json", json.dumps({"f1": 0.25, "part": {"size": 3}}).encode())
write("out/dvclive/plots/metrics/train/loss.tsv", b"step\\tloss\\n0\\t0.9\\n1\\t0.")
write("logs/version_0/metrics.csv", b"epoch,step,val_loss\\n0,9,7.0\\n")
write("runs/detect/results.csv", b"epoch,mAP\\n1,0.4\\n2,0.")
write("tb/events.out.tfevents.1.host", event(1, 0.5) + second[:20])
wait("go")
write("metrics.json", json.dumps({"f1": 0.5}).encode())
write("out/dvclive/plots/metrics/train/loss.tsv", b"5\\n2\\t0.25\\n", "ab")
write("logs/version_0/metrics.csv", b"1,19,6.0\\n", "ab")
write("runs/detect/results.csv", b"5\\n", "ab")
write("tb/events.out.tfevents.1.host", second[20:], "ab")
wait("end")
"""
FIRST = {"acc": 0.5, "train/loss": 0.9, "val_loss": 7.0, "mAP": 0.4, "f1": 0.25, "part/size": 3.0}
SECOND = {"acc": 0.75, "train/loss": 0.25, "val_loss": 6.0, "mAP": 0.5, "f1": 0.5}


def test_files_are_seen_while_the_program_writes_them(repo) -> None:
    repo.write(".gitignore", "out/\n")
    repo.write("p.py", PROGRAM)
    place = repo.path.parent / "place"
    place.mkdir()
    process = start(repo, "p.py", "--", place)
    until(lambda: runs(repo) and last(repo)["metrics"] == FIRST)
    assert repo.run("list", "--columns", "status,acc,mAP", check=True).stdout.split() == ["running", "0.5", "0.4"]
    watching = start(repo, "watch", "1")
    (place / "go").touch()
    until(lambda: last(repo)["metrics"] == SECOND)
    running = shown(repo)
    assert (running["status"], running["series"]["train/loss"]["count"]) == ("running", 3)
    (place / "end").touch()
    assert process.wait(20) == 0
    process.communicate()
    assert "acc=0.75" in watching.communicate(timeout=20)[1].decode()
    assert (shown(repo)["metrics"], shown(repo)["series"]) == (SECOND, running["series"])


def test_file_that_lay_there_counts_from_its_change_on(repo) -> None:
    repo.write("metrics.json", '{"old": 1}')
    repo.commit("metrics")
    place = repo.path.parent / "place"
    wait = "until test -e $0; do sleep .05; done"
    process = start(repo, "--", "sh", "-c", f"echo x: 1; {wait}; echo '{{\"new\": 2}}' > metrics.json; sleep 9", place)
    until(lambda: runs(repo) and last(repo)["metrics"] == {"x": 1.0})
    time.sleep(2.5)
    assert shown(repo)["metrics"] == {"x": 1.0}
    place.touch()
    until(lambda: last(repo)["metrics"] == {"x": 1.0, "new": 2.0})
    repo.run("stop", "1")
    process.communicate(timeout=20)


def record(step: int, number: float) -> bytes:
    value = b"\x0a\x03acc\x15" + struct.pack("<f", number)
    data = b"\x09" + struct.pack("<d", time.time()) + bytes([16, step, 42, len(value) + 2, 10, len(value)]) + value
    return struct.pack("<QI", len(data), 0) + data + bytes(4)


@pytest.fixture
def live(tmp_path):
    """The files below a directory, as they are seen after everything has been read."""
    files = LiveFiles(tmp_path, frozenset({b"mine"}), time.time() - 3600)

    def read():
        files._due = 0.0
        while files.poll(60):
            files._due = 0.0
        return CollectedMetrics(tuple(files.collectors())).metrics()

    return read


def at_the_end(tree: Path):
    """What the same files give when the program has ended."""
    paths = [str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()]
    now = datetime.now(timezone.utc) - timedelta(hours=1)
    outcome = Outcome("completed", 0, now, now, 0.0, files=tuple(File(path, 0, "", "git") for path in paths))
    return CollectedMetrics(tuple(gather_files(outcome, (), tree, print, Progress(print)))).metrics()


TABLE = "epoch,step,loss,acc\n" + "".join(f"{n // 3},{n},{1 / (n + 1)},\n{n // 3},{n},,{n}\n" for n in range(40))
GROWING = {
    "metrics.csv": TABLE.encode(),
    "results.csv": TABLE.encode().replace(b",", b"  ,  "),
    "metrics.json": "".join(f'{{"step": {n}, "loss": {1 / (n + 1)}}}\n' for n in range(60)).encode(),
    "dvclive/loss.tsv": "".join(f"{n}\t{n}\n" for n in ("step\tloss", *range(60))).replace("loss\tstep\t", "").encode(),
    "events.out.tfevents.1.x": b"".join(record(n, n / 4) for n in range(60)),
}


@pytest.mark.parametrize("path", GROWING)
@pytest.mark.parametrize("step", [7, 100, 100_000])
def test_growing_file_is_read_to_the_same_result_as_at_the_end(tmp_path, live, path, step) -> None:
    file, data = tmp_path / path, GROWING[path]
    file.parent.mkdir(exist_ok=True)
    for size in range(0, len(data) + step, step):
        file.write_bytes(data[:size]) if size <= step else os.truncate(file, size) or write_at(file, data[:size])
        found = live()
    expected = at_the_end(tmp_path)
    assert found == expected
    assert expected.pack()
    assert found.pack() == expected.pack()


def write_at(file: Path, data: bytes) -> None:
    """Writes into the file that is there, as a program that appends does."""
    with file.open("r+b") as opened:
        opened.write(data)


def test_file_written_anew_is_read_anew_and_shown_until_it_is(tmp_path, live) -> None:
    table = tmp_path / "metrics.csv"
    table.write_text("step,loss\n1,4\n2,3\n")
    assert live().pack() == {"loss": (3.0, 4.0, 3.0, 4.0, 2)}
    table.write_text("")
    assert live() == {"loss": 3.0}
    table.write_text("step,acc,loss\n1,9,4\n2,9,3\n3,8,2\n")
    assert live().pack() == {"acc": (8.0, 9.0, 8.0, 9.0, 3), "loss": (2.0, 4.0, 2.0, 4.0, 3)}
    table.unlink()
    assert live() == {}


def test_json_file_is_read_when_it_is_whole(tmp_path, live) -> None:
    file = tmp_path / "metrics.json"
    text = json.dumps({"loss": 1, "more": {"acc": 2}}, indent=2)
    for size in range(len(text)):
        file.write_text(text[:size])
        assert live() == {}
    file.write_text(text)
    assert live() == {"loss": 1.0, "more/acc": 2.0}
    file.write_text(text[:20])
    assert live() == {"loss": 1.0, "more/acc": 2.0}


def test_tags_have_their_directory_as_soon_as_there_are_several(tmp_path, live) -> None:
    for name in ("train", "val"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "events.out.tfevents.1.x").write_bytes(record(1, 0.5))
        (tmp_path / name / "events.out.tfevents.2.x").write_bytes(record(2, 0.25))
        found = live()
    assert found.pack() == at_the_end(tmp_path).pack()
    assert found["train/acc"] == 0.25


def test_points_of_one_metric_are_found_in_whatever_file_has_them(tmp_path) -> None:
    for name in ("train", "val"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "events.out.tfevents.1.x").write_bytes(record(1, 0.5) + record(2, 0.4))
        (tmp_path / name / "events.out.tfevents.2.x").write_bytes(record(3, 0.25))
    (tmp_path / "metrics.csv").write_text("step,loss\n1,5\n2,4\n")
    files = LiveFiles(tmp_path, frozenset(), time.time() - 60, most=100)
    assert files.find_series("loss") is None
    files.poll(60)
    found = {name: files.find_series(name) for name in ("train/acc", "acc", "loss")}
    points = {name: list(zip(series.steps, series.values, strict=True)) for name, series in found.items() if series}
    assert points == {"train/acc": [(1, 0.5), (2, pytest.approx(0.4)), (3, 0.25)], "loss": [(1, 5), (2, 4)]}


def test_links_pipes_own_directories_and_old_files_are_passed_over(tmp_path, live) -> None:
    os.mkfifo(tmp_path / "metrics.json")
    (tmp_path / "real").mkdir()
    (tmp_path / "real/other").write_text("epoch,a\n1,2\n")
    (tmp_path / "results.csv").symlink_to("real/other")
    for name in (".git", ".gitrun", "mine", "sub/.git", "__pycache__"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "metrics.json").write_text('{"x": 1}')
    (tmp_path / "away").symlink_to("mine")
    assert live() == {}
    old = LiveFiles(tmp_path / "mine", frozenset(), time.time() + 5)
    assert (old.poll(60), CollectedMetrics(tuple(old.collectors())).metrics()) == (False, {})


def test_directories_that_have_not_changed_are_not_read_again(tmp_path, live, monkeypatch) -> None:
    for number in range(50):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "data.bin").touch()
    for path in (tmp_path, *tmp_path.iterdir()):
        os.utime(path, (1, 1))
    live()
    read, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: read.append(path) or scandir(path))
    live()
    assert read == []
    (tmp_path / "7/metrics.json").write_text('{"x": 1}')
    assert live() == {"x": 1.0}
    assert read == [f"{tmp_path}/7"]


def test_look_ends_in_time_and_is_continued_later(tmp_path) -> None:
    (tmp_path / "metrics.csv").write_text("step,loss\n" + "".join(f"{n},{n}\n" for n in range(100_000)))
    files = LiveFiles(tmp_path, frozenset(), time.time() - 9)
    begun = time.process_time()
    assert files.poll(0.02)
    assert time.process_time() - begun < 0.2
    assert files.poll(60)  # not due yet
    # on a busy machine nothing may be read so far
    assert dict(CollectedMetrics(tuple(files.collectors())).metrics()).get("loss", 0) < 99_999
    time.sleep(live_files.PAUSE)
    assert not files.poll(60)
    assert CollectedMetrics(tuple(files.collectors())).metrics() == {"loss": 99_999.0}


def test_names_and_points_of_live_files_are_bounded(tmp_path, live) -> None:
    for number in range(8):
        head = ",".join(f"m{number}_{column}" for column in range(900))
        row = ",".join(["1"] * 900)
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "metrics.csv").write_text(f"step,{head}\n" + f"1,{row}\n" * 20)
    assert 0 < len(live()) <= 1_000

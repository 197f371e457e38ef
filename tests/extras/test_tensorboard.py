"""git run tensorboard: what the user's tensorboard gets, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import urllib.request
from pathlib import Path

import pytest
from supervised import start, until

from gitrun import Project
from gitrun.extras.tensorboard import directory_name, write_directory
from gitrun.workspace.tensorboard import PREFIX, read_scalars

FAKE = """#!/bin/sh
echo "$@" > {here}/words
find "$2" -type f > {here}/files
trap 'echo ended > {here}/ended; exit 0' TERM INT
touch {here}/ready
while :; do sleep 0.05; done
"""
WRITES = """\
import os
from tensorboardX import SummaryWriter
os.makedirs("logs/train")
writer = SummaryWriter("logs/train")
for step in range(3):
    writer.add_scalar("loss", 1 / (step + 1), step)
writer.close()
"""


@pytest.fixture
def program(tmp_path) -> Path:
    """The directory of an environment whose tensorboard writes down what it was given, and waits."""
    place = tmp_path / "env" / "bin" / "tensorboard"
    place.parent.mkdir(parents=True)
    place.write_text(FAKE.format(here=tmp_path))
    place.chmod(0o755)
    return place.parent.parent


def test_directory_has_each_run_with_its_metrics(repo, tmp_path) -> None:
    repo.write("train.py", "lr = 0.1\nfor step in range(3):\n    print(f'step: {step} loss: {lr / (step + 1):.4f}')\n")
    repo.run("train.py", "--label", "../a/b\x1b[31m", check=True)
    project = Project(repo.path)
    run = project.find("1")
    logs = tmp_path / "logs"
    logs.mkdir()
    write_directory(project, [run], logs)
    (place,) = logs.iterdir()
    assert place.name == f"{run.id[:8]} .._a_b\\x1b[31m" == directory_name(run)
    (file,) = place.iterdir()
    with file.open("rb") as events:
        scalars = [(one.tag, one.step, round(one.value, 4)) for one in read_scalars(events)]
    assert scalars == [("loss", 0, 0.1), ("loss", 1, 0.05), ("loss", 2, 0.0333)]


def test_run_keeps_the_event_files_that_it_wrote(repo, tmp_path) -> None:
    repo.write("writes.py", WRITES)
    repo.run("writes.py", check=True)
    project = Project(repo.path)
    logs = tmp_path / "logs"
    logs.mkdir()
    write_directory(project, [project.find("1")], logs)
    written = sorted(path.relative_to(logs).as_posix() for path in logs.rglob(f"{PREFIX}*"))
    assert len(written) == 2
    assert [path.partition("/")[2].startswith("logs/train/") for path in written] == [False, True]
    for path, count in zip(written, (0, 3), strict=True):
        with (logs / path).open("rb") as events:
            assert len(list(read_scalars(events))) == count


def test_tensorboard_is_the_users_and_ends_with_us(repo, program, tmp_path) -> None:
    for x in (1, 2, 3):
        repo.run("echo.py", f"x={x}", check=True)
    process = start(repo, "tensorboard", "--limit", "2", "--port", "7007", env={**os.environ, "VIRTUAL_ENV": str(program)})
    until((tmp_path / "ready").exists)
    words = (tmp_path / "words").read_text().split()
    assert words[0] == "--logdir"
    assert words[2:] == ["--host", "127.0.0.1", "--port", "7007"]
    assert Path(words[1]).is_relative_to(repo.path / ".git" / "gitrun" / "tmp")
    assert len((tmp_path / "files").read_text().splitlines()) == 2
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert err.decode().splitlines()[0] == "gitrun: 1 more. To show all: --all"
    assert (tmp_path / "ended").read_text() == "ended\n"
    assert not Path(words[1]).exists()


def test_trials_stand_for_their_batch(repo, program, tmp_path) -> None:
    repo.run("echo.py", "x=[1.5,2.5]", check=True)
    process = start(repo, "tensorboard", "echo.py+", env={**os.environ, "VIRTUAL_ENV": str(program)})
    until((tmp_path / "ready").exists)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    names = sorted(Path(line).parent.name[9:] for line in (tmp_path / "files").read_text().splitlines())
    assert names == ["x=1.5 y=2 z=a", "x=2.5 y=2 z=a"]


@pytest.mark.slow
def test_real_tensorboard_shows_runs_and_flags(repo) -> None:
    if not shutil.which("tensorboard"):
        pytest.skip("tensorboard is not installed")
    repo.write("train.py", "lr = 0.1\nprint('loss:', lr * 2)\n")
    repo.run("train.py", "lr=0.5", "--label", "first", check=True)
    process = start(repo, "tensorboard", "--port", "16007")

    def ask(path: str, data: bytes | None = None):
        request = urllib.request.Request(f"http://127.0.0.1:16007/data/{path}", data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return None

    try:
        (name,) = until(lambda: ask("runs"), 120)
        assert name.endswith(" first")
        experiment = until(lambda: ask("plugin/hparams/experiment", b"{}"), 60)
        assert [one["name"] for one in experiment["hparamInfos"]] == ["lr"]
        assert [one["name"]["tag"] for one in experiment["metricInfos"]] == ["loss"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)

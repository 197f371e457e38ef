"""`git run demo`, as somebody lives it who has only Python and git."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from repository import Repo
from sampled import sampled

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = ["git", "run", "demo"]
HOSTILE = """\
[commit]
    gpgSign = true
[core]
    hooksPath = /nowhere
    excludesFile = {ignore}
[gitrun]
    python = /no/such/python
    maxUntracked = none
"""


@pytest.fixture
def tmpdir_of_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the demo makes its repository."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    return place


def play(*options: str, directory: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environ}
    words = [*COMMANDS, *options]
    return subprocess.run(words, cwd=directory, env=env, capture_output=True, text=True, check=False, timeout=60)


def losses(text: str) -> list[str]:
    """The last loss under each command."""
    return [re.findall(r"loss: (\S+)", part)[-1] for part in text.split("\n$ ") if "loss: " in part]


def test_demo_needs_nothing_of_the_user_restarts_the_first_run_and_leaves_nothing(tmpdir_of_demo: Path, world: Path) -> None:
    (world / "ignore").write_text("*.json\n")
    settings = HOSTILE.format(ignore=world / "ignore")
    (world / ".gitconfig").write_text(settings)
    before = sorted(world.rglob("*"))
    elsewhere = {"GIT_DIR": "/no/such/repository", "GIT_INDEX_FILE": "/no/such/index", "XDG_CONFIG_HOME": str(world)}
    played = play(directory=tmpdir_of_demo, **elsewhere)
    assert (played.returncode, played.stderr) == (0, "")
    first, second, edited, restarted = losses(played.stdout)
    assert restarted == first
    assert len({first, second, edited}) == 3
    assert "Skipping because the following runs match this operation (--needed specified):\n  [" in played.stdout
    assert "1 file: model.json" in played.stdout
    assert list(tmpdir_of_demo.iterdir()) == []
    assert (sorted(world.rglob("*")), (world / ".gitconfig").read_text()) == (before, settings)
    # in a pipe, too, what came first is shown first
    run = r"\n\$ git run train.py\nepoch 20 loss: \S+\nepoch 40 loss: \S+\ngitrun: run \w{8} completed in .*model.json.*\n\n"
    assert len(re.findall(run, played.stdout)) == 2


def test_kept_demo_on_a_terminal_is_one_stream_and_a_repository_to_go_on_in(tmpdir_of_demo: Path) -> None:
    ours, theirs = os.openpty()
    words = [*COMMANDS, "--keep"]
    with subprocess.Popen(words, cwd=tmpdir_of_demo, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: read(ours), b"")).decode()
    os.close(ours)
    assert process.returncode == 0, shown
    assert losses(shown)[0] == losses(shown)[-1]
    (place,) = tmpdir_of_demo.iterdir()
    assert shown.endswith(f"The repository is {place}\r\n")
    repo = Repo(place)
    assert repo.git("status", "--short") == " M train.py"
    assert len(repo.run("list", check=True).stdout.splitlines()) == 3
    assert "loss: " in repo.run("train.py", "epochs=20", check=True).stdout


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # Linux: the other end is closed
        return b""


@pytest.mark.parametrize("number", sampled(1, [signal.SIGTERM, signal.SIGINT]))
def test_interrupted_demo_ends_with_130_and_leaves_nothing(tmpdir_of_demo: Path, number: signal.Signals) -> None:
    with subprocess.Popen(["git-run", "demo"], cwd=tmpdir_of_demo, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        until_training = [process.stdout.readline() for _ in range(3)]
        process.send_signal(number)
        process.stdout.read()
    assert until_training[-1] == b"$ git run train.py\n"
    assert process.returncode == 130
    assert list(tmpdir_of_demo.iterdir()) == []


def test_demo_whose_reader_goes_away_ends_as_by_sigpipe_and_leaves_nothing(tmpdir_of_demo: Path) -> None:
    with subprocess.Popen(COMMANDS, cwd=tmpdir_of_demo, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (141, b"")
    assert list(tmpdir_of_demo.iterdir()) == []

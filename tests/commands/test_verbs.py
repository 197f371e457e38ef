"""Each verb, really started: it does what the same call does that the other tests fork."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import calling
import pytest
from repository import Repo
from sampled import sampled
from templates import copy

from gitrun.commands.main import VERBS

if TYPE_CHECKING:
    from pathlib import Path

CALLS = {
    "run": "run echo.py x=2",
    "ops": "ops",
    "worker": "worker . --max 0",
    "list": "list",
    "show": "show 1",
    "log": "log HEAD",
    "diff": "diff 2 1",
    "compare": "compare",
    "plot": "plot loss",
    "ls": "ls 1",
    "cat": "cat --output 1",
    "select": "select --all",
    "view": "view -h",
    "mcp": "mcp -h",
    "tensorboard": "tensorboard -h",
    "status": "status",
    "checkout": "checkout 1 --to out",
    "label": "label fine 1",
    "tag": "tag good 1",
    "comment": "comment -m well 1",
    "mark": "mark 1",
    "rm": "rm 1",
    "restore": "restore DELETED",
    "purge": "purge --all",
    "doctor": "doctor",
    "gc": "gc --keep 1",
    "notes": "notes --rebuild",
    "push": "push origin 1",
    "fetch": "fetch origin",
    "pull": "pull origin",
    "trust": "trust 1",
    "report": "report 1",
    "site": "site --single-file runs.html",
    "verify": "verify 1",
    "check": "check --metric loss<2 1",
    "bisect": "bisect -h",
    "hooks": "hooks install",
    "export": "export 1 out.bundle",
    "import": "import runs.bundle",
    "stop": "stop 1",
    "watch": "watch 1",
    "demo": "demo -h",
    "install-docs": "install-docs",
    "help": "help list",
}
VARIES = re.compile(
    r"\b[0-9a-f]{7,40}\b|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+Z?|\b[0-9.]+ ?m?s\b|\bjust now\b|\b[0-9]+ [a-z]+ ago\b"
)


@pytest.fixture
def lived_in(tmp_path: Path) -> Path:
    """A repository with two runs and a deleted one, a remote with one of them, and a bundle."""
    template = tmp_path.parent / "templates" / "verbs"
    if not template.exists():
        repo = Repo.create(template)
        repo.write("echo.py", "x = 1\nprint('loss:', x / 2)\n")
        repo.write(".gitignore", "server.git/\n*.bundle\nout/\ndata/\n")
        repo.commit()
        repo.git("init", "--quiet", "--bare", "server.git")
        repo.git("remote", "add", "origin", "./server.git")
        for x in (1, 1.5, 3):
            repo.run("echo.py", f"x={x}", check=True)
        repo.run("push", "origin", "3", check=True)
        repo.run("export", "3", "runs.bundle", check=True)
        repo.run("rm", "1", check=True)
    return template


def called(template: Path, place: Path, words: str) -> tuple[int, str, str]:
    """What a call in a copy of the template ended with and wrote, without what differs each time."""
    repo = copy(template, place / "repo")
    deleted = repo.run("list", "--deleted", "--format=%(id)", check=True).stdout.strip()
    ended = repo.run(*words.replace("DELETED", deleted).split(), env={"XDG_DATA_HOME": str(place / "repo" / "data")})
    # the width of a column varies with its times
    shown = (re.sub(" +", " ", VARIES.sub("X", text.replace(str(place), "PLACE"))) for text in (ended.stdout, ended.stderr))
    out, err = shown
    return ended.returncode, out, err


def test_every_verb_has_a_call() -> None:
    assert set(CALLS) == set(VERBS)


@pytest.mark.parametrize("verb", sampled(3, VERBS))
def test_started_verb_does_what_a_forked_one_does(lived_in, tmp_path, monkeypatch, verb) -> None:
    forked = called(lived_in, tmp_path / "forked", CALLS[verb])
    monkeypatch.setattr(calling, "FORKING", False)
    started = called(lived_in, tmp_path / "started", CALLS[verb])
    assert started == forked
    assert started[0] == {"demo": 129, "bisect": 129, "view": 129, "mcp": 129, "tensorboard": 129, "stop": 128}.get(verb, 0), (
        started
    )
    assert started[1] + started[2]

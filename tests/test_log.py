"""Metrics that a program logs with gitrun.log."""

from __future__ import annotations

import json

import pytest

import gitrun
from gitrun import Project


@pytest.fixture
def project(repo) -> Project:
    return Project(repo.path)


def test_metrics_logged_by_the_program_are_those_of_the_run(project, repo) -> None:
    repo.write(
        "a.py", "import gitrun\ngitrun.log({'loss': 1})\ngitrun.log({'loss': 0.5, 'acc': 1}, step=7)\ngitrun.log({'acc': 2})\n"
    )
    run = project.run("a.py")
    assert (run.status, run.metrics) == ("completed", {"loss": 0.5, "acc": 2.0})
    steps = [json.loads(line)["step"] for line in project.read_file(run, "file", ".gitrun/metrics.jsonl").splitlines()]
    assert steps == [0, 7, 8]


def test_log_of_what_is_no_number_ends_no_program(project, repo, capsys) -> None:
    odd = "{'a': 'x', 'b': None, 'c': {}, 'd': [1], 'e': 10**400, 'f': 1j, 'g': True, 'h': '2.5', 'i': 3}"
    lines = [
        "log({'step': float('nan'), 'z': 0})",
        f"log({odd})",
        "log({'j': 1}, step=float('inf'))",
        "log({'k': 1}, step=None)",
    ]
    repo.write("a.py", "from gitrun import log\n" + "\n".join(lines))
    run = project.run("a.py")
    assert (run.status, run.metrics) == ("completed", {"z": 0.0, "g": 1.0, "h": 2.5, "i": 3.0, "j": 1.0, "k": 1.0})
    steps = [json.loads(line)["step"] for line in project.read_file(run, "file", ".gitrun/metrics.jsonl").splitlines()]
    assert steps == [0, 1, 2, 3]
    err = capsys.readouterr().err
    assert (err.count("\n"), err.startswith("gitrun: warning: metrics must be numbers: '")) == (1, True)


def test_log_outside_a_run_does_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    gitrun.log({"loss": 1.0}, step=3)
    assert list(tmp_path.iterdir()) == []

"""Whatever is typed, and whatever lies under refs/runs: one line, a code of ours, the good runs shown, nothing obeyed."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import time
import unicodedata

import pytest
from called_here import call
from foreign_trees import foreign
from templates import made_once

OPERATIONS = "\\u001b]52;c;eA==\\u0007"
TABLES = {
    "broken TOML": 'operation = "a"\na = [',
    "no operation": "",
    "not UTF-8": b"operation = '\xff'",
    "everything of another kind": "operation=1\ncommand=2\nsource=3\nparams=4\ncreated=5\nkind=[]\n",
    "deep": 'operation = "a"\na = ' + "[" * 3000,
    "huge": 'operation = "a"\n' + "#" * (3 << 20),
    "a time before all times": 'operation = "a"\ncreated = 0001-01-01T00:00:00+10:00\n',
    "escape sequences": f'operation = "{OPERATIONS}"\n[source]\nbranch = "\\u009b31m\\u202e"\n',
    "a higher format": 'operation = "a"\nformat = 99\nfuture = {a = [1]}\n',
}


@pytest.fixture
@made_once
def crowded(repo):
    """A repository with one good run among all sorts of things that are none."""
    repo.run("echo.py", "--label", "good", check=True)
    head, run = repo.head(), repo.git("for-each-ref", "--format=%(objectname)", "refs/runs").split()[0]
    repo.git("tag", "-a", "-m", "a tag", "v1")
    blob, tag = repo.git("hash-object", "-w", "echo.py"), repo.git("rev-parse", "v1")
    for name, target in {blob: blob, tag: tag, head: head, "none": head, "a/b": run, "abcd1234": head}.items():
        repo.git("update-ref", f"refs/runs/{name}", target)
    for digit in "12":
        repo.write(f".git/refs/runs/{digit * 40}", digit * 40)
    repo.git("symbolic-ref", f"refs/runs/{'b' * 40}", "refs/heads/nowhere")
    repo.git("symbolic-ref", f"refs/runs/{'c' * 40}", "refs/heads/main")
    for table in TABLES.values():
        foreign(repo, table)
    foreign(repo, 'operation = "a"', flags_toml="a = 1\n" * 2)
    foreign(repo, 'operation = "a"', result_toml='status = "completed"\nduration = inf\nexit_status = 1' + "0" * 400)
    foreign(repo, 'operation = "a"', result_toml='status = 1\nstarted = "x"\nmetrics = {a = nan}\nfiles = [{}, 1]\n')
    foreign(repo, 'operation = "a"', notes_toml='label = 1\ntags = "a"\ncomments = [{time = 9999-12-31T23:59:59-10:00}]\n')
    foreign(repo, 'operation = "a"', flags_toml='"\\u001b[2J\\u202e" = "\\u001b[2J"\nd = 2026-01-01\n')
    return repo


def test_good_run_is_listed_among_all_that_is_none(crowded) -> None:
    ended = crowded.run("list", check=True)
    assert ended.stdout.splitlines()[0].endswith("  [good] x=1.0 y=2 z=a")
    unreadable = [line for line in crowded.run("list", "--all").stdout.splitlines() if line.startswith("?")]
    assert len(unreadable) >= 14
    assert all("  unreadable  " in line for line in unreadable)


def test_json_of_all_that_lies_there_parses_and_says_what_is_wrong(crowded) -> None:
    found = json.loads(crowded.run("list", "--json", "--all", check=True).stdout)
    reasons = {run["id"]: run["error"] for run in found if "error" in run}
    assert reasons["none"] == reasons["a/b"] == "its name is not an object id"
    assert sum("run.toml" in reason for reason in reasons.values()) >= 6
    assert sum(run.get("label") == "good" for run in found) == 1


def test_good_run_is_found_by_every_name_among_all_that_is_none(crowded) -> None:
    for name in ("good", "echo.py"):
        assert crowded.run("--restart", name, "--needed").stdout.startswith("Skipping run because"), name


READING = (["show"], ["show", "--json"], ["log"], ["cat"], ["checkout"], ["watch"], ["run", "--dry-run", "--restart"])


def test_no_verb_stumbles_over_what_is_none(crowded, monkeypatch) -> None:
    monkeypatch.chdir(crowded.path)
    refs = crowded.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/runs").split()
    assert len(refs) > 2 * len(READING)
    for number, name in enumerate(refs):
        for words in READING[number % 3 :: 3]:  # each meets a third of the verbs, as in tests/hostile/
            code, said = call(*words, name)
            assert code in {0, 1, 128, 129}, (words, name, said)
            assert is_safe(said), (words, name, said)
            assert code in {0, 1} or said.count("\n") == 1, (words, name, said)


def is_safe(text: str) -> bool:
    """Whether a terminal would show it and obey none of it."""
    return not {unicodedata.category(char) for char in text if char != "\n"} & {"Cc", "Cf", "Cs"}


@pytest.fixture
@made_once
def hostile(repo):
    """A repository whose branch, flag, label, output and file are full of what terminals obey."""
    evil = "\x1b]0;evil\x07\x9b31m\u202e"
    repo.git("checkout", "-q", "-b", "b\u202eranch")
    repo.write(f"{evil}.sh", f"#!/bin/sh\nprintf '{evil}\\r\\b'\necho a > '{evil}.out'\n").chmod(0o755)
    repo.run(f"./{evil}.sh", f"x={evil}", "--label", evil, "--tag", evil, "--comment", evil, check=True)
    return repo


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["show"],
        ["log"],
        ["log", "HEAD"],
        ["ls"],
        ["compare"],
        ["checkout"],
        ["--dry-run", "--restart", "1"],
        ["mark"],
    ],
)
def test_nothing_hostile_reaches_a_terminal(hostile, words) -> None:
    ended = hostile.run(*words)
    assert is_safe(ended.stdout), ended.stdout
    assert is_safe(ended.stderr), ended.stderr


@pytest.mark.parametrize("words", [["cat"], ["show", "--json"], ["list"], ["list", "--json"], ["diff"], ["compare", "--csv"]])
def test_nothing_hostile_is_written_to_a_terminal_itself(hostile, words) -> None:
    ours, theirs = pty.openpty()
    env = {**os.environ, "GIT_PAGER": "cat"}
    subprocess.run(
        ["git", "run", *words], cwd=hostile.path, env=env, stdout=theirs, stdin=subprocess.DEVNULL, check=True, timeout=30
    )
    os.close(theirs)
    said = b""
    with contextlib.suppress(OSError):
        while data := os.read(ours, 1 << 16):
            said += data
    os.close(ours)
    assert said
    assert is_safe(said.decode().replace("\r\n", "\n"))


def test_words_about_a_hostile_run_are_safe(hostile) -> None:
    assert is_safe(hostile.run("--restart", "1").stderr)
    assert is_safe(hostile.run("--needed", "--restart", "1").stdout)
    assert is_safe(hostile.run("\x1b[31m\u202e").stderr)
    assert is_safe(hostile.run("show", "\x1b[31m\u202e").stderr)


def test_encoding_that_lacks_a_character_gets_it_escaped(repo) -> None:
    repo.run("echo.py", "z=Grüße", check=True)
    assert repo.run("list", env={"PYTHONIOENCODING": "ascii"}).stdout.endswith("  z=Gr\\xfc\\xdfe x=1.0 y=2\n")


@pytest.mark.parametrize(
    "record",
    [
        b"\xff\0" * 1000 + b"\n",
        b'{"loss": ' + b"[" * 100_000 + b"\n",
        b'{"loss": 1e999, "x": 1' + b"0" * 5000 + b"}\n",
        b'{"loss": 0.5}\n' * 100_000,
        b'{"loss": "\\u001b[31m", "step": {}}\n{"loss": -1e308}\n{"loss": 1e308}\n{"loss": NaN}\n',
        b'{"loss": 1}' * 3_000_000,
    ],
    ids=["bytes", "deep", "numbers", "many", "values", "long"],
)
def test_record_of_metrics_in_a_foreign_run_does_no_harm_to_show(repo, record) -> None:
    name = '"a\\u001b[2Jb"'
    result = f'status = "completed"\n[metrics]\nloss = 1.0\n{name} = 2\n'
    result += f"[series.{name}]\nfirst = 1\nmin = 1\nmax = 1\ncount = 3\n"
    result += "[series.loss]\nfirst = 1.0\nmin = nan\nmax = inf\ncount = 9\n[series.gone]\ncount = -1\n"
    made = foreign(repo, 'operation = "a"', metrics_jsonl=record, result_toml=result)
    begun = time.monotonic()
    ended = repo.run("show", made)
    assert ended.returncode == 0, ended.stderr
    assert "loss" in ended.stdout
    assert "\x1b" not in ended.stdout
    assert time.monotonic() - begun < 20
    assert json.loads(repo.run("show", made, "--json", check=True).stdout)["series"]["loss"]["count"] == 9

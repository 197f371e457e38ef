"""Restart and `--needed` through `git run`: every status of the last attempt; a skip writes nothing."""

from __future__ import annotations

import json
import subprocess

import pytest
from supervised import until

from gitrun import Project

SKIPPED = "Skipping run because flags have not changed (--needed specified)\n"
MATCHES = "Skipping because the following runs match this operation (--needed specified):\n"


def tips(repo) -> str:
    return repo.git("for-each-ref", "refs")


def newest(repo) -> dict:
    return json.loads(repo.run("list", "--json").stdout)[0]


@pytest.fixture
def ending(repo):
    """A repository with one run, that of a script which ends as its flag says; the flag `again` changes nothing."""
    repo.write(
        "end.py",
        "import os\nhow = 0\nagain = 0\nprint('ran', flush=True)\nos.kill(os.getpid(), -how) if how < 0 else exit(how)\n",
    )
    return repo


@pytest.mark.parametrize(("how", "status"), [(0, "completed"), (-15, "terminated")])
def test_ended_run_is_skipped_and_nothing_is_written(ending, how, status) -> None:
    ending.run("end.py", f"how={how}")
    assert newest(ending)["status"] == status
    before = tips(ending)
    ended = ending.run("--restart", "1", "--needed")
    assert (ended.returncode, ended.stdout) == (0, SKIPPED)
    assert tips(ending) == before


@pytest.mark.parametrize(("how", "status"), [(0, "completed"), (-15, "terminated")])
def test_ended_run_is_run_with_other_flags(ending, how, status) -> None:
    ending.run("end.py", f"how={how}")
    assert ending.run("--restart", "1", "--needed", "again=1").stdout == "ran\n"


def test_run_that_failed_is_always_run(ending) -> None:
    ending.run("end.py", "how=3")
    assert newest(ending)["status"] == "error"
    assert ending.run("--restart", "1", "--needed").stdout == "ran\n"


def test_staged_run_is_always_run(ending) -> None:
    ending.run("end.py", check=True)
    ending.run("--stage", "end.py", check=True)
    assert ending.run("--restart", "1", "--needed").stdout == "ran\n"


def test_pending_run_is_always_run(ending) -> None:
    ending.run("end.py", check=True)
    run = newest(ending)["id"]
    ending.git("update-ref", f"refs/runs/{run}", run)
    assert newest(ending)["status"] == "pending"
    assert ending.run("--restart", "1", "--needed").stdout == "ran\n"


def test_running_run_is_refused_with_and_without_needed(repo) -> None:
    repo.write("wait.py", "import time\nx = 1\nprint('on', flush=True)\ntime.sleep(30)\n")
    process = subprocess.Popen(["git", "run", "wait.py"], cwd=repo.path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"on\n"
        run = newest(repo)
        assert run["status"] == "running"
        said = f"gitrun: error: cannot restart run {run['id'][:8]}: it is running. Try: git run stop {run['id'][:8]}\n"
        for words in (["--restart", "1"], ["--restart", "1", "--needed"], ["--restart", "wait.py", "--needed", "x=2"]):
            ended = repo.run(*words)
            assert (ended.returncode, ended.stdout, ended.stderr) == (128, "", said)
        repo.run("stop", "1", check=True)
        assert process.wait(20) == 143
    finally:
        process.kill()
        process.communicate()
    assert newest(repo)["status"] == "terminated"


def test_other_runs_with_the_new_flags_are_listed_with_what_is_known_of_them(repo) -> None:
    repo.run("echo.py", "x=2", check=True)
    other = newest(repo)
    repo.run("echo.py", check=True)
    before = tips(repo)
    ended = repo.run("--restart", "1", "--needed", "x=2")
    started = other["started"][:19].replace("T", " ")
    assert ended.stdout == f"{MATCHES}  [{other['id'][:8]}]  echo.py  {started}  completed  x=2 y=2 z=a\n"
    assert tips(repo) == before


def test_new_run_is_skipped_when_one_has_exactly_its_flags(repo) -> None:
    repo.run("echo.py", check=True)
    before = tips(repo)
    assert repo.run("--needed", "echo.py", "x=1").stdout.startswith(MATCHES)
    assert tips(repo) == before
    assert repo.run("--needed", "echo.py", "x=2").stdout == "2 2 'a'\n"


def test_other_words_behind_the_flags_are_run(repo) -> None:
    repo.write("sub.py", "import sys\nprint(sys.argv[1:])\n")
    repo.write("sub.sh", 'echo "$@"\n')
    for script in ("sub.py", "sub.sh"):
        repo.run(script, "--", "train", check=True)
        assert repo.run("--needed", script, "--", "train").stdout.startswith(MATCHES)
        assert "eval" in repo.run("--needed", script, "--", "eval").stdout
        assert repo.run("--needed", script, "--", "eval").stdout.startswith(MATCHES)
    (repo.path / "in").mkdir()
    assert repo.run("--needed", "../sub.py", "--", "train", cwd=repo.path / "in").stdout.startswith(MATCHES)


def test_skip_says_that_the_source_is_another_and_needed_source_counts_it(repo) -> None:
    repo.run("echo.py", check=True)
    repo.write("other.py", "")
    ended = repo.run("--needed", "echo.py")
    assert ended.stdout.startswith(MATCHES)
    assert ended.stderr == "gitrun: note: the source has changed since that run. To compare the source too: --needed-source\n"
    assert repo.run("--needed-source", "echo.py").stdout == "1.0 2 'a'\n"
    assert repo.run("--needed-source", "echo.py").stdout.startswith(MATCHES)


def test_needed_source_of_a_restart_counts_new_code(repo) -> None:
    repo.run("echo.py", check=True)
    repo.write("other.py", "")
    assert repo.run("--restart", "1", "--needed-source").stdout == SKIPPED
    assert repo.run("--restart", "1", "--needed", "--force-sourcecode").stdout == SKIPPED
    assert repo.run("--restart", "1", "--needed-source", "--force-sourcecode").stdout == "1.0 2 'a'\n"


def test_restart_finds_a_run_by_every_name(repo) -> None:
    repo.run("echo.py", "x=5", "--label", "best", check=True)
    run = newest(repo)["id"]
    repo.run("echo.py", check=True)
    for name in (run, run[:8], f"runs/{run}", "2", "best"):
        assert repo.run("--restart", name, "--needed").stdout == SKIPPED, name
    assert repo.run("select", "echo.py").stdout.strip() != run
    repo.run("mark", run, check=True)
    assert repo.run("select", "echo.py").stdout.strip() == run
    repo.run("mark", "--clear", "best", check=True)
    assert repo.run("select", "echo.py").stdout.strip() != run


def test_restarted_run_is_the_newest(repo) -> None:
    first = Project(repo.path).run("echo.py").id
    repo.run("echo.py", "x=2", check=True)
    repo.run("--restart", first, check=True)
    assert newest(repo)["id"] == first


@pytest.mark.slow
def test_restart_of_a_run_in_the_same_instant_is_refused_once(repo) -> None:
    gate = repo.path.parent / "gate"
    gate.touch()
    wait = f"while not os.path.exists({str(gate)!r}):\n    time.sleep(.02)\n"
    repo.write("a.py", f"import os, time\nprint('ran', flush=True)\n{wait}")
    repo.run("a.py", check=True)
    run = newest(repo)["id"]
    gate.unlink()
    both = [
        subprocess.Popen(["git", "run", "--restart", run], cwd=repo.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    until(lambda: any(process.poll() is not None for process in both))
    gate.touch()
    said = sorted((process.communicate(timeout=30), process.returncode) for process in both)
    assert [code for _, code in said] == [128, 0]
    assert said[0][0][0] == b""
    assert len(json.loads(repo.run("log", "--json", run).stdout)) == 2

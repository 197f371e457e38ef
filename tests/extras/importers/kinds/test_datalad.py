"""git run import datalad: run records in commit messages."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from launchers import tool
from repository import Repo

from gitrun import Project

MESSAGE = "[DATALAD RUNCMD] {title}\n\n=== Do not change lines below ===\n{record}\n^^^ Do not change lines above ^^^\n"
KEY = "MD5E-s4--d3b07384d113edec49eaa6238ad5ff00.txt"


@pytest.fixture
def repo(tmp_path) -> Repo:
    repo = Repo.create(tmp_path / "project")
    repo.write("in.txt", "1\n2\n")
    repo.git("add", "-A")
    repo.git("commit", "-qm", "data")
    return repo


def record(repo: Repo, title: str = "count lines", **changes: object) -> str:
    """Commits what is in the working tree as `datalad run` does."""
    usual = {
        "chain": [],
        "cmd": "wc -l < in.txt > out.txt",
        "exit": 0,
        "inputs": ["in.txt"],
        "outputs": ["out.txt"],
        "pwd": ".",
    }
    repo.git("add", "-A")
    repo.git(
        "commit", "-q", "--allow-empty", "-m", MESSAGE.format(title=title, record=json.dumps({**usual, **changes}, indent=1))
    )
    return repo.head()


def test_recorded_command_is_a_run(repo) -> None:
    base = repo.head()
    repo.write("out.txt", "2\n")
    commit = record(repo)
    repo.run("import", "datalad", check=True)
    (run,) = Project(repo.path).list_runs()
    assert (run.operation, run.attempt.kind, run.status) == ("wc -l < in.txt > out.txt", "command", "completed")
    assert (run.attempt.command, run.attempt.base, run.notes.label) == (("sh", "-c", run.operation), base, "count lines")
    assert [file.path for file in run.attempt.files] == ["out.txt"]
    assert repo.git("rev-parse", f"{run.tip}:out.txt") == repo.git("rev-parse", f"{commit}:out.txt")
    assert "1 already here" in repo.run("import", "datalad", check=True).stderr
    repo.run("trust", "1", check=True)
    assert "reproduced" in repo.run("verify", "1", check=True).stdout


def test_command_that_failed_keeps_words_exit_and_directory(repo) -> None:
    repo.write("sub/x", "x\n")
    record(repo, cmd=["sh", "-c", "exit 3"], exit=3, pwd="sub")
    repo.run("import", "datalad", "main", check=True)
    (run,) = Project(repo.path).list_runs()
    assert (run.status, run.exit_status, run.attempt.cwd, run.operation) == ("error", 3, "sub", "sh -c 'exit 3'")


def test_content_of_the_annex_comes_along(repo) -> None:
    place = repo.path / ".git/annex/objects/aB/cD" / KEY / KEY
    place.parent.mkdir(parents=True)
    place.write_text("foo\n")
    (repo.path / "out.txt").symlink_to(f".git/annex/objects/aB/cD/{KEY}/{KEY}")
    (repo.path / "gone.txt").symlink_to(f".git/annex/objects/aB/cD/x{KEY}/x{KEY}")
    (repo.path / "stolen").symlink_to("/etc/passwd")
    (repo.path / "up").symlink_to("../../.git/annex/objects/../../config")
    record(repo)
    ended = repo.run("import", "datalad", check=True)
    (run,) = Project(repo.path).list_runs()
    assert ([file.path for file in run.attempt.files], repo.git("show", f"{run.tip}:out.txt")) == (["out.txt"], "foo")
    assert "gone.txt: its content is not in the annex of this repository" in ended.stderr
    assert ("stolen: a symbolic link" in ended.stderr, "up: a symbolic link" in ended.stderr) == (True, True)


@pytest.mark.parametrize("text", ['"x"', "{", "[" * 100_000, "[]"])
def test_message_without_a_record_is_left_out(repo, text) -> None:
    repo.write("out.txt", "2\n")
    repo.git("add", "-A")
    repo.git("commit", "-qm", MESSAGE.format(title="x", record=text))
    ended = repo.run("import", "datalad", check=True)
    assert ("its message has no record of a command" in ended.stderr, Project(repo.path).list_runs()) == (True, [])


@pytest.mark.parametrize(
    "changes", [{"cmd": 7}, {"cmd": [1, None]}, {"pwd": "../.."}, {"pwd": "/etc"}, {"inputs": {"a": 1}}, {"exit": "x"}]
)
def test_record_that_lies_makes_a_run_inside_the_repository(repo, changes) -> None:
    record(repo, **changes)
    repo.run("import", "datalad", check=True)
    for run in Project(repo.path).list_runs():
        assert run.attempt.cwd in {"", "."}


@pytest.mark.parametrize("revision", ["--output=stolen", "nosuch", "a b"])
def test_what_is_no_commit_is_refused(repo, revision) -> None:
    ended = repo.run("import", "datalad", "--", revision)
    assert (ended.returncode, (repo.path / "stolen").exists()) == (129, False)


@pytest.mark.slow
def test_run_of_the_real_datalad(repo, tmp_path) -> None:
    programs = tool("datalad")
    environ = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    data = tmp_path / "data"

    def datalad(*words: str) -> None:
        subprocess.run(
            ["datalad", *words],
            cwd=data if data.exists() else tmp_path,
            env=environ,
            check=True,
            capture_output=True,
            timeout=200,
        )

    datalad("create", "data")
    (data / "in.txt").write_text("1\n2\n")
    datalad("save", "-m", "in")
    datalad("run", "-m", "count lines", "-i", "in.txt", "-o", "out.txt", "wc -l in.txt > out.txt")
    real = Repo(data)
    real.run("import", "datalad", env=environ, check=True)
    (run,) = Project(data).list_runs()
    assert (run.notes.label, run.operation, run.status) == ("count lines", "wc -l in.txt > out.txt", "completed")
    # links into the annex before, files now
    assert (real.git("show", f"{run.id}:in.txt"), real.git("show", f"{run.tip}:out.txt")) == ("1\n2", "2 in.txt")
    real.run("trust", "1", env=environ, check=True)
    assert "reproduced" in real.run("verify", "1", env=environ, check=True).stdout

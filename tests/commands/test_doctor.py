"""The doctor finds what is wrong, says what to do, and repairs what loses nothing; then it has nothing more to say."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest
from doctor_calls import SLOTS_BLOCK, doctor, git_dir, healed
from repository import Repo
from supervised import runs, state

from gitrun import Project
from gitrun.upkeep.fsck import check_runs
from gitrun.upkeep.scope import choose_runs


def test_a_healthy_repository_has_nothing_to_say_and_is_not_written_to(lived) -> None:
    repo = lived
    # links in slots lead to directories of other tests, which come and go
    before = {path: path.lstat().st_mtime_ns for path in git_dir(repo).rglob("*")}
    ended = repo.run("doctor")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr.removeprefix(SLOTS_BLOCK) == "gitrun: no problems found in 2 runs\n"
    assert {path: path.lstat().st_mtime_ns for path in git_dir(repo).rglob("*")} == before


def test_a_repository_without_runs_or_commits_has_nothing_to_say(empty_repo) -> None:
    assert doctor(empty_repo) == ([], 0)
    assert doctor(empty_repo, "--fix") == ([], 0)


def test_a_run_that_was_rewritten_is_named_with_the_command_that_brings_it_back(lived, monkeypatch) -> None:
    monkeypatch.setenv("FILTER_BRANCH_SQUELCH_WARNING", "1")
    before = lived.git("for-each-ref", "refs/runs")
    lived.git("filter-branch", "--msg-filter", "cat; echo more", "--", "--all")
    lines, code = doctor(lived)
    assert (code, len(lines)) == (1, 2)
    for line in lines:
        subprocess.run(line.rpartition("To restore the old run: ")[2], shell=True, cwd=lived.path, check=True)
    (line,), _ = doctor(lived)  # the branches are as they were rewritten
    assert line.startswith("history that was rewritten on branches is still in this repository, because 2 runs use it: ")
    assert lived.git("for-each-ref", "refs/runs") == before


def with_index(repo, words):
    with sqlite3.connect(state(repo) / "index.sqlite") as base:
        base.execute(words)
    base.close()


@pytest.mark.parametrize(
    "words",
    [
        "DELETE FROM runs WHERE status = 'completed'",
        "UPDATE runs SET record = replace(record, 'completed', 'error')",
        # turned, as another first digit might be the one that they have
        "UPDATE runs SET id = substr(id, 2) || substr(id, 1, 1), tip = substr(tip, 2) || substr(tip, 1, 1)",
        "UPDATE runs SET tip = substr(tip, 2) || substr(tip, 1, 1)",
    ],
)
def test_an_index_that_is_not_what_the_refs_say_is_made_anew(lived, words) -> None:
    before = settled(lived)
    with_index(lived, words)
    assert "index" in healed(lived)[0]
    assert runs(lived) == before


def settled(repo):
    """The runs, once the index takes them for known."""
    time.sleep(0.2)  # two changes of a directory within a tick of the file system have one time
    return runs(repo)


def test_a_corrupt_index_is_made_anew(lived) -> None:
    before = runs(lived)
    path = state(lived) / "index.sqlite"
    path.write_bytes(path.read_bytes()[:100] + b"x" * 9000)
    assert "index" in healed(lived)[0]
    assert runs(lived) == before


def test_what_a_killed_deletion_left_is_settled(lived) -> None:
    run = runs(lived)[0]["id"]
    lived.git("update-ref", f"refs/gitrun/trash/{run}", f"refs/runs/{run}")
    assert "trash" in healed(lived)[0]
    assert len(runs(lived)) == 2


def test_files_of_a_run_that_is_gone_go_only_if_it_was_purged(lived) -> None:
    for name in ("a" * 40, "b" * 40):
        (state(lived) / "files" / name).mkdir(parents=True)
    (state(lived) / "purged").write_text(f"{'a' * 40}\n")
    lines, code = doctor(lived, "--fix")
    assert (code, len(lines), "aaaaaaaa" in lines[0], "bbbbbbbb" in lines[1]) == (1, 2, True, True)
    lived.run("gc", check=True)
    assert doctor(lived) == ([], 0)


def test_notes_that_lack_a_run_are_made_anew(lived) -> None:
    lived.run("notes", "--rebuild", check=True)
    assert doctor(lived) == ([], 0)
    lived.git("notes", "--ref=runs", "remove", runs(lived)[0]["id"])
    assert "notes" in healed(lived)[0]


def test_a_run_that_was_staged_first_lacks_no_note(lived) -> None:
    lived.run("notes", "--rebuild", check=True)
    lived.run("--stage", "echo.py", "x=7.5", check=True)
    (staged,) = [run["id"] for run in runs(lived) if run["status"] == "staged"]
    lived.run("label", "later", staged, check=True)
    assert doctor(lived) == ([], 0)
    lived.run("--start", staged, check=True)
    assert doctor(lived) == ([], 0)


def test_a_run_from_the_future_is_named(lived) -> None:
    git, now = Project(lived.path).git, datetime(2000, 1, 1, tzinfo=timezone.utc)
    found, _ = check_runs(git, now, choose_runs(git, now))
    assert [one.kind for one in found] == ["future", "future"]


def test_a_hook_of_ours_that_git_would_pass_over_is_renewed(lived) -> None:
    lived.run("hooks", "install", check=True)
    assert doctor(lived) == ([], 0)
    path = git_dir(lived) / "hooks" / "pre-push"
    if not path.exists():
        pytest.skip("from git 2.54 on our hooks are settings")
    path.chmod(0o644)
    assert "pre-push" in healed(lived)[0]
    assert os.access(path, os.X_OK)


def test_json_says_what_was_found_and_what_was_repaired(lived) -> None:
    (git_dir(lived) / "packed-refs.new").touch()
    lived.git("config", "gitrun.fsync", "false")
    found = json.loads(lived.run("doctor", "--fix", "--json").stdout)
    assert [(one["kind"], one["fixable"], one["fixed"]) for one in found] == [("lock", True, True), ("no-fsync", False, False)]


@pytest.fixture
def server(tmp_path):
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "server"], check=True)
    return tmp_path / "server"


@pytest.mark.parametrize("kind", ["empty", "with commits", "with our hook", "without transactions"])
def test_a_remote_that_takes_runs_is_asked_without_leaving_anything(lived, server, kind) -> None:
    lived.git("remote", "add", "origin", str(server))
    if kind == "with commits":
        lived.git("push", "--quiet", "origin", "main")
    elif kind == "with our hook":
        Repo(server).run("hooks", "install", check=True)
    elif kind == "without transactions":
        Repo(server).git("config", "receive.advertiseAtomic", "false")
    before = Repo(server).git("for-each-ref")
    assert doctor(lived, "--remote") == doctor(lived, "--remote", "origin") == ([], 0)
    assert Repo(server).git("for-each-ref") == before


@pytest.mark.parametrize(("name", "has_hook"), [("receive.hideRefs", False), ("transfer.hideRefs", True)])
def test_a_remote_that_hides_runs_is_named(lived, server, name, has_hook) -> None:
    lived.git("remote", "add", "origin", str(server))
    if has_hook:
        Repo(server).run("hooks", "install", check=True)
    Repo(server).git("config", name, "refs/runs")
    (line,), code = doctor(lived, "--remote", "origin")
    assert (code, "origin refuses runs: the server hides refs/runs (transfer.hideRefs)" in line) == (1, True)


@pytest.mark.parametrize("hook", ["update", "pre-receive"])
def test_a_remote_whose_own_hook_refuses_runs_is_named_with_what_it_says(lived, server, hook) -> None:
    lived.git("remote", "add", "origin", str(server))
    file = server / "hooks" / hook
    file.write_text("#!/bin/sh\ncase \"$*$(cat)\" in *refs/runs/*) echo 'branches only, please' >&2; exit 1;; esac\n")
    file.chmod(0o755)
    (line,), code = doctor(lived, "--remote", "origin")
    assert (code, "hook declined it; branches only, please. The owner of origin" in line) == (1, True)


def test_a_remote_that_is_not_there_or_takes_no_pushes_is_named(lived, server) -> None:
    (line,), code = doctor(lived, "--remote", str(Path("/nowhere")))
    assert (code, "cannot be read" in line) == (1, True)
    lived.git("remote", "add", "origin", str(server))
    lived.git("config", "remote.origin.receivepack", "false")
    (line,), code = doctor(lived, "--remote", "origin")
    assert (code, "origin refuses runs" in line) == (1, True)


@pytest.mark.usefixtures("started")
def test_thousands_of_runs_are_looked_at_in_seconds(tmp_path) -> None:
    from bench.many_runs import make

    repo = Repo(make(tmp_path / "many", 1_000))
    begun = os.times()
    assert doctor(repo) == ([], 0)
    spent = os.times()
    assert spent.children_user - begun.children_user < 1

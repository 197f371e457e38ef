"""The hooks at work: commits that name their run, pushes that take runs along, a server that looks through what it is sent."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess

import pytest
from clones import tip
from hooked_repos import commit, push, start, trailers
from repository import Repo
from sampled import sampled

from gitrun.sharing.hook_files import CLIENT, guarded_call, hook_settings, parse_version

pytestmark = pytest.mark.usefixtures("forked")
GIT = parse_version(subprocess.run(["git", "version"], capture_output=True, text=True, check=True).stdout)
HUSKY = '#!/usr/bin/env sh\nexec sh -e ".husky/$(basename "$0")" "$@"\n'
LINE = "if command -v git-run >/dev/null; then git run hook pre-push {} || [ $? -ne 9 ] || exit; fi"
ARGUMENTS = '"$@"'
LOG = '#!/bin/sh\nread -r line\necho "$1 $line" >> log\nexit {}\n'


def test_word_that_is_nothing_to_do_with_hooks_is_told_what_there_is(repo) -> None:
    told = repo.run("hooks", "foo")
    assert told.returncode == 129
    assert told.stderr == "gitrun: error: no action 'foo' for hooks. Use one of: status, install, uninstall\n"


@pytest.fixture(params=["files", "settings"])
def each_way(request, repo):
    """A repository with our hooks, as files or as the commands that are settings of a newer git."""
    for name in CLIENT:
        if request.param == "files":
            repo.run("hooks", "install", name, check=True)
        else:
            command = hook_settings(name)[f"hook.gitrun-{name}.command"]
            repo.write(f".git/hooks/{name}", f'#!/bin/sh\n{command} "$@"\n').chmod(0o755)
    return repo


def test_commit_with_nothing_written_is_still_not_made(each_way) -> None:
    each_way.write("echo.py", "x = 5\n")
    run = start(each_way)
    done = commit(each_way, "-a", editor="true")
    assert (done.returncode, done.stderr) == (1, "Aborting commit due to empty commit message.\n")
    assert commit(each_way, "-a", "-v", "-s", editor="true").returncode == 1
    assert commit(each_way, "-a", "--allow-empty-message", "-m", "").returncode == 0
    assert each_way.git("log", "-1", "--format=%B") == ""
    assert commit(each_way, "--allow-empty", "-m", "#5").returncode == 0, "a comment only where there is an editor"
    assert commit(each_way, "--allow-empty", editor="sed -i 1s/^/five/").stderr == ""
    assert trailers(each_way) == [run]
    each_way.git("config", "commit.cleanup", "whitespace")
    assert commit(each_way, "--allow-empty", editor="true").returncode == 0, "git keeps its own lines too"


def test_hooks_leave_nothing_where_no_run_was_made(each_way) -> None:
    each_way.forget_machine()
    assert commit(each_way, "--allow-empty", "-m", "one").stderr == ""
    assert not (each_way.path / ".git/gitrun").exists()


@pytest.mark.skipif(GIT >= (2, 54), reason="from git 2.54 on our hooks are settings, and stand in no hook's place")
def test_chained_hook_hears_what_git_says_and_has_the_last_word(hooked_team) -> None:
    hooked_team.ann.run("hooks", "uninstall", check=True)
    for name in ("pre-push", "commit-msg"):
        hooked_team.ann.write(f".git/hooks/{name}", LOG.format(0)).chmod(0o755)
    refused = hooked_team.ann.run("hooks", "install")
    assert refused.returncode == 1
    assert "git run hook commit-msg" in refused.stderr
    assert "git run hook pre-push" not in refused.stderr
    hooked_team.ann.run("hooks", "install", "--chain", check=True)
    hooked_team.ann.write("echo.py", "x = 5\n")
    run = start(hooked_team.ann)
    hooked_team.ann.commit("five")
    assert push(hooked_team.ann, "-q").returncode == 0
    head = hooked_team.ann.git("rev-parse", "HEAD", "HEAD~1").split()
    lines = (hooked_team.ann.path / "log").read_text().splitlines()
    assert lines[-1] == f"origin refs/heads/main {head[0]} refs/heads/main {head[1]}"
    assert sum(line.startswith("origin ") for line in lines) == 1, "our own push runs no hook"
    assert set(tip(hooked_team.remote)) == {run}
    hooked_team.ann.write(".git/hooks/pre-push.before-gitrun", LOG.format(7)).chmod(0o755)
    hooked_team.ann.commit("six")
    assert push(hooked_team.ann, "-q").returncode == 1


def test_a_line_to_add_is_offered_only_where_it_can_work(repo) -> None:
    for name in ("pre-push", "post-commit"):
        hook = repo.path / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\ncat\n")
        hook.chmod(0o755)
    if GIT < (2, 54):
        said = repo.run("hooks", "install", "post-commit", "pre-push").stderr.splitlines()
        assert all("--chain" in line for line in said)
        assert ["git run hook post-commit" in line for line in said if "To edit it yourself, add" in line] == [True]


def test_words_of_the_verb(repo) -> None:
    assert repo.run("hooks", check=True).stdout.splitlines()[0] == "prepare-commit-msg  missing"
    place = "hook.gitrun-pre-push, a setting of git" if GIT >= (2, 54) else ".git/hooks/pre-push"
    assert repo.run("hooks", "install", "pre-push", check=True).stderr == f"gitrun: installed: {place}\n"
    assert repo.run("hooks", "install", "pre-push", check=True).stderr.startswith("gitrun: already installed: ")
    found = json.loads(repo.run("hooks", "status", "pre-push", "--json", check=True).stdout)
    path = None if GIT >= (2, 54) else f"{repo.path}/{place}"
    assert found == [{"name": "pre-push", "status": "installed", "path": path}]
    assert repo.run("hooks", "uninstall", "pre-push", check=True).stderr == "gitrun: removed pre-push\n"
    for words in (("stats",), ("install", "update"), ("install", "pre-receive")):
        assert repo.run("hooks", *words).returncode == 129


@pytest.mark.parametrize(
    ("file", "line"),
    [
        (".husky/pre-commit", LINE.format(ARGUMENTS)),
        ("lefthook.yml", f"      run: '{LINE.format('{0}')} # {{files}}'"),
        (".pre-commit-config.yaml", f"        entry: sh -c '{LINE.format(ARGUMENTS)}' -"),
    ],
)
def test_people_whose_hooks_a_program_keeps_are_told_what_to_add(repo, file, line) -> None:
    repo.write(file, "")
    done = repo.run("hooks", "install", check=True)
    assert line in done.stdout.splitlines()
    assert repo.run("hooks", "status", "pre-push").stdout == "pre-push            missing\n"
    repo.run("hooks", "install", "--chain", "pre-push", check=True)
    assert "installed" in repo.run("hooks", "status", "pre-push").stdout


def keep_hooks(repo, keeper: str) -> None:
    """Does what `git run hooks install` says to people whose hooks this program keeps, as they would; skips without it."""
    file = {"husky": ".husky/.gitignore", "lefthook": "lefthook.yml", "pre-commit": ".pre-commit-config.yaml"}[keeper]
    if keeper != "husky" and shutil.which(keeper) is None:
        pytest.skip(f"there is no {keeper}")
    repo.write(file, "")
    said = repo.run("hooks", "install", check=True).stdout
    if keeper == "husky":  # which is for node; this is what it does
        repo.git("config", "core.hooksPath", ".husky/_")
        for name, text in re.findall(r"# \.husky/(\S+)\n(.*\n)", said):
            repo.write(f".husky/{name}", text)
            repo.write(f".husky/_/{name}", HUSKY).chmod(0o755)
        return
    repo.write(file, said if keeper == "lefthook" else f"repos:\n{said}")
    kinds = [word for name in CLIENT for word in ("-t", name)] if keeper == "pre-commit" else []
    subprocess.run([keeper, "install", *kinds], cwd=repo.path, check=True, capture_output=True)


@pytest.mark.parametrize("keeper", sampled(1, ["husky", "lefthook", "pre-commit"]))
def test_what_people_are_told_to_add_does_what_our_hooks_do(hooked_team, tmp_path, monkeypatch, keeper) -> None:
    keep_hooks(hooked_team.ann, keeper)
    run = start(hooked_team.ann)
    hooked_team.ann.commit("kept")
    assert trailers(hooked_team.ann) == [run]
    pushed = push(hooked_team.ann, "-q")
    assert "gitrun: pushed 1 run of these commits to origin" in pushed.stdout + pushed.stderr
    assert set(tip(hooked_team.remote)) == {run}
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "other.git"], check=True)
    hooked_team.ann.git("push", "-q", str(tmp_path / "other.git"), "main")
    assert set(tip(Repo(tmp_path / "other.git"))) == {run}, "also where there was no commit before"
    assert commit(hooked_team.ann, "--allow-empty", editor="true").returncode == 1
    hooked_team.ann.git("config", "gitrun.prePush", "require")
    hooked_team.ann.write("echo.py", "x = 5\n")
    hooked_team.ann.commit("five")
    assert push(hooked_team.ann, "-q").returncode == 1
    # others who work here do not have git-run
    (tmp_path / "bin").mkdir()
    for name in ("git", keeper):
        if found := shutil.which(name):
            (tmp_path / "bin" / name).symlink_to(found)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    assert commit(hooked_team.ann, "--allow-empty", "-m", "six").returncode == 0
    assert push(hooked_team.ann, "-q").returncode == 0


@pytest.mark.parametrize("name", CLIENT)
@pytest.mark.parametrize(("status", "seen"), [(0, 0), (1, 0), (129, 0), (9, 1)])
def test_line_for_hooks_of_others_holds_git_up_for_nothing_but_a_push_held_back(tmp_path, name, status, seen) -> None:
    (tmp_path / "git-run").write_text(f"#!/bin/sh\nexit {status}\n")
    (tmp_path / "git-run").chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for line in (guarded_call(name), f"{guarded_call(name)}; exit 0"):
        assert subprocess.run(["sh", "-e", "-c", line, "hook"], env=env, check=False).returncode == seen


@pytest.mark.skipif(GIT < (2, 54), reason="git before 2.54 knows no hooks that are settings")
def test_hooks_that_are_settings_are_not_run_for_runs(hooked_team) -> None:
    spied = hooked_team.ann.path / ".git" / "spied"
    hooked_team.ann.git("config", "hook.spy.command", f"echo >>{spied}")
    for event in ("pre-push", "post-checkout", "post-index-change"):
        hooked_team.ann.git("config", "--add", "hook.spy.event", event)
    start(hooked_team.ann)
    hooked_team.ann.run("push", check=True)
    assert not spied.exists()
    assert push(hooked_team.ann, "-q").returncode == 0
    assert spied.exists()


def test_pre_commit_tells_of_a_push_in_its_own_way(hooked_team) -> None:
    hooked_team.ann.write("echo.py", "x = 5\n")
    run = start(hooked_team.ann)
    head = hooked_team.ann.commit("five")
    env = {
        "REMOTE_NAME": "origin",
        "TO_REF": head,
        "FROM_REF": hooked_team.ann.git("rev-parse", "HEAD~1"),
        "REMOTE_BRANCH": "refs/heads/main",
    }
    hooked_team.ann.run("hook", "pre-push", env={f"PRE_COMMIT_{name}": value for name, value in env.items()}, check=True)
    assert set(tip(hooked_team.remote)) == {run}

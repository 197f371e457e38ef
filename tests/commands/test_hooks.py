"""The hooks at work: commits that name their run, pushes that take runs along, a server that looks through what it is sent."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from clones import make_team, tip
from repository import Repo
from sampled import sampled
from templates import place_made_once

from gitrun import Project
from gitrun.sharing.hook_files import CLIENT, guarded_call, hook_settings, parse_version

sys.path.insert(0, str(Path(__file__).parents[1] / "hostile"))
sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))
from corpus import build
from many_runs import make

GIT = parse_version(subprocess.run(["git", "version"], capture_output=True, text=True, check=True).stdout)
HUSKY = '#!/usr/bin/env sh\nexec sh -e ".husky/$(basename "$0")" "$@"\n'
LINE = "if command -v git-run >/dev/null; then git run hook pre-push {} || [ $? -ne 9 ] || exit; fi"
ARGUMENTS = '"$@"'
LOG = '#!/bin/sh\nread -r line\necho "$1 $line" >> log\nexit {}\n'


@pytest.fixture
def hooked(repo):
    """A repository with our hooks."""
    repo.run("hooks", "install", check=True)
    return repo


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


@pytest.fixture
@place_made_once
def team(tmp_path):
    """Ann has our hooks, and so has the server."""
    team = make_team(tmp_path)
    team.ann.run("hooks", "install", check=True)
    team.remote.run("hooks", "install", check=True)
    return team


def start(repo, **flags: object) -> str:
    return Project(repo.path).run("echo.py", flags=flags).id


def trailers(repo, commit: str = "HEAD") -> list[str]:
    return repo.git("log", "-1", "--format=%(trailers:key=Run,valueonly)", commit).split()


def commit(repo, *words: str, editor: str = ":", **more: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "GIT_EDITOR": editor, **more}
    return subprocess.run(["git", "commit", "-q", *words], cwd=repo.path, env=env, capture_output=True, text=True, check=False)


def push(repo, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "push", *words], cwd=repo.path, capture_output=True, text=True, check=False)


def attempt_of(repo, run: str) -> str:
    return repo.git("rev-parse", f"refs/runs/{run}~1")


def test_commit_names_the_run_of_its_tree(hooked) -> None:
    hooked.write("echo.py", "x = 5\nprint(x)\n")
    first = start(hooked)
    start(hooked, x=6)
    last = start(hooked, x=7)
    hooked.commit("five")
    assert trailers(hooked) == [last]
    hooked.run("mark", first, check=True)
    commit(hooked, "--amend", "-m", "five again")
    assert trailers(hooked) == [first]


def test_nothing_is_written_without_a_completed_run_of_the_tree(hooked) -> None:
    hooked.write("echo.py", "x = 5\nraise SystemExit(3)\n")
    hooked.run("echo.py")
    done = commit(hooked, "-am", "failed")
    assert (done.returncode, done.stderr, trailers(hooked)) == (0, "", [])


@pytest.mark.parametrize("words", [("-a",), ("echo.py",), ("-i", "echo.py")])
def test_tree_is_that_of_the_commit_however_it_is_put_together(hooked, words) -> None:
    hooked.write("other.txt", "staged")
    hooked.git("add", "other.txt")
    hooked.write("echo.py", "x = 5\nprint(x)\n")
    whole = start(hooked)
    before = hooked.git("ls-files", "--stage")
    assert commit(hooked, "-m", "five", *words).stderr == ""
    # `git commit FILE` leaves out what is staged, which was part of the run
    assert trailers(hooked) == ([] if words == ("echo.py",) else [whole])
    assert (hooked.git("ls-files", "--stage") == before) is False


def test_amended_commit_has_one_trailer_and_it_is_of_its_tree(hooked) -> None:
    hooked.write("echo.py", "x = 5\n")
    old = start(hooked)
    hooked.commit("five\n\nSigned-off-by: A <a@example.org>")
    hooked.write("echo.py", "x = 6\n")
    assert commit(hooked, "-a", "--amend", "--no-edit").returncode == 0
    assert trailers(hooked) == [old], "no run to take its place"
    new = start(hooked)
    commit(hooked, "--amend", "--no-edit")
    commit(hooked, "--amend", "--no-edit")
    assert trailers(hooked) == [new]
    assert hooked.git("log", "-1", "--format=%B").count("Signed-off-by") == 1


def test_run_that_the_user_named_stays_if_it_is_of_the_tree(hooked) -> None:
    hooked.write("echo.py", "x = 5\n")
    first = start(hooked)
    start(hooked, x=6)
    commit(hooked, "-am", f"five\n\nRun: {first[:10]}")
    assert trailers(hooked) == [first[:10]]


def test_rebased_squashed_and_merged_commits_have_one_trailer(hooked) -> None:
    hooked.git("checkout", "-q", "-b", "topic")
    for number in (5, 6):
        hooked.write("echo.py", f"x = {number}\n")
        start(hooked)
        commit(hooked, "-am", f"now {number}")
    squashed = trailers(hooked)
    subprocess.run(
        ["git", "rebase", "-q", "-i", "main"], cwd=hooked.path, check=True, capture_output=True,
        env={**os.environ, "GIT_SEQUENCE_EDITOR": "sed -i 2s/pick/squash/", "GIT_EDITOR": "true"},
    )  # fmt: skip
    assert trailers(hooked) == squashed
    assert hooked.git("log", "-1", "--format=%B").count("Run: ") == 1
    hooked.git("checkout", "-q", "main")
    hooked.git("merge", "-q", "--no-ff", "-m", "merged", "topic")
    assert trailers(hooked) == squashed


with_comment_string = pytest.param(
    ("-c", "core.commentString=//"), marks=pytest.mark.skipif(GIT < (2, 45), reason="git before 2.45 has no core.commentString")
)


@pytest.mark.parametrize("settings", [(), ("-v",), ("--cleanup=scissors",), ("-c", "core.commentChar=;"), with_comment_string])
def test_trailer_stands_above_what_git_tells_in_an_editor(hooked, settings) -> None:
    hooked.write("echo.py", "x = 5\n")
    run = start(hooked)
    hooked.git("add", ".")
    before, after = (settings, ()) if settings[:1] == ("-c",) else ((), settings)
    env = {**os.environ, "GIT_EDITOR": "sed -i 1s/^/subject/"}
    subprocess.run(["git", *before, "commit", "-q", *after], cwd=hooked.path, env=env, check=True)
    assert hooked.git("log", "-1", "--format=%B") == f"subject\n\nRun: {run}\n"


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
    assert commit(each_way, "--allow-empty", "-m", "one").stderr == ""
    assert not (each_way.path / ".git/gitrun").exists()


def test_commit_is_made_whatever_befalls_us(hooked, tmp_path) -> None:
    hooked.write("echo.py", "x = 5\n")
    start(hooked)
    index = hooked.path / ".git/gitrun/index.sqlite"
    index.unlink()
    index.mkdir()
    (hooked.path / ".git/gitrun").chmod(0o500)
    assert commit(hooked, "-am", "five").returncode == 0
    (hooked.path / ".git/gitrun").chmod(0o700)
    git = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()
    (tmp_path / "git").symlink_to(git)
    done = commit(hooked, "--allow-empty", "-m", "without", PATH=f"{tmp_path}:/usr/bin:/bin")
    assert (done.returncode, done.stderr) == (0, "")


def test_notes_tell_of_a_commit_as_soon_as_it_is_made(hooked) -> None:
    hooked.write("echo.py", "x = 5\n")
    run = start(hooked)
    hooked.git("config", "gitrun.notes", "false")
    hooked.commit("five")
    assert subprocess.run(["git", "notes", "--ref=runs", "show"], cwd=hooked.path, capture_output=True, check=False).returncode
    hooked.git("config", "--unset", "gitrun.notes")
    assert commit(hooked, "--amend", "-m", "five again").stderr == ""
    assert hooked.git("notes", "--ref=runs", "show").startswith(f"run {run[:8]} echo.py x=5: completed")


def test_push_takes_the_runs_of_its_commits_along(team) -> None:
    other = start(team.ann, x=3.0)
    team.ann.write("echo.py", "x = 5\n")
    exact = start(team.ann)
    team.ann.commit("five")
    team.ann.write("echo.py", "x = 6\n")
    changed = start(team.ann)
    done = push(team.ann)
    assert done.stderr.startswith("gitrun: pushed 2 runs of these commits to origin\n")
    assert set(tip(team.remote)) == {exact, changed}
    assert other in tip(team.ann)
    assert "gitrun" not in push(team.ann, "--force").stderr


def test_new_branches_tags_and_deletions_are_pushed_as_ever(team) -> None:
    team.ann.git("checkout", "-q", "-b", "topic")
    team.ann.write("echo.py", "x = 5\n")
    run = start(team.ann)
    team.ann.commit("five")
    team.ann.git("tag", "-a", "-m", "one", "v1")
    assert push(team.ann, "-q", "origin", "v1").stderr == "gitrun: pushed 1 run of these commits to origin\n"
    assert set(tip(team.remote)) == {run}
    assert push(team.ann, "-q", "origin", "topic").returncode == 0
    assert push(team.ann, "-q", "origin", ":topic", ":v1").stderr == ""
    assert push(team.ann, "-q", str(team.remote.path), "HEAD:refs/heads/again").returncode == 0
    blob = team.ann.git("hash-object", "-w", "echo.py")
    assert push(team.ann, "-q", "origin", f"{blob}:refs/tags/blob").stderr == ""


def test_pushing_runs_oneself_starts_no_second_push(team) -> None:
    start(team.ann)
    assert push(team.ann, "-q", "origin", "refs/runs/*:refs/runs/*").stderr == ""
    assert push(team.ann, "-q", "--mirror", str(team.remote.path)).stderr == ""


def test_check_says_what_is_missing_and_pushes_nothing(team) -> None:
    team.ann.git("config", "gitrun.prePush", "check")
    team.ann.write("echo.py", "x = 5\n")
    run = start(team.ann)
    team.ann.commit("five")
    team.ann.commit("an empty one")
    team.ann.write("echo.py", "x = 6\n")
    last = team.ann.commit("six")
    assert push(team.ann, "-q").stderr.splitlines() == [
        f"gitrun: warning: no completed run here was made from exactly the commit of main ({last[:8]})",
        f"gitrun: warning: 1 run of these commits is not on origin. To push: git run push origin {run[:8]}",
    ]
    assert tip(team.remote) == {}


def test_require_holds_a_push_back_and_no_other_setting_does(team) -> None:
    team.ann.write("echo.py", "x = 5\n")
    team.ann.commit("five")
    team.ann.git("config", "gitrun.prePush", "require")
    assert push(team.ann).returncode == 1
    run = start(team.ann)
    assert push(team.ann, "-q").returncode == 0
    assert set(tip(team.remote)) == {run}
    team.ann.commit("another")
    team.ann.git("config", "gitrun.prePush", "off")
    assert push(team.ann, "-q").stderr == ""


def test_run_with_a_secret_stays_and_the_push_goes_on(team) -> None:
    team.ann.write("echo.py", "key = 'x'\n")
    secret = start(team.ann, key="ghp_" + "a" * 36)
    harmless = start(team.ann)
    team.ann.commit("key")
    done = push(team.ann, "-q")
    assert done.returncode == 0
    assert f"gitrun: warning: run {secret[:8]} is not pushed: .gitrun/flags.toml may hold secrets" in done.stderr
    assert set(tip(team.remote)) == {harmless}


@pytest.mark.parametrize("setting", ["nonsense", "push"])
def test_push_goes_on_whatever_befalls_us(team, setting) -> None:
    team.ann.write("echo.py", "x = 5\n")
    start(team.ann)
    team.ann.commit("five")
    team.ann.git("config", "gitrun.prePush", setting)
    team.remote.write("hooks/pre-receive", "#!/bin/sh\n! grep -q refs/runs/\n").chmod(0o755)
    done = push(team.ann, "-q")
    assert done.returncode == 0
    assert done.stderr.count("gitrun: ") == 1


@pytest.mark.skipif(GIT >= (2, 54), reason="from git 2.54 on our hooks are settings, and stand in no hook's place")
def test_chained_hook_hears_what_git_says_and_has_the_last_word(team) -> None:
    team.ann.run("hooks", "uninstall", check=True)
    for name in ("pre-push", "commit-msg"):
        team.ann.write(f".git/hooks/{name}", LOG.format(0)).chmod(0o755)
    refused = team.ann.run("hooks", "install")
    assert refused.returncode == 1
    assert "git run hook commit-msg" in refused.stderr
    assert "git run hook pre-push" not in refused.stderr
    team.ann.run("hooks", "install", "--chain", check=True)
    team.ann.write("echo.py", "x = 5\n")
    run = start(team.ann)
    team.ann.commit("five")
    assert push(team.ann, "-q").returncode == 0
    head = team.ann.git("rev-parse", "HEAD", "HEAD~1").split()
    lines = (team.ann.path / "log").read_text().splitlines()
    assert lines[-1] == f"origin refs/heads/main {head[0]} refs/heads/main {head[1]}"
    assert sum(line.startswith("origin ") for line in lines) == 1, "our own push runs no hook"
    assert set(tip(team.remote)) == {run}
    team.ann.write(".git/hooks/pre-push.before-gitrun", LOG.format(7)).chmod(0o755)
    team.ann.commit("six")
    assert push(team.ann, "-q").returncode == 1


def test_server_lets_runs_go_forward_only(team) -> None:
    run = start(team.ann)
    name = f"refs/runs/{run}"
    assert push(team.ann, "-q", "origin", f"{attempt_of(team.ann, run)}:{name}").returncode == 0
    assert push(team.ann, "-q", "origin", f"{name}:{name}").returncode == 0
    back = push(team.ann, "-q", "-f", "origin", f"{attempt_of(team.ann, run)}:{name}")
    assert f"remote: gitrun: refused {name}: it has new commits here" in back.stderr
    again = start(team.ann, x=2.0)
    aside = push(team.ann, "-q", "-f", "origin", f"refs/runs/{again}:{name}")
    assert f"remote: gitrun: refused {name}: " in aside.stderr
    assert tip(team.remote)[run] == tip(team.ann)[run]


def test_one_bad_ref_keeps_all_out_and_other_refs_are_no_concern(team) -> None:
    run = start(team.ann)
    done = push(team.ann, "-q", "origin", f"refs/runs/{run}:refs/runs/{run}", "HEAD:refs/heads/x", "HEAD:refs/runs/x")
    assert done.returncode == 1
    assert [line.strip() for line in done.stderr.splitlines() if "remote: " in line] == [
        "remote: gitrun: refused refs/runs/x: its name is not an object id"
    ]
    assert team.remote.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"
    team.ann.git("notes", "add", "-m", "mine")
    assert push(team.ann, "-q", "origin", "HEAD:refs/heads/x", "refs/notes/*:refs/notes/*", "HEAD:refs/runsx/y").stderr == ""


@pytest.mark.parametrize(
    "ref", ["refs/runs", "refs/Runs/{0}", "refs/RUNS/{0}", "refs/gitrun/trash/{0}", "refs/gitrun", "refs/runs/{0}/x"]
)
def test_server_takes_nothing_beside_runs_where_runs_are(team, ref) -> None:
    run = start(team.ann)
    done = push(team.ann, "-q", "origin", f"refs/runs/{run}:{ref.format(run)}")
    assert done.returncode == 1
    assert "remote: gitrun: refused" in done.stderr


def test_server_deletes_only_with_option_and_leave(team) -> None:
    run = start(team.ann)
    team.ann.run("push", check=True)
    team.remote.git("config", "receive.advertisePushOptions", "true")
    words = ("-q", "-o", "gitrun.delete", "origin", f":refs/runs/{run}")
    assert "remote: gitrun: refused" in push(team.ann, *words).stderr
    team.remote.git("config", "gitrun.allowDelete", "true")
    assert "remote: gitrun: refused" in push(team.ann, "-q", "origin", f":refs/runs/{run}").stderr
    assert push(team.ann, *words).returncode == 0
    assert tip(team.remote) == {}


def test_verbs_tell_what_the_server_said(team) -> None:
    run, other = start(team.ann), start(team.ann, x=2.0)
    team.ann.run("push", check=True)
    team.ann.git("update-ref", f"refs/runs/{run}", attempt_of(team.ann, other))
    told = team.ann.run("push", "--all")
    assert told.returncode == 1
    team.remote.git("config", "receive.advertisePushOptions", "true")
    done = team.ann.run("rm", "--remote", other[:8])
    assert "deleting needs push option gitrun.delete, and setting gitrun.allowDelete in the other repository" in done.stderr
    team.remote.git("config", "gitrun.allowDelete", "true")
    assert team.ann.run("rm", "--remote", other[:8]).stderr == f"gitrun: deleted run {other[:8]} on origin and here\n"
    assert set(tip(team.remote)) == {run}


def test_server_refuses_runs_where_gitrun_is_missing_and_nothing_else(team, monkeypatch) -> None:
    run = start(team.ann)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert push(team.ann, "-q", "origin", "HEAD:refs/heads/x").stderr == ""
    done = push(team.ann, "-q", "origin", f"refs/runs/{run}:refs/runs/{run}")
    assert "remote: gitrun: error: runs are refused: git-run is not on PATH" in done.stderr
    assert tip(team.remote) == {}


@pytest.mark.slow
def test_server_knows_every_hostile_ref(team, tmp_path) -> None:
    forged = tmp_path / "forged.git"
    subprocess.run(["git", "init", "-q", "--bare", forged], check=True)
    cases = {case.ref: case for case in build(forged).values() if not case.poison}
    lines = "".join(f"{cases[ref].tip} refs/runs/{ref}\n" for ref in sorted(cases))
    (forged / "packed-refs").write_text(f"# pack-refs with: peeled fully-peeled sorted \n{lines}")
    done = subprocess.run(
        ["git", "push", "-q", team.remote.path, "refs/runs/*:refs/runs/*"], cwd=forged, capture_output=True, check=False
    )
    said = done.stderr.decode()
    refused = {
        line.partition("refused refs/runs/")[2].partition(": ")[0] for line in said.splitlines() if "refused refs" in line
    }
    assert refused == {ref for ref, case in cases.items() if not case.sound}
    assert not {char for char in said if char < " "} - {"\n"}
    assert tip(team.remote) == {}


@pytest.mark.slow
def test_thousand_runs_are_one_push_and_all_there(tmp_path, team) -> None:
    source = make(tmp_path / "many", 1_000)
    assert subprocess.run(["git", "push", "-q", team.remote.path, "refs/runs/*:refs/runs/*"], cwd=source, check=True)
    assert len(tip(team.remote)) == 1_000


def test_interrupted_push_leaves_no_run_and_can_be_done_again(team) -> None:
    run = start(team.ann)
    team.remote.write("hooks/pre-receive.before-gitrun", "#!/bin/sh\nkill -9 $PPID\n").chmod(0o755)
    assert push(team.ann, "-q", "origin", f"refs/runs/{run}:refs/runs/{run}").returncode
    assert tip(team.remote) == {}
    (team.remote.path / "hooks/pre-receive.before-gitrun").unlink()
    assert push(team.ann, "-q", "origin", f"refs/runs/{run}:refs/runs/{run}").stderr == ""


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
    place = "a setting of git" if GIT >= (2, 54) else ".git/hooks/pre-push"
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
def test_what_people_are_told_to_add_does_what_our_hooks_do(team, tmp_path, monkeypatch, keeper) -> None:
    keep_hooks(team.ann, keeper)
    run = start(team.ann)
    team.ann.commit("kept")
    assert trailers(team.ann) == [run]
    pushed = push(team.ann, "-q")
    assert "gitrun: pushed 1 run of these commits to origin" in pushed.stdout + pushed.stderr
    assert set(tip(team.remote)) == {run}
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "other.git"], check=True)
    team.ann.git("push", "-q", str(tmp_path / "other.git"), "main")
    assert set(tip(Repo(tmp_path / "other.git"))) == {run}, "also where there was no commit before"
    assert commit(team.ann, "--allow-empty", editor="true").returncode == 1
    team.ann.git("config", "gitrun.prePush", "require")
    team.ann.write("echo.py", "x = 5\n")
    team.ann.commit("five")
    assert push(team.ann, "-q").returncode == 1
    # others who work here do not have git-run
    (tmp_path / "bin").mkdir()
    for name in ("git", keeper):
        if found := shutil.which(name):
            (tmp_path / "bin" / name).symlink_to(found)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    assert commit(team.ann, "--allow-empty", "-m", "six").returncode == 0
    assert push(team.ann, "-q").returncode == 0


@pytest.mark.parametrize("name", CLIENT)
@pytest.mark.parametrize(("status", "seen"), [(0, 0), (1, 0), (129, 0), (9, 1)])
def test_line_for_hooks_of_others_holds_git_up_for_nothing_but_a_push_held_back(tmp_path, name, status, seen) -> None:
    (tmp_path / "git-run").write_text(f"#!/bin/sh\nexit {status}\n")
    (tmp_path / "git-run").chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for line in (guarded_call(name), f"{guarded_call(name)}; exit 0"):
        assert subprocess.run(["sh", "-e", "-c", line, "hook"], env=env, check=False).returncode == seen


@pytest.mark.skipif(GIT < (2, 54), reason="git before 2.54 knows no hooks that are settings")
def test_hooks_that_are_settings_are_not_run_for_runs(team) -> None:
    spied = team.ann.path / ".git" / "spied"
    team.ann.git("config", "hook.spy.command", f"echo >>{spied}")
    for event in ("pre-push", "post-checkout", "post-index-change"):
        team.ann.git("config", "--add", "hook.spy.event", event)
    start(team.ann)
    team.ann.run("push", check=True)
    assert not spied.exists()
    assert push(team.ann, "-q").returncode == 0
    assert spied.exists()


def test_pre_commit_tells_of_a_push_in_its_own_way(team) -> None:
    team.ann.write("echo.py", "x = 5\n")
    run = start(team.ann)
    head = team.ann.commit("five")
    env = {
        "REMOTE_NAME": "origin",
        "TO_REF": head,
        "FROM_REF": team.ann.git("rev-parse", "HEAD~1"),
        "REMOTE_BRANCH": "refs/heads/main",
    }
    team.ann.run("hook", "pre-push", env={f"PRE_COMMIT_{name}": value for name, value in env.items()}, check=True)
    assert set(tip(team.remote)) == {run}

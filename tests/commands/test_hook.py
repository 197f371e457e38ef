"""git run hook: commits that name their run, pushes that take runs along, and servers that check them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from clones import tip
from hooked_repos import commit, push, start, trailers
from repository import Repo
from sampled import sampled_values
from submodule_runs import ran

from gitrun.sharing.hook_files import parse_version

sys.path.insert(0, str(Path(__file__).parents[1] / "hostile"))
sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))

from corpus import build
from many_runs import make

pytestmark = pytest.mark.usefixtures("forked")
GIT = parse_version(subprocess.run(["git", "version"], capture_output=True, text=True, check=True).stdout)


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


@pytest.mark.parametrize(
    "settings", sampled_values(1, [(), ("-v",), ("--cleanup=scissors",), ("-c", "core.commentChar=;"), with_comment_string])
)
def test_trailer_stands_above_what_git_tells_in_an_editor(hooked, settings) -> None:
    hooked.write("echo.py", "x = 5\n")
    run = start(hooked)
    hooked.git("add", ".")
    before, after = (settings, ()) if settings[:1] == ("-c",) else ((), settings)
    env = {**os.environ, "GIT_EDITOR": "sed -i 1s/^/subject/"}
    subprocess.run(["git", *before, "commit", "-q", *after], cwd=hooked.path, env=env, check=True)
    assert hooked.git("log", "-1", "--format=%B") == f"subject\n\nRun: {run}\n"


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


def test_push_takes_the_runs_of_its_commits_along(hooked_team) -> None:
    other = start(hooked_team.ann, x=3.0)
    hooked_team.ann.write("echo.py", "x = 5\n")
    exact = start(hooked_team.ann)
    hooked_team.ann.commit("five")
    hooked_team.ann.write("echo.py", "x = 6\n")
    changed = start(hooked_team.ann)
    done = push(hooked_team.ann)
    assert done.stderr.startswith("gitrun: pushed 2 runs of these commits to origin\n")
    assert set(tip(hooked_team.remote)) == {exact, changed}
    assert other in tip(hooked_team.ann)
    assert "gitrun" not in push(hooked_team.ann, "--force").stderr


def test_new_branches_tags_and_deletions_are_pushed_as_ever(hooked_team) -> None:
    hooked_team.ann.git("checkout", "-q", "-b", "topic")
    hooked_team.ann.write("echo.py", "x = 5\n")
    run = start(hooked_team.ann)
    hooked_team.ann.commit("five")
    hooked_team.ann.git("tag", "-a", "-m", "one", "v1")
    assert push(hooked_team.ann, "-q", "origin", "v1").stderr == "gitrun: pushed 1 run of these commits to origin\n"
    assert set(tip(hooked_team.remote)) == {run}
    assert push(hooked_team.ann, "-q", "origin", "topic").returncode == 0
    assert push(hooked_team.ann, "-q", "origin", ":topic", ":v1").stderr == ""
    assert push(hooked_team.ann, "-q", str(hooked_team.remote.path), "HEAD:refs/heads/again").returncode == 0
    blob = hooked_team.ann.git("hash-object", "-w", "echo.py")
    assert push(hooked_team.ann, "-q", "origin", f"{blob}:refs/tags/blob").stderr == ""


def test_pushing_runs_oneself_starts_no_second_push(hooked_team) -> None:
    start(hooked_team.ann)
    assert push(hooked_team.ann, "-q", "origin", "refs/runs/*:refs/runs/*").stderr == ""
    assert push(hooked_team.ann, "-q", "--mirror", str(hooked_team.remote.path)).stderr == ""


def test_check_says_what_is_missing_and_pushes_nothing(hooked_team) -> None:
    hooked_team.ann.git("config", "gitrun.prePush", "check")
    hooked_team.ann.write("echo.py", "x = 5\n")
    run = start(hooked_team.ann)
    hooked_team.ann.commit("five")
    hooked_team.ann.commit("an empty one")
    hooked_team.ann.write("echo.py", "x = 6\n")
    last = hooked_team.ann.commit("six")
    assert push(hooked_team.ann, "-q").stderr.splitlines() == [
        f"gitrun: warning: no completed run here was made from exactly the commit of main ({last[:8]})",
        f"gitrun: warning: 1 run of these commits is not on origin. To push: git run push origin {run[:8]}",
    ]
    assert tip(hooked_team.remote) == {}


def test_require_holds_a_push_back_and_no_other_setting_does(hooked_team) -> None:
    hooked_team.ann.write("echo.py", "x = 5\n")
    hooked_team.ann.commit("five")
    hooked_team.ann.git("config", "gitrun.prePush", "require")
    assert push(hooked_team.ann).returncode == 1
    run = start(hooked_team.ann)
    assert push(hooked_team.ann, "-q").returncode == 0
    assert set(tip(hooked_team.remote)) == {run}
    hooked_team.ann.commit("another")
    hooked_team.ann.git("config", "gitrun.prePush", "off")
    assert push(hooked_team.ann, "-q").stderr == ""


def test_run_with_a_secret_stays_and_the_push_goes_on(hooked_team) -> None:
    hooked_team.ann.write("echo.py", "key = 'x'\n")
    secret = start(hooked_team.ann, key="ghp_" + "a" * 36)
    harmless = start(hooked_team.ann)
    hooked_team.ann.commit("key")
    done = push(hooked_team.ann, "-q")
    assert done.returncode == 0
    assert f"gitrun: warning: run {secret[:8]} is not pushed: .gitrun/flags.toml may hold secrets" in done.stderr
    assert set(tip(hooked_team.remote)) == {harmless}


@pytest.mark.parametrize("setting", ["nonsense", "push"])
def test_push_goes_on_whatever_befalls_us(hooked_team, setting) -> None:
    hooked_team.ann.write("echo.py", "x = 5\n")
    start(hooked_team.ann)
    hooked_team.ann.commit("five")
    hooked_team.ann.git("config", "gitrun.prePush", setting)
    hooked_team.remote.write("hooks/pre-receive", "#!/bin/sh\n! grep -q refs/runs/\n").chmod(0o755)
    done = push(hooked_team.ann, "-q")
    assert done.returncode == 0
    assert done.stderr.count("gitrun: ") == 1


def test_server_lets_runs_go_forward_only(hooked_team) -> None:
    run = start(hooked_team.ann)
    name = f"refs/runs/{run}"
    assert push(hooked_team.ann, "-q", "origin", f"{attempt_of(hooked_team.ann, run)}:{name}").returncode == 0
    assert push(hooked_team.ann, "-q", "origin", f"{name}:{name}").returncode == 0
    back = push(hooked_team.ann, "-q", "-f", "origin", f"{attempt_of(hooked_team.ann, run)}:{name}")
    assert f"remote: gitrun: refused {name}: it has new commits here" in back.stderr
    again = start(hooked_team.ann, x=2.0)
    aside = push(hooked_team.ann, "-q", "-f", "origin", f"refs/runs/{again}:{name}")
    assert f"remote: gitrun: refused {name}: " in aside.stderr
    assert tip(hooked_team.remote)[run] == tip(hooked_team.ann)[run]


def test_one_bad_ref_keeps_all_out_and_other_refs_are_no_concern(hooked_team) -> None:
    run = start(hooked_team.ann)
    done = push(hooked_team.ann, "-q", "origin", f"refs/runs/{run}:refs/runs/{run}", "HEAD:refs/heads/x", "HEAD:refs/runs/x")
    assert done.returncode == 1
    assert [line.strip() for line in done.stderr.splitlines() if "remote: " in line] == [
        "remote: gitrun: refused refs/runs/x: its name is not an object id"
    ]
    assert hooked_team.remote.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"
    hooked_team.ann.git("notes", "add", "-m", "mine")
    assert (
        push(hooked_team.ann, "-q", "origin", "HEAD:refs/heads/x", "refs/notes/*:refs/notes/*", "HEAD:refs/runsx/y").stderr
        == ""
    )


def test_server_takes_nothing_beside_runs_where_runs_are(hooked_team) -> None:
    run = start(hooked_team.ann)
    beside = ["refs/Runs/{0}", "refs/RUNS/{0}", "refs/gitrun/trash/{0}", "refs/runs/{0}/x"]
    for refs in ([ref.format(run) for ref in beside], ["refs/runs", "refs/gitrun"]):
        done = push(hooked_team.ann, "-q", "origin", *(f"refs/runs/{run}:{ref}" for ref in refs))
        assert done.returncode == 1
        assert all(f"remote: gitrun: refused {ref}: " in done.stderr for ref in refs), done.stderr


def test_server_deletes_only_with_option_and_leave(hooked_team) -> None:
    run = start(hooked_team.ann)
    hooked_team.ann.run("push", check=True)
    hooked_team.remote.git("config", "receive.advertisePushOptions", "true")
    words = ("-q", "-o", "gitrun.delete", "origin", f":refs/runs/{run}")
    assert "remote: gitrun: refused" in push(hooked_team.ann, *words).stderr
    hooked_team.remote.git("config", "gitrun.allowDelete", "true")
    assert "remote: gitrun: refused" in push(hooked_team.ann, "-q", "origin", f":refs/runs/{run}").stderr
    assert push(hooked_team.ann, *words).returncode == 0
    assert tip(hooked_team.remote) == {}


def test_verbs_tell_what_the_server_said(hooked_team) -> None:
    run, other = start(hooked_team.ann), start(hooked_team.ann, x=2.0)
    hooked_team.ann.run("push", check=True)
    hooked_team.ann.git("update-ref", f"refs/runs/{run}", attempt_of(hooked_team.ann, other))
    told = hooked_team.ann.run("push", "--all")
    assert told.returncode == 1
    hooked_team.remote.git("config", "receive.advertisePushOptions", "true")
    done = hooked_team.ann.run("rm", "--remote", other[:8])
    assert "deleting needs push option gitrun.delete, and setting gitrun.allowDelete in the other repository" in done.stderr
    hooked_team.remote.git("config", "gitrun.allowDelete", "true")
    assert hooked_team.ann.run("rm", "--remote", other[:8]).stderr == f"gitrun: deleted run {other[:8]} on origin and here\n"
    assert set(tip(hooked_team.remote)) == {run}


def test_server_refuses_runs_where_gitrun_is_missing_and_nothing_else(hooked_team, monkeypatch) -> None:
    run = start(hooked_team.ann)
    without = [name for name in os.environ["PATH"].split(":") if not Path(name, "git-run").exists()]
    monkeypatch.setenv("PATH", ":".join(without))
    assert push(hooked_team.ann, "-q", "origin", "HEAD:refs/heads/x").stderr == ""
    done = push(hooked_team.ann, "-q", "origin", f"refs/runs/{run}:refs/runs/{run}")
    assert "remote: gitrun: error: runs are refused: git-run is not on PATH" in done.stderr
    assert tip(hooked_team.remote) == {}


@pytest.mark.slow
def test_server_knows_every_hostile_ref(hooked_team, tmp_path) -> None:
    forged = tmp_path / "forged.git"
    subprocess.run(["git", "init", "-q", "--bare", forged], check=True)
    cases = {case.ref: case for case in build(forged).values() if not case.poison}
    lines = "".join(f"{cases[ref].tip} refs/runs/{ref}\n" for ref in sorted(cases))
    (forged / "packed-refs").write_text(f"# pack-refs with: peeled fully-peeled sorted \n{lines}")
    done = subprocess.run(
        ["git", "push", "-q", hooked_team.remote.path, "refs/runs/*:refs/runs/*"], cwd=forged, capture_output=True, check=False
    )
    said = done.stderr.decode()
    refused = {
        line.partition("refused refs/runs/")[2].partition(": ")[0] for line in said.splitlines() if "refused refs" in line
    }
    assert refused == {ref for ref, case in cases.items() if not case.sound}
    assert not {char for char in said if char < " "} - {"\n"}
    assert tip(hooked_team.remote) == {}


@pytest.mark.slow
def test_thousand_runs_are_one_push_and_all_there(tmp_path, hooked_team) -> None:
    source = make(tmp_path / "many", 1_000)
    assert subprocess.run(["git", "push", "-q", hooked_team.remote.path, "refs/runs/*:refs/runs/*"], cwd=source, check=True)
    assert len(tip(hooked_team.remote)) == 1_000


def test_interrupted_push_leaves_no_run_and_can_be_done_again(hooked_team) -> None:
    run = start(hooked_team.ann)
    hooked_team.remote.write("hooks/pre-receive.before-gitrun", "#!/bin/sh\nkill -9 $PPID\n").chmod(0o755)
    assert push(hooked_team.ann, "-q", "origin", f"refs/runs/{run}:refs/runs/{run}").returncode
    assert tip(hooked_team.remote) == {}
    (hooked_team.remote.path / "hooks/pre-receive.before-gitrun").unlink()
    assert push(hooked_team.ann, "-q", "origin", f"refs/runs/{run}:refs/runs/{run}").stderr == ""


def test_hook_pre_push_holds_files_of_submodules_back(here):
    here.top.run("hooks", "install", check=True)
    run = ran(here.top)
    server = Repo(here.top.path.parent / "remote.git")
    here.top.git("commit", "--quiet", "--allow-empty", "-m", "next")
    again = ran(here.top, "--", "true")
    push = ["git", "push", "origin", "main"]
    done = subprocess.run(push, cwd=here.top.path, capture_output=True, text=True, check=True)
    assert (
        f"run {again[:8]} is not pushed: it contains files of submodule lib. To push it: git run push --with-submodules"
        in done.stderr
    )
    by_hand = ["git", "push", "origin", f"refs/runs/{run}"]
    assert subprocess.run(by_hand, cwd=here.top.path, capture_output=True, check=False).returncode == 1
    assert tip(server) == {}
    here.top.git("config", "gitrun.pushSubmodules", "true")
    here.top.git("push", "--quiet", "origin", f"refs/runs/{run}")
    assert list(tip(server)) == [run]

"""Runs between repositories: over every transport, in one go, with nothing else changed, whoever kills whom."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys

import pytest
from clones import clone, tip
from remote_servers import Backend
from repository import Repo
from sampled import sampled, sampled_values

from gitrun import Project
from gitrun.errors import GitFailed, UsageError
from gitrun.sharing.quarantine import move_to_runs, receive_runs
from gitrun.sharing.remotes import RACES, default_remote, is_remote, pin_commits, push_refs


def run(repo, x: float = 1.0) -> str:
    """The id of a new run."""
    return Project(repo.path).run("echo.py", flags={"x": x}).id


def test_nothing_else_changes_for_plain_git(team) -> None:
    run(team.ann)
    log, config = team.ann.git("log", "--oneline"), team.ann.git("config", "--list", "--local")
    team.ann.run("push", check=True)
    team.bob.run("fetch", check=True)
    assert team.ann.git("log", "--oneline") == log
    assert team.ann.git("config", "--list", "--local") == config
    team.ann.write("new", "")
    head = team.ann.commit("another")
    team.ann.git("push", "--quiet")
    assert team.remote.git("rev-parse", "main") == head
    team.bob.git("fetch", "--quiet", "--prune")
    assert tip(team.bob) == tip(team.ann)
    assert tip(clone(team.remote.path, team.ann.path.parent / "third")) == {}
    assert team.bob.git("rev-parse", "--quiet", "--verify", "origin/main") == head
    assert not (team.bob.path / ".git" / "FETCH_HEAD").read_text().count("refs/runs")


def test_private_refs_are_gone_afterwards(team) -> None:
    run(team.ann)
    run(team.ann, 2.0)
    team.ann.run("push", "origin", "1", check=True)
    team.bob.run("fetch", check=True)
    for repo in (team.ann, team.bob):
        assert repo.git("for-each-ref", "refs/gitrun") == ""
        assert not list((repo.path / ".git" / "gitrun" / "tokens").glob("*"))


@pytest.mark.parametrize("directory", ["refs/runs", "refs/gitrun/archive"])
def test_tag_where_a_run_belongs_keeps_nobody_from_fetching(team, directory) -> None:
    run(team.ann)
    team.ann.run("push", check=True)
    team.ann.git("tag", "--annotate", "--message", "x", "v1", "HEAD")
    tag = team.ann.git("rev-parse", "v1")
    team.ann.git("push", "--quiet", "origin", f"{tag}:{directory}/{tag}")
    assert f"{directory}/{tag}^{{}}" in team.ann.git("ls-remote", "origin")
    team.bob.run("fetch")
    assert tip(team.bob) == tip(team.ann)


def test_hooks_of_the_user_are_left_alone(team) -> None:
    run(team.ann)
    hook = team.ann.path / ".git" / "hooks" / "pre-push"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    team.ann.run("push", check=True)
    assert tip(team.remote) == tip(team.ann)


def test_hook_of_the_remote_is_heard(team) -> None:
    run(team.ann)
    hook = team.remote.path / "hooks" / "update"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    ended = team.ann.run("push")
    assert ended.returncode == 1
    assert " is rejected: " in ended.stderr
    assert "hook declined" in ended.stderr


@pytest.mark.parametrize("is_known", [True, False])
def test_a_run_that_another_client_changes_during_the_push_is_refused_as_in_a_race(team, is_known) -> None:
    run_id = run(team.ann)
    if is_known:
        team.ann.run("push", check=True)
        Project(team.ann.path).run(restart=run_id)
    hook = team.remote.path / "hooks" / "pre-receive"
    # git lets no hook of a push move refs
    hook.write_text(f"#!/bin/sh\nunset GIT_QUARANTINE_PATH\ngit update-ref refs/runs/{run_id} refs/heads/main\n")
    hook.chmod(0o755)
    ((refused, reason),) = Project(team.ann.path).sharing.push("origin", {run_id: tip(team.ann)[run_id]}).rejected
    assert refused == run_id
    assert reason in RACES


def test_a_remote_that_is_pushed_elsewhere_is_asked_there_why_it_refuses(team, tmp_path) -> None:
    run(team.ann)
    team.ann.run("push", check=True)
    team.ann.git("init", "--quiet", "--bare", str(tmp_path / "else"))
    hook = tmp_path / "else" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    team.ann.git("remote", "set-url", "--push", "origin", str(tmp_path / "else"))
    ended = team.ann.run("push")
    assert ended.returncode == 1
    assert "pre-receive hook declined" in ended.stderr


def test_a_run_that_goes_to_two_urls_is_one_run(team, tmp_path) -> None:
    run(team.ann)
    for name in ("one", "two"):
        team.ann.git("init", "--quiet", "--bare", str(tmp_path / name))
        team.ann.git("remote", "set-url", "--push", "--add", "origin", str(tmp_path / name))
    assert team.ann.run("push", check=True).stderr.splitlines()[-1] == "gitrun: pushed 1 run to origin"
    assert [tip(Repo(tmp_path / name)) for name in ("one", "two")] == [tip(team.ann)] * 2


def test_run_that_goes_to_two_places_is_one_run_and_is_to_reach_both(team, tmp_path) -> None:
    other = tmp_path / "other.git"
    team.remote.git("clone", "--quiet", "--bare", ".", str(other))
    for place in (team.remote.path, other):
        team.ann.git("config", "--add", "remote.origin.pushurl", str(place))
    made = run(team.ann)
    assert team.ann.run("push", check=True).stderr == "gitrun: pushed 1 run to origin\n"
    assert set(tip(team.remote)) == set(tip(Repo(other))) == {made}
    assert team.ann.run("push", check=True).stderr == "gitrun: pushed 0 runs to origin, 1 already there\n"
    hook = Repo(other).write("hooks/pre-receive", "#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    run(team.ann, 2.0)
    for _ in range(2):  # the second time it is at the other place already
        assert team.ann.run("push").returncode == 1
    shutil.rmtree(other)
    ended = team.ann.run("push")
    assert (ended.returncode, "cannot push to origin" in ended.stderr) == (128, True)


def test_mirrored_remote_takes_runs_only(team) -> None:
    run(team.ann)
    team.ann.git("config", "remote.origin.mirror", "true")
    team.ann.run("push", check=True)
    assert team.remote.git("for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes") == "refs/heads/main"


def test_shallow_clone_fetches_runs_and_pushes_its_own(team) -> None:
    team.ann.commit("second")
    first = run(team.ann)
    team.ann.commit("third")
    team.ann.git("push", "--quiet")
    team.ann.run("push", check=True)
    shallow = clone(team.remote.path.as_uri(), team.ann.path.parent / "shallow", "--depth=1")
    shallow.run("fetch", check=True)
    assert list(tip(shallow)) == [first]
    mine = run(shallow, 7.0)
    shallow.run("push", check=True)
    team.ann.run("fetch", check=True)
    assert mine in tip(team.ann)


def test_partial_clone_has_all_of_the_runs_that_it_fetches(team) -> None:
    run(team.ann)
    team.ann.run("push", check=True)
    team.remote.git("config", "uploadpack.allowFilter", "true")
    partial = clone(team.remote.path.as_uri(), team.ann.path.parent / "partial", "--filter=blob:none")
    partial.run("fetch", check=True)
    partial.git("config", "remote.origin.url", "/nowhere")
    assert partial.run("cat", "--output", "1").stdout == "1.0 2 'a'\n"


@pytest.mark.parametrize("transport", ["daemon", "http"])
def test_runs_go_over_the_network(team, transport, request) -> None:
    url = request.getfixturevalue(transport)
    run(team.ann)
    run(team.ann, 2.0)
    team.ann.run("push", url, check=True)
    team.bob.run("fetch", url, check=True)
    assert tip(team.bob) == tip(team.ann)
    assert "2 already there" in team.bob.run("push", "--all", url, check=True).stderr
    assert team.bob.run("rm", "--remote", url, next(iter(tip(team.bob)))).returncode == 0
    assert len(tip(team.remote)) == 1


@pytest.fixture
def narrow(team, http, monkeypatch):
    """The URL of the remote through a server that takes 1 MB in a request, as nginx does if nobody says otherwise."""
    monkeypatch.setattr(Backend, "limit", 1_000_000)
    return http


def run_of(repo, size: int) -> str:
    """The id of a new run that has left a file which does not get smaller by being packed."""
    repo.write("big.py", f"import os\nopen('data', 'wb').write(os.urandom({size}))\n")
    return Project(repo.path).run("big.py").id


@pytest.mark.parametrize("words", sampled_values(1, [("push",), ("push", "--all")]))
def test_runs_that_are_too_large_together_go_in_smaller_rounds(team, narrow, words) -> None:
    runs = [run_of(team.ann, 300_000) for _ in range(7)]
    ended = team.ann.run(*words, narrow, check=True)
    assert ended.stderr == f"gitrun: pushed 7 runs to {narrow}\n"
    assert set(tip(team.remote)) == set(runs)
    assert team.ann.git("for-each-ref", "refs/gitrun") == ""


def test_run_that_is_too_large_alone_is_rejected_and_the_others_go(team, narrow) -> None:
    large, *small = run_of(team.ann, 1_500_000), run_of(team.ann, 300_000), run_of(team.ann, 300_000)
    ended = team.ann.run("push", narrow)
    assert ended.returncode == 1
    assert f"run {large[:8]} is rejected: the server takes no request of that size (HTTP 413)" in ended.stderr
    assert f"pushed 2 runs to {narrow}" in ended.stderr
    assert set(tip(team.remote)) == set(small)


def test_unreachable_remote_is_one_line(team) -> None:
    run(team.ann)
    for words in (("push", "/nowhere"), ("fetch", "/nowhere"), ("pull", "ext::false")):
        ended = team.ann.run(*words)
        assert ended.returncode == 128
        assert ended.stderr.startswith("gitrun: error: cannot ")
        assert len(ended.stderr.splitlines()) == 1
    assert team.ann.git("for-each-ref", "refs/gitrun") == ""


KILLER = """\
import os, signal, sys
import {target.__module__} as place
target = place, {target.__name__!r}
original = getattr(*target)
def dying(*args, **more):
    found = original(*args, **more)
    os.kill(os.getpid(), signal.SIGKILL)
    return found
setattr(*target, dying)
sys.argv = ["git-run", {verb!r}, "origin"{more}]
from gitrun.commands.main import main
main()
"""


@pytest.mark.parametrize(
    ("verb", "target"),
    sampled(
        2,
        [
            ("fetch", pin_commits),
            ("fetch", receive_runs),
            ("fetch", move_to_runs),
            ("push", push_refs),
        ],
    ),
)
def test_killed_command_leaves_sound_runs_and_the_next_one_cleans_up(team, verb, target) -> None:
    run(team.ann)
    run(team.ann, 2.0)
    more = ', "1"' if verb == "push" else ""
    if verb == "fetch":
        team.ann.run("push", check=True)
    actor = team.bob if verb == "fetch" else team.ann
    code = KILLER.format(target=target, verb=verb, more=more)
    killed = subprocess.run([sys.executable, "-c", code], cwd=actor.path, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert set(tip(actor).items()) <= set(tip(team.ann).items())
    actor.run(verb, "origin", check=True)
    assert tip(team.ann) == tip(team.remote if verb == "push" else team.bob)
    assert actor.git("for-each-ref", "refs/gitrun") == ""
    actor.git("fsck", "--strict")


@pytest.mark.parametrize(
    ("config", "push", "expected"),
    [
        ({}, False, "origin"),
        ({"branch.main.remote": "up"}, False, "up"),
        ({"branch.main.remote": "up", "branch.main.pushRemote": "mine"}, True, "mine"),
        ({"remote.pushDefault": "mine"}, True, "mine"),
        ({"remote.pushDefault": "mine"}, False, "origin"),
        ({"branch.main.remote": "."}, False, "origin"),
    ],
)
def test_default_remote_is_that_of_git(repo, config, push, expected) -> None:
    for name in ("origin", "up", "mine"):
        repo.git("remote", "add", name, f"/{name}")
    for name, value in config.items():
        repo.git("config", name, value)
    assert default_remote(Project(repo.path).git, push=push) == expected


def test_without_a_remote_one_is_asked_for(repo) -> None:
    with pytest.raises(UsageError, match="no remote given"):
        default_remote(Project(repo.path).git)
    with pytest.raises(GitFailed):
        Project(repo.path).sharing.push(
            "/nowhere", {"a" * 40: Project(repo.path).git.run("rev-parse", "HEAD").decode().strip()}
        )


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("origin", True), ("https://a.b/c", True), ("git@host:path", True), ("host:path", True), ("./there", True),
        ("/there", True), ("3fa2c1d8", False), ("runs/3fa2", False), ("2:5", False), ("3:", False), (":3", False),
        ("train.py", False), ("-x", False),
    ],
)  # fmt: skip
def test_remotes_are_told_from_runs(repo, word, expected) -> None:
    repo.git("remote", "add", "origin", "/x")
    assert is_remote(Project(repo.path).git, word) == expected


def test_large_files_go_along_with_git_lfs(team, tmp_path) -> None:
    if shutil.which("git-lfs") is None:
        pytest.skip("git-lfs is not installed")
    for repo in (team.ann, team.bob):
        repo.git("config", "remote.origin.url", team.remote.path.as_uri())
        repo.git("lfs", "install", "--local")
    team.ann.write(".gitattributes", "*.bin filter=lfs -text\n")
    team.ann.write("big.bin", b"large" * 1000)
    run(team.ann)
    team.ann.run("push", "--no-scan", check=True)
    assert [path for path in (team.remote.path / "lfs" / "objects").rglob("*") if path.is_file()]


def test_error_that_is_raised_holds_no_password(team) -> None:
    made = run(team.ann)
    with pytest.raises(GitFailed) as raised:
        Project(team.ann.path).sharing.push("http://u:SECRET@127.0.0.1:1/p.git", {made: tip(team.ann)[made]})
    assert "SECRET" not in str(raised.value)

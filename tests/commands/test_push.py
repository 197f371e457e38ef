"""git run push: what goes along, what is held back, and what the remote answers."""

from __future__ import annotations

import os
import pty
import re
import subprocess

import pytest
from clones import make_team, run, tip
from sampled import sampled
from templates import place_made_once

from gitrun import Project

PIPELINE = """
[operations.one]
script = "one.py"
[operations.two]
script = "two.py"
needs = { one = "one" }
[operations.both]
steps = ["one", "two"]
"""


def said(text: str) -> list[str]:
    return [re.sub(r"\b[0-9a-f]{8}\b", "ID", line) for line in text.splitlines()]


def test_push_takes_what_was_made_here_and_has_ended(team) -> None:
    run(team.ann)
    team.ann.run("push", check=True)
    team.bob.run("fetch", check=True)
    mine = run(team.bob, x=5.0)
    team.bob.run("--stage", "echo.py", check=True)
    told = team.bob.run("push", "-n", check=True).stderr
    assert said(told) == ["gitrun: would push to origin: run ID  echo.py  x=5.0 y=2 z=a  completed"]
    team.bob.run("push", check=True)
    assert mine in tip(team.remote)
    assert len(tip(team.remote)) == 2
    team.bob.run("push", "--all", check=True)
    assert len(tip(team.remote)) == 3


@pytest.fixture
@place_made_once
def piped(tmp_path):
    """Ann has run a pipeline: two steps, of which the second needs what the first left."""
    team = make_team(tmp_path)
    team.ann.write("gitrun.toml", PIPELINE)
    team.ann.write("one.py", "open('one', 'w').write('1')\n")
    team.ann.write("two.py", "print(open('one').read())\n")
    team.ann.commit("pipeline")
    team.ann.run("both", check=True)
    run(team.ann)
    return team


@pytest.mark.parametrize(("name", "count"), [("both", 3), ("two", 2), ("one", 1)])
def test_with_a_run_goes_what_it_is_made_of_and_what_it_took_files_from(piped, tmp_path, name, count) -> None:
    assert said(piped.ann.run("push", name, check=True).stderr)[-1].startswith(f"gitrun: pushed {count} run")
    piped.ann.run("export", name, tmp_path / "bundle", check=True)
    piped.bob.run("import", tmp_path / "bundle", check=True)
    assert tip(piped.bob).keys() == tip(piped.remote).keys()
    assert len(tip(piped.bob)) == count
    piped.bob.run("trust", *tip(piped.bob), check=True)
    piped.bob.run("verify", name, check=True)


def test_step_that_is_not_here_is_shown_to_be_elsewhere(piped) -> None:
    piped.ann.run("rm", "two", check=True)
    steps = [line for line in piped.ann.run("show", "both", check=True).stdout.splitlines() if line.startswith("step:")]
    assert ["not here" in line for line in steps] == [False, True]


def test_nothing_to_push_is_said(team) -> None:
    assert "nothing to push" in team.ann.run("push", check=True).stderr
    assert team.ann.run("push", "--all", "--op", "x").returncode == 129
    assert team.ann.run("push", "--op", "x").returncode == 128


@pytest.mark.parametrize(
    ("name", "content"),
    sampled(
        2,
        [
            ("secrets.json", "{}"),
            ("notes.txt", "key = AKIA" + "ABCDEFGH12345678"),
            ("notes.txt", "ghp_" + "a1B2" * 9),
            ("notes.txt", "hf_" + "aB" * 17),
            ("notes.txt", "-----BEGIN RSA " + "PRIVATE KEY-----\n"),
        ],
    ),
)
def test_secret_is_not_pushed_unasked(team, name, content) -> None:
    team.ann.git("config", "gitrun.secrets", "secrets.*")
    team.ann.write("fine.txt", "nothing")
    team.ann.write("make.sh", f"printf '%s' '{content}' > {name}\n")
    team.ann.git("config", "gitrun.secrets", "nothing")
    team.ann.run("--", "sh", "make.sh", check=True)
    team.ann.git("config", "gitrun.secrets", "secrets.*")
    refused = team.ann.run("push")
    assert refused.returncode == 129
    assert "may hold secrets" in refused.stderr
    assert name in refused.stderr or "make.sh" in refused.stderr
    assert tip(team.remote) == {}
    team.ann.run("push", "--no-scan", check=True)
    assert tip(team.remote) == tip(team.ann)


def test_secret_in_a_flag_is_not_pushed_unasked(team) -> None:
    team.ann.run("api_key=abcdef0123456789", "--", "true", check=True)
    assert "flags.toml: it holds what looks like a password in a flag" in team.ann.run("push").stderr


def test_what_the_remote_has_is_no_secret_to_it(team) -> None:
    team.ann.write("deploy.pem", "x")
    team.ann.commit("a certificate of the tests")
    team.ann.git("push", "--quiet")
    run(team.ann)
    assert said(team.ann.run("push", check=True).stderr) == ["gitrun: pushed 1 run to origin"]


@pytest.mark.parametrize("kept", sampled(2, ["branch", "tag", "other remote", "detached"]))
def test_history_that_the_remote_does_not_have_is_scanned_and_counted(team, tmp_path, kept) -> None:
    other = tmp_path / "private.git"
    team.remote.git("clone", "--quiet", "--bare", ".", str(other))
    team.ann.git("remote", "add", "private", str(other))
    team.ann.git("checkout", "--quiet", "--detach" if kept == "detached" else "-bsecret")
    team.ann.write("deploy.pem", "x")
    team.ann.commit("the key")
    (team.ann.path / "deploy.pem").unlink()
    team.ann.commit("no key any more")
    if kept == "tag":
        team.ann.git("tag", "kept")
    elif kept == "other remote":
        team.ann.git("push", "--quiet", "private", "HEAD:refs/heads/secret")
        team.ann.git("fetch", "--quiet", "private")
    run(team.ann)
    dry = team.ann.run("push", "-n", "origin", check=True).stderr
    assert "note: 2 commits that origin does not have will be pushed too: " in dry
    refused = team.ann.run("push", "origin")
    assert (refused.returncode, "deploy.pem: its name looks like that of a secret" in refused.stderr) == (129, True)
    assert re.search(r"will be pushed too: [0-9a-f]{8} no key any more; [0-9a-f]{8} the key\n", refused.stderr)
    assert tip(team.remote) == {}
    if kept == "other remote":
        assert said(team.ann.run("push", "private", check=True).stderr) == ["gitrun: pushed 1 run to private"]
    team.ann.run("push", "--no-scan", "origin", check=True)
    assert "will be pushed too" not in team.ann.run("push", "origin", check=True).stderr


def test_what_one_of_two_push_urls_lacks_is_scanned(team, tmp_path) -> None:
    other = tmp_path / "other.git"
    team.remote.git("clone", "--quiet", "--bare", ".", str(other))
    for place in (team.remote.path, other):
        team.ann.git("config", "--add", "remote.origin.pushurl", str(place))
    team.ann.write("deploy.pem", "x")
    team.ann.commit("the key")
    team.ann.git("push", "--quiet", str(other), "main")
    run(team.ann)
    assert "deploy.pem" in team.ann.run("push").stderr


def test_person_at_a_terminal_is_asked(team) -> None:
    team.ann.run("password=abcdef0123456789", "--", "true", check=True)
    for answer, there in ((b"n\n", 0), (b"y\n", 1)):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(["git", "run", "push"], cwd=team.ann.path, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        os.write(ours, answer)
        shown = b""
        try:
            while data := os.read(ours, 1 << 16):
                shown += data
        except OSError:
            pass
        process.wait(timeout=30)
        os.close(ours)
        assert b"Push anyway?" in shown
        assert len(tip(team.remote)) == there


def test_rm_on_the_remote_takes_ids_only_and_only_what_is_as_it_is_here(team) -> None:
    first, second = run(team.ann, x=1.0), run(team.ann, x=2.0)
    team.ann.run("push", check=True)
    for words in (("--op", "echo.py"), ("1",), ("1:2",), ()):
        assert team.ann.run("rm", "--remote", "origin", *words).returncode == 129
    team.bob.run("fetch", check=True)
    team.bob.run("tag", "new", first, check=True)
    team.bob.run("push", "origin", first, check=True)
    refused = team.ann.run("rm", "--remote", "origin", first)
    assert refused.returncode == 1
    changed = f"error: run {first[:8]} is not deleted, neither on origin nor here: it has changed there since it was fetched"
    assert refused.stderr == f"gitrun: {changed}. To fetch it: git run fetch origin {first[:8]}\n"
    assert first in tip(team.ann)
    team.ann.run("rm", "--remote", second[:8], check=True)
    assert set(tip(team.remote)) == set(tip(team.ann)) == {first}
    assert [one.id for one in Project(team.ann.path).trash.list_runs()] == [second]


def test_rm_on_the_remote_takes_what_is_in_the_trash(team) -> None:
    gone = run(team.ann)
    team.ann.run("push", check=True)
    team.ann.run("rm", gone, check=True)
    assert "would delete on origin" in team.ann.run("rm", "-n", "--remote", "origin", gone, check=True).stderr
    team.ann.run("rm", "--remote", "origin", gone, check=True)
    assert tip(team.remote) == {}


def test_two_who_push_the_same_are_both_told_that_it_is_there(team) -> None:
    run(team.ann, x=1.0)
    hook = team.remote.path / "hooks" / "update"
    hook.write_text('#!/bin/sh\ngit update-ref "$1" "$3"\nexit 1\n')
    hook.chmod(0o755)
    told = team.ann.run("push", check=True).stderr
    assert "rejected" not in told
    assert "1 already there" in told


def hook(team, name: str, text: str) -> None:
    path = team.remote.path / "hooks" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_what_a_hook_of_the_server_says_is_heard(team) -> None:
    run(team.ann, x=1.0)
    hook(team, "update", "printf 'ask Bob \\033[31m first\\n'\nexit 1")
    refused = team.ann.run("push")
    assert refused.returncode == 1
    assert "gitrun: origin says: ask Bob \\x1b[31m first\n" in refused.stderr


RULES = """\
echo 'error: GH013: Repository rule violations found for refs/runs/*.'
echo
echo '- Changes must be made through a pull request.'
exit 1"""


def at_a_terminal(repo, *words: str) -> str:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(["git", "run", *words], cwd=repo.path, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 1 << 16):
            shown += data
    except OSError:
        pass
    process.wait(timeout=30)
    os.close(ours)
    return shown.decode()


def test_rules_of_a_server_that_begin_with_error_are_heard(team) -> None:
    run(team.ann, x=1.0)
    hook(team, "pre-receive", RULES)
    refused = team.ann.run("push")
    assert refused.returncode == 1
    assert "origin says: error: GH013: Repository rule violations found for refs/runs/*." in refused.stderr
    assert "origin says: - Changes must be made through a pull request." in refused.stderr
    shown = at_a_terminal(team.ann, "push")
    assert shown.count("GH013: Repository rule violations") == 1


def test_equal_refusals_are_one_line_and_ten_lines_at_most(team) -> None:
    for x in range(12):
        Project(team.ann.path).run("echo.py", flags={"x": float(x)}, stage=True)
    hook(team, "update", "echo error: GH006: no $1\necho 'the same'\nexit 1")
    refused = team.ann.run("push", "--all").stderr.splitlines()
    assert [line for line in refused if "rejected" in line and "12 runs (" in line and "and 2 more" in line] == refused[:1]
    assert sum("GH006" in line for line in refused) == sum("the same" in line for line in refused) == 1
    hook(team, "update", "echo error: GH006: no $3\nexit 1")
    refused = team.ann.run("push", "--all").stderr.splitlines()
    assert len(refused) == 12
    assert refused[-1] == "gitrun: origin says: … 2 more lines"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pre-receive", "the server's pre-receive hook declined it"),
        ("update", "the server's update hook declined it"),
    ],
)
def test_rm_on_the_remote_says_in_words_why_it_is_refused(team, name, words) -> None:
    first, second = run(team.ann, x=1.0), run(team.ann, x=2.0)
    team.ann.run("push", check=True)
    hook(team, name, "echo 'error: GH006: ask Bob'\nexit 1")
    refused = team.ann.run("rm", "--remote", "origin", first, second)
    assert refused.returncode == 1
    assert "[remote rejected]" not in refused.stderr
    assert words in refused.stderr
    assert refused.stderr.count("is not deleted, neither on origin nor here: ") == 1
    assert "origin says: error: GH006: ask Bob" in refused.stderr
    assert set(tip(team.ann)) == {first, second}

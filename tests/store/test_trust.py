"""What from elsewhere is executed: nothing, until somebody here says so; and signatures as git sees them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest
from clones import clone, make_team, tip
from templates import place_made_once

from gitrun import Project
from gitrun.errors import CannotRun, NotTrusted
from gitrun.store import trust


@pytest.fixture
@place_made_once
def fetched(tmp_path):
    """Bob has a run that Ann made with a change of hers."""
    team = make_team(tmp_path)
    team.ann.write("echo.py", "x = 1.0\nprint('ann', x)\n")
    Project(team.ann.path).run("echo.py")
    team.ann.run("push", check=True)
    team.bob.run("fetch", check=True)
    return team


@pytest.mark.parametrize("words", [("--restart", "1"), ("--start", "1"), ("--restart", "1", "--force-sourcecode")])
def test_fetched_run_is_not_executed(fetched, words) -> None:
    before = tip(fetched.bob)
    ended = fetched.bob.run(*words)
    assert ended.returncode == 128
    assert ended.stdout == ""
    assert tip(fetched.bob) == before


def test_refusal_says_who_what_and_how_it_differs(fetched) -> None:
    said = fetched.bob.run("--restart", "1").stderr.splitlines()
    assert "git run trust" in said[0]
    said = [line.removeprefix("gitrun: ") for line in said]
    assert said[1].split(maxsplit=2) == ["made", "by", "Ann <user@example.org>, unsigned"]
    assert said[2].split() == ["executes", "{python}", "echo.py"]
    assert said[3].split() == ["flags", "x=1.0"]
    assert said[4].split()[:5] == ["source", "commit", fetched.bob.head()[:8], "with", "M"]


def test_trusted_run_is_executed_and_trust_can_be_taken_back(fetched) -> None:
    fetched.bob.run("trust", "1", check=True)
    assert fetched.bob.run("--restart", "1", check=True).stdout == "ann 1.0\n"
    other = clone(fetched.remote.path, fetched.ann.path.parent / "other")
    other.run("fetch", check=True)
    other.run("trust", "1", check=True)
    other.run("trust", "--remove", "1", check=True)
    assert other.run("--restart", "1").returncode == 128


def test_attempt_that_is_added_elsewhere_is_to_be_trusted_anew(fetched) -> None:
    fetched.bob.run("trust", "1", check=True)
    Project(fetched.ann.path).run(restart="1", flags={"x": 5.0})
    fetched.ann.run("push", check=True)
    fetched.bob.run("fetch", check=True)
    assert fetched.bob.run("--restart", "1").returncode == 128


def test_dry_run_shows_what_is_not_trusted(fetched) -> None:
    assert "echo.py" in fetched.bob.run("--dry-run", "--restart", "1", check=True).stdout


@pytest.mark.parametrize("words", [("fetch", "origin", "refs/runs/*:refs/runs/*"), ("clone",)])
def test_what_git_itself_brought_is_not_trusted_either(fetched, words) -> None:
    place = fetched.ann.path.parent / "plain"
    if words == ("clone",):
        subprocess.run(
            ["git", "clone", "-q", "-c", "remote.origin.fetch=+refs/runs/*:refs/runs/*", fetched.remote.path, place], check=True
        )
    else:
        clone(fetched.remote.path, place).git(*words)
    with pytest.raises(NotTrusted):
        Project(place).run(restart="1")


def test_runs_made_here_need_no_word(repo) -> None:
    Project(repo.path).run("echo.py")
    assert repo.run("trust", check=True).stderr == "gitrun: all runs are trusted or were made here; no keys are trusted\n"
    assert Project(repo.path).run(restart="1", flags={"x": 2.0}).status == "completed"
    repo.run("--stage", "echo.py", check=True)
    repo.run("--start", "1", check=True)


def test_list_of_what_is_not_trusted(fetched) -> None:
    assert fetched.bob.run("trust", check=True).stdout.startswith("not trusted  ")
    assert "not made here" in fetched.bob.run("show", "1", check=True).stdout
    fetched.bob.run("trust", "1", check=True)
    assert fetched.bob.run("trust", check=True).stdout == ""


def test_last_word_counts(repo) -> None:
    git, attempt = Project(repo.path).git, "a" * 40
    for act, expected in ((trust.grant_trust, True), (trust.revoke_trust, False), (trust.grant_trust, True)):
        act(git, [attempt])
        assert trust.is_trusted_commit(git, attempt) is expected
        assert (attempt in trust.trusted_ids(git)) is expected
    assert oct((git.state / "trust").stat().st_mode)[-3:] == "600"


@pytest.fixture
def ssh_key(tmp_path):
    """A key for signing."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ann", "-f", path], check=True)
    return path


def sign_with(repo, key) -> None:
    for name, value in {"gpg.format": "ssh", "user.signingkey": str(key), "gitrun.sign": "true"}.items():
        repo.git("config", name, value)


def knows(repo, key) -> None:
    """The repository knows whose key it is."""
    signers = repo.path / ".git" / "signers"
    signers.write_text(f"ann@example.org {key.with_suffix('.pub').read_text()}")
    repo.git("config", "gpg.ssh.allowedSignersFile", str(signers))


def test_signed_run_is_trusted_with_its_signer(team, ssh_key) -> None:
    sign_with(team.ann, ssh_key)
    Project(team.ann.path).run("echo.py")
    team.ann.run("push", check=True)
    team.bob.run("fetch", check=True)
    knows(team.bob, ssh_key)
    assert "signed by ann@example.org (SHA256:" in team.bob.run("show", "1", check=True).stdout
    shown = json.loads(team.bob.run("show", "1", "--json", check=True).stdout)
    assert (shown["signature"].startswith("signed by ann@example.org (SHA256:"), shown["trusted"]) == (True, False)
    assert "signed by ann@example.org" in team.bob.run("--restart", "1").stderr
    team.bob.run("trust", "--signer", "1", check=True)
    team.bob.run("--restart", "1", check=True)
    Project(team.ann.path).run("echo.py", flags={"x": 7.0})
    team.ann.run("push", check=True)
    team.bob.run("fetch", check=True)
    assert team.bob.run("--restart", "1", check=True).stdout == "7.0 2 'a'\n"
    key = team.bob.run("trust", check=True).stdout.split()[1]
    team.bob.run("trust", "--remove", key, check=True)
    other = Project(team.ann.path).run("echo.py", flags={"x": 8.0})
    team.ann.run("push", check=True)
    team.bob.run("fetch", check=True)
    assert team.bob.run("--restart", other.id).returncode == 128


def test_attempt_and_result_are_signed_and_nothing_else_is(repo, ssh_key) -> None:
    sign_with(repo, ssh_key)
    knows(repo, ssh_key)
    run = Project(repo.path).run("echo.py")
    for commit in (run.id, run.tip):
        repo.git("verify-commit", commit)
    repo.git("config", "gitrun.sign", "false")
    repo.git("config", "commit.gpgsign", "true")
    run = Project(repo.path).run("echo.py")
    assert "gpgsig" not in repo.git("cat-file", "commit", run.tip) + repo.git("cat-file", "commit", run.id)


def test_run_that_cannot_be_signed_is_not_started(repo) -> None:
    sign_with(repo, "/nowhere/key")
    with pytest.raises(CannotRun, match="cannot sign the run"):
        Project(repo.path).run("echo.py")
    assert tip(repo) == {}


def test_bad_and_unknown_signatures_give_no_trust(team, ssh_key) -> None:
    sign_with(team.ann, ssh_key)
    run = Project(team.ann.path).run("echo.py")
    raw = subprocess.run(["git", "cat-file", "commit", run.id], cwd=team.ann.path, capture_output=True, check=True).stdout
    changed = raw.replace(b"run echo.py", b"ran echo.py", 1)
    forged = (
        subprocess.run(
            ["git", "hash-object", "-w", "-t", "commit", "--stdin"],
            cwd=team.ann.path,
            input=changed,
            capture_output=True,
            check=True,
        )
        .stdout.decode()
        .strip()
    )
    team.ann.git("push", "--quiet", "origin", f"{forged}:refs/runs/{forged}")
    team.bob.run("fetch", check=True)
    knows(team.bob, ssh_key)
    assert "signature bad" in team.bob.run("show", "1", check=True).stdout
    assert team.bob.run("trust", "--signer", "1").returncode == 128


def test_openpgp_signature_is_told_and_trusted(team, tmp_path_factory, monkeypatch) -> None:
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed")
    home = tmp_path_factory.mktemp("g")
    home.chmod(0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    made = subprocess.run(
        ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "Ann <ann@example.org>", "ed25519", "sign"],
        capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip(f"gpg makes no key here: {os.fsdecode(made.stderr)[-100:]}")
    team.ann.git("config", "user.signingkey", "ann@example.org")
    team.ann.git("config", "gitrun.sign", "true")
    Project(team.ann.path).run("echo.py")
    team.ann.run("push", check=True)
    team.bob.run("fetch", check=True)
    assert "signed by Ann <ann@example.org>" in team.bob.run("show", "1", check=True).stdout
    team.bob.run("trust", "--signer", "1", check=True)
    team.bob.run("--restart", "1", check=True)
    subprocess.run(["gpgconf", "--kill", "all"], check=False)


def test_an_entry_of_somebody_else_is_not_even_looked_at_by_a_dry_run(fetched, tmp_path) -> None:
    mark = tmp_path / "executed"
    parser = "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--x')\nparser.parse_args()\n"
    fetched.ann.write("ask.py", f"import pathlib\npathlib.Path({str(mark)!r}).write_text('')\n{parser}")
    fetched.ann.write("gitrun.toml", "[operations.ask]\nscript = 'ask.py'\nflags = 'import'\n")
    fetched.ann.run("ask", check=True)
    assert mark.exists()
    fetched.ann.run("push", "--all", check=True)
    fetched.bob.run("fetch", check=True)
    mark.unlink()
    for words in (["--dry-run", "--restart", "ask"], ["--restart", "ask"]):
        assert "not made here" in fetched.bob.run(*words).stderr
    assert not mark.exists()


def test_trust_that_is_taken_back_after_a_line_that_was_cut_short_is_taken_back(fetched) -> None:
    git = Project(fetched.bob.path).git
    (run,) = tip(fetched.bob)
    trust.grant_trust(git, [run])
    with trust.trust_file(git).open("a") as file:
        file.write(run[:7])
    trust.revoke_trust(git, [run])
    assert not trust.is_trusted_commit(git, run)
    assert run not in trust.trusted_ids(git)

"""The one door to git: what reaches it, and what comes back from it."""

from __future__ import annotations

import os

import pytest

from gitrun.errors import GitFailed, NotARepository
from gitrun.git.exe import environment_for_programs, failure_reason, open_repository


def test_what_git_says_last_is_the_first_fatal_line_without_its_prefix():
    assert failure_reason(b"warning: a\nfatal: b\nhint: c\n") == "b"
    assert failure_reason(b"error: a\nfatal: b\n") == "a"
    assert failure_reason(b"error: external filter 'x' failed\nfatal: a: smudge filter lfs failed\n").startswith("a: ")
    assert failure_reason(b"one\ntwo\n\n") == "two"
    assert failure_reason(b"") == "no reason given"
    assert failure_reason(b"fatal: unknown extension found:\n\treftable\n") == "unknown extension found: reftable"
    lacking = b"error: lacks these commits:\nerror: 3fa2 one\nfatal: died\n"
    assert failure_reason(lacking) == "lacks these commits: 3fa2 one"
    assert (
        failure_reason(b"fatal: unable to connect to h:\nh[0: ::1]: errno=Refused\n\n")
        == "unable to connect to h: h[0: ::1]: errno=Refused"
    )
    assert failure_reason(b"fatal: caf\xe9\n") == "caf\ufffd"


def test_an_error_of_git_is_said_in_its_words(repo):
    with pytest.raises(GitFailed, match="git rev-parse failed: Needed a single revision"):
        open_repository(repo.path, os.environ).run("rev-parse", "--verify", "nope")


def test_a_directory_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(NotARepository, match="no such directory"):
        open_repository(tmp_path / "nope", os.environ)


def test_every_value_of_a_setting_is_read_and_names_are_lower_case(repo):
    repo.git("config", "--add", "gitrun.someThing", "1")
    repo.git("config", "--add", "gitrun.someThing", "2\nlines")
    assert open_repository(repo.path, os.environ).config["gitrun.something"] == ("1", "2\nlines")


@pytest.mark.parametrize(("setting", "kept"), [("true", True), ("false", False), ("off", False)])
def test_writing_to_the_disk_at_once_is_a_setting(repo, setting, kept):
    repo.git("config", "gitrun.fsync", setting)
    assert bool(open_repository(repo.path, os.environ).durable) is kept


def test_hooks_that_are_settings_are_kept_out_as_files_are(repo):
    for name in ("spy.1", "a=b"):
        repo.git("config", f"hook.{name}.event", "pre-push")
    git = open_repository(repo.path, os.environ)
    assert git.steady[-2:] == ("-c", "hook.spy.1.enabled=false")
    assert git.run("config", "hook.spy.1.enabled") == b"false\n"


def test_programs_get_no_word_about_a_repository_and_keep_the_rest():
    given = {"GIT_DIR": "x", "GIT_INDEX_FILE": "x", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "a", "GIT_PREFIX": "x"}
    kept = {"GIT_AUTHOR_NAME": "me", "GIT_SSH_COMMAND": "ssh", "PATH": "/bin"}
    assert environment_for_programs({**given, **kept}) == kept


def test_a_name_that_the_user_gave_himself_is_not_replaced(repo):
    git = open_repository(repo.path, {**os.environ, "USER": "somebody", "EMAIL": "s@example.org"})
    assert git.identity() == {}
    repo.git("config", "--global", "--remove-section", "user")
    git = open_repository(repo.path, {**os.environ, "USER": "somebody", "EMAIL": "s@example.org"})
    assert (git.identity()["GIT_AUTHOR_NAME"], git.identity()["GIT_COMMITTER_EMAIL"]) == ("somebody", "s@example.org")

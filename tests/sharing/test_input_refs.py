"""Inputs on a remote: pushed once, and taken only if they are what their name says."""

from __future__ import annotations

import hashlib

import pytest
from clones import make_team
from templates import place_made_once

from gitrun import Project
from gitrun.errors import GitFailed
from gitrun.sharing.input_refs import fetch_input, publish_inputs

DATA = b"one\r\ntwo\n\x00"
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
@place_made_once
def team(tmp_path):
    return make_team(tmp_path)


def test_an_input_is_pushed_once_and_fetched_without_a_trace(team) -> None:
    ann, bob = Project(team.ann.path).git, Project(team.bob.path).git
    assert fetch_input(bob, "origin", SHA256) is None
    team.ann.write(".gitattributes", "* text=auto eol=crlf\n")
    assert publish_inputs(ann, "origin", {SHA256: team.ann.write("words.bin", DATA)}) == 1
    assert publish_inputs(ann, "origin", {SHA256: team.ann.path / "words.bin"}) == 0
    before = team.bob.git("for-each-ref")
    assert fetch_input(bob, "origin", SHA256) == DATA
    assert team.bob.git("for-each-ref") == before


def test_an_input_of_another_content_is_none(team) -> None:
    publish_inputs(Project(team.ann.path).git, "origin", {SHA256: team.ann.write("other", "other")})
    assert fetch_input(Project(team.bob.path).git, "origin", SHA256) is None


def test_a_remote_that_is_away_is_an_error(team) -> None:
    with pytest.raises(GitFailed):
        publish_inputs(Project(team.ann.path).git, str(team.ann.path.parent / "nowhere"), {SHA256: team.ann.path / "echo.py"})

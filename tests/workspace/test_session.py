"""The session of a command: which files a request gets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitrun import Project
from gitrun.model.plan import Request
from gitrun.workspace.session import lends_files


@pytest.mark.parametrize(
    ("link", "lend", "request_", "lends"),
    [
        (True, True, Request(), True),
        (False, True, Request(), False),
        (True, False, Request(), False),
        (False, False, Request(links=("data",)), True),
        (True, True, Request(no_link=True), False),
        (True, True, Request(no_link=True, links=("data",)), False),
    ],
)
def test_files_are_lent_as_settings_and_request_say(repo, link, lend, request_, lends) -> None:
    session = Project(repo.path).session()
    session = replace(session, settings=replace(session.settings, link=link, lend=lend))
    assert lends_files(session, request_) is lends


def test_a_session_has_the_environment_of_the_moment(repo, monkeypatch) -> None:
    project = Project(repo.path)
    monkeypatch.setenv("COLOUR", "red")
    assert project.session().git.environ["COLOUR"] == "red"
    assert Project(repo.path, environ={"PATH": "/bin"}).session().git.environ.get("COLOUR") is None

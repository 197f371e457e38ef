"""What the hooks of git ask of gitrun."""

from __future__ import annotations

import pytest
from hooked_repos import commit, start, trailers

from gitrun import Project

pytestmark = pytest.mark.usefixtures("forked")


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


def test_run_that_the_user_named_stays_if_it_is_of_the_tree(hooked) -> None:
    hooked.write("echo.py", "x = 5\n")
    first = start(hooked)
    start(hooked, x=6)
    commit(hooked, "-am", f"five\n\nRun: {first[:10]}")
    assert trailers(hooked) == [first[:10]]


def test_message_names_the_run_of_the_users_index(repo) -> None:
    project = Project(repo.path)
    run = project.run("echo.py")
    message = repo.write("message", "Try it\n")
    assert project.hooks.prepare_commit_msg(None, message, is_edited=False)
    assert f"Run: {run.id}" in message.read_text()
    assert not project.hooks.commit_msg(message)


def test_hook_files_are_those_of_this_repository(repo) -> None:
    hook = Project(repo.path).hooks.files.install("post-commit", chain=False)
    # from git 2.54 on, our hooks are settings
    assert (repo.path / ".git/hooks/post-commit").exists() == bool(hook.path)
    assert hook == Project(repo.path).hooks.files.status("post-commit")

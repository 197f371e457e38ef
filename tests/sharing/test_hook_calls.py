"""What `project.hooks` does for git's hooks."""

from __future__ import annotations

from gitrun import Project


def test_message_names_the_run_of_the_index(repo) -> None:
    project = Project(repo.path)
    run = project.run("echo.py")
    message = repo.write("message", "Try it\n")
    assert project.hooks.prepare_commit_msg(None, message, is_edited=False)
    assert f"Run: {run.id}" in message.read_text()
    assert not project.hooks.commit_msg(message)


def test_hook_files_are_those_of_this_repository(repo) -> None:
    hook = Project(repo.path).hooks.files.install("post-commit", chain=False)
    assert (repo.path / ".git/hooks/post-commit").exists()
    assert hook == Project(repo.path).hooks.files.status("post-commit")

"""Helpers."""

from __future__ import annotations

from gitrun import Project


def doctor(repo, *args):
    """The lines that the doctor says, and its exit code."""
    ended = repo.run("doctor", *args)
    assert ended.stderr.count("\n") <= 1, ended.stderr
    return ended.stdout.splitlines(), ended.returncode


def healed(repo):
    """What `--fix` says it has done; afterwards there is nothing to say."""
    lines, code = doctor(repo, "--fix")
    assert code == 0, lines
    assert not Project(repo.path).upkeep.examine(is_full=True).findings
    assert all(line.startswith("fixed: ") for line in lines)
    return lines


def git_dir(repo):
    return repo.path / ".git"

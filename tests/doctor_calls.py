"""Helpers."""

from __future__ import annotations

from gitrun import Project

SLOTS_BLOCK = "gitrun: note: git refs migrate refuses while slots exist. To remove idle slots: git run gc --slots\n"
"""What the doctor says of slots to those whose git (2.46 or newer) has `git refs migrate`."""


def doctor(repo, *args):
    """The lines that the doctor says, and its exit code."""
    ended = repo.run("doctor", *args)
    assert ended.stderr.removeprefix(SLOTS_BLOCK).count("\n") <= 1, ended.stderr
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

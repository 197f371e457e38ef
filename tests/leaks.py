"""Secrets on their way out."""

from __future__ import annotations

import pytest

TOKEN = "ghp_" + "a1B2" * 9


LEAVES = {"push": ("push",), "export": ("export", "1", "out.bundle")}


@pytest.fixture(params=LEAVES)
def leaving(request):
    """The words of each verb with which runs leave this machine."""
    return LEAVES[request.param]


def refused(repo, words) -> str:
    ended = repo.run(*words)
    assert ended.returncode == 129
    assert not (repo.path / "out.bundle").exists()
    assert TOKEN not in ended.stderr
    repo.run(*words, "--no-scan", check=True)
    return ended.stderr

"""Patterns for metrics, as a user gives them."""

from __future__ import annotations

from supervised import runs


def test_pattern_that_cannot_find_a_number_is_refused_before_anything_is_written(repo) -> None:
    for given in ("loss", "=x", "loss=", "loss=(", "loss=[0-9]+"):
        done = repo.run("--metric", given, "echo.py")
        assert (done.returncode, runs(repo)) == (129, [])
        assert "--metric" in done.stderr
    repo.git("config", "gitrun.metric", "loss=(")
    done = repo.run("echo.py")
    assert (done.returncode, runs(repo)) == (129, [])
    assert "setting gitrun.metric loss" in done.stderr

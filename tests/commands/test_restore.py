"""git run restore: deleted runs come back."""

from __future__ import annotations

from gitrun import Project


def listed(repo) -> list[object]:
    return [run.flags["x"] for run in Project(repo.path).list_runs()]


def test_restore_and_purge_take_ranges_and_filters(three) -> None:
    three.run("rm", "1:3", check=True)
    three.run("restore", "--where", "x=2", check=True)
    assert listed(three) == [2]
    assert "purged" in three.run("purge", "-y", "1:1", check=True).stderr
    assert [run.flags["x"] for run in Project(three.path).trash.list_runs()] == [1]


def test_restore_by_the_first_digits_of_an_id(three) -> None:
    run = three.run("select", "2").stdout
    three.run("rm", "2", check=True)
    told = three.run("restore", run[:5], check=True)
    assert f"restored run {run[:8]}" in told.stderr
    assert listed(three) == [3, 2, 1]


def test_restore_ends_with_1_if_a_run_is_another_by_now(three) -> None:
    run = Project(three.path).list_runs()[0]
    three.run("rm", "1", check=True)
    three.git("update-ref", f"refs/runs/{run.id}", f"{run.tip}~1")
    refused = three.run("restore", run.id)
    assert refused.returncode == 1
    assert "it exists and has changed" in refused.stderr


def test_trials_in_the_trash_come_back_with_their_batch(repo) -> None:
    repo.run("echo.py", "x=[1,2]", check=True)
    batch = Project(repo.path).list_runs()[-1].id
    repo.run("rm", batch, check=True)
    repo.run("echo.py", "x=3", check=True)
    repo.run("rm", "1", check=True)
    assert "restored 3 runs" in repo.run("restore", batch, check=True).stderr
    repo.run("rm", batch, check=True)
    repo.run("restore", "--only", batch, check=True)
    assert [run.id for run in Project(repo.path).list_runs()] == [batch]

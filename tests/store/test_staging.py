"""Many runs that are recorded at once, without being started."""

from __future__ import annotations

from gitrun import Project


def test_staged_trials_are_one_pack_and_no_loose_objects(repo) -> None:
    objects = repo.path / ".git" / "objects"
    repo.run("echo.py", "x=1", check=True)
    packs, loose = len(list(objects.glob("pack/*.pack"))), len(list(objects.glob("??/*")))
    repo.run("echo.py", "x=range[1:40]", "--stage-trials", check=True)

    assert len(list(objects.glob("pack/*.pack"))) == packs + 1
    # the batch itself is recorded as any run is
    assert len(list(objects.glob("??/*"))) < loose + 20
    assert "no problems" in repo.run("doctor", check=True).stderr
    assert repo.git("fsck", "--strict") == ""


def test_trials_are_staged_by_an_author_whom_git_has_to_find_out(repo, monkeypatch) -> None:
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2026-11-20T10:00:00Z")
    repo.run("echo.py", "x=[1,2]", "--stage-trials", check=True)

    assert [run.status for run in Project(repo.path).list_runs() if run.operation == "echo.py"] == ["staged", "staged"]

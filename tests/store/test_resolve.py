"""What a person calls a run, in the directory they are in."""

from __future__ import annotations

import pytest
from sampled import sampled_values

from gitrun import Project, errors


def test_script_is_called_as_it_lies_in_a_subdirectory(repo) -> None:
    repo.write("sub/deep/train.py", "x = 1")
    run = Project(repo.path / "sub").run("deep/train.py")
    assert run.operation == "sub/deep/train.py"
    assert Project(repo.path / "sub").find("deep/train.py") == Project(repo.path).find("sub/deep/train.py") == run
    assert Project(repo.path / "sub" / "deep").find("../deep/train.py") == run


def test_script_of_another_directory_is_not_meant(repo) -> None:
    repo.write("sub/train.py", "x = 1")
    Project(repo.path).run("sub/train.py")
    with pytest.raises(errors.UnknownRun, match=r"no run 'train\.py'"):
        Project(repo.path).find("train.py")


def test_symbolic_ref_is_no_second_run(repo) -> None:
    run = Project(repo.path).run("echo.py")
    repo.git("symbolic-ref", f"refs/runs/{'a' * 40}", f"refs/runs/{run.id}")
    with pytest.raises(errors.BadRun, match=f"it is a symbolic ref to refs/runs/{run.id}"):
        Project(repo.path).find("a" * 40)
    assert Project(repo.path).list_runs() == [run]


def test_ref_named_for_another_commit_is_no_run(repo) -> None:
    project = Project(repo.path)
    run = project.run("echo.py")
    again = project.run(restart=run.id, flags={"x": 2})
    for name in ("b" * len(run.id), again.attempt.id):
        repo.git("update-ref", f"refs/runs/{name}", again.tip)
    assert project.list_runs() == [again]
    assert {broken.reason for broken in project.list_all()[1:]} == {"its name is not the id of its first attempt"}


@pytest.mark.parametrize("words", sampled_values(2, [("show",), ("log",), ("rm",), ("--restart",), ("label", "best")]))
def test_name_that_is_not_utf_8_is_that_of_no_run_and_leaves_the_index(repo, words) -> None:
    run = Project(repo.path).run("echo.py")
    path = repo.path / ".git" / "gitrun" / "index.sqlite"
    before = path.stat().st_ino
    ended = repo.run(*words, "bad\udcff")
    assert (ended.returncode, ended.stderr) == (128, "gitrun: error: no run 'bad\\xff'. To list all runs: git run list --all\n")
    assert (path.stat().st_ino, Project(repo.path).list_runs()) == (before, [run])

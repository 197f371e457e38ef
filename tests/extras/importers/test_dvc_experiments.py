"""Refs of experiments, and outputs of tasks."""

from __future__ import annotations

from repository import Repo

from gitrun import Project
from gitrun.extras.importers.dvc_experiments import list_experiments, read_outputs


def test_only_refs_of_experiments_are_experiments(tmp_path) -> None:
    repo = Repo.create(tmp_path / "project")
    repo.git("commit", "--quiet", "--allow-empty", "-m", "a message")
    head = repo.head()
    for ref in (f"{head[:2]}/{head[2:]}/a/b", "exec/EXEC_HEAD", "ab/cd/x", f"{head[:2]}/{head[2:]}"):
        if ref.count("/") != 1 or ref.startswith("exec"):
            repo.git("update-ref", f"refs/exps/{ref}", head)
    output = b"Reproducing experiment 'a/b'\nloss: 1\n"
    repo.write(".dvc/tmp/exps/run/1/1.out", output)
    (repo.path / ".dvc/tmp/exps/run/2").mkdir()
    (repo.path / ".dvc/tmp/exps/run/2/2.out").symlink_to("../1/1.out")
    (one,) = list_experiments(Project(repo.path).git, repo.path / ".dvc")
    assert (one.name, one.commit, one.base, one.message, one.output) == ("a/b", head, head, "a message", output)
    assert read_outputs(repo.path / ".dvc") == {"a/b": output}

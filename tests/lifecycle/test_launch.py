"""Runs are started: at once, staged, and with annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from needing_runs import refused
from supervised import shown

from gitrun import Project
from gitrun.lifecycle import launch
from gitrun.store.refs import count_loose_refs

if TYPE_CHECKING:
    from repository import Repo


def last_of(repo) -> dict:
    return shown(repo)["attempts"][-1]


def test_staged_run_waits_and_is_started(repo) -> None:
    ended = repo.run("--stage", "echo.py", "x=9")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert " is staged. To start it: git run --start " in ended.stderr
    assert last_of(repo)["status"] == "staged"
    assert repo.run("--start", "1", "--needed").stdout == "9 2 'a'\n"
    assert last_of(repo)["status"] == "completed"


def test_label_tags_and_comment_are_given_at_launch(repo) -> None:
    repo.run("echo.py", "--label", "best", "--tag", "b", "--tag", "a", "--comment", "why not", check=True)
    run = shown(repo, "best")
    assert (run["label"], run["tags"], [c["text"] for c in run["comments"]]) == ("best", ["a", "b"], ["why not"])


def test_in_place_is_refused_where_files_would_be_put_into_the_working_tree(needing) -> None:
    needing.run("prepare", check=True)
    assert refused(needing, "--in-place", "train").startswith(
        "--in-place would put files that train needs into your working tree"
    )
    needing.write("gitrun.toml", '[operations.a]\nscript = "train.py"\nflags-to = "file:c.toml"\n')
    needing.write("c.toml", "lr = 1\n")
    assert refused(needing, "--in-place", "a", "lr=2").startswith("--in-place would change your file with the flags of a")


def ignore(repo: Repo, *patterns: str) -> None:
    repo.write(".gitignore", "".join(f"{pattern}\n" for pattern in patterns))
    repo.commit()


def test_a_shared_directory_is_made_and_shared(empty_repo):
    repo = empty_repo
    ignore(repo, "data/")
    repo.git("config", "--add", "gitrun.link", "data")
    repo.run("--", "sh", "-c", "echo 1 > data/db", check=True)
    assert (repo.path / "data" / "db").read_text() == "1\n"
    assert repo.run("--", "cat", "data/db", check=True).stdout == "1\n"


@pytest.mark.parametrize(("setting", "loose"), [("true", 0), ("false", 4)])
def test_a_large_batch_leaves_packed_refs_unless_git_packs_none(repo: Repo, setting, loose, monkeypatch) -> None:
    monkeypatch.setattr(launch, "MOST_LOOSE", 3)
    repo.git("config", "gc.packRefs", setting)
    project = Project(repo.path)
    project.run("echo.py", flags={"x": [1, 2, 3]})
    assert len(project.list_runs()) == 4
    assert count_loose_refs(project.git) == loose

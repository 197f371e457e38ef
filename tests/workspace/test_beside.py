"""A run finds the files beside the repository, and gitrun keeps what it writes there as its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from repository import Repo
from sampled import sampled_values
from supervised import shown

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """A repository with something beside it and beside its parent."""
    made = Repo.create(tmp_path / "group" / "project")
    (tmp_path / "group" / "data").mkdir()
    (tmp_path / "group" / "data" / "x.csv").write_text("1,2\n")
    (tmp_path / "shared").write_text("shared\n")
    return made


def produced(repo: Repo) -> list[str]:
    return [file["path"] for file in shown(repo)["files"]]


def test_a_program_finds_what_lies_beside_the_repository(repo):
    (repo.path / "src").mkdir()
    repo.write("src/look.py", 'print(open("../data/x.csv").read(), open("../../shared").read())')
    repo.write("look.py", 'print(open("../data/x.csv").read(), open("../../shared").read())')
    assert repo.run("look.py", check=True).stdout == "1,2\n shared\n\n"
    script = "cd src; cat ../../data/x.csv; cd ..; basename $PWD"
    assert repo.run("--", "sh", "-c", script, check=True).stdout == "1,2\nproject\n"


def test_what_is_written_beside_the_repository_is_kept_and_named(repo, tmp_path):
    script = "echo a > ../out.txt; mkdir -p ../../results/deep; echo b > ../../results/deep/y; ln -s out.txt ../link"
    repo.run("--", "sh", "-c", script, check=True)
    assert produced(repo) == ["../../results/deep/y", "../link", "../out.txt"]
    assert repo.run("cat", "1", "-p", "../out.txt", check=True).stdout == "a\n"
    assert repo.run("cat", "1", "-p", "../../results/deep/y", check=True).stdout == "b\n"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "home") == ["group", "shared"]
    assert sorted(path.name for path in repo.path.parent.iterdir()) == ["data", "project"]


def test_the_next_run_does_not_find_it_and_a_restart_does(repo):
    words = ("--", "sh", "-c", "cat ../out.txt 2>/dev/null; echo a >> ../out.txt")
    assert repo.run(*words, check=True).stdout == ""
    assert repo.run(*words, check=True).stdout == ""
    ended = repo.run("--restart", "1", check=True)
    assert (ended.stdout, "starts without" in ended.stderr) == ("a\n", False)
    assert repo.run("verify", check=True).stderr.startswith("a\n")
    assert repo.run("cat", "1", "-p", "../out.txt", check=True).stdout == "a\na\n"
    assert repo.run("--restart", "1", "--clean", check=True).stdout == ""


def test_files_beside_the_repository_are_not_brought_into_it(repo):
    repo.run("--", "sh", "-c", "echo a > ../out.txt; echo b > in.txt", check=True)
    ended = repo.run("checkout", "1")
    assert (repo.path / "in.txt").read_text() == "b\n"
    assert not (repo.path.parent / "out.txt").exists()
    assert "../out.txt" in ended.stderr


def test_what_comes_and_goes_beside_the_repository_is_seen_by_the_next_run(repo):
    repo.run("--", "true", check=True)
    (repo.path.parent / "later").write_text("later")
    (repo.path.parent / "data" / "x.csv").unlink()
    (repo.path.parent / "data").rmdir()
    assert repo.run("--", "sh", "-c", "ls ..; cat ../later", check=True).stdout == "later\nproject\nlater"


def test_a_killed_run_keeps_what_it_wrote_beside_the_repository(repo):
    ended = repo.run("--", "sh", "-c", "echo a > ../out.txt; kill -9 $(ps -o ppid= -p $$)")
    assert ended.returncode != 0
    repo.run("list", check=True)
    assert produced(repo) == ["../out.txt"]


def test_no_link_shows_nothing_beside(repo):
    assert repo.run("--no-link", "--", "sh", "-c", "ls ..", check=True).stdout == "project\n"


def test_a_repository_that_a_run_makes_beside_is_kept_whole(repo):
    made = "mkdir -p ../other/.git ../../far/.git; echo a > ../other/.git/c; echo b > ../../far/.git/c"
    script = f"cat ../other/.git/c ../../far/.git/c; {made}"
    repo.run("--", "sh", "-c", script, check=True)
    run_id = shown(repo)["id"]
    assert produced(repo) == ["../../far/.git/c", "../other/.git/c"]
    assert repo.run("cat", "1", "-p", "../other/.git/c", check=True).stdout == "a\n"
    files = repo.path / ".git" / "gitrun" / "files"
    assert [path.name for path in files.iterdir()] == [run_id]
    assert [path.name for path in (files / run_id).iterdir()] == [run_id]
    assert repo.run("--restart", "1", check=True).stdout == "a\nb\n"


def settle(repo, script="true") -> Path:
    """Runs a program until gitrun has found all links beside its slot right; the file that says so."""
    for _ in range(3):
        time.sleep(0.06)  # a directory that changed a moment ago is looked at again
        repo.run("--", "sh", "-c", script, check=True)
    verified = repo.path / ".git/gitrun/slots/0/beside"
    # two directories above the worktree, and the two that they show
    assert len(verified.read_bytes().splitlines()) == 4
    return verified


@pytest.mark.parametrize("content", sampled_values(2, [None, b"", b"\n"]))
def test_what_is_written_beside_a_verified_slot_is_kept(repo, content):
    verified = settle(repo)
    if content is not None:  # as a power cut leaves it
        verified.write_bytes(content)
    repo.run(
        "--", "sh", "-c", "echo a > ../out.txt; rm ../data; mkdir ../data; echo b > ../data/y; echo c > ../../z", check=True
    )
    assert produced(repo) == ["../../z", "../data/y", "../out.txt"]
    repo.run("--", "sh", "-c", "cat ../data/x.csv ../../shared", check=True)
    assert produced(repo) == []


def test_siblings_that_come_and_go_are_seen_beside_a_verified_slot(repo, tmp_path):
    settle(repo)
    (tmp_path / "group" / "new.txt").write_text("new\n")
    (tmp_path / "shared").unlink()
    assert repo.run("--", "sh", "-c", "cat ../new.txt; ls ../..", check=True).stdout == "new\ngroup\n"
    assert produced(repo) == []

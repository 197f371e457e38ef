from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from gitrun.workspace import links

if TYPE_CHECKING:
    from pathlib import Path

    from repository import Repo


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A working tree with a directory of data, a module and a cache, none of them in git."""
    for name in ("data/a", "data/b", "pkg/ext.so", "pkg/__pycache__/x.pyc"):
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).write_text(name)
    return tmp_path / "source"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


def test_a_directory_is_one_link_and_a_file_one(source, target):
    assert links.link_paths(source, target, [b"data/", b"pkg/ext.so"]) == [b"data", b"pkg/ext.so"]
    assert (target / "data").readlink() == source / "data"
    assert (target / "pkg" / "ext.so").readlink() == source / "pkg" / "ext.so"


def test_what_lies_in_the_target_wins_and_the_rest_is_linked_beside_it(source, target):
    (target / "data").mkdir()
    (target / "data" / "a").write_text("the attempt's own")
    assert links.link_paths(source, target, [b"data/"]) == [b"data/b"]
    assert (target / "data" / "a").read_text() == "the attempt's own"


def test_a_large_directory_is_never_linked_entry_by_entry(source, target, monkeypatch):
    monkeypatch.setattr(links, "MAX_LINKS", 1)
    (target / "data").mkdir()
    (target / "data" / "own").touch()
    assert links.link_paths(source, target, [b"data/"]) == []


def test_no_link_is_made_through_a_link(source, target, tmp_path):
    outside = tmp_path / "outside"
    (outside / "ext.so").mkdir(parents=True)
    (target / "pkg").symlink_to(outside)
    assert links.link_paths(source, target, [b"pkg/ext.so"]) == []
    assert (outside / "ext.so").is_dir()


def test_caches_and_records_are_not_linked():
    outside = [b"__pycache__/", b"pkg/__pycache__/", b".pytest_cache/", b"x.pyc", b".gitrun/notes", b"data/"]
    assert links.choose_links(outside) == ((b"data/",), 0)


def test_above_ten_thousand_paths_those_of_crowded_directories_are_left_out():
    outside = [b"data/", b"d/.env", *(b"%d.bin" % number for number in range(10_000))]
    assert links.choose_links(outside) == ((b"d/.env", b"data/"), 10_000)


def test_what_was_written_through_a_link_is_found(source):
    long_ago = time.time() - 100
    for path in source.rglob("*"):
        os.utime(path, (long_ago, long_ago))
    (source / "data" / "b").write_text("new")
    assert links.list_written_through(source, [b"data", b"pkg/ext.so"], time.time() - 50) == [b"data/b"]


def test_of_a_large_directory_only_the_first_entries_are_looked_at(source, monkeypatch):
    for number in range(3000):
        (source / "data" / str(number)).touch()
    monkeypatch.setattr(links, "MAX_CHECKED", 1000)
    assert len(links.list_written_through(source, [b"data"], 0.0)) == 1000


def test_a_program_finds_what_git_ignores_and_writes_its_own(repo: Repo):
    repo.write(".gitignore", "data/\n.env\n")
    repo.write("data/in.csv", "1,2\n")
    repo.write(".env", "KEY=1\n")
    ended = repo.run("--", "sh", "-c", "cat data/in.csv .env; sleep 0.05; echo 3 > data/out.csv", check=True)
    assert ended.stdout == "1,2\nKEY=1\n"
    assert "data/out.csv" in ended.stderr
    assert not (repo.path / "data" / "out.csv").exists()
    assert "data/in.csv" not in repo.git("ls-tree", "-r", "--name-only", f"runs/{repo.run('select', '1').stdout.strip()}")


def test_nothing_is_linked_if_it_is_not_wanted(repo: Repo):
    repo.write(".gitignore", "data/\n")
    repo.write("data/in.csv", "1,2\n")
    assert repo.run("--no-link", "--", "test", "-e", "data").returncode == 1
    repo.git("config", "gitrun.link", "false")
    assert repo.run("--", "test", "-e", "data").returncode == 1

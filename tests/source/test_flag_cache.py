"""The flags of a script in a tree: read once, read again when what they rest on has changed."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from gitrun.git.exe import open_repository
from gitrun.git.objects import Objects
from gitrun.git.trees import GitTree
from gitrun.source import flag_cache

if TYPE_CHECKING:
    from pathlib import Path

    from repository import Repo

    from gitrun.scripts.discover import Script

HYDRA = "import hydra\n@hydra.main(config_path='conf', config_name='c')\ndef main(cfg): ...\n"
GROUPED = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', default=float('inf'), choices=(1, 2))\n"


def flags(repo: Repo, path: str = "tool.py") -> Script:
    """What the script in the working tree declares."""
    repo.commit()
    git = open_repository(repo.path, os.environ)
    with Objects(git) as objects:
        tree = GitTree(objects, "HEAD")
        return flag_cache.read_script_cached(tree, path, tree.read(path, 1 << 20) or b"", git.state / flag_cache.DIRECTORY)


def cache(repo: Repo) -> list[Path]:
    return list((repo.path / ".git" / "gitrun" / flag_cache.DIRECTORY).iterdir())


def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, no source is read."""

    def fail(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(flag_cache, "read_script", fail)


def test_a_script_is_read_once(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.write("tool.py", GROUPED)
    first = flags(repo)
    unread(monkeypatch)
    repo.write("other.txt", "something else")
    assert flags(repo) == first


def test_a_change_of_a_file_that_it_reads_is_seen(repo: Repo) -> None:
    repo.write("tool.py", HYDRA)
    repo.write("conf/c.yaml", "lr: 1\n")
    assert [flag.default for flag in flags(repo).flags] == [1]
    repo.write("conf/c.yaml", "lr: 2\n")
    assert [flag.default for flag in flags(repo).flags] == [2]


def test_a_new_option_of_a_group_is_seen(repo: Repo) -> None:
    repo.write("tool.py", HYDRA)
    repo.write("conf/c.yaml", "defaults:\n  - db: a\n")
    repo.write("conf/db/a.yaml", "x: 1\n")
    assert flags(repo).flags[0].choices == ("a",)
    repo.write("conf/db/b.yaml", "x: 1\n")
    assert flags(repo).flags[0].choices == ("a", "b")


def test_groups_and_commands_come_back_as_they_were(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.write("tool.py", HYDRA)
    repo.write("conf/c.yaml", "defaults:\n  - db: a\n")
    repo.write("conf/db/a.yaml", "x: [1, 2.5, a]\n")
    repo.write("sub.py", GROUPED + "s = p.add_subparsers()\ns.add_parser('a', aliases=['b']).add_argument('--x')\n")
    first = flags(repo), flags(repo, "sub.py")
    unread(monkeypatch)
    assert (flags(repo), flags(repo, "sub.py")) == first


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"0\n{}", b"\xff\xfe", None])
def test_a_damaged_cache_is_passed_over(repo: Repo, damage: bytes | None) -> None:
    repo.write("tool.py", GROUPED)
    first = flags(repo)
    (file,) = cache(repo)
    file.write_bytes(file.read_bytes()[:-9] if damage is None else damage)
    assert flags(repo) == first


def test_a_cache_of_another_format_is_passed_over(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.write("tool.py", GROUPED)
    flags(repo)
    monkeypatch.setattr(flag_cache, "FORMAT", flag_cache.FORMAT + 1)
    unread(monkeypatch)
    with pytest.raises(AssertionError, match="read again"):
        flags(repo)


def test_a_cache_that_cannot_be_written_costs_only_time(repo: Repo) -> None:
    repo.write("tool.py", GROUPED)
    (repo.path / ".git" / "gitrun" / flag_cache.DIRECTORY).write_text("a file is in the way")
    assert [flag.name for flag in flags(repo).flags] == ["lr"]


def test_a_symbolic_link_is_not_followed(repo: Repo) -> None:
    repo.write("tool.py", HYDRA)
    repo.write("real.yaml", "lr: 1\n")
    (repo.path / "conf").mkdir()
    (repo.path / "conf" / "c.yaml").symlink_to("../real.yaml")
    assert "not in the source" in flags(repo).partial


def test_the_cache_does_not_grow_without_end(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flag_cache, "MOST_KEPT", 3)
    for number in range(9):
        repo.write("tool.py", f"x = {number}\n")
        flags(repo)
    assert len(cache(repo)) <= 4


def test_a_script_that_is_known_is_known_fast(repo: Repo) -> None:
    repo.write("tool.py", GROUPED + "def f():\n    return 1\n" * 20_000)

    def cost() -> float:
        begun = time.process_time()
        flags(repo)
        return time.process_time() - begun

    first = cost()
    assert min(cost() for _ in range(3)) < first / 4

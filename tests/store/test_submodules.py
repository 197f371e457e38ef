"""Objects of submodules, copied once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from submodules import make_modules

if TYPE_CHECKING:
    from pathlib import Path

    from repository import Repo
    from submodules import Modules


@pytest.fixture
def here(tmp_path: Path) -> Modules:
    return make_modules(tmp_path)


def started(repo: Repo, log: Path, *words: str) -> str:
    repo.run(*words, check=True, env={"GIT_TRACE": str(log)})
    return log.read_text()


def test_tree_of_a_submodule_is_copied_once(here, tmp_path):
    words = ("--", "cat", "lib/l.txt")
    assert "git pack-objects" in started(here.top, tmp_path / "one", *words)
    assert "git pack-objects" not in started(here.top, tmp_path / "two", *words)
    here.lib.write("l.txt", "changed\n")
    before = here.top.git("count-objects", "-v")
    assert "git pack-objects" in started(here.top, tmp_path / "three", *words)
    grown = [int(said.splitlines()[0].split()[1]) for said in (before, here.top.git("count-objects", "-v"))]
    assert grown[1] - grown[0] < 20
    assert not list((here.top.path / ".git" / "gitrun" / "tmp").iterdir())


def test_many_objects_are_copied_as_one_pack(here):
    for number in range(150):
        here.lib.write(f"many/{number}", str(number))
    here.lib.commit()
    here.top.run("--", "cat", "lib/many/149", check=True)
    assert "packs: 1" in here.top.git("count-objects", "-v")
    here.top.git("fsck", "--full", "--strict")


def test_object_that_went_missing_is_copied_again(here):
    here.top.run("--", "true", check=True)
    blob = here.lib.git("rev-parse", "HEAD:l.txt")
    (here.top.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    assert here.top.run("--", "cat", "lib/l.txt", check=True).stdout == "lib\n"
    here.top.git("fsck", "--full")

"""Digests of inputs, remembered."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import tomli
from supervised import last

if TYPE_CHECKING:
    from repository import Repo


def record(repo: Repo, name: str = "run.toml", run: str = "") -> dict[str, Any]:
    """What a file of the record of the newest run, or another, says."""
    return tomli.loads(repo.git("show", f"runs/{run or last(repo)['id']}:.gitrun/{name}"))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def reading(repo: Repo, name: str, inputs: str) -> None:
    """An operation that reads a file, with these inputs."""
    repo.write("gitrun.toml", f'[operations.read]\ncommand = ["cat", "{name}"]\ninputs = [{inputs}]\n')


def test_input_anywhere_is_hashed(repo, tmp_path, world) -> None:
    (tmp_path / "big").write_text("far")
    (world / "small").write_text("home")
    reading(repo, str(tmp_path / "big"), f'"{tmp_path}/big", "~/small"')
    assert repo.run("read", check=True).stdout == "far"
    assert [one["sha256"] for one in record(repo)["inputs"]] == [sha256("far"), sha256("home")]

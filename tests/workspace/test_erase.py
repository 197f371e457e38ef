"""Directories that a program left are erased whatever their permissions are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervised import shown, without_root

if TYPE_CHECKING:
    from repository import Repo


def files_of(repo: Repo, run: str = "1") -> dict[str, dict[str, object]]:
    """What the run produced, by path."""
    return {file["path"]: file for file in shown(repo, run)["files"]}


def test_what_a_program_leaves_in_a_closed_directory_is_produced(repo):
    repo.write(".gitignore", "out/\n")
    script = "mkdir -p d/e out/f; for x in d/a d/e/b out/f/c; do echo $x > $x; done; chmod 000 d/e d out/f out"
    done = without_root(repo, "--", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    assert {path: file["stored"] for path, file in files_of(repo).items()} == {
        "d/a": "git", "d/e/b": "git", "out/f/c": "local",
    }  # fmt: skip
    assert without_root(repo, "cat", "-p", "d/e/b", "1").stdout == "d/e/b\n"

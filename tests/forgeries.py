"""Forged runs, and how they are pushed."""

from __future__ import annotations

import os
import subprocess

import pytest
from clones import make_team, tip
from templates import place_made_once

from gitrun import Project

PRINTS = "import random\nx = 1.0\nprint('right', x, random.__file__ is not None)\nopen('made', 'w').write(str(x))\n"


EVIL = b"print('EVIL')\n__file__ = None\n"


def tree_with(repo, tree: str, files: dict[str, bytes]) -> str:
    """The id of a tree with these files put into it."""
    index = {"GIT_INDEX_FILE": str(repo.path / ".git" / "forged")}

    def git(*words: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *words], cwd=repo.path, env=os.environ | index, input=stdin, stdout=subprocess.PIPE, check=True
        )
        return done.stdout.decode().strip()

    git("read-tree", tree)
    for path, data in files.items():
        blob = git("hash-object", "-w", "--no-filters", "--stdin", stdin=data)
        git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
    return git("write-tree")


def forged(repo, on: str, files: dict[str, bytes], kind: str = "annotation", parent: str = "") -> str:
    """The id of a commit of this kind with the files of `on` and these, on the parent (else on `on`)."""
    words = f"it\n\nGitrun-Kind: {kind}\nGitrun-Format: 1"
    return repo.git("commit-tree", tree_with(repo, on, files), "-p", parent or on, "-m", words)


def text_of(repo, name: str) -> bytes:
    return (repo.git("show", name) + "\n").encode()


def replaced(repo, name: str, old: str, new: str) -> bytes:
    """A file of a run with a part replaced."""
    text = text_of(repo, name).decode()
    assert old in text
    return text.replace(old, new).encode()


def pushed(team, run: str, head: str) -> None:
    team.bob.git("push", "--quiet", "origin", f"{head}:refs/runs/{run}")


def only(team) -> tuple[str, str]:
    """The run, and its tip."""
    ((name, head),) = tip(team.bob).items()
    return name.removeprefix("runs/"), head


def forgeries(team, head: str) -> dict[str, dict[str, bytes]]:
    return {
        "command": {".gitrun/run.toml": replaced(team.bob, f"{head}:.gitrun/run.toml", '"p.py"', '"evil.py"')},
        "flags": {".gitrun/flags.toml": b"x = 666.0\n"},
        "source": {"p.py": EVIL},
        "beside": {"random.py": EVIL},
        "result": {".gitrun/result.toml": b'status = "error"\nexit_status = 3\n'},
    }


def only_tip(repo) -> str:
    (head,) = tip(repo).values()
    return head


def attempt_like(team, files: dict[str, bytes]) -> str:
    """The id of a new run by Bob, as the one that is there but for these files; it is pushed."""
    run, head = only(team)
    base = team.bob.git("rev-parse", f"{run}^")
    made = forged(team.bob, run, files, "attempt", base)
    pushed(team, made, forged(team.bob, head, files, "result", made))
    return made


@pytest.fixture
@place_made_once
def forging_team(tmp_path):
    """Ann has made and pushed a run, Bob has it and may push."""
    made = make_team(tmp_path)
    made.ann.write("p.py", PRINTS)
    made.ann.commit("p")
    made.ann.git("push", "--quiet", "origin", "main")
    made.bob.git("pull", "--quiet", "origin", "main")
    Project(made.ann.path).run("p.py")
    made.ann.run("push", check=True)
    made.bob.run("fetch", check=True)
    return made

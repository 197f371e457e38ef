"""What programs leave in their places, and what is seen of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from repository import Repo

if TYPE_CHECKING:
    from pathlib import Path

LOOK = """\
import os
found = []
for top, directories, files in os.walk("."):
    directories[:] = [name for name in directories if name not in {".git", ".gitrun"}]
    found += [os.path.relpath(os.path.join(top, name)) for name in (*directories, *files) if name != ".git"]
print(sorted(found), repr(open("d/f").read()))
"""
"""What a program sees of its place: every path but those of git and of the record, and what the tracked file holds."""
DEEP = 'import os\nfor _ in range(2000):\n  os.mkdir("deeper")\n  os.chdir("deeper")\nopen("file", "w")'
LITTER = {
    "no .git file": "rm .git",
    "a .git file that points elsewhere": 'echo "gitdir: $OUTSIDE/.git" > .git',
    "a .git directory": "rm .git; git init -q .",
    "a .git link": 'mv .git x; ln -s "$OUTSIDE/victim" .git',
    "a .git pipe": "rm .git; mkfifo .git",
    "no record of the worktree": 'rm -r "$(git rev-parse --git-dir)"',
    "the worktree removed": 'git worktree remove --force --force "$PWD"',
    "second names in git's record": 'cd "$(git rev-parse --git-dir)"; rm HEAD index; ln "$OUTSIDE/victim" HEAD; ln HEAD index',
    "links in git's record": 'cd "$(git rev-parse --git-dir)"; rm index; ln -s "$OUTSIDE/victim" index; cp -P index HEAD.new',
    "second names in the run's record": 'cd .gitrun; rm *; ln "$OUTSIDE/victim" run.toml; ln run.toml flags.toml.new',
    "links in the run's record": 'cd .gitrun; rm *; ln -s "$OUTSIDE/victim" run.toml; cp -P run.toml env.toml.new; mkdir x',
    "locks of killed gits": 'cd "$(git rev-parse --git-dir)"; touch index.lock HEAD.lock',
    "an index that is none": 'echo x > "$(git rev-parse --git-dir)/index"',
    "a merge under way": 'cd "$(git rev-parse --git-dir)"; git rev-parse HEAD > MERGE_HEAD',
    "hidden changes": "git update-index --skip-worktree d/f; echo changed > d/f",
    "changes that are staged": "echo changed > d/f; touch new; git add -A",
    "a commit": "echo changed > d/f; touch new; git add -A; git commit -q -m mine",
    "another branch": "git checkout -q -b theirs; echo changed > d/f",
    "changes of the same size and time": "cp -p d/f x; printf 9 > d/f; touch -r x d/f; rm x",
    "files": "mkdir -p new/deep; touch new/deep/file ignored.log d/more; rm d/f look.py",
    "empty directories": "mkdir -p new/deep d/empty",
    "a file in place of a directory": "rm -r d; touch d",
    "a directory in place of a file": "rm d/f; mkdir -p d/f/g; touch d/f/g/h",
    "a link out of the tree": 'ln -s "$OUTSIDE" out; ln -s "$OUTSIDE/victim" file',
    "a link in place of a directory": 'rm -r d; ln -s "$OUTSIDE" d',
    "a link in place of a file": 'rm d/f; ln -s "$OUTSIDE/victim" d/f',
    "a second name of a file": 'rm d/f; ln "$OUTSIDE/victim" d/f',
    "a repository": "git init -q inner; touch inner/file",
    "a repository in place of a directory": "rm -r d; git init -q d; touch d/x",
    "a pipe and a socket": "mkfifo pipe; python -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"socket\")'",
    "what may not be written": "mkdir -p shut/in; touch shut/in/file; chmod 500 shut/in shut d",
    "what may not be read": "mkdir -p shut/in; touch shut/in/file; chmod 000 shut/in/file shut/in shut",
    "a tree that may not be read": "touch new; chmod 000 .",
    "names of every kind": "touch -- -rf $'a\\nb' 'a b' $'\\377' '!x' '#x' ':x'",
    "deep directories": f"python -c '{DEEP}'",
    "many files": "mkdir many; cd many; seq 3000 | xargs touch",
    "caches": "mkdir -p gone/__pycache__ gone/.ipynb_checkpoints; touch gone/__pycache__/x.pyc",
    "a link in place of a cache": 'mkdir d/e; touch d/e/f.py; ln -s "$OUTSIDE" d/__pycache__; ln -s "$OUTSIDE" __pycache__',
}


def contents(top: Path) -> dict[str, bytes]:
    """Every file below, but for those of git."""
    return {str(path): path.read_bytes() for path in sorted(top.rglob("*")) if path.is_file() and ".git" not in path.parts}


@pytest.fixture
def outside(tmp_path: Path) -> Repo:
    """A repository of its own, which a program in another one may find."""
    repo = Repo.create(tmp_path / "outside")
    for name in ("victim", "f.cpython-311.pyc", "look.cpython-311.pyc"):
        repo.write(name, "mine")
    repo.commit()
    return repo


@pytest.fixture
def looking(empty_repo: Repo) -> Repo:
    """A repository with a program that lists what it sees."""
    empty_repo.write("d/f", "1")
    empty_repo.write("look.py", LOOK)
    empty_repo.write(".gitignore", "*.log\n")
    empty_repo.commit()
    return empty_repo


def slot(repo: Repo, number: int = 0) -> Path:
    """The worktree of a slot."""
    return repo.path / ".git" / "gitrun" / "slots" / str(number) / "tree" / repo.path.parent.name / repo.path.name

"""Lock files that a killed git left."""

from __future__ import annotations

import os
import subprocess
import time

import pytest
from doctor_calls import doctor, git_dir, healed
from forms import with_files
from sampled import sampled_values
from supervised import runs

LOCKS = ["packed-refs.lock", "packed-refs.new", "config.lock", "HEAD.lock"]
LOCKS_OF_REFS = [pytest.param(name, marks=with_files) for name in ("refs/heads/main.lock", "refs/runs/{run}.lock")]


@pytest.mark.parametrize(
    "name", sampled_values(4, [*LOCKS, *LOCKS_OF_REFS, "worktrees/gitrun-0/index.lock", "gitrun/slots/0/index.lock"])
)
def test_a_lock_that_nobody_holds_is_named_and_taken_away(lived, name) -> None:
    path = git_dir(lived) / name.format(run=runs(lived)[0]["id"])
    path.touch()
    os.utime(path, (time.time() - 60, time.time() - 60))
    lines, code = doctor(lived)
    assert (len(lines), code) == (1, 1)
    assert str(path.relative_to(git_dir(lived))) in lines[0]
    assert len(healed(lived)) == 1
    assert not path.exists()


def test_a_lock_is_left_alone_while_a_git_works_here(lived) -> None:
    lock = git_dir(lived) / "HEAD.lock"
    lock.touch()
    os.utime(lock, (time.time() - 60, time.time() - 60))
    with subprocess.Popen(["git", "cat-file", "--batch"], cwd=lived.path, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as git:
        git.stdin.write(b"HEAD\n")
        git.stdin.flush()
        git.stdout.readline()
        assert doctor(lived, "--fix") == ([], 0)
        git.stdin.close()
    assert lock.exists()
    assert len(healed(lived)) == 1


def test_a_lock_of_the_users_index_is_named_and_left_to_the_user(lived) -> None:
    lived.git("worktree", "add", "--quiet", "../other")
    for path in (git_dir(lived) / "index.lock", git_dir(lived) / "worktrees" / "other" / "index.lock"):
        path.touch()
        os.utime(path, (time.time() - 60, time.time() - 60))
        lines, code = doctor(lived, "--fix")
        assert (len(lines), code) == (1, 1)
        assert f"no git that can be seen from here holds {path.relative_to(git_dir(lived))}" in lines[0]
        assert path.exists()
        path.unlink()

"""Trials of a batch find their slots as a checkout would have made them, without one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from forms import with_files
from litter import LITTER, LOOK, contents
from sampled import sampled, sampled_values

from gitrun import Project

if TYPE_CHECKING:
    from pathlib import Path

    from repository import Repo

    from gitrun.model.run import Run

LITTERING = f"n = 1\n{LOOK}\nimport subprocess\nif n == 3:\n    subprocess.run(['bash', '-ec', os.environ['LITTER']])\n"
CHECK = """\
import os, subprocess
n = 1
ask = lambda *words: subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()
print(n, ask("status", "--porcelain", "--ignored"), ask("diff", "HEAD"), ask("write-tree") == ask("rev-parse", "HEAD^{tree}"))
print(open(".gitrun/flags.toml").read().strip(), ask("show", "HEAD:.gitrun/flags.toml"), ask("fsck", "--no-dangling"))
"""


@pytest.fixture
def repo(empty_repo: Repo) -> Repo:
    empty_repo.write("d/f", "1")
    empty_repo.write("look.py", LITTERING)
    empty_repo.write(".gitignore", "*.log\n")
    empty_repo.commit()
    return empty_repo


def gits(trace: Path) -> list[str]:
    """The words of each git that was started."""
    return re.findall(r" start [^ ]* *(.*)", trace.read_text())


@pytest.mark.parametrize("script", sampled(3, LITTER.values()), ids=list(LITTER))
def test_whatever_a_trial_leaves_the_next_finds_a_clean_slot(repo, outside, script) -> None:
    before = contents(outside.path)
    done = repo.run("look.py", "n=[1,2,3,4,5]", env={"OUTSIDE": str(outside.path), "LITTER": script})
    assert done.stdout.splitlines().count("['.gitignore', 'd', 'd/f', 'look.py'] '1'") == 5, done.stdout + done.stderr
    assert contents(outside.path) == before
    assert repo.git("status", "--porcelain") == ""
    assert repo.git("fsck", "--no-dangling") == ""


def test_what_a_trial_has_changed_is_recorded_from_a_ready_slot(repo) -> None:
    repo.write(
        "write.py", "n = 1\nif n == 4:\n    open('d/f', 'a').write('4')\nif n == 5:\n    open('new.txt', 'w').write('5')\n"
    )
    repo.run("write.py", "n=[1,2,3,4,5,6]", check=True)
    files = [[file.path for file in run.attempt.files] for run in trials(repo)]
    assert files == [[], [], [], ["d/f"], ["new.txt"], []]


def trials(repo: Repo) -> list[Run]:
    """The trials by number."""
    return sorted((run for run in Project(repo.path).list_runs() if run.attempt.trial), key=lambda run: run.attempt.trial)


def test_git_finds_ready_slots_clean_with_the_records_of_their_attempts(repo) -> None:
    repo.write("check.py", CHECK)
    done = repo.run("check.py", "n=[1,2,3,4]", check=True)
    assert done.stdout.splitlines() == [
        line for n in (1, 2, 3, 4) for line in (f"{n}   True", f"n = {n} n = {n} ")
    ]  # fmt: skip


@pytest.mark.parametrize("version", sampled_values(2, ["2", "3", "4"]))
def test_index_of_any_version_is_right_or_left_to_git(repo, version) -> None:
    repo.git("config", "index.version", version)
    repo.write("check.py", CHECK)
    done = repo.run("check.py", "n=[1,2,3,4]", check=True)
    assert done.stdout.splitlines()[0::2] == ["1   True", "2   True", "3   True", "4   True"]


@with_files
@pytest.mark.parametrize("is_unborn", [False, True])
def test_a_clean_trial_starts_no_git(repo, tmp_path, is_unborn) -> None:
    repo.write("quiet.py", "n = 1\nprint(n)\n")
    if is_unborn:  # all files are changed ones then
        repo.git("update-ref", "-d", "HEAD")
    counts = []
    for count in (4, 12):
        trace = tmp_path / f"trace.{count}"
        repo.git("config", "--global", "trace2.normalTarget", str(trace))
        done = repo.run("quiet.py", f"n=range[{count}:{2 * count - 1}]", check=True)
        assert f"{count} of {count} trials completed" in done.stderr
        counts.append(len(gits(trace)))
    assert counts[1] - counts[0] <= 2, counts

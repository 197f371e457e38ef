"""The first commit for which a condition fails, also where branches merge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from belongings import belongings
from bisections import BAD, GOOD, bisected, commit_each, program

if TYPE_CHECKING:
    from repository import Repo


def test_as_many_commits_are_tried_as_git_bisect_tries(empty_repo: Repo) -> None:
    commits = commit_each(empty_repo, [GOOD] * 11 + [BAD] * 6)
    found = bisected(empty_repo, "--good", commits[0])
    empty_repo.git("bisect", "start", commits[-1], commits[0])
    said = empty_repo.git("bisect", "run", "sh", "-c", "echo x >>.git/tries; ! grep -q 0.5 train.py")
    assert f"{commits[11]} is the first" in said
    assert found["commit"] == commits[11]
    tries = len((empty_repo.path / ".git" / "tries").read_text().split())
    assert found["started"] - 2 <= tries


def test_equal_trees_run_once(empty_repo: Repo) -> None:
    commits = commit_each(empty_repo, [GOOD, GOOD])
    commits += [empty_repo.commit("same tree") for _ in range(6)]
    commits += commit_each(empty_repo, [BAD])
    found = bisected(empty_repo, "--good", commits[0])
    assert (found["commit"], found["passed"]["commit"]) == (commits[-1], commits[-2])
    assert found["started"] == 3


def test_culprit_on_a_side_branch_is_found_through_the_merge(empty_repo: Repo) -> None:
    (root,) = commit_each(empty_repo, [GOOD])
    empty_repo.git("checkout", "--quiet", "-b", "side")
    side = []
    for number, loss in enumerate((GOOD, BAD, BAD)):
        empty_repo.write("train.py", program(loss, number + 50))
        side.append(empty_repo.commit(f"side {number}"))
    empty_repo.git("checkout", "--quiet", "main")
    for number in range(4):
        empty_repo.write("notes.txt", str(number))
        empty_repo.commit(f"main {number}")
    empty_repo.git("merge", "--quiet", "--no-edit", "side")
    found = bisected(empty_repo, "--good", root)
    assert (found["commit"], found["passed"]["commit"]) == (side[1], side[0])


def test_merge_itself_can_be_the_culprit(empty_repo: Repo) -> None:
    empty_repo.write("train.py", "from a import a\nfrom b import b\nprint('loss:', a * b)\n")
    empty_repo.write("a.py", "a = 0.2\n")
    empty_repo.write("b.py", "b = 0.2\n")
    root = empty_repo.commit("root")
    empty_repo.git("checkout", "--quiet", "-b", "side")
    empty_repo.write("a.py", "a = 1\n")
    side = empty_repo.commit("side")
    empty_repo.git("checkout", "--quiet", "main")
    empty_repo.write("b.py", "b = 1\n")
    main = empty_repo.commit("main")
    empty_repo.git("merge", "--quiet", "--no-edit", "side")
    found = bisected(empty_repo, "--good", root)
    assert found["commit"] == empty_repo.head()
    assert found["passed"]["commit"] in {main, side}


def test_good_commit_on_another_branch_is_compared_at_the_fork(empty_repo: Repo) -> None:
    commits = commit_each(empty_repo, [GOOD, GOOD, BAD])
    empty_repo.git("checkout", "--quiet", "-b", "old", commits[0])
    empty_repo.write("notes.txt", "old")
    old = empty_repo.commit("old")
    found = bisected(empty_repo, "--good", old, "--bad", "main")
    assert found["commit"] == commits[2]


def test_condition_that_fails_at_the_fork_is_refused(empty_repo: Repo) -> None:
    commits = commit_each(empty_repo, [BAD, BAD])
    empty_repo.git("checkout", "--quiet", "-b", "mended", commits[0])
    commit_each(empty_repo, [GOOD])
    done = empty_repo.run("bisect", "--good", "mended", "--bad", "main", "loss<0.3", "train.py")
    assert done.returncode == 128
    assert f"'loss<0.3' fails at commit {commits[0][:8]}, from which both ends come" in done.stderr


def test_trials_of_a_batch_of_commits_are_reused(empty_repo: Repo) -> None:
    commits = commit_each(empty_repo, [GOOD] * 4)
    empty_repo.git("checkout", "--quiet", "-b", "side")
    side = commit_each(empty_repo, [GOOD, "broken", "silent"])
    empty_repo.git("checkout", "--quiet", "main")
    commits += commit_each(empty_repo, [GOOD, BAD, BAD])
    empty_repo.git("merge", "--quiet", "-s", "ours", "--no-edit", "side")
    empty_repo.run("--at", f"{commits[0]}..HEAD", "train.py", check=True)
    before = belongings(empty_repo)
    found = bisected(empty_repo, "--good", commits[0])
    assert (found["commit"], found["passed"]["commit"]) == (commits[5], commits[4])
    # the good end is not in the range, and of failed runs the search makes its own
    assert found["started"] <= 1 + len(side)
    assert bisected(empty_repo, "--good", commits[1])["started"] <= len(side)
    assert belongings(empty_repo) == before


def test_lists_are_refused_before_a_run(empty_repo: Repo) -> None:
    commits = commit_each(empty_repo, [GOOD, BAD])
    done = empty_repo.run("bisect", "--good", commits[0], "loss<0.3", "train.py", "lr=[1,2]")
    assert done.returncode == 129
    assert "bisect takes one value for each flag" in done.stderr
    assert empty_repo.git("for-each-ref", "refs/runs") == ""

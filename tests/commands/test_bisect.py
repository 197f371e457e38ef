"""`git run bisect`: the commit is found in few runs, and nothing of the user's moves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from belongings import belongings
from bisections import BAD, BROKEN, GOOD, SILENT, bisected, commit_each, program
from repository import Repo
from sampled import sampled
from templates import made_once

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess


def count_runs(repo: Repo) -> int:
    return len(repo.git("for-each-ref", "refs/runs").splitlines())


@pytest.mark.parametrize("first", sampled(2, range(1, 10)))
def test_first_failing_commit_is_found_in_few_runs(empty_repo: Repo, first: int) -> None:
    commits = commit_each(empty_repo, [GOOD] * first + [BAD] * (10 - first))
    found = bisected(empty_repo, "--good", commits[0])
    assert found["commit"] == commits[first]
    assert (found["passed"]["commit"], found["failed"]["commit"]) == (commits[first - 1], commits[first])  # the root too
    # two for the ends, and ceil(log2(9)) for the eight commits between
    assert found["started"] == count_runs(empty_repo) <= 2 + 4


@pytest.fixture
@made_once
def judged(empty_repo: Repo) -> tuple[Repo, list[str], CompletedProcess[str]]:
    """A repository of four commits, of which the third fails, the commits, and the end of their bisection."""
    commits = commit_each(empty_repo, [GOOD, GOOD, BAD, BAD])
    return empty_repo, commits, empty_repo.run("bisect", "--good", commits[0], "loss<0.3", "train.py", check=True)


def test_text_names_commit_runs_and_difference(judged) -> None:
    _, commits, done = judged
    lines = done.stdout.splitlines()
    assert lines[0] == f"first commit that fails loss<0.3: {commits[2][:8]} number 2"
    assert f"commit {commits[1][:8]}  loss is 0.2, limit 0.3" in lines[1]
    assert f"commit {commits[2][:8]}  loss is 0.5, limit 0.3" in lines[2]
    assert "-print('loss: 0.2')" in lines
    assert "+print('loss: 0.5')" in lines
    assert "bisecting: 2 commits left, at most 2 runs" in done.stderr


def test_difference_is_that_of_git_run_diff(judged) -> None:
    repo, commits, done = judged
    again = bisected(repo, "--good", commits[0])
    runs = [again[end]["run"]["id"] for end in ("passed", "failed")]
    assert done.stdout.split("\n\n", 1)[1] == repo.run("diff", *runs, check=True).stdout
    assert again["difference"] == json.loads(repo.run("diff", "--json", *runs, check=True).stdout)


def test_nothing_of_the_users_changes_and_a_bisection_goes_on(empty_repo: Repo) -> None:
    commits = commit_each(empty_repo, [GOOD, GOOD, BAD, BAD])
    empty_repo.git("bisect", "start", commits[3], commits[0])
    empty_repo.write("train.py", "dirty\n")
    empty_repo.write("new.py", "staged\n")
    empty_repo.git("add", "new.py")
    empty_repo.write("untracked.py", "untracked\n")
    before = belongings(empty_repo)
    assert bisected(empty_repo, "--good", commits[0], "--bad", "main")["commit"] == commits[2]
    assert belongings(empty_repo) == before


def test_second_bisection_runs_nothing(judged) -> None:
    repo, commits, _ = judged
    runs = count_runs(repo)
    second = bisected(repo, "--good", commits[0])
    assert (second["commit"], second["started"], count_runs(repo)) == (commits[2], 0, runs)


def test_runs_of_the_working_tree_are_reused(empty_repo: Repo) -> None:
    commits = []
    for number, kind in enumerate([GOOD, GOOD, GOOD, BAD, BAD]):
        commits += commit_each(empty_repo, [kind]) if number == 0 else []
        empty_repo.write("train.py", program(kind, number))
        empty_repo.run("train.py", check=True)
        commits += [empty_repo.commit(f"number {number}")] if number else []
    found = bisected(empty_repo, "--good", commits[0])
    assert (found["commit"], found["started"]) == (commits[3], 0)


def test_runs_with_other_flags_are_not_reused(judged) -> None:
    repo, commits, _ = judged
    words = ("--good", commits[1], "--bad", commits[2], "loss<0.3", "train.py", "lr=0.7")
    found = json.loads(repo.run("bisect", "--json", *words, check=True).stdout)
    assert (found["started"], found["failed"]["run"]["flags"]) == (2, {"lr": 0.7})


def test_unfinished_runs_are_not_reused(empty_repo: Repo) -> None:
    commits = commit_each(empty_repo, [GOOD, BAD])
    empty_repo.run("--at", commits[0], "--stage", "train.py", check=True)
    assert bisected(empty_repo, "--good", commits[0])["started"] == 2


@pytest.mark.parametrize("kind", sampled(2, [BROKEN, SILENT, None]), ids=["error", "no metric", "no script"])
def test_commits_that_cannot_be_judged_are_skipped(empty_repo: Repo, kind: object) -> None:
    commits = commit_each(empty_repo, [GOOD, GOOD, kind, GOOD, kind, GOOD, BAD, BAD, kind, BAD])
    found = bisected(empty_repo, "--good", commits[0])
    assert (found["commit"], found["candidates"]) == (commits[6], [commits[6]])
    assert found["skipped"] == []


@pytest.mark.parametrize("kind", sampled(1, [BROKEN, SILENT, None]), ids=["error", "no metric", "no script"])
def test_skipped_commits_beside_the_failing_one_are_candidates(empty_repo: Repo, kind: object) -> None:
    commits = commit_each(empty_repo, [GOOD, GOOD, kind, kind, BAD, BAD])
    found = bisected(empty_repo, "--good", commits[0], code=1)
    assert (found["found"], found["commit"], found["candidates"]) == (False, None, commits[2:5])
    assert [one["commit"] for one in found["skipped"]] == commits[2:4]
    assert all(one["reason"] for one in found["skipped"])
    done = empty_repo.run("bisect", "--good", commits[0], "loss<0.3", "train.py")
    assert done.returncode == 1
    assert done.stdout.startswith("the first commit that fails loss<0.3 is one of 3 commits:\n")
    assert f"  {commits[4][:8]} number 4  failed" in done.stdout


def test_program_that_hangs_is_skipped(empty_repo: Repo) -> None:
    commits = commit_each(empty_repo, [GOOD, GOOD])
    empty_repo.write("train.py", "import time\nlr = 0.1\ntime.sleep(60)\n")
    commits += [empty_repo.commit("hangs"), *commit_each(empty_repo, [GOOD, BAD])]
    found = bisected(empty_repo, "--good", commits[1], "--stop-after", "1s")
    assert found["commit"] == commits[4]


ENDS = {
    "good fails": ([BAD, BAD], "'loss<0.3' fails at --good"),
    "bad passes": ([GOOD, GOOD], "'loss<0.3' holds at --bad"),
    "good is broken": ([BROKEN, BAD], "cannot be judged: run"),
    "bad has no metric": ([GOOD, SILENT], "cannot be judged: the run has no metric 'loss'"),
}


@pytest.mark.parametrize("case", ENDS)
def test_ends_are_verified_first(empty_repo: Repo, case: str) -> None:
    kinds, message = ENDS[case]
    commits = commit_each(empty_repo, kinds)
    done = empty_repo.run("bisect", "--json", "--good", commits[0], "loss<0.3", "train.py")
    assert done.returncode == 128
    error = json.loads(done.stderr.splitlines()[-1])
    assert error["kind"] == "cannot-bisect"
    assert message in error["message"]


def test_exchanged_and_equal_ends_are_refused_before_a_run(empty_repo: Repo) -> None:
    commits = commit_each(empty_repo, [GOOD, BAD])
    for good in (commits[1], "main"):
        done = empty_repo.run(
            "bisect", "--good", good, "--bad", commits[0 if good == commits[1] else 1], "loss<0.3", "train.py"
        )
        assert done.returncode == 128
        assert "is not newer than --good" in done.stderr
    assert count_runs(empty_repo) == 0


WRONG = {
    "no good": (("loss<0.3", "train.py"), "no good commit given"),
    "no condition": (("--good", "HEAD~1"), "no condition given"),
    "bad condition": (("--good", "HEAD~1", "loss<<1", "train.py"), "cannot read the gate"),
    "no operation": (("--good", "HEAD~1", "loss<1"), "no operation given"),
    "two operations": (("--good", "HEAD~1", "loss<1", "train.py", "x.py"), "'x.py' is not a flag"),
    "unknown commit": (("--good", "nothing", "loss<1", "train.py"), "no commit 'nothing'"),
    "range": (("--good", "HEAD~1..HEAD", "loss<1", "train.py"), "is a range"),
    "unknown operation": (("--good", "HEAD~1", "loss<1", "trian.py"), "no script or program 'trian.py' in commit"),
    "unknown flag": (("--good", "HEAD~1", "loss<1", "train.py", "momentum=1"), "train.py has no flag 'momentum'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls_are_refused_before_a_run(empty_repo: Repo, case: str) -> None:
    words, message = WRONG[case]
    commit_each(empty_repo, [GOOD, BAD])
    done = empty_repo.run("bisect", *words)
    assert done.returncode == 129
    assert message in done.stderr
    assert count_runs(empty_repo) == 0


def test_flags_words_and_commands_reach_the_program(empty_repo: Repo) -> None:
    commits = []
    for loss in ("0.2", "0.5"):
        empty_repo.write("t.sh", f'echo "loss: {loss}"\necho "$@ $FLAG_LR"\n')
        commits.append(empty_repo.commit(loss))
    done = empty_repo.run("bisect", "--good", commits[0], "loss<0.3", "lr=7", "--", "sh", "t.sh", "--good", "x", check=True)
    assert done.stdout.startswith(f"first commit that fails loss<0.3: {commits[1][:8]}")
    assert "--good x 7" in done.stderr


def test_base_is_the_run_of_the_good_commit(empty_repo: Repo) -> None:
    commits = commit_each(empty_repo, [0.2, 0.202, 0.203, 0.3, 0.31])
    found = bisected(empty_repo, "--good", commits[0], condition="loss<=base*1.02")
    assert found["commit"] == commits[3]
    assert found["failed"]["limit"] == pytest.approx(0.204)


def test_metric_that_is_nan_fails(empty_repo: Repo) -> None:
    commits = commit_each(empty_repo, [GOOD, GOOD, "nan", "nan"])
    assert bisected(empty_repo, "--good", commits[0])["commit"] == commits[2]


def test_interrupt_ends_the_bisection(empty_repo: Repo) -> None:
    (good,) = commit_each(empty_repo, [GOOD])
    empty_repo.write("train.py", "import os, signal, time\nlr = 0.1\nos.kill(os.getppid(), signal.SIGINT)\ntime.sleep(60)\n")
    empty_repo.commit("hangs")
    commits = commit_each(empty_repo, [BAD])
    bisecting = empty_repo.start("bisect", "--good", good, "--bad", commits[0], "loss<0.3", "train.py")
    out, err = bisecting.communicate(timeout=60)
    assert (bisecting.returncode, out) == (130, ""), err
    assert "skipped" not in err
    (run,) = json.loads(empty_repo.run("list", "--json", "--status", "terminated", check=True).stdout)
    assert run["exit_status"] == -2


def test_operation_with_steps_has_no_metrics_to_judge(empty_repo: Repo) -> None:
    empty_repo.write("gitrun.toml", '[operations.all]\nsteps = ["train.py"]\n')
    commits = commit_each(empty_repo, [GOOD, GOOD, BAD])
    done = empty_repo.run("bisect", "--json", "--good", commits[0], "loss<0.3", "all")
    assert done.returncode == 128
    assert "cannot be judged: the run has no metric 'loss'" in done.stderr


def test_runs_from_elsewhere_count_with_a_warning(judged, tmp_path: Path) -> None:
    repo, commits, _ = judged
    repo.git("clone", "--quiet", str(repo.path), str(tmp_path / "clone"))
    clone = Repo(tmp_path / "clone")
    clone.run("fetch", check=True)
    words = ("--good", commits[1], "--bad", commits[2], "loss<0.3", "train.py")
    done = clone.run("bisect", "--json", *words, check=True)
    assert json.loads(done.stdout)["started"] == 0
    assert done.stderr.count("was not made here and is not trusted. Its metrics are used") == 2

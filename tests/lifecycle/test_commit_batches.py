"""`git run --at BASE..HEAD`: a batch with a trial for each tree of a history."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from belongings import belongings
from commit_trials import MOMENTUM, batch, commit_programs, points, program, recorded, runs_of
from repository import Repo
from sampled import sampled_values
from submodules import make_modules

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def history(empty_repo: Repo) -> Repo:
    """A commit without a program, `start`, and three with one."""
    empty_repo.write("notes.txt", "nothing yet\n")
    empty_repo.commit("start")
    empty_repo.git("tag", "start")
    commit_programs(empty_repo, 1, 2, 3)
    return empty_repo


def commits(repo: Repo, revisions: str = "start..main") -> list[str]:
    """The commits of a range, oldest first."""
    return repo.git("rev-list", "--topo-order", "--reverse", revisions).split()


def test_each_commit_of_a_range_has_a_trial_oldest_first(history: Repo) -> None:
    done = history.run("--at", "start..HEAD", "train.py", "lr=1", check=True)
    assert done.stdout == "loss: 1.0\nloss: 2.0\nloss: 3.0\n"
    assert points(history) == [(commit, 1.0) for commit in commits(history)]
    sources = [run["source"] for run in runs_of(history)]
    assert sources == [history.git("rev-parse", f"{commit}^{{tree}}") for commit in commits(history)]
    assert {run["batch"] for run in runs_of(history)} == {batch(history)}


def test_lists_are_tried_at_each_commit(history: Repo) -> None:
    history.run("--at", "HEAD~2..HEAD", "train.py", "lr=[1,2]", check=True)
    assert points(history) == [(commit, lr) for commit in commits(history, "HEAD~2..HEAD") for lr in (1.0, 2.0)]


def test_several_jobs_run_the_commits_of_a_range(history: Repo) -> None:
    done = history.run("--at", "start..HEAD", "train.py", "lr=1", "--jobs", "3", check=True)
    assert sorted(done.stdout.splitlines()) == ["#1 loss: 1.0", "#2 loss: 2.0", "#3 loss: 3.0"]


def test_commits_with_equal_trees_have_one_trial(history: Repo) -> None:
    history.commit("the same")
    history.write("train.py", program(1))
    history.commit("back")
    history.run("--at", "start..HEAD", "train.py", check=True)
    assert [run["base"] for run in runs_of(history)] == commits(history)[:3]


def test_records_of_runs_make_no_other_tree(history: Repo) -> None:
    history.write(".gitrun/flags.toml", "lr = 1\n")
    history.commit("with records")
    history.run("--at", "start..HEAD", "train.py", check=True)
    assert [run["base"] for run in runs_of(history)] == commits(history)[:3]


def test_trees_with_a_run_are_skipped_if_only_needed(history: Repo) -> None:
    history.run("--at", "HEAD~1", "train.py", check=True)
    done = history.run("--needed", "--at", "start..HEAD", "train.py", check=True)
    assert "#2 skipped" in done.stderr
    assert len(runs_of(history)) == 3
    assert "3 of 3 trials completed" in done.stderr


def test_nothing_of_the_users_changes(history: Repo) -> None:
    history.write("train.py", "dirty\n")
    history.write("staged.txt", "staged\n")
    history.git("add", "staged.txt")
    before = belongings(history)
    history.run("--at", "HEAD~2..HEAD", "train.py", "lr=1", check=True)
    assert belongings(history) == before


def test_a_restart_goes_on_with_the_recorded_commits(history: Repo) -> None:
    history.run("--at", "start..HEAD", "train.py", "lr=1", check=True)
    first, second, third = commits(history)
    history.run("rm", runs_of(history)[1]["id"], check=True)
    commit_programs(history, 4)
    history.write("train.py", "dirty\n")
    done = history.run("--restart", batch(history), check=True)
    assert done.stdout == "loss: 2.0\n"
    assert [run["base"] for run in runs_of(history)] == [first, third, second]


def test_a_restart_with_a_longer_range_runs_only_the_new(history: Repo) -> None:
    history.run("--at", "start..HEAD~1", "train.py", "lr=[1,2]", check=True)
    commit_programs(history, 4)
    done = history.run("--restart", batch(history), "--at", "start..HEAD", check=True)
    assert done.stdout == "loss: 3.0\nloss: 6.0\nloss: 4.0\nloss: 8.0\n"
    assert points(history) == [(commit, lr) for commit in commits(history) for lr in (1.0, 2.0)]
    assert not history.run("--restart", batch(history), check=True).stdout


def test_a_restart_with_more_values_tries_them_at_each_commit(history: Repo) -> None:
    history.run("--at", "start..HEAD", "train.py", "lr=1", check=True)
    done = history.run("--restart", batch(history), "lr=[1,2]", check=True)
    assert done.stdout == "loss: 2.0\nloss: 4.0\nloss: 6.0\n"


def test_an_interrupted_trial_goes_on_with_its_commit(history: Repo) -> None:
    history.write("train.py", "import os\nlr = 1\n'STOP' in os.environ and os.kill(os.getpid(), 15)\nprint(lr)\n")
    history.commit("stops")
    history.run("--at", "start..HEAD", "train.py", "lr=2", env={"STOP": "1"})
    stopped = runs_of(history)[3]
    assert stopped["status"] == "terminated"
    assert history.run("--restart", batch(history), check=True).stdout == "2\n"
    assert [(run["id"], run["base"]) for run in runs_of(history)][3] == (stopped["id"], commits(history)[3])


def test_each_commit_has_its_own_defaults(history: Repo) -> None:
    history.write("train.py", program(4, default=0.5, more=MOMENTUM))
    history.commit("other defaults")
    history.run("--at", "start..HEAD", "train.py", check=True)
    flags = [run["flags"] for run in runs_of(history)]
    assert flags == [{"lr": 0.1}] * 3 + [{"lr": 0.5, "momentum": 0.9}]
    assert not history.run("--restart", batch(history), check=True).stdout


@pytest.mark.parametrize("range_", ["start..HEAD", "start^!..HEAD~0"])
def test_a_flag_that_a_commit_lacks_fails_only_its_trial(history: Repo, range_: str) -> None:
    history.write("train.py", program(4, more=MOMENTUM))
    history.commit("momentum")
    done = history.run("--at", "start..HEAD", "train.py", "lr=1", "momentum=0.5", check=True)
    assert done.stdout == "loss: 4.0\n"
    first = commits(history)[0][:8]
    assert f"error: trial 1 at commit {first} cannot start: train.py has no flag 'momentum'" in done.stderr
    assert "1 of 4 trials completed, 3 failed" in done.stderr
    assert len(runs_of(history)) == 1


def test_trials_that_could_not_start_keep_their_numbers(history: Repo) -> None:
    history.write("train.py", program(4, more=MOMENTUM))
    history.commit("momentum")
    history.run("--at", "start..HEAD", "train.py", "lr=[1,2]", "momentum=0.5", check=True)
    before = re.findall(r"number = (\d+)\nrun = \"\"", recorded(history))
    assert before == ["1", "2", "3", "4", "5", "6"]
    assert "cannot start" not in history.run("--restart", batch(history), check=True).stderr
    assert "trial 6 at commit" in history.run("--restart", batch(history), "--retry-failed", check=True).stderr
    assert re.findall(r"number = (\d+)\nrun = \"\"", recorded(history)) == before
    shown = history.run("show", batch(history), check=True).stdout
    assert "#1 #2 #3 #4 #5 #6: train.py has no flag 'momentum'" in shown


def test_a_commit_without_the_program_fails_only_its_trial(history: Repo) -> None:
    history.git("rm", "--quiet", "train.py")
    history.commit("gone")
    done = history.run("--at", "start~0..HEAD", "train.py", check=True)
    assert "3 of 4 trials completed, 1 failed" in done.stderr
    assert runs_of(history, "train.py+")[0]["base"] == commits(history)[2]


def test_a_broken_project_file_fails_only_its_trial(history: Repo) -> None:
    history.write("gitrun.toml", "[broken\n")
    history.commit("broken")
    history.git("rm", "--quiet", "gitrun.toml")
    commit_programs(history, 5)
    done = history.run("--at", "start..HEAD", "train.py", check=True)
    assert "4 of 5 trials completed, 1 failed" in done.stderr


def test_entries_are_those_of_each_commit(history: Repo) -> None:
    for word in ("one", "two"):
        history.write("gitrun.toml", f'[operations.fit]\ncommand = ["echo", "{word}"]\n')
        history.commit(word)
    done = history.run("--at", "HEAD~2..HEAD", "fit", check=True)
    assert done.stdout == "one\ntwo\n"
    history.run("rm", runs_of(history, "fit")[0]["id"], check=True)
    assert history.run("--restart", runs_of(history, "fit+")[0]["id"], check=True).stdout == "one\n"


def test_commits_of_merged_branches_are_in_the_range(history: Repo) -> None:
    history.git("checkout", "--quiet", "-b", "side", "start")
    commit_programs(history, 7)
    side = history.head()
    history.git("checkout", "--quiet", "main")
    history.git("merge", "--quiet", "-s", "ours", "--no-edit", "side")
    commit_programs(history, 8)
    done = history.run("--at", "start..HEAD", "train.py", "lr=1", check=True)
    # the merge has the tree of its first parent
    assert sorted(done.stdout.splitlines()) == [f"loss: {factor}.0" for factor in (1, 2, 3, 7, 8)]
    order = [run["base"] for run in runs_of(history)]
    assert side in order
    assert order[-1] == history.head()


def test_a_root_commit_in_the_range_has_a_trial(history: Repo) -> None:
    history.git("checkout", "--quiet", "--orphan", "other")
    commit_programs(history, 9)
    root = history.head()
    history.git("checkout", "--quiet", "main")
    history.git("merge", "--quiet", "-s", "ours", "--allow-unrelated-histories", "--no-edit", "other")
    history.run("--at", "main~1..HEAD", "train.py", "lr=1", check=True)
    assert points(history) == [(root, 1.0), (history.head(), 1.0)]


def test_a_shallow_clone_runs_what_it_has_and_says_so(history: Repo, tmp_path: Path) -> None:
    clone = Repo(tmp_path / "shallow")
    history.git("clone", "--quiet", "--depth=2", f"file://{history.path}", str(clone.path))
    clone.git("checkout", "--quiet", "--orphan", "empty")
    clone.git("rm", "-r", "--quiet", "--force", ".")
    base = clone.commit("nothing")
    clone.git("checkout", "--quiet", "main")
    done = clone.run("--at", f"{base}..HEAD", "train.py", "lr=1", check=True)
    assert done.stdout == "loss: 2.0\nloss: 3.0\n"
    assert "note: this clone is shallow" in done.stderr
    assert "shallow" not in clone.run("--at", "HEAD~1..HEAD", "train.py", check=True).stderr


def test_submodules_are_those_of_each_commit(tmp_path: Path) -> None:
    modules = make_modules(tmp_path)
    top = modules.top
    for word in ("first", "second"):
        modules.lib.write("l.txt", f"{word}\n")
        modules.lib.commit(word)
        top.commit(word)
    done = top.run("--at", "HEAD~2..HEAD", "--", "cat", "lib/l.txt", check=True)
    assert done.stdout == "first\nsecond\n"


@pytest.mark.parametrize("revisions", sampled_values(1, ["HEAD~1..HEAD", "HEAD"]))
def test_commits_are_whole_in_a_sparse_checkout(history: Repo, revisions: str) -> None:
    history.write("deep/data.txt", "deep\n")
    history.commit("deep")
    history.git("sparse-checkout", "set", "--no-cone", "/train.py")
    before = belongings(history)
    done = history.run("--at", revisions, "--", "cat", "deep/data.txt", check=True)
    assert done.stdout == "deep\n"
    trial = runs_of(history, "cat deep/data.txt")[0]["id"]
    assert history.run("--restart", trial, check=True).stdout == "deep\n"
    assert history.run("verify", trial, check=True).stdout.startswith("reproduced")
    # a run of the working tree sees what is there
    assert history.run("--", "cat", "deep/data.txt").returncode == 1
    assert history.run("--restart", trial, check=True).stdout == "deep\n"
    assert belongings(history) == before


REFUSED = {
    "no commits in 'HEAD..start'": ("--at", "HEAD..start", "train.py"),
    "no commit 'nowhere..HEAD'": ("--at", "nowhere..HEAD", "train.py"),
    # the project file makes a fourth tree
    "a search takes one commit, and 'start..HEAD~1' has 3": ("--at", "start..HEAD~1", "train.py", "lr=[0.1:0.5]"),
    "a search takes one commit": ("--at", "start..HEAD", "train.py", "lr=[1,2]", "--optimizer", "random"),
    "all has steps, which take one commit": ("--at", "start..HEAD~0", "all"),
    "train.py has no flag 'nothing'": ("--at", "start..HEAD", "train.py", "nothing=1"),
    "--at and --in-place cannot be combined": ("--at", "start..HEAD", "--in-place", "train.py"),
}


def test_what_makes_no_sense_is_refused_before_writing(history: Repo) -> None:
    history.write("gitrun.toml", '[operations.all]\nsteps = ["train.py"]\n')
    history.commit("steps")
    before = history.git("for-each-ref")
    for message, words in REFUSED.items():
        done = history.run(*words)
        assert (done.returncode, message in done.stderr) == (129, True), done.stderr
    assert history.git("for-each-ref") == before


def test_a_restart_of_commits_keeps_to_commits(history: Repo) -> None:
    history.run("--at", "HEAD~1..HEAD", "train.py", check=True)
    for more, message in (
        (("--force-sourcecode",), "its trials run the code of commits"),
        (("--at", "HEAD"), "takes a range of commits, not one"),
        (("--at", "HEAD..start"), "no commits in"),
    ):
        done = history.run("--restart", batch(history), *more)
        assert (done.returncode, message in done.stderr) == (129, True), done.stderr


def test_a_restart_of_other_runs_takes_no_range(history: Repo) -> None:
    history.run("train.py", "lr=[1,2]", check=True)
    for run in (batch(history), runs_of(history)[0]["id"]):
        done = history.run("--restart", run, "--at", "start..HEAD")
        assert done.returncode == 129
        assert "--at and --restart cannot be combined" in done.stderr


def test_lists_at_one_commit_make_a_batch_of_it(history: Repo) -> None:
    history.write("train.py", "dirty\n")
    done = history.run("--at", "HEAD~1", "train.py", "lr=[1,2]", check=True)
    assert done.stdout == "loss: 2.0\nloss: 4.0\n"
    assert points(history) == [(commits(history)[1], 1.0), (commits(history)[1], 2.0)]
    assert history.run("--restart", batch(history), "lr=[1,2,3]", check=True).stdout == "loss: 6.0\n"


def test_a_search_runs_at_one_commit(history: Repo) -> None:
    words = ("--optimizer", "random", "--max-trials", "3", "--random-seed", "1")
    history.run("--at", "HEAD~1", "train.py", "lr=[0.1:0.5]", *words, check=True)
    assert {run["base"] for run in runs_of(history)} == {commits(history)[1]}
    assert len(runs_of(history)) == 3


def test_old_commits_without_the_metric_do_not_end_the_batch(history: Repo) -> None:
    history.write("train.py", "lr = 1\nprint('accuracy:', lr)\n")
    history.commit("accuracy")
    done = history.run("--at", "start..HEAD", "train.py", "lr=1", "--maximize", "accuracy", check=True)
    assert "best: #4 accuracy=1" in done.stderr
    failed = history.run("--at", "start..HEAD~1", "train.py", "lr=1", "--maximize", "accuracy")
    assert failed.returncode == 1
    assert "error: no trial has the metric 'accuracy'" in failed.stderr


def test_list_compare_show_and_log_name_the_commits(history: Repo) -> None:
    history.run("--at", "start..HEAD", "train.py", "lr=1", check=True)
    short = [commit[:8] for commit in commits(history)]
    listed = history.run("list", "--trials", check=True).stdout
    asked = history.run("compare", batch(history), check=True)
    compared = asked.stdout
    assert "the batch has no objective, so its trials are in order" in asked.stderr
    assert all(one in listed and one in compared for one in short)
    assert f"commits:   3, from {short[0]} to {short[-1]}" in history.run("show", batch(history), check=True).stdout
    rows = json.loads(history.run("compare", batch(history), "--json", check=True).stdout)
    assert [row["base"] for row in rows] == commits(history)
    log = history.run("log", "start..HEAD", check=True).stdout
    trials = [run["id"][:8] for run in runs_of(history)]
    assert re.findall(r"^    (\w+)  train.py  ", log, re.MULTILINE) == trials[::-1]


def test_trials_of_commits_are_shown_before_they_start(history: Repo) -> None:
    history.run("--at", "HEAD~1", "train.py", "lr=1", check=True)
    words = ("--at", "start..HEAD", "train.py", "lr=[1,2]")
    shown = json.loads(history.run(*words, "--print-trials", "--json", check=True).stdout)
    assert [(one["base"], one["flags"]["lr"]) for one in shown] == [(one, lr) for one in commits(history) for lr in (1, 2)]
    table = history.run(*words, "--print-trials", "--needed", check=True).stdout.splitlines()
    assert [line.split()[1] for line in table[1:]] == [one[:8] for one in commits(history) for _ in (1, 2)][:2] + [
        commits(history)[number][:8] for number in (1, 2, 2)
    ]
    saved = history.run(*words, "--save-trials", "points.csv")
    assert "these trials have different commits" in saved.stderr
    assert len(runs_of(history)) == 1

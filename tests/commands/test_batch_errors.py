"""Errors of batches: said on the command line with their exit codes, before anything is written; and Guild's words."""

from __future__ import annotations

import sys

import pytest
from keyboard import Terminal

from gitrun import Project
from gitrun.errors import MissingPackage
from gitrun.model.space import uniform

PICK = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--opt', choices=['adam', 'sgd'])\np.parse_args()\n"
REFUSED = {
    "x=range[5:1] has no values": (129, "echo.py", "x=range[5:1]"),
    "x=loguniform[0:1]: the lower bound must be above 0": (129, "echo.py", "x=loguniform[0:1]"),
    "x=[5:1]: the lower bound is above the upper one": (129, "echo.py", "x=[5:1]"),
    "--optimizer needs a flag with several values. To search a range: lr=[0.001:0.1]": (129, "echo.py", "-o", "tpe"),
    "there is no optimizer 'gpp'. The optimizers are grid, random, tpe": (129, "echo.py", "x=[0:1]", "-o", "gpp"),
    "gitrun does not have Guild's forest; tpe searches the same spaces": (129, "echo.py", "x=[0:1]", "-o", "forest"),
    "--optimizer gp needs torch beside Optuna": (128, "echo.py", "x=[0:1]", "-o", "gp"),
    "optimizer random has no setting 'kappa'": (129, "echo.py", "x=[0:1]", "-o", "random", "-Fo", "kappa=1"),
    "points.csv, line 3: flag 'opt' of pick.py must be one of adam, sgd, not 'adm'": (129, "pick.py", "@points.csv"),
    "flag 'x' of echo.py must be a number, not 'a'": (129, "echo.py", "x=[1,a]"),
    "a batch cannot run in the working tree": (129, "echo.py", "x=[1,2]", "--in-place"),
    "--max-trials must be a whole number of at least 1": (129, "echo.py", "x=[1,2]", "-m", "0"),
    "--repeat must be a whole number of at least 1": (129, "echo.py", "x=[1,2]", "--repeat", "0"),
    "--needed and --repeat cannot be combined": (129, "echo.py", "x=[1,2]", "--repeat", "2", "--needed"),
    "there is no pruner 'best'": (129, "echo.py", "x=[0:1]", "--prune", "best"),
    "--retry-failed needs a flag with several values": (129, "echo.py", "--retry-failed"),
    "--jobs needs a flag with several values": (129, "echo.py", "-j", "2"),
    "--repeat needs a flag with several values": (129, "echo.py", "--repeat", "2"),
    "no option '--optimize'. To search with the default optimizer: give a range": (129, "--optimize", "echo.py"),
    "no option '-O'. To search with the default optimizer": (129, "echo.py", "-O"),
    "no option '--batch-tag'. To name a batch: --batch-label": (129, "echo.py", "--batch-tag", "a"),
    "no option '--init-trials'. To record trials without starting them: --stage-trials": (129, "echo.py", "--init-trials"),
    "no option '--trials'. To limit the number of trials: --max-trials": (129, "echo.py", "--trials", "3"),
}


def state(repo):
    """All refs, and what gitrun keeps of runs beside them."""
    local = repo.path / ".git" / "gitrun"
    kept = [
        path for name in ("live", "files", "trust") for path in (local / name, *(local / name).rglob("*")) if path.is_file()
    ]
    return repo.git("for-each-ref"), kept


@pytest.mark.parametrize("message", REFUSED)
def test_a_batch_that_cannot_run_is_refused_before_anything_is_written(repo, message):
    repo.write("pick.py", PICK)
    repo.write("points.csv", "opt\nadam\nadm\n")
    before = state(repo)
    code, *words = REFUSED[message]
    ended = repo.run(*words)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert message in ended.stderr
    assert state(repo) == before


def test_a_search_without_its_package_names_the_exact_words(repo, monkeypatch):
    # as on a machine without Optuna
    monkeypatch.setitem(sys.modules, "optuna", None)
    before = state(repo)
    with pytest.raises(MissingPackage) as caught:
        Project(repo.path).run("echo.py", flags={"x": uniform(0, 1)}, optimizer="tpe")
    assert str(caught.value) == "--optimizer tpe needs Optuna. To install it: pip install 'git-run-tracker[optuna]'"
    assert (caught.value.exit_code, state(repo)) == (128, before)


def test_words_of_guild_mean_the_same(repo):
    repo.write("echo.py", (repo.path / "echo.py").read_text() + "print('loss:', x)\n")
    words = (
        "echo.py",
        "x=[0:1.0]",
        "-o",
        "random",
        "-Fo",
        "allow_repeats=yes",
        "-m",
        "2",
        "-X",
        "loss",
        "--fail-on-trial-error",
    )
    ended = repo.run(*words, check=True)
    assert "2 of 2 trials completed; best:" in ended.stderr
    assert "maximize loss" in repo.run("show", check=True).stdout
    repo.run("--restart", "echo.py+", "-N", "loss", check=True)
    assert "minimize loss" in repo.run("show", check=True).stdout


def test_many_trials_are_asked_about_on_a_terminal(repo):
    with Terminal(repo, "git", "run", "echo.py", "y=range[1:1001]", "--stage-trials") as terminal:
        terminal.shows("this batch has 1,001 trials to run. Continue? [Y/n]")
        terminal.type("n\r")
        assert terminal.ends() == 128
    assert not repo.git("for-each-ref", "refs/runs")


def test_many_trials_are_not_asked_about_in_a_pipe(repo):
    repo.run("echo.py", "y=range[1:1001]", "--stage-trials", check=True, timeout=300)
    assert repo.git("for-each-ref", "--count=2000", "refs/runs").count("\n") == 1001

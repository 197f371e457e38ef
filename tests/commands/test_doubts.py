"""A name that is a flag and a metric: which of the two is meant, and that it is said."""

from __future__ import annotations

import pytest


@pytest.fixture
def both(repo):
    """Two runs: the one with the smaller flag has the larger metric."""
    repo.write("a.py", "import gitrun\nloss = 1\ngitrun.log({'loss': 10 - loss})\n")
    for value in (1, 2):
        repo.run("a.py", f"loss={value}", "--label", f"flag{value}", check=True)
    return repo


def label(repo, *words) -> tuple[str, str]:
    ended = repo.run("select", *words, check=True)
    return repo.run("list", ended.stdout.split()[0], "--columns", "label").stdout.strip(), ended.stderr


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--min", "loss"), "flag2"),
        (("--max", "loss"), "flag1"),
        (("--sort", "loss"), "flag2"),
        (("--sort", "-loss"), "flag1"),
        (("--min", "flag:loss"), "flag1"),
        (("--max", "flag:loss"), "flag2"),
        (("--sort", "flag:loss"), "flag1"),
        (("--min", "metric:loss"), "flag2"),
    ],
)
def test_metric_is_meant_where_numbers_are_compared_and_that_is_said(both, words, found) -> None:
    name, told = label(both, *words)
    is_plain = not words[1].startswith(("flag:", "metric:"))
    assert name == found
    assert (f"'loss' is a metric and a flag; {words[0]} takes the metric" in told) == is_plain


def test_flag_that_only_one_run_has_is_never_compared_with_a_metric(both) -> None:
    both.write("b.py", "loss = -5\n")
    both.run("b.py", "--label", "other", check=True)
    assert label(both, "--min", "loss")[0] == "flag2"


@pytest.mark.parametrize(
    "words", [("list", "--columns", "loss"), ("compare", "--columns", "loss"), ("list", "--where", "loss=1")]
)
def test_flag_is_meant_where_values_are_named_and_that_is_said(both, words) -> None:
    assert "'loss' is a flag and a metric" in both.run(*words, check=True).stderr


def test_columns_and_filters_say_which_they_mean_without_a_word(both) -> None:
    ended = both.run("list", "--columns", "flag:loss,metric:loss", "--where", "flag:loss=1 and metric:loss=9")
    assert (ended.stdout.split(), ended.stderr) == (["1", "9.0"], "")


def test_gate_holds_the_metric_and_says_so(both) -> None:
    ended = both.run("check", "flag1", "--metric", "loss>8", check=True)
    assert "'loss' is a metric and a flag; --metric takes the metric" in ended.stderr
    assert both.run("check", "flag1", "--metric", "metric:loss>8", check=True).stderr == ""
    assert "is a flag; a gate holds metrics" in both.run("check", "flag1", "--metric", "flag:loss>8").stderr


def test_name_that_is_one_of_them_is_taken_without_a_word(repo) -> None:
    repo.write("a.py", "lr = 1\nprint('loss: 2')\n")
    repo.run("a.py", check=True)
    assert repo.run("select", "--min", "loss", check=True).stderr == ""
    assert repo.run("select", "--min", "lr", check=True).stderr == ""

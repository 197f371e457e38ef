"""A name that is a flag and a metric: which of the two counts, and the note about it."""

from __future__ import annotations

import json

import pytest
from sampled import sampled
from templates import made_once

EVENTS = """\
import struct, time
def events(tag, values):
    with open("events.out.tfevents.1.host", "wb") as file:
        for step, number in enumerate(values):
            value = bytes([10, len(tag)]) + tag.encode() + b"\\x15" + struct.pack("<f", number)
            event = b"\\x09" + struct.pack("<d", time.time()) + bytes([16, step])
            event += bytes([42, len(value) + 2, 10, len(value)]) + value
            file.write(struct.pack("<QI", len(event), 0) + event + bytes(4))
"""
SOURCES = {
    "log": "import gitrun\nloss = 1\nfor value in (1, 10 - loss): gitrun.log({'loss': value})\n",
    "rule1": "loss = 1\nprint('loss: 1')\nprint('loss:', 10 - loss)\n",
    "rule2": "loss = 1\nprint('step 1 | loss 1 | acc 0.5')\nprint(f'step 2 | loss {10 - loss} | acc 0.5')\n",
    "file": "import json\nloss = 1\njson.dump({'loss': 10 - loss}, open('metrics.json', 'w'))\n",
    "table": "loss = 1\nopen('results.csv', 'w').write(f'epoch,loss\\n1,1\\n2,{10 - loss}\\n')\n",
    "events": EVENTS + "loss = 1\nevents('loss', [1, 10 - loss])\n",
}


@pytest.fixture(params=SOURCES)
@made_once
def both(request, repo):
    """Two runs: the one with the smaller flag has the larger metric, whatever the metric comes from."""
    repo.write("a.py", SOURCES[request.param])
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
@pytest.mark.parametrize("both", sampled(1, ["log", "rule1"]), indirect=True)
def test_metric_is_meant_where_numbers_are_compared_and_that_is_said(both, words, found) -> None:
    name, told = label(both, *words)
    is_plain = not words[1].startswith(("flag:", "metric:"))
    assert name == found
    assert (f"'loss' is a metric and a flag; {words[0]} uses the metric" in told) == is_plain


@pytest.mark.parametrize("order", ["--min", "--max", "--sort"])
@pytest.mark.parametrize("both", ["rule1"], indirect=True)
def test_table_of_runs_is_in_the_order_of_the_metric_and_says_so(both, order) -> None:
    ended = both.run("compare", order, "loss", "--columns", "label", check=True)
    assert ended.stdout.split()[1:] == (["flag1", "flag2"] if order == "--max" else ["flag2", "flag1"])
    assert f"'loss' is a metric and a flag; {order} uses the metric. To use the flag: {order} flag:loss" in ended.stderr
    ended = both.run("compare", order, "flag:loss", "--columns", "label", check=True)
    assert ended.stdout.split()[1:] == (["flag2", "flag1"] if order == "--max" else ["flag1", "flag2"])
    assert ended.stderr == ""


def test_every_source_gives_a_metric_of_the_flags_name(both) -> None:
    shown = json.loads(both.run("show", "flag1", "--json", check=True).stdout)
    assert (shown["flags"], shown["metrics"]["loss"]) == ({"loss": 1}, 9.0)
    assert shown["series"]["loss"]["first"] in {1.0, 9.0}
    name, told = label(both, "--min", "loss")
    assert (name, "'loss' is a metric and a flag; --min uses the metric" in told) == ("flag2", True)


def test_number_that_only_repeats_a_flag_is_no_metric_until_it_changes(repo) -> None:
    repo.write(
        "a.py", "loss = 0.5\nlast = 0.5\nprint('loss: 0.50')\nprint('step 3 | loss 0.5 | acc 0.9')\nprint('loss:', last)\n"
    )
    repo.run("a.py", check=True)
    shown = json.loads(repo.run("show", "--json", check=True).stdout)
    assert shown["metrics"] == {"acc": 0.9}
    repo.run("a.py", "last=0.25", check=True)
    shown = json.loads(repo.run("show", "--json", check=True).stdout)
    assert shown["series"]["loss"] == {"first": 0.5, "last": 0.25, "min": 0.25, "max": 0.5, "count": 3}


@pytest.mark.parametrize("both", ["rule1"], indirect=True)
def test_flag_that_only_one_run_has_is_never_compared_with_a_metric(both) -> None:
    both.write("b.py", "loss = -5\n")
    both.run("b.py", "--label", "other", check=True)
    assert label(both, "--min", "loss")[0] == "flag2"


@pytest.mark.parametrize(
    "words", [("list", "--columns", "loss"), ("compare", "--columns", "loss"), ("list", "--where", "loss=1")]
)
@pytest.mark.parametrize("both", ["rule1"], indirect=True)
def test_flag_is_meant_where_values_are_named_and_that_is_said(both, words) -> None:
    assert "'loss' is a flag and a metric" in both.run(*words, check=True).stderr


@pytest.mark.parametrize("both", ["rule1"], indirect=True)
def test_columns_and_filters_say_which_they_mean_without_a_word(both) -> None:
    ended = both.run("list", "--columns", "flag:loss,metric:loss", "--where", "flag:loss=1 and metric:loss=9")
    assert (ended.stdout.split(), ended.stderr) == (["1", "9.0"], "")


def test_gate_holds_the_metric_and_says_so(both) -> None:
    ended = both.run("check", "flag1", "--metric", "loss>8", check=True)
    assert "'loss' is a metric and a flag; --metric uses the metric" in ended.stderr
    assert both.run("check", "flag1", "--metric", "metric:loss>8", check=True).stderr == ""
    assert "is a flag, and limits are for metrics" in both.run("check", "flag1", "--metric", "flag:loss>8").stderr


def test_name_that_is_one_of_them_is_taken_without_a_word(repo) -> None:
    repo.write("a.py", "lr = 1\nprint('loss: 2')\n")
    repo.run("a.py", check=True)
    assert repo.run("select", "--min", "loss", check=True).stderr == ""
    assert repo.run("select", "--min", "lr", check=True).stderr == ""

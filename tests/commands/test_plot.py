"""git run plot: drawings on the terminal and in files."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from templates import made_once

from gitrun.commands.plot import refuse_contradictions
from gitrun.errors import MissingPackage
from gitrun.model.text import safe_text

TRAIN = """\
import gitrun
lr = 0.1
for step in range(4):
    gitrun.log({"loss": lr * (4 - step)})
"""


@pytest.fixture
@made_once
def two(repo):
    """A repository with two runs of train.py."""
    repo.write("train.py", TRAIN)
    repo.commit()
    for lr in (0.1, 0.2):
        repo.run("train.py", f"lr={lr}", check=True)
    return repo


def test_drawing_and_list_are_on_stdout(two) -> None:
    ended = two.run("plot", "loss", "--ascii", "--width", "30", "--height", "4", check=True)
    ids = [run["id"][:8] for run in json.loads(two.run("list", "--json").stdout)]
    assert ended.stdout.splitlines() == [
        "loss",
        "0.8 +aaa",
        "    |   aaaaaa",
        "    |bbbbbbbbbaaaaaa    b",
        "0.1 +         bbbbbbaaaaa",
        "    +-------------------",
        "     0      step       3",
        f"a  {ids[0]}  loss=0.2  lr=0.2",
        f"b  {ids[1]}  loss=0.1  lr=0.1",
    ]
    assert ended.stderr == ""


@pytest.mark.parametrize(
    ("env", "is_ascii"),
    [({}, False), ({"LC_ALL": "POSIX"}, True), ({"LC_ALL": "", "LANG": "C"}, True), ({"LC_ALL": ""}, False)],
)
def test_locale_decides_about_braille(two, env, is_ascii) -> None:
    assert two.run("plot", "loss", env=env, check=True).stdout.isascii() == is_ascii
    assert two.run("plot", "loss", "--ascii", env=env, check=True).stdout.isascii()


def test_encoding_without_braille_gets_ascii(two) -> None:
    assert two.run("plot", "loss", env={"PYTHONIOENCODING": "latin-1"}, check=True).stdout.isascii()


def test_colours_are_those_of_the_settings(two) -> None:
    two.git("config", "color.run.curve-1", "bold blue")
    shown = two.run("plot", "loss", "--color=always", check=True).stdout
    assert "\x1b[1;34m" in shown
    assert "\x1b" not in two.run("plot", "loss", check=True).stdout


def test_svg_is_the_same_each_time_and_names_no_place(two, tmp_path) -> None:
    for name in ("one.svg", "two.SVG"):
        two.run("plot", "loss", "--out", tmp_path / name, check=True)
    one, other = ((tmp_path / name).read_bytes() for name in ("one.svg", "two.SVG"))
    assert one == other
    assert str(tmp_path).encode() not in one
    assert two.git("status", "--porcelain") == ""


def test_json_has_every_point(two) -> None:
    rows = json.loads(two.run("plot", "loss", "--json", check=True).stdout)
    assert [(row["key"], row["steps"], row["values"][0]) for row in rows] == [
        ("a", [0, 1, 2, 3], 0.8),
        ("b", [0, 1, 2, 3], 0.4),
    ]


def test_vega_is_one_object_with_its_data(two) -> None:
    spec = json.loads(two.run("plot", "lr:loss", "--vega", check=True).stdout)
    assert [(row["x"], row["y"]) for row in spec["data"]["values"]] == [(0.2, 0.2), (0.1, 0.1)]


def test_image_that_needs_matplotlib_names_the_way_out(monkeypatch) -> None:
    # as if it was not installed
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    options = {"maximize": None, "as_json": False, "as_vega": False, "out": Path("loss.png")}
    with pytest.raises(MissingPackage, match=r"To install it: pip install 'git-run-tracker\[plot\]'. Or use .svg") as raised:
        refuse_contradictions(options, best=False)
    assert raised.value.exit_code == 128


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("loss", "--out", "loss.gif"), "Use .svg, .png or .pdf"),
        (("loss", "--out", "a.svg", "--json"), "--json and --out cannot be combined"),
        (("loss", "--maximize"), "need --best"),
        (("loss", "--smooth", "1"), "1"),
        ((), "git run plot needs metrics"),
    ],
)
def test_wrong_options_are_refused(two, words, said) -> None:
    ended = two.run("plot", *words)
    assert (ended.returncode, ended.stdout) == (129, "")
    assert said in ended.stderr


def test_runs_beyond_the_limit_are_counted(two) -> None:
    ended = two.run("plot", "loss", "-n", "1", check=True)
    assert ended.stderr == "gitrun: 1 more. To draw them too: -n 2\n"


def test_smoothing_weighs_the_values_before(two) -> None:
    (row,) = json.loads(two.run("plot", "loss", "2", "--smooth", "0.5", "--json", check=True).stdout)
    # of the values 0.4, 0.3, …: the first as it is, then (0.5 * 0.3 + 0.25 * 0.4) / 0.75
    assert row["values"][:2] == pytest.approx([0.4, 1 / 3])


def test_best_so_far_is_a_line_over_all_runs(two) -> None:
    shown = two.run("plot", "--best", "loss", "--maximize", "--ascii", check=True).stdout
    assert shown.startswith("loss by run, the line is the largest so far\n")
    assert re.search(r"^best  [0-9a-f]{8}  loss=0.2  lr=0.2$", shown, flags=re.MULTILINE)


def test_hostile_texts_of_runs_stay_text(evil) -> None:
    for words in (("loss",), ("v:loss",), ("--best", "loss"), ("loss", "--vega")):
        for ascii_only in ((), ("--ascii",)):
            ended = evil.run("plot", *words, "--status", "error", *ascii_only)
            lines = (ended.stdout + ended.stderr).split("\n")
            assert [safe_text(line) for line in lines] == lines
            assert ended.stdout or "completed" in ended.stderr

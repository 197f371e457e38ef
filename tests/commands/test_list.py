"""git run list: rows, their order and their number, as text and as JSON."""

from __future__ import annotations

import json
import re

import pytest

from gitrun.model.text import count_columns
from gitrun.render.text import join_cells


def test_list_has_a_row_a_run_aligned(two) -> None:
    two.run("mark", "2", check=True)
    two.run("echo.py", "--label", "best", check=True)
    rows = two.run("list", check=True).stdout.splitlines()
    shown = [re.sub(r"[0-9a-f]{8}  ", "ID  ", re.sub(r"[0-9-]{10} [0-9:]{8}", "TIME", row)) for row in rows]
    assert [re.sub(r"[0-9.]+s", "TOOK", row) for row in shown] == [
        "1   ID  echo.py  TIME  completed  TOOK  [best] x=1.0 z=a",
        "2   ID  make.py  TIME  completed  TOOK",
        "3*  ID  echo.py  TIME  completed  TOOK  x=2 z='[b'",
    ]


def test_curves_are_drawn_in_the_lines_of_a_list_and_a_comparison(repo) -> None:
    repo.write("fit.py", "import sys\nlr = 0.5\nfor step in range(8):\n    print(f'step: {step}\\nloss: {lr * step}')\n")
    for lr in (0.5, 0.25):
        repo.run("fit.py", f"lr={lr}", check=True)
    repo.run("echo.py", check=True)
    listed = repo.run("list", "--spark", "loss", check=True).stdout.splitlines()
    assert ["▁▂▃▄▅▆▇█" in line for line in listed] == [False, True, True]
    assert "  loss=3.5  " in listed[2]
    compared = repo.run("compare", "--spark", "loss", "2:3", check=True).stdout.splitlines()
    assert ("curve:loss" in compared[0], compared[1].count("▁▂▃▄▅▆▇█")) == (True, 1)


def test_curve_that_no_run_has_is_refused(two) -> None:
    ended = two.run("list", "--spark", "none")
    assert (ended.returncode, "no run here has a curve of 'none'" in ended.stderr) == (129, True)
    assert two.run("list", "--spark", "x", "--json").returncode == two.run("compare", "--spark", "x", "--csv").returncode == 129


def test_list_is_aligned_by_what_a_terminal_shows() -> None:
    rows = [["学習.py", "x=1"], ["e\u0301.py", "x=2"], ["longer.py", "x=3 学学"]]
    widths = [max(map(count_columns, column)) for column in zip(*rows, strict=True)]
    lines = [join_cells(row, widths, 99) for row in rows]
    assert {count_columns(line[: line.index("x=")]) for line in lines} == {11}
    assert join_cells(rows[2], widths, 18) == "longer.py  x=3 学…"
    assert join_cells(rows[2], widths, 17) == "longer.py  x=3 …"


def test_times_of_a_list_are_those_of_the_users_zone(two) -> None:
    here, there = (two.run("list", env={"TZ": zone}).stdout for zone in ("UTC", "Etc/GMT-12"))
    assert here != there


def test_list_shows_twenty_and_says_how_many_more_there_are(repo) -> None:
    repo.run("echo.py", check=True)
    run = repo.run("select").stdout.strip()
    tree, message = repo.git("rev-parse", f"{run}^{{tree}}"), "run\n\nGitrun-Kind: attempt\nGitrun-Format: 1"
    for number in range(21):
        made = repo.git("commit-tree", tree, "-p", "HEAD", "-m", message, "-m", str(number))
        repo.git("update-ref", f"refs/runs/{made}", made)
    ended = repo.run("list")
    assert len(ended.stdout.splitlines()) == 20
    assert ended.stderr == "gitrun: 2 more. To show all: --all\n"
    assert (
        len(repo.run("list", "--all").stdout.splitlines()) == len(json.loads(repo.run("list", "--all", "--json").stdout)) == 22
    )


def test_list_without_runs_says_how_to_make_one(repo) -> None:
    ended = repo.run("list")
    assert (ended.returncode, ended.stdout, repo.run("list", "--json").stdout) == (0, "", "[]\n")
    assert ended.stderr == "gitrun: no runs here yet. To make one: git run <script>\n"


def test_columns_are_keys_flags_and_metrics(four) -> None:
    lines = four.run("list", "2:3", "--columns", "operation,flag:x,flag:z,metric:none").stdout.splitlines()
    assert lines == ["echo.py  3  odd", "echo.py  2  even"]


@pytest.mark.parametrize(
    "words",
    [
        ("-z",),
        ("-z", "--json"),
        ("--json", "--format", "a"),
        ("--columns", "id", "--format", "a"),
        ("--columns", "id", "-z"),
        ("--csv", "--json"),
        ("--csv", "--parquet", "x"),
        ("--spark", "loss", "--csv"),
    ],
)
def test_two_shapes_of_a_list_are_refused(repo, words) -> None:
    assert repo.run("list", *words).returncode == 129


def test_limit_says_how_many_more_there_are(four) -> None:
    assert "3 more. To show all: --all" in four.run("list", "-n", "1").stderr
    assert four.run("list", "--all").stderr == ""


def test_deleted_runs_are_listed_apart(four) -> None:
    gone = json.loads(four.run("list", "--json", "2").stdout)[0]["id"]
    four.run("rm", "2", check=True)
    assert [run["id"] for run in json.loads(four.run("list", "--deleted", "--json").stdout)] == [gone]
    assert gone not in four.run("list", "--json").stdout
    four.run("restore", gone[:8], check=True)
    assert "no deleted runs" in four.run("list", "--deleted").stderr

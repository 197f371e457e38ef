"""git run diff: flags, source and output of two runs; a run against its commit, and against the working tree."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess

import pytest
from templates import made_once

TRAIN = """\
lr = 0.1
print("lr is", lr)
open("model.txt", "w").write(str(lr))
"""


@pytest.fixture
@made_once
def two(empty_repo):
    """A repository with two runs: the newer one has another flag, a changed line and a new file."""
    empty_repo.write("train.py", TRAIN)
    empty_repo.commit()
    empty_repo.run("train.py", check=True)
    empty_repo.write("train.py", TRAIN + "# more\n")
    empty_repo.write("new.txt", "new\n")
    empty_repo.run("train.py", "lr=0.2", check=True)
    return empty_repo


PROJECT = """\
[operations.make]
script = "make.py"
[operations.use]
script = "use.py"
needs = { make = "made" }
inputs = ["raw"]
"""


def test_needed_runs_files_and_inputs_that_differ_are_shown(empty_repo) -> None:
    empty_repo.write("gitrun.toml", PROJECT)
    empty_repo.write(".gitignore", "raw\n")
    empty_repo.write("make.py", "x = 1\nopen('made', 'w').write(str(x))\n")
    empty_repo.write("use.py", "print(open('made').read())\n")
    for x in (1, 2):
        empty_repo.write("raw", str(x))
        empty_repo.run("make", f"x={x}", check=True)
        empty_repo.run("use", check=True)
    old, new = (json.loads(empty_repo.run("list", "--json").stdout)[number]["id"] for number in (2, 0))
    first, second = (json.loads(empty_repo.run("list", "--json").stdout)[number]["id"] for number in (3, 1))
    said = empty_repo.run("diff", old, new, "--needs", check=True).stdout.splitlines()
    assert [line.split()[0] for line in said] == ["needs", "make", "make", "raw"]
    assert (said[0].split()[1:], said[1].split()[1:]) == ([old[:8], new[:8]], [first[:8], second[:8]])
    assert "needs" in empty_repo.run("diff", old, new).stdout
    assert json.loads(empty_repo.run("diff", old, new, "--json").stdout)["needs"]["make"] == [first, second]
    assert empty_repo.run("diff", old, old, "--needs", "--exit-code").returncode == 0
    assert empty_repo.run("diff", old, "--needs").returncode == 129
    rows = [json.loads(empty_repo.run("compare", old, name, "--json").stdout) for name in (new, old)]
    assert [row["needs:make"] for row in rows[0]] == [first, second]
    assert "needs:make" not in rows[1][0]
    assert first[:8] in empty_repo.run("compare", old, new, check=True).stdout


def test_diff_of_two_runs_shows_flags_source_files_and_output(two) -> None:
    said = two.run("diff", "2", "1", check=True).stdout
    assert [line.split() for line in said.splitlines() if line.startswith("  lr")] == [["lr", "0.1", "0.2"]]
    for line in ("+# more", "+++ b/new.txt", "  changed  model.txt", "-lr is 0.1", "+lr is 0.2"):
        assert line in said.splitlines(), line
    assert "flags.toml" not in said
    assert "run.toml" not in said


def test_parts_are_shown_as_asked_and_source_alone_can_be_applied(two) -> None:
    assert two.run("diff", "2", "1", "--flags").stdout.split("\n")[1:] == ["  lr   0.1       0.2", ""]
    assert "+# more" not in two.run("diff", "2", "1", "--flags", "--output").stdout
    patch = two.run("diff", "2", "1", "--source", check=True).stdout
    assert patch.startswith("diff --git ")
    two.git("stash", "--include-untracked", "--quiet")
    (two.path / "the.patch").write_text(patch)
    two.git("apply", "the.patch")
    assert (two.path / "train.py").read_text() == TRAIN + "# more\n"


def test_one_run_is_compared_with_its_commit(two) -> None:
    said = two.run("diff", "1", check=True).stdout
    assert [line for line in said.splitlines() if line[:1] in "+-" and line[:3] not in {"+++", "---"}] == ["+new", "+# more"]
    assert two.run("diff", "2", check=True).stdout == ""
    assert two.run("diff", check=True).stdout == said


def test_a_run_without_a_commit_is_all_new(empty_repo) -> None:
    empty_repo.write("a.py", "print(1)\n")
    empty_repo.run("a.py", check=True)
    assert "+print(1)" in empty_repo.run("diff", check=True).stdout


def test_working_tree_is_compared_as_a_run_would_see_it(two) -> None:
    assert two.run("diff", "1", "--working", check=True).stdout == ""
    two.write("ignored.log", "x\n")
    two.write(".gitignore", "*.log\n")
    two.write(".env", "secret\n")
    before = two.git("status", "--porcelain")
    said = two.run("diff", "1", "--working", check=True).stdout
    assert [line for line in said.splitlines() if line.startswith("+++")] == ["+++ b/.gitignore"]
    assert two.git("status", "--porcelain") == before


def test_files_of_the_attempt_before_are_no_part_of_the_source(two) -> None:
    two.run("--restart", "1", "lr=0.3", check=True)
    assert "b/model.txt" not in two.run("diff", "1", check=True).stdout
    assert "b/model.txt" not in two.run("diff", "2", "1", "--source", check=True).stdout


def test_source_is_there_also_when_gc_took_its_tree(two) -> None:
    before = two.run("diff", "2", "1", check=True).stdout
    two.git("gc", "--prune=now", "--quiet")
    assert two.run("diff", "2", "1", check=True).stdout == before


def test_exit_code_says_whether_what_is_shown_differs(two) -> None:
    assert [two.run("diff", *words, "--exit-code").returncode for words in (["2", "1"], ["1", "1"], ["2", "1", "--env"])] == [
        1,
        0,
        0,
    ]
    assert two.run("diff", "2", "1").returncode == 0


def test_json_has_both_values_of_what_differs(two) -> None:
    found = json.loads(two.run("diff", "2", "1", "--json", check=True).stdout)
    assert (found["flags"], found["metrics"], found["output"]) == ({"lr": [0.1, 0.2]}, {}, True)
    assert found["source"] == [{"path": "new.txt", "change": "added"}, {"path": "train.py", "change": "changed"}]
    assert found["files"] == [{"path": "model.txt", "change": "changed"}]


def test_stat_counts_lines(two) -> None:
    said = two.run("diff", "2", "1", "--stat", check=True).stdout
    assert "train.py | 1 +" in said.replace("  ", " ")
    assert "+# more" not in said


def test_the_users_diff_drivers_and_settings_apply(two) -> None:
    two.write(".gitattributes", "*.txt diff=shout\n")
    two.git("config", "diff.shout.textconv", "tr a-z A-Z <")
    two.git("config", "diff.noprefix", "true")
    said = two.run("diff", "1", "--source", check=True).stdout.splitlines()
    assert "+NEW" in said
    assert "+++ train.py" in said


def test_attributes_of_another_run_start_nothing(two) -> None:
    two.write(".gitattributes", "* diff=evil\n")
    two.run("train.py", check=True)
    (two.path / ".gitattributes").unlink()
    two.git("config", "diff.evil.command", "touch started; true")
    two.run("diff", "2", "1", check=True)
    assert not (two.path / "started").exists()


def test_git_s_colours_stay_and_nothing_else_reaches_a_terminal(two) -> None:
    two.write("train.py", TRAIN + "# \x1b]52;c;eA==\x07\t|\n")
    two.run("train.py", check=True)
    env = {"GIT_PAGER_IN_USE": "true", "TERM": "xterm"}
    said = two.run("diff", "1", "--source", "--color", env=env).stdout
    assert "\x1b[32m" in said
    assert "\\x1b]52;c;eA==\\x07\t|" in said
    assert "\x1b" not in two.run("diff", "1", "--source", "--no-color", env=env).stdout
    assert "\x1b]52;c;eA==\x07" in two.run("diff", "1", "--source").stdout


@pytest.mark.parametrize("words", [("1", "2", "1"), ("1", "2", "--working"), ("1", "--flags"), ("1", "--working", "--env")])
def test_what_cannot_be_compared_is_refused(two, words) -> None:
    ended = two.run("diff", *words)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (129, "", 1)


def test_colours_of_the_compared_text_never_reach_a_terminal(empty_repo) -> None:
    empty_repo.write("shout.py", "import sys\nn = 1\nsys.stdout.write('\\x1b[31mred\\x1b[m %d\\n' % n)")
    for n in ("1", "2"):
        empty_repo.run("shout.py", f"n={n}", check=True)
    ours, theirs = pty.openpty()
    words = ("git", "-c", "core.pager=cat", "-c", "color.ui=always", "run", "diff", "2", "1", "--output", "--color=always")
    with subprocess.Popen(words, cwd=empty_repo.path, stdout=theirs, env={**os.environ, "TERM": "xterm"}):
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # what Linux says at the end of a terminal
            while data := os.read(ours, 4096):
                seen += data
    os.close(ours)
    assert b"\\x1b[31mred" in seen
    assert b"\x1b[31mred" not in seen


def test_metrics_are_shown_as_everywhere_unless_that_would_hide_how_they_differ(empty_repo) -> None:
    empty_repo.write("fit.py", "import gitrun\nlr = 9.0\ngitrun.log({'loss': lr * 2, 'acc': 1 / 3 + lr / 1e9})\n")
    for lr in ("9.0", "8.5"):
        empty_repo.run("fit.py", f"lr={lr}", check=True)
    lines = [line.split() for line in empty_repo.run("diff", "2", "1", "--output", check=True).stdout.splitlines()]
    assert ["loss", "18", "17"] in lines
    (acc,) = [line for line in lines if line[:1] == ["acc"]]
    assert acc[1] != acc[2]

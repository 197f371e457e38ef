"""list, show, log, cat, select, mark, stop, watch, checkout, help: what they print, as text and as JSON."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
from templates import made_once

from gitrun import Project
from gitrun.model.text import count_columns
from gitrun.render.text import join_cells

KEYS = {
    "id", "operation", "status", "flags", "given", "label", "tags", "comments", "marked", "started", "stopped", "duration",
    "exit_status", "metrics", "source", "base", "branch", "batch",
}  # fmt: skip
VERBS = ["run", "list", "show", "log", "cat", "select", "checkout", "mark", "stop", "watch", "demo", "help"]
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
BYTES = bytes(range(256)) * 3 + b"\r\n\x1b]52;c;eA==\x07 no line end"


@pytest.fixture
@made_once
def two(repo):
    """A repository with two runs: number 2 has two attempts, number 1 a produced file."""
    project = Project(repo.path)
    project.run("echo.py", flags={"z": "[b"})
    project.run(restart="1", flags={"x": 2})
    repo.write("make.py", f"open('made.bin', 'wb').write({BYTES!r})\n")
    project.run("make.py")
    return repo


def test_list_has_a_row_a_run_aligned(two) -> None:
    two.run("mark", "2", check=True)
    two.run("echo.py", "--label", "best", check=True)
    rows = two.run("list", check=True).stdout.splitlines()
    shown = [re.sub(r"[0-9a-f]{8}  ", "ID  ", re.sub(r"[0-9-]{10} [0-9:]{8}", "TIME", row)) for row in rows]
    assert shown == [
        "1   ID  echo.py  TIME  completed  [best] x=1.0 y=2 z=a",
        "2   ID  make.py  TIME  completed",
        "3*  ID  echo.py  TIME  completed  x=2 z='[b' y=2",
    ]


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


def test_json_of_every_verb_has_exactly_the_keys_of_the_design(two) -> None:
    runs = json.loads(two.run("list", "--json").stdout)
    attempts = json.loads(two.run("log", "--json", "2").stdout)
    shown = json.loads(two.run("show", "--json", "2").stdout)
    assert [found.keys() for found in (*runs, *attempts, *shown["attempts"])] == [KEYS] * 6
    more = {
        "attempts",
        "files",
        "environment",
        "series",
        "needs",
        "inputs",
        "steps",
        "parent",
        "signature",
        "trusted",
        "not_isolated",
    }
    assert shown.keys() == KEYS | more
    assert (shown["attempts"], shown["id"]) == (attempts, attempts[0]["id"])
    assert all(RFC3339.fullmatch(run[name]) for run in runs for name in ("started", "stopped"))


def test_json_has_no_word_that_json_does_not_know(two) -> None:
    two.run("echo.py", "x=nan", "y=-inf", check=True)

    def refuse(name):
        raise ValueError(name)

    flags = json.loads(two.run("show", "--json").stdout, parse_constant=refuse)["flags"]
    assert (flags["x"], flags["y"]) == ("NaN", "-Infinity")


def test_error_is_json_when_json_is_asked_for(two) -> None:
    for words, code in ((["show", "--json", "nosuch"], 128), (["list", "--json", "--bogus"], 129)):
        ended = two.run(*words)
        said = json.loads(ended.stderr)
        assert (ended.returncode, said["error"], said.keys()) == (code, code, {"kind", "error", "message", "hint"})


def test_show_says_what_a_person_wants_to_know(two) -> None:
    said = dict(line.split(":", 1) for line in two.run("show", "2", check=True).stdout.splitlines())
    assert said["operation"].strip() == "echo.py"
    assert said["status"].strip().startswith("completed in ")
    assert said["flags"].strip() == "x=2 z='[b' y=2"
    assert said["attempts"].strip().startswith("2 (git run log ")
    assert "made.bin  785 B" in two.run("show", "1").stdout.replace(str(len(BYTES)), "785")


def test_log_shows_each_attempt_with_flags_and_the_end_of_its_output(repo) -> None:
    repo.write("count.py", "n = 3\nfor i in range(n): print('line', i)\n")
    repo.run("count.py", check=True)
    repo.run("--restart", "1", "n=12", check=True)
    said = repo.run("log", check=True).stdout.splitlines()
    assert said[1:5] == ["    count.py  n=12", "    | … 2 lines before", "    | line 2", "    | line 3"]
    assert said[-4:] == ["    count.py  n=3", "    | line 0", "    | line 1", "    | line 2"]
    assert [line.split()[1] for line in said if line.startswith("attempt")] == ["2", "1"]
    assert "    | line 0" in repo.run("log", "--lines", "99").stdout.splitlines()[:5]


def test_cat_into_a_pipe_is_byte_exact(two) -> None:
    two.write("say.py", f"import sys\nsys.stdout.buffer.write({BYTES!r})\n")
    two.run_bytes("say.py")
    assert two.run_bytes("cat").stdout == two.run_bytes("cat", "--output").stdout == BYTES
    assert two.run_bytes("cat", "-p", "made.bin", "2").stdout == BYTES
    assert two.run_bytes("cat", "--sourcecode", "-p", "say.py").stdout == (two.path / "say.py").read_bytes()
    assert two.run("cat", "--flags", "3").stdout == 'x = 2\ny = 2\nz = "[b"\n'


def test_cat_of_what_is_not_there_is_one_line(two) -> None:
    for words in (
        ["-p", "nosuch"],
        ["-p", "../echo.py"],
        ["-p", "/etc/passwd"],
        ["--sourcecode", "-p", "made.bin"],
        ["-p", "a\nb"],
    ):
        ended = two.run("cat", *words)
        assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (128, "", 1), words
    assert two.run("cat", "--sourcecode").stderr == "gitrun: error: --sourcecode needs a file. To name it: -p PATH\n"


def test_cat_of_a_directory_is_told_what_lists_its_files(two) -> None:
    two.write("a/b.txt", "b")
    two.run("make.py", check=True)
    known = Project(two.path).list_runs()[0].id[:8]
    for words, path in ((["-p", "a"], "a"), (["--sourcecode", "-p", "a/"], "a"), (["-p", ".gitrun"], ".gitrun")):
        ended = two.run("cat", *words)
        said = f"gitrun: error: '{path}' is a directory of run {known}. To list its files: git run ls {known}\n"
        assert (ended.returncode, ended.stdout, ended.stderr) == (128, "", said)


def test_select_prints_full_ids(two) -> None:
    ids = [run.id for run in Project(two.path).list_runs()]
    assert two.run("select").stdout.split() == ids[:1]
    assert two.run("select", "2", "make.py", ids[1][:4]).stdout.split() == [ids[1], ids[0]]
    assert two.run("select", "1", "nosuch").returncode == 128


def test_mark_says_what_it_changed(two) -> None:
    said = [two.run("mark", *words, "2").stderr.split(" ", 3)[3] for words in ([], [], ["--clear"], ["--clear"])]
    same = "echo.py is unchanged\n"
    assert said == ["echo.py is marked\n", same, "echo.py is no longer marked\n", same]


def test_stop_ends_a_run_in_the_background_and_watch_follows_it(repo) -> None:
    repo.write("wait.py", "import time\nprint('on', flush=True)\ntime.sleep(30)\n")
    run = repo.run("--background", "wait.py", check=True).stdout.strip()
    watching = subprocess.Popen(["git", "run", "watch", run], cwd=repo.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert watching.stdout is not None
    assert watching.stdout.readline() == b"on\n"
    assert repo.run("stop", "1", check=True).stderr == f"gitrun: stopped run {run[:8]}\n"
    told = watching.communicate(timeout=10)[1]
    assert re.fullmatch(rb"gitrun: run %s terminated \(SIGTERM\) in [0-9.]+s\n" % run[:8].encode(), told)
    ended = repo.run("stop", "1")
    assert (ended.returncode, ended.stderr) == (128, f"gitrun: error: run {run[:8]} is not running on this machine\n")
    assert repo.run("watch", "1").stdout == "on\n"


def test_checkout_brings_what_was_produced_and_spares_what_was_changed(two) -> None:
    assert two.run("checkout", check=True).stderr.startswith("gitrun: copied 1 file of run ")
    assert (two.path / "made.bin").read_bytes() == BYTES
    two.write("made.bin", "mine")
    ended = two.run("checkout", "1")
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (1, "gitrun: not overwritten: made.bin. To overwrite: --force")
    assert (two.path / "made.bin").read_text() == "mine"


@pytest.mark.parametrize("verb", VERBS)
def test_usage_of_a_verb_ends_with_129(tmp_path, verb) -> None:
    ended = subprocess.run(["git-run", verb, "-h"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (129, "")
    assert ended.stdout.startswith("Usage: git run")
    assert "\\b" not in ended.stdout


@pytest.mark.skipif(not shutil.which("man"), reason="there is no man here")
@pytest.mark.parametrize("words", [("--help",), ("help", "git-run")])
def test_help_opens_the_man_page(repo, words) -> None:
    ended = repo.run(*words, env={"MANPAGER": "cat"})
    assert ended.stdout.startswith("GIT-RUN(1)")


def test_watch_latest_follows_the_running_run_and_no_other(repo) -> None:
    repo.write("wait.py", "import time\nprint('on', flush=True)\ntime.sleep(30)\n")
    assert "no run is running" in repo.run("watch", "--latest").stderr
    run = repo.run("--background", "wait.py", check=True).stdout.strip()
    repo.run("echo.py", check=True)
    watching = subprocess.Popen(
        ["git", "run", "watch", "--latest"], cwd=repo.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert watching.stdout is not None
    assert watching.stdout.readline() == b"on\n"
    repo.run("stop", run, check=True)
    assert watching.communicate(timeout=20)[1].startswith(f"gitrun: run {run[:8]} terminated (SIGTERM) in ".encode())

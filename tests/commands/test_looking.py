"""list, show, log, cat, select, mark, stop, watch, checkout, help: what they print, as text and as JSON."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
from byte_runs import BYTES
from sampled import sampled_values

KEYS = {
    "id", "operation", "status", "flags", "given", "label", "tags", "comments", "marked", "started", "stopped", "duration",
    "exit_status", "metrics", "source", "base", "branch", "batch", "trial", "trials", "worker",
}  # fmt: skip
VERBS = ["run", "list", "show", "log", "cat", "select", "checkout", "mark", "stop", "watch", "demo", "help"]
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


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


def test_what_stands_before_a_shortened_output_is_given_as_a_size(repo) -> None:
    repo.write("long.py", "print(('x' * 79 + '\\n') * 175_000)\nfor i in range(10): print('line', i)\n")
    repo.run("long.py", check=True)
    assert repo.run("log", check=True).stdout.splitlines()[2:4] == ["    | … 14 MB before", "    | line 0"]
    for form in ("md", "html"):
        assert "… 14 MB before" in repo.run("report", "--format", form, check=True).stdout


def test_checkout_brings_what_was_produced_and_spares_what_was_changed(two) -> None:
    assert two.run("checkout", check=True).stderr.startswith("gitrun: copied 1 file of run ")
    assert (two.path / "made.bin").read_bytes() == BYTES
    two.write("made.bin", "mine")
    ended = two.run("checkout", "1")
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (1, "gitrun: not overwritten: made.bin. To overwrite: --force")
    assert (two.path / "made.bin").read_text() == "mine"


@pytest.mark.parametrize("verb", sampled_values(4, VERBS))
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

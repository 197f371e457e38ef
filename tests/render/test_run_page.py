"""One run, as a person wants to read it."""

from __future__ import annotations

import json
import re

from shown_runs import labelled_lines


def test_show_tells_where_a_run_came_from_and_what_was_uncommitted(shown_run) -> None:
    said = labelled_lines(shown_run.run("show", check=True).stdout)
    base = shown_run.git("rev-parse", "--short=8", "HEAD")
    assert said["source"] == f"{base} Something with\\x1b[31m colour, branch main, with uncommitted changes"
    assert (said["changed"], said["added"], said["deleted"]) == ("echo.py", "new.txt", "gone.txt")
    assert said["author"] == "A User <user@example.org>"
    assert said["file"] == "out.txt  2 B"
    assert said["started"].endswith("ago)") or said["started"].endswith("(just now)")


def test_many_files_and_changes_are_counted(repo) -> None:
    for number in range(13):
        repo.write(f"in{number:02}.txt", "x")
    repo.write("make.py", "for n in range(12): open(f'out{n:02}', 'w').write('x')\n")
    repo.run("make.py", check=True)
    said = repo.run("show", check=True).stdout
    assert "in09.txt and 4 more (git run diff " in said
    assert "out09  1 B" in said
    assert "           2 files more (git run ls " in said


def test_many_flags_and_metrics_stand_in_lines_of_usual_width(repo) -> None:
    constants = {f"setting_{number}": f"'a b {number}'" for number in range(30)} | {"long": repr("x" * 90)}
    values = "".join(f"print('value_{number}:', {number})\n" for number in range(30))
    repo.write("many.py", "".join(f"{name} = {value}\n" for name, value in constants.items()) + values)
    planned = repo.run("--dry-run", "many.py", "setting_7=8", check=True).stdout
    repo.run("many.py", "setting_7=8", check=True)
    for text in (planned, repo.run("show", check=True).stdout):
        rows = text[text.index("flags:") : text.index("source:")].splitlines()
        assert rows[0].startswith("flags:     setting_7='8'")
        assert [row.strip() for row in rows if len(row) > 80] == ["long=" + "x" * 90]
        shown = " ".join(row[11:] for row in rows)
        assert all(f"{name}={value}" in shown for name, value in constants.items() if name not in {"setting_7", "long"})
    assert all(f"value_{number}={number}" in shown for number in range(30))


def test_run_whose_commit_is_not_here_is_shown(shown_run) -> None:
    run = shown_run.run("select").stdout.strip()
    base = shown_run.git("rev-parse", f"{run}^")
    (shown_run.path / ".git" / "objects" / base[:2] / base[2:]).unlink()
    ended = shown_run.run("show", run)
    assert "restart" in ended.stdout or ended.stderr.count("\n") == 1


def test_running_run_tells_since_when_and_how_to_end_it(repo) -> None:
    repo.write("wait.py", "import time\nprint('on', flush=True)\ntime.sleep(30)\n")
    run = repo.run("--background", "wait.py", check=True).stdout.strip()
    said = labelled_lines(repo.run("show", check=True).stdout)
    assert re.fullmatch(r"running for [0-9.]+s", said["status"])
    assert re.search(r"\((just now|[0-9]+ seconds ago)\)$", said["started"])
    assert (said["stop"], said["watch"]) == (f"git run stop {run[:8]}", f"git run watch {run[:8]}")
    assert "restart" not in said
    found = json.loads(repo.run("list", "--json", check=True).stdout)[0]
    assert (found["started"], found["duration"]) == (repo.run("list", "--format", "%(started)").stdout.strip(), None)
    repo.run("stop", run, check=True)
    assert json.loads(repo.run("list", "--json", check=True).stdout)[0]["started"] >= found["started"]


def test_what_a_run_wrote_is_counted_or_its_end_shown_if_it_went_wrong(repo) -> None:
    repo.write("say.py", "n = 12\nfor i in range(n): print('line', i)\nprint('\\x1b]0;t\\x07')\nassert n > 9, 'too few'\n")
    run = repo.run("say.py", check=True) and repo.run("select").stdout[:8]
    assert labelled_lines(repo.run("show").stdout)["output"] == f"13 lines (git run cat {run})"
    repo.run("say.py", "n=2")
    lines = repo.run("show", check=True).stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("output:"))
    assert lines[at + 4].strip() == "AssertionError: too few"
    assert lines[at + 5].strip().startswith("8 lines (git run cat ")
    assert not any("\x1b" in line for line in lines)


def test_further_lines_of_a_comment_stand_below_the_first(repo) -> None:
    repo.run("--comment", "one\ntwo\n", "echo.py", check=True)
    lines = repo.run("show", check=True).stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("comment:"))
    assert (lines[at][:20], lines[at + 1]) == ("comment:   one (A Us", "           two")


def test_output_recorded_without_its_middle_has_the_size_of_all_of_it(repo) -> None:
    repo.run("--", "sh", "-c", "yes | head -c 12000000", check=True)
    assert labelled_lines(repo.run("show").stdout)["output"].startswith("12 MB (git run cat ")

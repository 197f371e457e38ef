"""The words of a report."""

from __future__ import annotations


def test_metrics_that_differ_are_not_shown_as_equal(repo) -> None:
    repo.write("fit.py", "n = 0\nprint('params:', 1234567 + n)\nprint('loss:', 0.1234567 + n * 1e-7)\n")
    for n in (0, 1):
        repo.run("fit.py", f"n={n}", check=True)
    said = repo.run("report", "1", check=True).stdout
    assert "| metric | `params` | `1234567` | `1234568` |" in said
    assert "| metric | `loss` | `0.1234567` | `0.1234568` |" in said


def test_flag_is_shown_as_it_is_typed(repo) -> None:
    for word in ("v=true", "v='true'"):
        repo.run(word, "--", "true", check=True)
    said = repo.run("report", "1", check=True).stdout
    assert said.split("### 1 run")[1].split("###")[0].count("`'true'`") == 1
    assert "| flag | `v` | `true` | `'true'` |" in said


def test_one_line_that_is_left_out_is_one_line(repo) -> None:
    repo.run("--", "seq", "21", check=True)
    for words in ((), ("--format", "html")):
        said = repo.run("report", *words, "1", check=True).stdout
        assert "… 1 line before" in said

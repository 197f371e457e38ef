"""git run report: the same bytes for the same runs, within its budget, and nothing from a repository is obeyed anywhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sampled import sampled

from gitrun import Project


def test_markdown_tells_commits_runs_flags_and_metrics_against_the_base(topic) -> None:
    failed, run, base = (run.id[:8] for run in Project(topic.path).list_runs())
    said = topic.run("report", check=True).stdout
    assert f"**Not completed: the latest run of 1 operation: {failed} (error).** 2 runs of 2 commits" in said
    assert "| `0.2` `was 0.1` | `0.0166667` `+0.008333 (+100.0 %)` |" in said
    assert f"`train.py` with `{base}`" in said
    assert f"git run verify {failed}" in said
    assert re.search(r"\| `loss` \| █\S+ \| 0.2 \| 0.0166667 \| 12 \|", said)
    assert f"Run <code>{run} train.py</code>" in said


@pytest.mark.parametrize("form", ["md", "html"])
@pytest.mark.parametrize("budget", sampled(2, [1000, 2500, 5000, 9000]))
def test_report_keeps_to_its_budget_and_says_so(topic, form, budget) -> None:
    # an empty page has the style sheet too
    extra = 10_000 if form == "html" else 0
    said = topic.run("report", "--format", form, "--budget", str(budget + extra), check=True).stdout
    assert len(said) <= budget + extra
    whole = topic.run("report", "--format", form, "--budget", "0").stdout
    assert ("left out at the end" in said or "more rows" in said) == (said != whole)


def test_nothing_to_report_is_one_line(repo) -> None:
    repo.commit("no run")
    ended = repo.run("report", check=True)
    assert ended.stdout.count("\n") == 1
    assert "No run was made of the 1 commit in " in ended.stdout
    assert "To report on all of a branch: git run report $(git run select --all --branch NAME)\n" in ended.stderr
    assert repo.run("report", "HEAD..HEAD", check=True).stdout.count("\n") == 1


def test_runs_can_be_named(topic) -> None:
    found = json.loads(topic.run("report", "1", "train.py", "--json", check=True).stdout)
    assert (found["base"], found["commits"], len(found["runs"])) == (None, [], 2)
    assert len(json.loads(topic.run("report", "1:3", "--json", check=True).stdout)["runs"]) == 3
    assert topic.run("report", "nosuch").returncode == 128


def test_name_of_the_file_says_the_format(topic, tmp_path) -> None:
    for name, start in (("a.html", "<!DOCTYPE"), ("a.json", "{"), ("a.md", "## Report on"), ("a.txt", "## Report on")):
        ended = topic.run("report", "--out", tmp_path / name, check=True)
        assert ended.stdout == ""
        assert (tmp_path / name).read_text().startswith(start)


def test_every_format_is_quick_and_whole_with_hostile_texts(evil) -> None:
    for form in ("md", "html", "json"):
        ended = evil.run_bytes("report", "1", "2", "--format", form)
        assert ended.returncode == 0
        ended.stdout.decode()
    assert Path(evil.path / "evil.py").exists()

"""git run report: the same bytes for the same runs, within its budget, and nothing from a repository is obeyed anywhere."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import cmarkgfm
import pytest
from browser import looked_at
from cmarkgfm.cmark import Options
from hypothesis import given
from hypothesis import strategies as st
from templates import made_once

from gitrun import Project
from gitrun.render.markdown import code_span, fence

TRAIN = """\
lr = 0.1
for n in range(12):
    print("loss:", lr / (n + 1))
"""
EVIL = "`x` ``y`` | a\\|b @you #12 <b>&amp; [l](http://x.example) www.x.example a@b.example <!-- \u202e \x1b[31m ]]> </details>"


def rendered(text: str) -> str:
    """The text as the forge renders it, with all that it reads into a comment."""
    options = Options.CMARK_OPT_UNSAFE
    return cmarkgfm.markdown_to_html_with_extensions(text, options, ["table", "autolink", "strikethrough", "tagfilter"])


@pytest.fixture
@made_once
def topic(repo):
    """main with a run, and a branch of two commits: one with a run that came before it and one that failed."""
    repo.write("train.py", TRAIN)
    repo.commit("start")
    repo.run("train.py", check=True)
    repo.git("checkout", "-q", "-b", "topic")
    repo.write("train.py", TRAIN.replace("0.1", "0.2"))
    repo.run("train.py", check=True)
    repo.commit("faster")
    repo.run("--", "sh", "-c", "echo no; exit 3")
    repo.commit("nothing")
    return repo


def test_markdown_tells_commits_runs_flags_and_metrics_against_the_base(topic) -> None:
    failed, run, base = (run.id[:8] for run in Project(topic.path).list_runs())
    said = topic.run("report", check=True).stdout
    assert f"**Not completed: the latest run of 1 operation: {failed} (error).** 2 runs of 2 commits" in said
    assert "`lr=0.2 (was 0.1)`" in said
    assert "`loss` 0.0166667 +0.008333 (+100.0 %)" in said
    assert f"`train.py` with `{base}`" in said
    assert f"git run verify {failed}" in said
    assert re.search(r"\| `loss` \| █\S+ \| 0.2 \| 0.0166667 \|", said)
    assert f"Run <code>{run} train.py</code>" in said


@pytest.mark.parametrize("form", ["md", "html", "json"])
def test_same_runs_give_the_same_bytes_whatever_the_world_is(topic, form) -> None:
    one = topic.run_bytes("report", "--format", form)
    other = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "LANG": "tr_TR", "COLUMNS": "20", "TERM": "xterm"}
    assert one.returncode == 0
    assert topic.run_bytes("report", "--format", form, env=other).stdout == one.stdout
    shutil.copytree(topic.path, topic.path.parent / "elsewhere", symlinks=True)
    again = topic.run_bytes("report", "--format", form, cwd=topic.path.parent / "elsewhere")
    assert again.stdout == one.stdout
    assert str(topic.path).encode() not in one.stdout


@pytest.mark.parametrize("form", ["md", "html"])
@pytest.mark.parametrize("budget", [1000, 2500, 5000, 9000])
def test_report_keeps_to_its_budget_and_says_so(topic, form, budget) -> None:
    extra = 5000 if form == "html" else 0
    said = topic.run("report", "--format", form, "--budget", str(budget + extra), check=True).stdout
    assert len(said) <= budget + extra
    whole = topic.run("report", "--format", form, "--budget", "0").stdout
    assert ("left out at the end" in said or "more rows" in said) == (said != whole)


def test_nothing_to_report_is_one_line(repo) -> None:
    repo.commit("no run")
    assert repo.run("report", check=True).stdout.count("\n") == 1
    assert "No run was made of the 1 commit in " in repo.run("report").stdout
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


def test_difference_to_the_run_before_names_environment_and_code(topic) -> None:
    topic.run("train.py", "lr=0.3", env={"GITRUN_TEST": "1"}, check=True)
    topic.write("train.py", TRAIN + "print('more')\n")
    topic.run("train.py", "lr=0.4", check=True)
    newest = json.loads(topic.run("report", "train.py", "--json").stdout)["details"][0]
    assert newest["flags"] == {"lr": [0.3, 0.4]}
    assert newest["source"] == [{"path": "train.py", "what": "changed"}]
    assert newest["output"][-1] == "more"


@pytest.fixture
@made_once
def evil(repo):
    """A run all of whose words would like to be more than words."""
    repo.write("evil.py", f"v = 'a'\nprint({EVIL!r})\nprint('loss:', 1)\nprint('````')\nraise SystemExit(1)\n")
    repo.git("config", "user.name", "@you <script>alert(1)</script> `|`")
    repo.commit(EVIL.replace("\x1b", ""))
    repo.run("evil.py", f"v={EVIL}", "--label", EVIL)
    repo.run("--", "sh", "-c", f": {EVIL!r}")
    return repo


def test_nothing_from_a_repository_is_obeyed_in_markdown(evil) -> None:
    said = evil.run("report", check=True).stdout
    page = rendered(said)
    without_code = re.sub(r"<code[^>]*>.*?</code>", "", page, flags=re.DOTALL)
    for word in ("@you", "#12", "alert", "x.example", "b.example", "<b>", "<a ", "<script", "[l]"):
        assert word not in without_code, word
    assert page.count("<details>") == page.count("</details>") == said.count("\n</details>\n")
    rows = [line for line in page.splitlines() if line.startswith("<tr>")]
    assert rows
    for table in re.findall(r"<table>.*?</table>", page, flags=re.DOTALL):
        widths = {row.count("<td") + row.count("<th>") for row in table.split("<tr>")[1:]}
        assert len(widths) == 1, table
    assert "\u202e" not in said
    assert "\x1b" not in said


class Tags(HTMLParser):
    """The tags of a page, each with its attributes, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data) -> None:
        self.text += data


def test_nothing_from_a_repository_is_obeyed_in_html(evil) -> None:
    said = evil.run("report", "--format", "html", check=True).stdout
    found = Tags()
    found.feed(said)
    known = {"html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "strong", "span", "code", "table",
             "thead", "tbody", "tr", "th", "td", "div", "b", "details", "summary", "pre", "svg", "polyline"}  # fmt: skip
    assert {tag for tag, _ in found.tags} <= known
    names = {name for _, attributes in found.tags for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in {"style", "src", "href"}}
    assert "@you #12 <b>&amp; [l](http://x.example)" in found.text
    assert "\x1b" not in said
    assert "default-src 'none'" in said


def test_junit_is_read_by_a_parser_whatever_was_written(evil, tmp_path) -> None:
    evil.run("echo.py", check=True)
    evil.run("--stage", "echo.py", "x=2", check=True)
    evil.run("report", "--junit", tmp_path / "j.xml", check=True)
    suite = ET.parse(tmp_path / "j.xml").getroot()[0]
    kinds = sorted(child.tag for case in suite for child in case)
    assert (len(suite), kinds) == (4, ["failure", "skipped"])
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["4", "1", "0", "1"]
    assert "@you #12 <b>" in "".join(suite.itertext())


@given(st.text("`\\|a @#<>&*_[]()!~$-", max_size=24).map(str.strip).filter(bool))
def test_any_text_in_a_cell_is_that_text_and_one_cell(text) -> None:
    page = rendered(f"| a | b |\n| --- | --- |\n| {code_span(text)} | end |\n")
    cells = re.findall(r"<td>(.*?)</td>", page, flags=re.DOTALL)
    assert len(cells) == 2, page
    assert cells[1] == "end"
    found = Tags()
    found.feed(cells[0])
    assert found.text == text
    assert {tag for tag, _ in found.tags} == {"code"}


@given(st.lists(st.text("`~a<>\\ ", max_size=12), max_size=4))
def test_any_lines_in_a_fence_are_those_lines(lines) -> None:
    found = Tags()
    found.feed(rendered(fence(lines, "text") + "\nafter\n"))
    assert found.text == "".join(f"{line}\n" for line in lines) + "\nafter\n" or not lines
    assert [tag for tag, _ in found.tags] == ["pre", "code", "p"]


def test_page_fits_a_phone_a_tablet_and_a_desk_in_a_real_browser(evil, topic, tmp_path) -> None:
    evil.run("report", "1:2", "train.py", "--out", tmp_path / "r.html", check=True)
    screens = looked_at(tmp_path / "r.html", tmp_path)
    assert [wider <= 0 for wider, _ in screens] == [True] * 3, screens
    assert all(rows > 3 for _, rows in screens)


def test_every_format_is_quick_and_whole_with_hostile_texts(evil) -> None:
    for form in ("md", "html", "json"):
        ended = evil.run_bytes("report", "1", "2", "--format", form)
        assert ended.returncode == 0
        ended.stdout.decode()
    assert Path(evil.path / "evil.py").exists()


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
    assert "`v='true'`" in said
    assert "| flag | `v` | `true` | `'true'` |" in said


def test_one_line_that_is_left_out_is_one_line(repo) -> None:
    repo.run("--", "seq", "21", check=True)
    for words in ((), ("--format", "html")):
        said = repo.run("report", *words, "1", check=True).stdout
        assert "… 1 line before" in said

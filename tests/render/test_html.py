"""Reports as HTML: nothing from a repository is obeyed, and the page fits its screen."""

from __future__ import annotations

import pytest
from browser import looked_at
from evil_texts import EVIL, TRAIN, Tags
from templates import made_once


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


def test_page_fits_a_phone_a_tablet_and_a_desk_in_a_real_browser(evil, topic, tmp_path) -> None:
    evil.run("report", "1:2", "train.py", "--out", tmp_path / "r.html", check=True)
    screens = looked_at(tmp_path / "r.html", tmp_path)
    assert [wider <= 0 for wider, _ in screens] == [True] * 3, screens
    assert all(rows > 3 for _, rows in screens)

"""Reports as HTML: nothing from a repository is obeyed, and the page fits its screen."""

from __future__ import annotations

from browser import looked_at
from evil_texts import Tags


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

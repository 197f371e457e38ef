"""A static site: its scripts and styles, and what allows them."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from gitrun import Project
from gitrun.render import site
from gitrun.render.assets import VIEW, policy_hash, read_asset
from gitrun.render.site_answers import SiteAnswers, SiteOptions


class Elements(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self.found.append((tag, dict(attrs)))


def answers_of(repo) -> SiteAnswers:
    """The answers about all runs."""
    project = Project(repo.path)
    return SiteAnswers(project, project.list_runs(), SiteOptions())


def test_scripts_keep_their_meaning_without_comments_and_blanks() -> None:
    # a text of several lines would lose the blanks that begin them
    for name in (*site.first_scripts(), *site.later_scripts()):
        text = read_asset(name)
        pieces = re.sub(r"\\.", "", text).split("`")[1::2] if name != site.CHARTS else []
        assert [piece for piece in pieces if re.search(r"\n[ \t]*//", piece)] == []
        assert site.shorten_assets([name])[0].count("`") == re.sub(site.COMMENT, "", text).count("`")


def test_every_script_of_the_pages_is_in_the_site() -> None:
    scripts = [*site.first_scripts(), *site.later_scripts()]
    assert scripts.index("data.js") + 1 == scripts.index("site.js")
    assert len(scripts) == len(set(scripts))
    others = {"boot.js", "live.js"}
    assert {path.name for path in VIEW.glob("*.js")} == {*scripts, *others}


def test_policy_of_one_file_names_what_stands_in_it(repo) -> None:
    repo.run("echo.py", check=True)
    text = site.render_file(answers_of(repo)).decode()
    policy = next(found["content"] or "" for _, found in Elements(text).found if found.get("http-equiv"))
    inline = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert [policy_hash(script) in policy for script in inline] == [True]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


def test_one_file_has_no_address_of_elsewhere(repo) -> None:
    repo.run("echo.py", check=True)
    page = Elements(site.render_file(answers_of(repo)).decode())
    links = [value for _, found in page.found for name, value in found.items() if name in {"href", "src", "action", "data"}]
    assert links
    assert all(re.fullmatch(r"#[\w/-]*", link) for link in links), links


def test_navigation_of_a_site_stays_on_its_page(repo) -> None:
    repo.run("echo.py", check=True)
    files = dict(site.render_directory(answers_of(repo)))
    page = Elements(files["index.html"].decode())
    assert [found["href"] for tag, found in page.found if tag == "a"] == ["#main", "#/", "#/", "#/commits"]
    wanted = {found.get("src") or found.get("href") for tag, found in page.found if tag in {"script", "link"}}
    assert wanted <= files.keys()

"""Reports as HTML: nothing from a repository is obeyed, and the page fits its screen."""

from __future__ import annotations

import json
import re

import pytest
from browser import looked_at, rendered
from evil_texts import Tags


def test_nothing_from_a_repository_is_obeyed_in_html(evil) -> None:
    said = evil.run("report", "--format", "html", check=True).stdout
    found = Tags()
    found.feed(said)
    known = {"html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "strong", "span", "code", "table",
             "thead", "tbody", "tr", "th", "td", "div", "b", "details", "summary", "pre", "svg", "polyline", "a", "caption",
             "section", "figure", "figcaption"}  # fmt: skip
    assert {tag for tag, _ in found.tags} <= known
    names = {name for _, attributes in found.tags for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in {"style", "src"}}
    links = [attributes["href"] for _, attributes in found.tags if "href" in attributes]
    assert links
    assert all(re.fullmatch(r"#(run|details)-[0-9a-f]{8}", link) for link in links)
    assert "@you #12 <b>&amp; [l](http://x.example)" in found.text
    assert "\x1b" not in said
    assert "default-src 'none'" in said


@pytest.mark.parametrize(("scene", "runs"), [("evil", "1:2"), ("topic", "1:3")])
def test_page_fits_a_phone_a_tablet_and_a_desk_in_a_real_browser(scene, runs, request, tmp_path) -> None:
    request.getfixturevalue(scene).run("report", runs, "--out", tmp_path / "r.html", check=True)
    screens = looked_at(tmp_path / "r.html", tmp_path)
    assert [wider <= 0 for wider, _ in screens] == [True] * 3, screens
    assert all(rows > 3 for _, rows in screens)


HOSTILE = ("<script>document.title='x'</script>", '"><img src=x onerror=document.title=1>', "</svg><script>x</script>", "a&b")


def hostile_batch(repo, tmp_path):
    """The page of a batch whose flags hold markup."""
    repo.write("text.py", "text = 'x'\nlr = 0.1\nprint('loss:', lr)\n")
    repo.commit()
    values = ",".join(f"'{value}'" if "'" not in value else f'"{value}"' for value in HOSTILE)
    repo.run("text.py", f"text=[{values}]", "lr=[0.1,0.2]", check=True)
    repo.run("report", next_batch(repo), "--out", tmp_path / "r.html", check=True)
    return tmp_path / "r.html"


def next_batch(repo) -> str:
    found = json.loads(repo.run("list", "--json", check=True).stdout)
    return next(run["id"] for run in found if run["operation"] == "text.py+")


def test_no_flag_value_of_a_batch_runs_in_a_real_browser(repo, tmp_path) -> None:
    page = hostile_batch(repo, tmp_path)
    found = Tags()
    found.feed(page.read_text())
    assert not {tag for tag, _ in found.tags} & {"script", "img", "iframe"}
    assert not {name for _, attributes in found.tags for name in attributes if name.startswith("on")}
    title = rendered(page, tmp_path).partition("<title>")[2].partition("</title>")[0]
    assert title.startswith("Report on")


def test_page_of_a_batch_fits_a_phone_in_a_real_browser(repo, tmp_path) -> None:
    screens = looked_at(hostile_batch(repo, tmp_path), tmp_path)
    assert [wider <= 0 for wider, _ in screens] == [True] * 3, screens
    assert all(rows > 8 for _, rows in screens)


def test_report_has_the_trials_of_a_batch_in_every_format(repo, tmp_path) -> None:
    hostile_batch(repo, tmp_path)
    batch = next_batch(repo)
    found = json.loads(repo.run("report", batch, "--json", check=True).stdout)["batches"][0]
    assert (found["run"], found["objective"], found["flags"], len(found["trials"])) == (batch, None, ["lr", "text"], 8)
    assert [trial["trial"] for trial in found["trials"]] == list(range(1, 9))
    assert "in their order: the batch has no single objective" in repo.run("report", batch, check=True).stdout
    repo.run("--restart", batch, "--minimize", "loss", check=True)
    found = json.loads(repo.run("report", "HEAD", "--json", check=True).stdout)["batches"][0]
    assert found["objective"] == {"metric": "loss", "minimize": True}
    assert [trial["value"] for trial in found["trials"]] == [0.1] * 4 + [0.2] * 4
    assert found["best"] == found["trials"][0]["id"]
    page = repo.run("report", "HEAD", "--format", "html", check=True).stdout
    assert page.count('<svg class="chart"') == 4

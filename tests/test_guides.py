"""The guides and README: complete, short, in the shape that we can render, and their man pages up to date.

`python tests/test_guides.py` writes the man pages.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys

import cmarkgfm
import pytest

from gitrun.commands.help import SHARE
from gitrun.commands.verbs import TOPICS, VERBS
from gitrun.render.guide import parse_spans, render_terminal
from gitrun.render.man_page import render_man

PROJECT = SHARE.parents[1]
README = PROJECT / "README.md"
GUIDES = {file.stem: file.read_text("utf-8") for file in sorted((SHARE / "guide").glob("*.md"))}
TEXTS = {"README": README.read_text("utf-8"), **GUIDES}
OPENINGS = re.compile(r"# [^\n]+\n\nAfter this guide you can [^.]*\.")


def man_page(topic: str) -> str:
    """The source of the man page of a guide; its date is that of the page of `git run`."""
    (date,) = re.findall(r"^\.Dd (.*)$", (SHARE / "git-run.1").read_text(), flags=re.MULTILINE)
    return render_man(GUIDES[topic], topic, TOPICS[topic], date)


def test_every_topic_is_a_guide_and_every_guide_a_topic() -> None:
    assert set(GUIDES) == set(TOPICS)


@pytest.mark.parametrize("name", TEXTS)
def test_guide_is_short(name: str) -> None:
    assert len(TEXTS[name].splitlines()) <= (250 if name == "README" else 200)


@pytest.mark.parametrize("topic", GUIDES)
def test_guide_opens_with_what_the_reader_can_do(topic: str) -> None:
    assert OPENINGS.match(GUIDES[topic])


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name: str) -> None:
    place = README.parent if name == "README" else SHARE / "guide"
    page = cmarkgfm.github_flavored_markdown_to_html(TEXTS[name])
    ids = {
        re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.*)$", TEXTS[name], re.MULTILINE)
    }
    for link in re.findall(r'href="([^"]*)"', page):
        if "://" not in link:
            path, _, anchor = link.partition("#")
            assert (place / path).exists() if path else anchor in ids, link


@pytest.mark.parametrize("name", TEXTS)
def test_guide_names_only_verbs_that_there_are(name: str) -> None:
    named = set(re.findall(r"git run ([a-z][a-z-]*)(?![\w.:/=+-])", TEXTS[name]))
    # operations of examples, and a hook
    assert named <= {*VERBS, "all", "train", "both", "count", "hook", "pre-push"}


@pytest.mark.parametrize("topic", GUIDES)
def test_terminal_shows_every_word_of_a_guide(topic: str) -> None:
    shown = render_terminal(GUIDES[topic], 80)
    page = cmarkgfm.github_flavored_markdown_to_html(GUIDES[topic])
    # a link gets a command behind it; the heading of a wide table of two columns is left out
    inline = re.sub(r"<th[ >].*?</th>|</?(?:code|strong|em|span)\b[^>]*>", "", page, flags=re.DOTALL)
    words = html.unescape(re.sub(r"<[^>]*>", " ", inline)).split()
    assert [word for word in words if word not in shown] == []


@pytest.mark.parametrize("topic", GUIDES)
def test_lines_fit_a_terminal_of_80_columns(topic: str) -> None:
    fixed = {f"      {line}".rstrip() for line in GUIDES[topic].splitlines()}
    wide = [line for line in render_terminal(GUIDES[topic], 80).splitlines() if len(line) > 80 and line not in fixed]
    assert [line for line in wide if " " in line.strip()] == []


@pytest.mark.parametrize("topic", GUIDES)
def test_man_page_is_up_to_date(topic: str) -> None:
    assert (SHARE / "man" / f"git-run-{topic}.7").read_text() == man_page(topic), f"{sys.executable} {__file__} writes it"


@pytest.mark.parametrize(
    "words",
    [("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"), ("groff", "-ww", "-man", "-Tutf8")],
    ids=lambda words: words[0],
)
def test_formatters_have_nothing_to_say_about_the_pages(words: tuple[str, ...]) -> None:
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    for file in sorted((SHARE / "man").iterdir()):
        done = subprocess.run([*words, file], capture_output=True, text=True, check=False)
        assert (file.name, done.stderr) == (file.name, "")


def test_man_page_shows_examples_as_they_are() -> None:
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    env = {**os.environ, "MANWIDTH": "200", "MAN_KEEP_FORMATTING": "", "PAGER": "cat"}
    for topic, text in GUIDES.items():
        words = ("man", "-E", "UTF-8", "-l", SHARE / "man" / f"git-run-{topic}.7")
        shown = subprocess.run(words, env=env, capture_output=True, text=True, check=True).stdout
        lines = {line.strip() for line in shown.splitlines()}
        blocks = re.findall(r"^```\w*[^\n]*\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
        assert [line for block in blocks for line in block.splitlines() if line.strip() not in lines] == []
        assert shown.startswith(f"GIT-RUN-{topic.upper()}(7)")


def test_plain_texts_have_no_marks_left() -> None:
    for topic, text in GUIDES.items():
        prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        left = [span.text for line in prose.splitlines() for span in parse_spans(line) if not span.style and "**" in span.text]
        assert (topic, left) == (topic, [])


def test_architecture_names_paths_that_there_are() -> None:
    text = re.sub(r"<\w+>", "*", GUIDES["architecture"])
    # `tests/` and `hooks/` are beside the package
    paths = re.findall(r"(?<![\w./*-])((?:[\w*-]+/)+(?:[\w*-]+(?:\.\w+)?)?)", text)
    roots = (SHARE.parent, PROJECT)
    assert len(paths) > 60
    assert [path for path in paths if not any([*root.glob(path)] for root in roots)] == []


def test_architecture_names_interfaces_where_they_are() -> None:
    rows = re.findall(r"^\| (`[A-Z].*?) \| `([\w/]+\.py)` \|", GUIDES["architecture"], re.MULTILINE)
    assert len(rows) > 4
    for names, path in rows:
        source = (SHARE.parent / path).read_text()
        assert [
            name for name in re.findall(r"`(\w+)`", names) if not re.search(rf"^class {name}\b", source, re.MULTILINE)
        ] == []


def test_architecture_names_tables_where_they_are() -> None:
    pairs = re.findall(r"`([A-Z_]+)` (?:in|of) `([\w/]+)\.(py|js)`", GUIDES["architecture"])
    assert len(pairs) > 4
    for name, path, ending in pairs:
        file = SHARE / "view" / f"{path}.js" if ending == "js" else SHARE.parent / f"{path}.py"
        assert re.search(rf"\b{name}\b[^=\n]* = ", file.read_text()), (name, path)


def test_architecture_lists_every_package() -> None:
    rows = re.findall(r"^\| (`[^|]*) \|", GUIDES["architecture"].partition("## Packages")[2].partition("##")[0], re.MULTILINE)
    named = {name.strip("/").removesuffix(".py") for row in rows for name in re.findall(r"`([^`]*)`", row)}
    there = {path.stem for path in SHARE.parent.iterdir() if not path.name.startswith(("_", "."))} - {"py"}
    assert named == there


def test_guide_lists_every_kind_of_error() -> None:
    sources = "".join(path.read_text() for path in SHARE.parent.rglob("*.py"))
    kinds = re.findall(r"^    kind = \"([a-z-]+)\"$|(?:Report|Complaint)\(\"([a-z-]+)\"", sources, re.MULTILINE)
    rows = GUIDES["python"].partition("## Kinds")[2].partition("\n## ")[0].splitlines()[4:]
    listed = {kind for row in rows for kind in re.findall(r"`([a-z-]+)`", row.rpartition(" | ")[0])}
    assert listed == {first or second for first, second in kinds}


@pytest.mark.parametrize("name", TEXTS)
def test_words_are_those_that_people_say(name: str) -> None:
    prose = re.sub(r"^```.*?^```$", "", TEXTS[name], flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"\b(?:anew|meanwhile|by now|is had|to be had|lies in|it is said|so many of)\b", prose) == []


if __name__ == "__main__":
    for name in TOPICS:
        (SHARE / "man" / f"git-run-{name}.7").write_text(man_page(name))

"""The scripts of the pages: nothing in them makes code or markup of text, and they stay small enough to read and to load."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

VIEW = Path(__file__).parents[3] / "gitrun" / "share" / "view"
SCRIPTS = sorted(path for path in VIEW.glob("*.js") if ".min." not in path.name)
STYLES = sorted(path for path in VIEW.glob("*.css") if ".min." not in path.name)
FORBIDDEN = (
    r"\.(?:inner|outer)HTML\b", r"\binsertAdjacentHTML\b", r"\bdocument\.write", r"\beval\s*\(", r"\bnew Function\b",
    r"\bFunction\s*\(", r"\bcreateContextualFragment\b", r"\bDOMParser\b", r"\bsrcdoc\b", r"set(?:Timeout|Interval)\(\s*['\"`]",
    r"\.on[a-z]+\s*=[^=>]", r"setAttribute\(\s*['\"]on", r"['\"]on[a-z]+['\"]\s*[:,]", r"javascript:(?!\.)", r"\bimport\s*\(",
    r"https?://(?!www\.w3\.org/2000/svg)",
)  # fmt: skip
"""What makes code or elements of text, or asks another host."""
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 600, 60
BEGIN = re.compile(r"^(?P<indent> *)(?:async )?(?:function\*? ?\w*|(?!if|for|while|switch|catch|return)\w+)\(.*\) (?:=> )?\{$")


def code_of(path: Path) -> str:
    """A script without its comments."""
    return re.sub(r"(?m)/\*.*?\*/|(?<![:'\"\\])//.*$", "", path.read_text("utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_no_script_makes_code_or_markup_of_text(script: Path) -> None:
    code = code_of(script)

    assert [pattern for pattern in FORBIDDEN if re.search(pattern, code)] == []


@pytest.mark.parametrize(
    "text",
    ["a.innerHTML = b", "eval (x)", "node.onclick = f", "new Function('x')", "setTimeout('x', 1)", "fetch('https://a.b')"],
)
def test_the_ban_finds_what_it_forbids(text: str) -> None:
    assert any(re.search(pattern, text) for pattern in FORBIDDEN)


def test_the_page_has_no_inline_script_or_style() -> None:
    page = (VIEW / "index.html").read_text("utf-8")

    assert re.findall(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|https?://", page) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_begin_with_what_they_offer(script: Path) -> None:
    text = script.read_text("utf-8")

    assert text.startswith("/* ")
    assert "\n'use strict';\n" in text
    assert len(text.splitlines()) <= MOST_LINES


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_functions_of_scripts_are_short(script: Path) -> None:
    lines = script.read_text("utf-8").splitlines()
    long = {}
    for number, line in enumerate(lines):
        if match := BEGIN.match(line):
            end = next(at for at, later in enumerate(lines[number:]) if re.match(rf"{match['indent']}\}}", later))
            if end > MOST_LINES_OF_A_FUNCTION and not re.search(r"function (?:create|curves|coordinates|scatter)\(", line):
                long[line.strip()] = end
    assert long == {}


@pytest.mark.parametrize("style", STYLES, ids=lambda path: path.stem)
def test_colours_are_written_in_one_place(style: Path) -> None:
    rules = re.sub(r"/\*.*?\*/", "", style.read_text("utf-8"), flags=re.DOTALL)
    # shadows are black in both schemes
    colours = re.findall(r"#[0-9a-fA-F]{3,8}\b|\b(?:rgb|hsl)a?\((?!0 0 0)[^)]*\)", rules)

    assert colours == [] or style.name == "tokens.css"

"""Reports as JUnit."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from evil_texts import EVIL
from templates import made_once


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


def test_junit_is_read_by_a_parser_whatever_was_written(evil, tmp_path) -> None:
    evil.run("echo.py", check=True)
    evil.run("--stage", "echo.py", "x=2", check=True)
    evil.run("report", "--junit", tmp_path / "j.xml", check=True)
    suite = ET.parse(tmp_path / "j.xml").getroot()[0]
    kinds = sorted(child.tag for case in suite for child in case)
    assert (len(suite), kinds) == (4, ["failure", "skipped"])
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["4", "1", "0", "1"]
    assert "@you #12 <b>" in "".join(suite.itertext())

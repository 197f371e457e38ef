"""Reports as JUnit."""

from __future__ import annotations

from xml.etree import ElementTree as ET


def test_junit_is_read_by_a_parser_whatever_was_written(evil, tmp_path) -> None:
    evil.run("echo.py", check=True)
    evil.run("--stage", "echo.py", "x=2", check=True)
    evil.run("report", "--junit", tmp_path / "j.xml", check=True)
    suite = ET.parse(tmp_path / "j.xml").getroot()[0]
    kinds = sorted(child.tag for case in suite for child in case)
    assert (len(suite), kinds) == (4, ["failure", "skipped"])
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["4", "1", "0", "1"]
    assert "@you #12 <b>" in "".join(suite.itertext())

"""Pieces of HTML."""

from __future__ import annotations

from runs_made_up import made_up

from gitrun.render.markup import escape_text, link_run, render_code, unlink_missing


def test_no_character_of_a_text_is_obeyed() -> None:
    assert escape_text("<b title='x'>&\u202e") == "&lt;b title=&#x27;x&#x27;&gt;&amp;\\u202e"
    assert render_code("") == ""


def test_link_to_a_missing_id_becomes_its_text() -> None:
    link = link_run(made_up())
    assert unlink_missing(link) == "<code>3fa2c1d8</code>"
    assert unlink_missing(f'<tr id="run-3fa2c1d8">{link}</tr>') == f'<tr id="run-3fa2c1d8">{link}</tr>'


def test_second_element_of_an_id_loses_it() -> None:
    assert unlink_missing('<tr id="run-1"></tr><tr id="run-1"></tr>') == '<tr id="run-1"></tr><tr></tr>'


def test_text_that_looks_like_a_link_stays_text() -> None:
    text = escape_text('<a href="#run-1">x</a><p id="run-1">')
    assert unlink_missing(text) == text

"""What runs wrote, as elements of a page: colours, tables, notebooks; nothing in it executes."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path

import pytest

VIEW = Path(__file__).parents[3] / "gitrun" / "share" / "view"
EVIL = "<script>window.hurt = 1</script><img src=x onerror='window.hurt = 1'>"


def png(width: int, height: int) -> str:
    """A picture in base64, all black."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(width + 1) * height)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def page(chromium):
    page = chromium.new_page()
    page.set_content("<main></main>")
    for name in ("text.js", "dom.js", "files.js"):
        page.add_script_tag(path=VIEW / name)
    yield page
    page.close()


def shown(page, kind: str, words: str) -> str:
    page.evaluate(
        "([kind, words]) => gitrun.dom.fill(document.querySelector('main'), gitrun.files[kind](words))", [kind, words]
    )
    assert page.evaluate("window.hurt") is None
    return page.inner_html("main")


def cells(page) -> list[list[str]]:
    return page.evaluate("[...document.querySelectorAll('tr')].map(row => [...row.cells].map(cell => cell.textContent))")


def classes_of(page, words: str) -> dict[str, str]:
    shown(page, "text", words)
    return dict(page.evaluate("[...document.querySelectorAll('pre span')].map(span => [span.textContent, span.className])"))


def test_colours_of_output_become_classes(page) -> None:
    words = "\x1b[1;31mred\x1b[0m plain \x1b[4munder\x1b[24m \x1b[92;44mgreen\x1b[m\n"

    assert classes_of(page, words) == {"red": "ansi-bold ansi-fg1", "under": "ansi-underline", "green": "ansi-fg2 ansi-bg4"}
    assert page.text_content("pre") == "red plain under green\n"


def test_256_and_true_colours_become_the_nearest_of_8(page) -> None:
    words = "\x1b[38;5;196ma\x1b[38;5;4mb\x1b[38;2;0;160;0mc\x1b[48:5:255md\x1b[0;38;5;244me\x1b[90mf"

    assert classes_of(page, words) == {
        "a": "ansi-fg1", "b": "ansi-fg4", "c": "ansi-fg2", "d": "ansi-fg2 ansi-bg7", "e": "ansi-fg0", "f": "ansi-fg0",
    }  # fmt: skip


def test_a_colour_lasts_to_later_lines(page) -> None:
    shown(page, "text", "\x1b[31ma\nb\x1b[0m\nc\n")

    assert page.evaluate("[...document.querySelectorAll('.ansi-fg1')].map(span => span.textContent)") == ["a", "b"]


def test_other_controls_are_shown_as_escapes(page) -> None:
    shown(page, "text", "\x1b]52;c;aGk=\x07 \x1b[2J \u202eevil\tx\x00\n")

    assert page.text_content("pre") == "\\x1b]52;c;aGk=\\x07 \\x1b[2J \\u202eevil\tx\\x00\n"


def test_of_a_progress_bar_the_last_state_is_shown(page) -> None:
    shown(page, "text", "  1%\r 50%\r100%\x1b[K\r\nend\n")

    assert page.text_content("pre") == "100%\nend\n"


def test_markup_in_output_is_text(page) -> None:
    shown(page, "text", EVIL)

    assert page.text_content("pre") == f"{EVIL}\n"
    assert page.locator("main img, main script").count() == 0


def test_a_long_text_counts_what_it_leaves_out(page) -> None:
    shown(page, "text", "line\n" * 5003)

    assert page.text_content("pre").count("line") == 5000
    assert page.text_content(".remark") == "3 lines more"


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        ("a,b\n1,2\n", [["a", "b"], ["1", "2"]]),
        ('a,b\r\n"x, ""y""","two\nlines"\r\n', [["a", "b"], ['x, "y"', "two\\nlines"]]),
        ("a;b\n1,5;2\n", [["a", "b"], ["1,5", "2"]]),
        ("\ufeffa\tb\n1\t\n", [["a", "b"], ["1", ""]]),
        ('a,b\nit"s,"open', [["a", "b"], ['it"s', "open"]]),
        ("1,2\n3,4", [["1", "2"], ["3", "4"]]),
    ],
)
def test_csv_becomes_a_table_of_texts(page, words, rows) -> None:
    shown(page, "table", words)

    assert cells(page) == rows


def test_a_csv_of_numbers_alone_has_no_head(page) -> None:
    assert "<thead>" in shown(page, "table", "a,b\n1,2\n")
    assert "<thead>" not in shown(page, "table", "1,2\n3,4\n")


def test_a_long_csv_counts_what_it_leaves_out(page) -> None:
    shown(page, "table", "a\n" + "1\n" * 1002)

    assert len(cells(page)) == 1001
    assert page.text_content(".remark") == "2 rows more"


def test_markup_and_formulas_in_csv_are_text(page) -> None:
    shown(page, "table", f'a\n"{EVIL}"\n=1+1\n')

    assert cells(page) == [["a"], [EVIL], ["=1+1"]]


def notebook(*cells: object) -> str:
    return json.dumps({"nbformat": 4, "cells": cells})


def code(*outputs: object) -> dict[str, object]:
    return {"cell_type": "code", "execution_count": 3, "source": ["a = 1\n", "a"], "outputs": outputs}


def test_a_notebook_shows_source_text_and_pictures(page) -> None:
    picture = {"output_type": "display_data", "data": {"image/png": png(2, 3), "text/plain": "<Figure>"}}
    words = {"output_type": "stream", "name": "stdout", "text": ["\x1b[32mhi\x1b[0m\n"]}
    shown(page, "notebook", notebook({"cell_type": "markdown", "source": "# Title\n*x*"}, code(words, picture)))

    assert page.text_content(".prose") == "# Title\n*x*"
    assert page.locator("pre").all_text_contents() == ["a = 1\na", "hi\n"]
    page.wait_for_selector("canvas[width='2'][height='3']")


def test_active_outputs_of_a_notebook_are_named_only(page) -> None:
    data = {
        "text/html": EVIL,
        "image/svg+xml": "<svg onload='hurt = 1'/>",
        "application/javascript": "hurt = 1",
        "text/plain": "1",
    }
    shown(
        page, "notebook", notebook(code({"output_type": "execute_result", "data": data}), {"cell_type": "raw", "source": EVIL})
    )

    assert page.locator(".remark").all_text_contents() == [
        "text/html is not shown", "image/svg+xml is not shown", "application/javascript is not shown",
    ]  # fmt: skip
    assert page.text_content(".prose") == EVIL
    assert page.locator("main svg, main script, main img").count() == 0


@pytest.mark.parametrize("words", ["{", "[]", '{"cells": 3}', '{"cells": [null]}', "null"])
def test_a_broken_notebook_is_shown_as_text(page, words) -> None:
    shown(page, "notebook", words)

    assert page.text_content("pre") == f"{words}\n"


def test_a_damaged_picture_of_a_notebook_says_so(page) -> None:
    for data in ("AAAA", "no base64!"):
        shown(page, "notebook", notebook(code({"output_type": "display_data", "data": {"image/png": data}})))
        page.wait_for_selector(".cell .remark")

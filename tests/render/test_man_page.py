"""Guides as man pages: what is written arrives, as man shows it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from gitrun.render.man_page import render_man

MARKDOWN = """# Title

After this guide you can `git run -n` and **more**, see [files](files.md).

## A section's head

- first, with a back\\slash
- second

1. one

### Part

```sh
.hidden --option 'quoted' "twice" ~ ^ `cmd` \\n
  indented
```

| a | b |
|---|---|
| `x` | y |

| name | meaning |
|---|---|
| .gitrun | a very long text that goes on and on until no line of a page can hold it any more |

'quote' at the start of a line, and a \u2190 arrow.
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> str:
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    file = tmp_path_factory.mktemp("man") / "page.7"
    file.write_text(render_man(MARKDOWN, "title", "what it is", "November 22, 2026"))
    env = {**os.environ, "MANWIDTH": "78", "MAN_KEEP_FORMATTING": "", "PAGER": "cat", "LC_ALL": "C.UTF-8"}
    words = ("man", "--warnings", "-E", "UTF-8", "-l", str(file))
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    "line",
    [
        "git-run-title - what it is",
        "After this guide you can git run -n and more, see files (git run help",
        "A SECTION'S HEAD",
        "\u2022   first, with a back\\slash",
        "1.  one",
        "Part",
        ".hidden --option 'quoted' \"twice\" ~ ^ `cmd` \\n",
        "a  b",
        "x  y",
        ".gitrun",
        "'quote' at the start of a line, and a \u2190 arrow.",
    ],
)
def test_line_is_shown_as_it_is_written(shown, line) -> None:
    # man adds blanks to lines that it breaks, each version at other places
    assert line in {text for found in shown.splitlines() for text in (found.strip(), " ".join(found.split()))}


def test_code_keeps_its_indent(shown) -> None:
    assert re.search(r"\n( +)\.hidden .*\n\1  indented\n", shown)


def test_page_names_itself_and_the_page_of_git_run(shown) -> None:
    assert shown.startswith("GIT-RUN-TITLE(7)")
    assert "git-run(1)" in shown

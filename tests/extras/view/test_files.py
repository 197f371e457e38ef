"""Files of runs as answers: shown by a browser, obeyed by none."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from templates import echo
from view_server import serve_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from view_server import ViewServer

INERT = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors "
NAMES = {
    "plot.png": "image/png", "photo.JPG": "image/jpeg", "a.jpeg": "image/jpeg", "a.gif": "image/gif", "a.webp": "image/webp",
    "a.svg": "image/svg+xml", "a.html": "text/plain; charset=utf-8", "a.htm": "text/plain; charset=utf-8",
    "a.js": "text/plain; charset=utf-8", "a.xml": "text/plain; charset=utf-8", "a.md": "text/plain; charset=utf-8",
    "a.ipynb": "text/plain; charset=utf-8", "a.xhtml": "text/plain; charset=utf-8", "a.css": "text/plain; charset=utf-8",
    "noname": "text/plain; charset=utf-8", "deep/er/a.csv": "text/plain; charset=utf-8",
    "b ä%#?.txt": "text/plain; charset=utf-8",
    "a.pdf": "application/octet-stream", "a.bin": "application/octet-stream", "a.png.html": "text/plain; charset=utf-8",
}  # fmt: skip
WRITE = f"""\
import os
for name in {list(NAMES)!r}:
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    with open(name, "wb") as file:
        words = b"%PDF-1.4" if name.endswith("pdf") else b"a\\0b" if name.endswith("bin") else b"<script>1</script>"
        file.write(words + name.encode() if words.startswith(b"<") else words)
with open(b"b\\xff.txt", "wb") as file:
    file.write(b"latin")
"""


@pytest.fixture(scope="module")
def server(browsing_home, tmp_path_factory) -> Iterator[tuple[ViewServer, str]]:
    """A server, and the id of a run that wrote files of every kind."""
    repo = echo(tmp_path_factory.mktemp("files") / "repo")
    repo.write("write.py", WRITE)
    repo.write("page.html", "<b>source</b>")
    repo.commit()
    repo.run("write.py", check=True)
    run = repo.run("select", check=True).stdout.strip()
    repo.write("secret.txt", "not of the run")
    with serve_view(repo) as server:
        yield server, run


@pytest.mark.parametrize("name", NAMES)
def test_file_has_the_media_type_that_cannot_harm(server, name) -> None:
    view, run = server
    answer = view.get(f"/files/{run}/{quote(name)}")
    assert answer.status == 200
    assert answer.headers["content-type"] == NAMES[name]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert int(answer.headers["content-length"]) == len(answer.body)
    is_download = NAMES[name] == "application/octet-stream"
    assert answer.headers.get("content-disposition", "").startswith("attachment; ") == is_download


def test_bytes_are_those_that_the_program_wrote(server) -> None:
    view, run = server
    assert view.get(f"/files/{run}/a.bin").body == b"a\0b"
    assert view.get(f"/files/{run[:8]}/deep/er/a.csv").body == b"<script>1</script>deep/er/a.csv"
    assert view.get(f"/files/{run}/page.html?source=1").body == b"<b>source</b>"


def test_name_that_is_no_utf8_is_asked_for_as_answers_spell_it(server) -> None:
    view, run = server
    (path,) = [file["path"] for file in view.get(f"/api/runs/{run}").json["files"] if "xff" in file["path"]]
    assert view.get(f"/files/{run}/{quote(path)}").body == b"latin"


def test_svg_is_in_a_sandbox_of_its_own(server) -> None:
    view, run = server
    assert view.get(f"/files/{run}/a.svg").headers["content-security-policy"] == f"{INERT}'none'"


def test_html_is_drawn_only_on_demand_and_in_a_sandbox(server) -> None:
    view, run = server
    answer = view.get(f"/files/{run}/a.html?render=1")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == f"{INERT}'self'"
    for name in ("a.xhtml", "a.js", "a.png.html?x=1", "a.svg?render=0", "a.pdf?render=1"):
        assert "html" not in view.get(f"/files/{run}/{name.replace('?', '?x=2&')}").headers["content-type"].partition(";")[0]


@pytest.mark.parametrize(
    "path",
    [
        "secret.txt", "../secret.txt", "..%2Fsecret.txt", "%2e%2e/secret.txt", "/etc/passwd", "%2Fetc%2Fpasswd", ".git/config",
        "deep/.git/config", ".GIT/config", ".gitrun/run.toml", "deep/../a.bin", "a.bin%00", "%00", "-x", "--help", "deep/-x",
        "deep", "deep/er", "", "deep//er/a.csv", "./a.bin", "a.bin/", "a.bin/x", "HEAD", "git~1/config", "a%0ab",
        ".g%E2%80%8Cit/config", "a.bin:", ":/", "..", "\\xff", "\\\\", "%5C..%5Ca",
    ],
)  # fmt: skip
@pytest.mark.parametrize("source", ["", "?source=1"])
def test_path_that_is_no_file_of_the_run_is_not_found(server, path, source) -> None:
    view, run = server
    assert view.get(f"/files/{run}/{path}{source}").status == 404


@pytest.mark.parametrize("run", ["0000", "HEAD", "-h", "main", "1", "..", "%00"])
def test_only_ids_name_runs(server, run) -> None:
    view, _ = server
    assert view.get(f"/files/{run}/a.bin").status == 404


def test_file_kept_outside_git_is_sent_whole(browsing_home, tmp_path) -> None:
    repo = echo(tmp_path / "repo")
    repo.write("large.py", "open('large.dat', 'wb').write(b'0123456789abcdef' * (12 << 16))\n")
    repo.commit()
    repo.run("large.py", check=True)
    run = repo.run("select", check=True).stdout.strip()
    with serve_view(repo) as view:
        answer = view.get(f"/files/{run}/large.dat")
    assert answer.body == b"0123456789abcdef" * (12 << 16)
    assert int(answer.headers["content-length"]) == 12 << 20

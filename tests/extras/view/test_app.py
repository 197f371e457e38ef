"""The server of `git run view`: what it answers where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from templates import echo
from view_server import serve_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from view_server import ViewServer


@pytest.fixture(scope="module")
def server(browsing_home, tmp_path_factory) -> Iterator[ViewServer]:
    """A server of a repository without runs."""
    with serve_view(echo(tmp_path_factory.mktemp("app") / "repo")) as server:
        yield server


PAGES = ("/", "/runs/1234abcd", "/compare?r=1234,5678", "/diff/1234/5678", "/diff/1234/base", "/live", "/lineage/1234",
         "/batches/1234", "/commits?range=main", "/runs/1234abcd?tab=files")  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_the_shell_that_draws_it(server, page) -> None:
    answer = server.get(page)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.body == server.get("/").body


@pytest.mark.parametrize(
    ("name", "kind"), [("dom.js", "text/javascript"), ("tokens.css", "text/css"), ("icon.svg", "image/svg+xml")]
)
def test_assets_have_their_media_types(server, name, kind) -> None:
    answer = server.get(f"/static/{name}")
    assert answer.status == 200
    assert answer.headers["content-type"].partition(";")[0] == kind

"""The gate of `git run view`, each rule asked over HTTP: who may ask, for what, and with which headers the answer comes."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from templates import echo
from view_server import serve_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from view_server import Answer, ViewServer

OURS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@pytest.fixture(scope="module")
def server(browsing_home, tmp_path_factory) -> Iterator[ViewServer]:
    """A server of a repository without runs."""
    with serve_view(echo(tmp_path_factory.mktemp("gate") / "repo")) as server:
        yield server


def login(server: ViewServer, query: str) -> Answer:
    """The answer to the first page, asked for without a cookie."""
    return server.get(f"/?{query}", {"Cookie": ""})


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "LocalHost"])
def test_names_of_this_machine_are_served(server, name) -> None:
    assert server.get("/", {"Host": f"{name}:{server.port}"}).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}", "", "localhost.:{port}"]
)
def test_another_host_is_misdirected(server, host) -> None:
    assert server.get("/", {"Host": host.format(port=server.port)}).status == 421


def test_request_without_a_host_is_refused(server) -> None:
    assert raw(server, f"GET / HTTP/1.0\r\nCookie: {server.cookie['Cookie']}\r\n\r\n").startswith(b"HTTP/1.1 421 ")
    assert raw(server, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1", "https://127.0.0.1:{port}", "http://localhost:{port}", ""]
)
def test_request_of_another_origin_is_refused(server, origin) -> None:
    assert server.get("/", {"Origin": origin.format(port=server.port)}).status == 403


def test_request_of_our_origin_is_served(server) -> None:
    assert server.get("/", {"Origin": f"http://127.0.0.1:{server.port}"}).status == 200


@pytest.mark.parametrize(
    ("site", "status"), [("none", 200), ("same-origin", 200), ("same-site", 403), ("cross-site", 403), ("", 403)]
)
def test_only_our_pages_and_the_user_lead_here(server, site, status) -> None:
    assert server.get("/", {"Sec-Fetch-Site": site}).status == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_nothing_can_be_sent(server, method) -> None:
    answer = server.get("/", method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert "access-control-allow-origin" not in answer.headers


def test_head_is_answered_without_a_body(server) -> None:
    answer = server.get("/", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("path", ["/", "/static/dom.js", "/api/runs/1234", "/nothing"])
@pytest.mark.parametrize("cookie", ["", "gitrun=x", "gitrun_{port}=wrong", "gitrun_1={token}", "gitrun_{port}=\xe4\xf6"])
def test_nothing_is_answered_without_the_token(server, path, cookie) -> None:
    answer = server.get(path, {"Cookie": cookie.format(port=server.port, token=server.token)})
    assert answer.status == 401
    assert b"git run view" in answer.body


def test_token_becomes_a_cookie_and_leaves_the_address(server) -> None:
    answer = login(server, f"q=x%3C1&token={server.token}&sort=x")
    assert (answer.status, answer.headers["location"]) == (303, "/?q=x%3C1&sort=x")
    words = answer.headers["set-cookie"].split("; ")
    assert words[0] == f"gitrun_{server.port}={server.token}"
    assert {word.lower() for word in words[1:]} == {"httponly", "samesite=strict", "path=/"}


@pytest.mark.parametrize("token", ["", "wrong", "%00", "%ff%fe", "%C3%A4", "{token}x"])
def test_wrong_token_is_refused_also_with_the_cookie(server, token) -> None:
    query = f"token={token.format(token=server.token)}"
    assert login(server, query).status == 401
    assert server.get(f"/?{query}").status == 401
    assert "set-cookie" not in login(server, query).headers


def test_login_leads_to_this_server_only(server) -> None:
    answer = server.get(f"/runs/1234?token={server.token}", {"Cookie": ""})
    assert answer.headers["location"] == "/runs/1234"
    assert server.get(f"//evil.example/?token={server.token}", {"Cookie": ""}).status == 404


def test_token_has_192_bits(server) -> None:
    # base64 has 6 bits a character
    assert len(server.token) * 6 == 192


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {}),
        ("/static/dom.js", {}),
        ("/api/runs/12345678", {}),
        ("/nothing", {}),
        ("/", {"Cookie": ""}),
        ("/", {"Host": "evil.example"}),
        ("/", {"Origin": "null"}),
    ],
    ids=["page", "asset", "answer", "missing", "no token", "host", "origin"],
)
def test_every_answer_has_the_headers(server, path, headers) -> None:
    answer = server.get(path, headers)
    assert {name: answer.headers.get(name) for name in OURS} == OURS
    assert not [name for name in answer.headers if name == "server" or name.startswith("access-control")]


def test_answer_to_what_is_no_http_has_the_headers(server) -> None:
    answered = raw(server, "GARBAGE\r\n\r\n").decode()
    assert answered.startswith("HTTP/1.1 400 ")
    assert all(f"\r\n{name}: {value}\r\n" in answered for name, value in OURS.items())
    assert "server:" not in answered


@pytest.mark.parametrize(
    "path",
    [
        "/static/../../../pyproject.toml", "/static/..%2f..%2fpyproject.toml", "/static/%2e%2e/x", "//static/dom.js",
        "/static/dom.js%00", "/%00", "/static/.git", "/.git/config", "/.GIT/config", "/static/-x", "/-x", "/static//etc/passwd",
        "/static/vendor.toml", "/static/index.html", "/runs/..", "/runs/-abc", "/runs/xyz", "/runs/ABCD1234", "/runs/123",
        "/static/dom.js%0d%0aX: y", "/static/\\dom.js", "/api/runs/--help", "/api/runs/1234%0A", "/diff/base/1234",
    ],
)  # fmt: skip
def test_path_that_is_no_page_is_not_found(server, path) -> None:
    answer = server.get(path.replace(" ", "%20"))
    assert answer.status == 404
    assert {name: answer.headers.get(name) for name in OURS} == OURS


def raw(server: ViewServer, words: str) -> bytes:
    """The answer to these very bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(words.encode())
        connection.shutdown(socket.SHUT_WR)
        found = b""
        while piece := connection.recv(65536):
            found += piece
    return found

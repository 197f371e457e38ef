"""The gate before every page: who may ask for what, and the headers of every answer.

It stands against another site in the same browser, another user of this machine, and files of runs from elsewhere.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse

from gitrun.dataclass import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "content-security-policy"
HEADERS = {
    # data: is for images inside notebooks; it reaches no other host
    POLICY: (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Headers of every answer. A file of a run has a policy of its own, which allows less."""
NAMES = ("127.0.0.1", "localhost", "[::1]")
"""Names of this machine in an address. Another name may be a site whose DNS points here."""
METHODS = ("GET", "HEAD")
TOKEN_BYTES = 24
TOKEN = "token"  # noqa: S105 - the name of a parameter
# control characters; NUL ends a path for the system, line ends end a header
UNSAFE = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets requests through to `app` that come from the browser of whoever has the token, at the address of this server."""

    app: ASGIApp
    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(TOKEN_BYTES))
    tickets: set[str] = field(default_factory=set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or passes it on."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    if name != POLICY or POLICY not in headers:
                        headers[name] = value
            await send(message)

        if scope["type"] != "http":
            return
        await (self.refuse(scope) or self.log_in(scope) or self.app)(scope, receive, send_with_headers)

    @property
    def cookie(self) -> str:
        """Returns the name of the cookie. It has the port, as browsers send a cookie to all ports of a host."""
        return f"gitrun_{self.port}"

    @property
    def hosts(self) -> frozenset[str]:
        """Returns what the Host header may be."""
        return frozenset(f"{name}:{self.port}" for name in NAMES)

    def issue_ticket(self) -> str:
        """Returns a token that opens a page once: other users see the command that starts a browser."""
        ticket = secrets.token_urlsafe(TOKEN_BYTES)
        self.tickets.add(ticket)
        return ticket

    def refuse(self, scope: Scope) -> Response | None:
        """Returns the answer to a request that no browser with a page of ours would send; None for others."""
        headers = Headers(scope=scope)
        hosts, origins, sites = (headers.getlist(name) for name in ("host", "origin", "sec-fetch-site"))
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            return answer(421, f"this server has another address. To look at runs: http://127.0.0.1:{self.port}")
        if any(origin != f"http://{hosts[0].lower()}" for origin in origins):
            return answer(403, "another site asks for this")
        if any(site not in {"none", "same-origin"} for site in sites):
            return answer(403, "another site leads here. To look at runs: open the address that git run view printed")
        if scope["method"] not in METHODS:
            return PlainTextResponse("error: this server is only for reading\n", 405, {"allow": ", ".join(METHODS)})
        return answer(404, "there is no such page") if not is_safe_path(scope) else None

    def log_in(self, scope: Scope) -> Response | None:
        """Exchanges the token of an address for a cookie. Returns None if the request has the cookie.

        The clean address that follows keeps the token out of the history, of bookmarks, and of what people share.
        """
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        tokens = [value for name, value in pairs if name == TOKEN]
        if not tokens:
            cookies = cookie_values(Headers(scope=scope), self.cookie)
            return None if any(is_same(value, self.token) for value in cookies) else answer(401, NO_TOKEN)
        if not is_same(tokens[0], self.token) and not self.use_ticket(tokens[0]):
            return answer(401, NO_TOKEN)
        rest = urlencode([pair for pair in pairs if pair[0] != TOKEN])
        # a path of two slashes would lead to another host
        path = "/" + quote(scope["path"].lstrip("/"))
        redirect = RedirectResponse(f"{path}?{rest}" if rest else path, 303)
        redirect.set_cookie(self.cookie, self.token, httponly=True, samesite="strict", path="/")
        return redirect

    def use_ticket(self, token: str) -> bool:
        """Returns whether the token is a ticket that was not used yet, and ends it."""
        ticket = next((known for known in self.tickets if is_same(token, known)), "")
        self.tickets.discard(ticket)
        return bool(ticket)


NO_TOKEN = "this needs the token of the server. To look at runs: open the address that git run view printed"  # noqa: S105 - words


def answer(status: int, words: str) -> Response:
    """Returns an error for people."""
    return PlainTextResponse(f"error: {words}\n", status)


def is_same(given: str, known: str) -> bool:
    """Compares secrets in constant time."""
    # compare_digest refuses texts that are not ASCII, and bytes may be any
    return secrets.compare_digest(given.encode(errors="surrogatepass"), known.encode())


def cookie_values(headers: Headers, name: str) -> Iterable[str]:
    """Yields the values of a cookie. Another server of this machine may have set one of the same name."""
    for line in headers.getlist("cookie"):
        for pair in line.split(";"):
            key, _, value = pair.strip().partition("=")
            if key == name:
                yield value


def is_safe_path(scope: Scope) -> bool:
    """Returns whether each part of the path is a plain name: no NUL, no `..`, no `.git`, no leading dash."""
    path: str = scope["path"]
    parts = path[1:].split("/")
    # `/` alone has one empty part, and a trailing slash another one
    named = parts[:-1] if parts[-1] == "" else parts
    return path.startswith("/") and not UNSAFE.search(path) and all(is_plain_name(part) for part in named)


def is_plain_name(part: str) -> bool:
    """Returns whether a part of a path can be the name of a page, an id, or a file of a run."""
    return part not in {"", ".", ".."} and part.lower() != ".git" and not part.startswith("-")

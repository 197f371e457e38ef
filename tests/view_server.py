"""A `git run view` under way, and what a program asks it over HTTP."""

from __future__ import annotations

import json
import os
import signal
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from supervised import start

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from http.client import HTTPResponse

    from repository import Repo
    from supervised import Process


@dataclass(frozen=True)
class Answer:
    """An answer: its status, its headers by names in lower case, and its bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Event:
    """A server-sent event: its name, its value, and its id (-1 without one)."""

    name: str
    value: Any
    number: int


@dataclass(frozen=True)
class ViewServer:
    """A server that has printed its address."""

    process: Process
    url: str

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    @property
    def token(self) -> str:
        return parse_qs(urlsplit(self.url).query)["token"][0]

    @property
    def cookie(self) -> dict[str, str]:
        """The header by which the server knows a browser again."""
        return {"Cookie": f"gitrun_{self.port}={self.token}"}

    @contextmanager
    def open(self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Iterator[HTTPResponse]:
        """The answer while it arrives, asked for with the cookie unless `headers` has another."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in {"Host": f"127.0.0.1:{self.port}", **self.cookie, **(headers or {})}.items():
                connection.putheader(name, value.encode("latin-1"))
            connection.endheaders()
            with connection.getresponse() as response:
                yield response

    def get(self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Answer:
        """The whole answer."""
        with self.open(path, headers, method) as response:
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str] | None = None) -> Iterator[Iterator[Event]]:
        """The server-sent events of an address, as they arrive."""
        with self.open(path, headers) as response:
            assert response.getheader("content-type", "").startswith("text/event-stream"), response.read()
            yield events(response)

    def end(self, number: int = signal.SIGTERM) -> int:
        """The exit status after a signal."""
        os.killpg(self.process.pid, number)
        self.process.communicate(timeout=20)
        return self.process.returncode


def events(response: HTTPResponse) -> Iterator[Event]:
    """The events of a stream, as a browser takes them."""
    fields: dict[str, str] = {}
    for line in iter(response.readline, b""):
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            yield Event(fields.get("event", "message"), json.loads(fields["data"]), int(fields.get("id", -1)))
            fields = {}


@contextmanager
def serve_view(repo: Repo, *words: str, **options: Any) -> Iterator[ViewServer]:
    """A server of the repository's runs; at the end of the `with` it ends too."""
    process = start(repo, *words, program=("git-run", "view", "--no-open"), **options)
    assert process.stdout is not None
    try:
        url = process.stdout.readline().decode().strip()
        assert url, process.communicate(timeout=20)[1].decode()
        yield ViewServer(process, url)
    finally:
        process.terminate()
        process.communicate(timeout=20)

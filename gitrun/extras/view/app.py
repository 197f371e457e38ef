"""The server of `git run view`: its addresses, and what answers them."""

from __future__ import annotations

import asyncio
import gzip
import json
import signal
import socket
import threading
import time
from concurrent.futures import Future
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import uvicorn
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from gitrun.errors import BadRun, CannotRun, GitrunError, UnknownRun, UsageError
from gitrun.extras.view import files
from gitrun.extras.view.gate import HEADERS, TOKEN, Gate, answer
from gitrun.extras.view.live import LARGEST, Stopping, Tail
from gitrun.extras.view.watcher import Watcher
from gitrun.model.text import escape_surrogates, hide_passwords
from gitrun.render import feed, feed_pages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gitrun.project import Project

T = TypeVar("T")

SHARE = Path(__file__).parents[2] / "share" / "view"
INDEX = "index.html"
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
"""Media types of files that pages load, by extension."""
ASSETS = {path.name: path for path in SHARE.iterdir() if path.suffix in TYPES}
"""Files that pages load, by name. No other file is served."""
PAGES = (
    "/", "/runs/{run:run}", "/compare", "/diff/{old:run}/{new:side}", "/live", "/lineage/{run:run}", "/batches/{run:run}",
    "/commits",
)  # fmt: skip
"""Addresses of pages. The script in `index.html` draws them."""
STATUS = {UnknownRun: 404, UsageError: 400, BadRun: 422}
"""Status codes of errors; others have 500."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK = 60.0
"""Seconds between two looks at whether a page is open."""
GRACE = 1
"""Seconds that requests have to end when the server ends."""
WORTH_PACKING = 1_000
"""Bytes from which an answer is compressed."""
AT_ONCE = 4
"""Answers that are made at a time. Each may start git."""


class RunConvertor(Convertor[str]):
    """An id of a run in an address, or the beginning of one."""

    regex = "[0-9a-f]{4,64}"

    def convert(self, value: str) -> str:
        """Returns the id."""
        return value

    def to_string(self, value: str) -> str:
        """Returns the id."""
        return value


class SideConvertor(RunConvertor):
    """A run, or `base` for the commit that another run was made from."""

    regex = f"{RunConvertor.regex}|base"


register_url_convertor("run", RunConvertor())
register_url_convertor("side", SideConvertor())


class View:
    """A server on a port of this machine; it serves until a signal arrives."""

    def __init__(self, project: Project, port: int, idle: float) -> None:
        """Listens on a port; 0 takes a free one. Ends after `idle` seconds without a page. Raises CannotRun."""
        self._project = project
        self._socket = listen(port)
        self.port: int = self._socket.getsockname()[1]
        self._activity = Activity(self.build_app())
        self._gate, self._idle = Gate(self._activity, self.port), idle
        self._slots, self._stopping = asyncio.Semaphore(AT_ONCE), Stopping()
        self._watcher = Watcher(project, self.in_thread, self._stopping)

    def address(self, page: str, *, once: bool = False) -> str:
        """Returns the address of a page with the token; with `once`, one that opens the page a single time."""
        between = "&" if "?" in page else "?"
        token = self._gate.issue_ticket() if once else self._gate.token
        return f"http://127.0.0.1:{self.port}{page}{between}{TOKEN}={token}"

    def serve(self) -> int:
        """Serves until a signal arrives, or nobody has looked for long. Returns the number of the signal, or 0."""
        return asyncio.run(self._serve())

    async def _serve(self) -> int:
        config = uvicorn.Config(
            self._gate, http=Protocol, ws="none", lifespan="off", log_config=None, access_log=False, server_header=False,
            proxy_headers=False, timeout_graceful_shutdown=GRACE,
        )  # fmt: skip
        server = Server(config)
        reasons: list[int] = []

        def end(number: int) -> None:
            reasons.append(number)
            self._stopping.stop()
            server.should_exit = True

        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            # under nohup, SIGHUP stays ignored
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, end, number)
        tasks = [asyncio.create_task(work) for work in (self._watcher.watch(), self.end_when_idle(lambda: end(0)))]
        await server.serve([self._socket])
        await asyncio.gather(*tasks)
        return reasons[0] if reasons else 0

    async def end_when_idle(self, end: Callable[[], None]) -> None:
        """Ends the server when no page has been open for long."""
        while await self._stopping.pause(min(self._idle, LOOK)):
            if self._activity.idle_for() > self._idle:
                end()

    def build_app(self) -> Starlette:
        """Returns the addresses with what answers them."""
        pages = [Route(path, show_page) for path in PAGES]
        answers = [Route(path, self.answering(make)) for path, make in ANSWERS.items()]
        routes = (
            Route("/static/{name}", send_asset),
            Route("/api/runs", self.send_columns),
            Route("/api/changes", self.send_changes),
            Route("/api/events", self.send_events),
            Route("/api/runs/{run_id:run}/output", self.answering(files.send_output)),
            Route("/api/runs/{run_id:run}/tail", self.send_tail),
            Route("/files/{run_id:run}/{path:path}", self.answering(files.send_file)),
        )
        return Starlette(routes=[*pages, *routes, *answers], exception_handlers={404: show_missing})

    def answering(self, make: Callable[..., Any]) -> Callable[[Request], Awaitable[Response]]:
        """Returns what answers a request with what `make` returns for the project and the names in the address."""

        async def send(request: Request) -> Response:
            return await self.in_thread(lambda: make_answer(self._project, make, request))

        return send

    async def send_columns(self, request: Request) -> Response:
        """Answers with runs as columns."""
        try:
            answer = await self._watcher.columns(request.query_params)
        except GitrunError as error:
            return error_answer(error)
        gone = {"kind": "unknown-stamp", "message": "this server does not know the stamp", "hint": ""}
        return packed(request, json_answer(gone, 410) if answer is None else json_answer(answer))

    async def send_changes(self, request: Request) -> Response:
        """Answers with the runs that have changed since a stamp."""
        try:
            return packed(request, json_answer(await self._watcher.changes(request.query_params.get("since", ""))))
        except GitrunError as error:
            return error_answer(error)

    async def send_events(self, _request: Request) -> Response:
        """Answers with changes of the runs as they happen."""
        try:
            await self._watcher.refresh()
        except GitrunError as error:
            return error_answer(error)
        return StreamingResponse(self._watcher.events(), media_type="text/event-stream")

    async def send_tail(self, request: Request) -> Response:
        """Answers with the output of a run while it is written, from where the browser lost it or from where it asks."""
        try:
            # an event id that this server has sent is a number
            lost = {"from": request.headers["last-event-id"]} if "last-event-id" in request.headers else request.query_params
            start = feed.read_number(lost, "from", 0, least=-LARGEST)
            run = await self.in_thread(lambda: feed.find_run(self._project, request.path_params["run_id"]))
        except GitrunError as error:
            return error_answer(error)
        tail = Tail(self._project, run.id, start, self.in_thread, self._stopping)
        return StreamingResponse(tail.events(), media_type="text/event-stream")

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Returns what `work` returns. It runs in a thread that does not keep this process alive."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except Exception as error:  # noqa: BLE001 - whoever waits raises it
                future.set_exception(error)

        async with self._slots:
            threading.Thread(target=run, daemon=True).start()
            return await asyncio.wrap_future(future)


def make_answer(project: Project, make: Callable[..., Any], request: Request) -> Response:
    """Returns what `make` returns, a value as JSON, or the error that it raises."""
    try:
        value = make(project, **request.path_params, query=request.query_params)
    except GitrunError as error:
        return error_answer(error)
    return value if isinstance(value, Response) else json_answer(value)


def error_answer(error: GitrunError) -> Response:
    """Returns an error as `--json` prints it, but for the exit code."""
    status = next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)
    words = {"message": error.message, "hint": error.hint}
    shown = {name: escape_surrogates(hide_passwords(text)) for name, text in words.items()}
    return json_answer({"kind": error.kind, **shown}, status)


def json_answer(value: Mapping[str, Any], status: int = 200) -> Response:
    """Returns a JSON value as an answer."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Response(text, status, media_type="application/json", headers={"version": feed.VERSION})


def packed(request: Request, response: Response) -> Response:
    """Returns a large answer compressed, if the browser takes that."""
    if "gzip" in request.headers.get("accept-encoding", "") and len(response.body) > WORTH_PACKING:
        # level 1: a third of the time of the usual level, and nearly as small
        response.body = gzip.compress(response.body, 1, mtime=0)
        response.headers["content-encoding"] = "gzip"
        response.headers["content-length"] = str(len(response.body))
    return response


async def show_page(_request: Request) -> Response:
    """Answers the address of a page."""
    return FileResponse(SHARE / INDEX, media_type="text/html")


async def send_asset(request: Request) -> Response:
    """Answers the address of a file that pages load."""
    path = ASSETS.get(request.path_params["name"])
    if path is None:
        return await show_missing()
    # over ssh, a page comes with a third of the bytes
    return packed(request, Response(path.read_bytes(), media_type=TYPES[path.suffix]))


async def show_missing(*_: object) -> Response:
    """Answers an address that leads nowhere."""
    return answer(404, "there is no such page")


ANSWERS: dict[str, Callable[..., Any]] = {
    "/api/runs/{run_id:run}": feed.run_answer,
    "/api/runs/{run_id:run}/context": feed_pages.context_answer,
    "/api/runs/{run_id:run}/files": feed_pages.files_answer,
    "/api/live": feed_pages.live_answer,
    "/api/diff/{old:run}/{new:side}": feed_pages.diff_answer,
    "/api/diff/{old:run}/{new:side}/patch": feed_pages.patch_answer,
    "/api/lineage/{run_id:run}": feed_pages.lineage_answer,
    "/api/batches/{run_id:run}": feed_pages.batch_answer,
    "/api/commits": feed_pages.commits_answer,
    "/api/series": feed.series_answer,
}
"""The addresses of answers in JSON, with what makes them."""


class Activity:
    """Knows since when nobody has looked. A page that is open listens to changes, and so keeps a request open."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._open, self._last = app, 0, time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Counts a request while it is answered."""
        self._open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1
            self._last = time.monotonic()

    def idle_for(self) -> float:
        """Returns the seconds since the last request ended; 0 while one is open."""
        return 0.0 if self._open else time.monotonic() - self._last


class Server(uvicorn.Server):
    """A server that leaves signals to its caller."""

    def capture_signals(self) -> Any:  # noqa: ANN401 - as in uvicorn
        """Captures no signals: SIGHUP is to end the server too, and the exit code to be ours."""
        return nullcontext()


class Protocol(H11Protocol):
    """HTTP/1.1 with our headers also on the answer to what is no HTTP."""

    def send_400_response(self, msg: str) -> None:
        """Answers what cannot be read, without passing it on."""
        headers = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n{headers}connection: close\r\n\r\n"
        self.transport.write(f"{head}error: {msg}\n".encode("ascii", "replace"))
        self.transport.close()


def listen(port: int) -> socket.socket:
    """Returns a socket that listens on a port of this machine, and is reached from nowhere else. Raises CannotRun."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # a server that is started again gets its port while old connections end
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise CannotRun(f"cannot listen on port {port}: {error.strerror}", "To use a free port: leave out --port") from error
    return listener

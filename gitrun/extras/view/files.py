"""Files and output of runs as answers: bytes that a browser shows without obeying them.

A file of a run may come from anybody. Only images have their own media type; everything else is text or a download, and
HTML is drawn only when the page asks for it in a sandbox, without scripts, and with nothing loaded.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, BinaryIO, cast
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from gitrun.errors import UnknownRun
from gitrun.extras.view.gate import POLICY
from gitrun.extras.view.live import LARGEST, start_of
from gitrun.model.run import RUNNING, is_safe, short_id
from gitrun.model.text import decode_path
from gitrun.render import feed
from gitrun.store.live import OUTPUT, directory_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitrun.model.run import Run
    from gitrun.project import Project

IMAGES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}
"""Media types of files that are shown as what they are, by extension."""
HTML = (".html", ".htm")
INERT = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors {frames}"
"""The policy of a file that is drawn: no script, no request. The page may frame HTML, nothing else."""
TEXT, BYTES = "text/plain; charset=utf-8", "application/octet-stream"
IN_MEMORY = 8 << 20
"""Bytes of a file that are kept in memory; a larger one goes through a temporary file."""
HEAD = 8_192
"""Bytes that decide whether a file is text."""
PIECE = 1 << 16
MOST_OUTPUT = 64 << 20
"""Bytes of an output in one answer."""


def send_file(project: Project, run_id: str, path: str, query: Mapping[str, str]) -> Response:
    """Returns a file that a run produced, or one of its source. Raises UnknownRun."""
    run, part = feed.find_run(project, run_id), "source" if query.get("source") else "output"
    spool = read_file(project, run, part, decode_path(path))
    head = spool.read(HEAD)
    # before Python 3.11, seek returned nothing here
    spool.seek(0, os.SEEK_END)
    size = spool.tell()
    spool.seek(0)
    headers = {"content-length": str(size), **describe_file(path, head, is_drawn=bool(query.get("render")))}
    return StreamingResponse(pieces(spool), headers=headers)


def read_file(project: Project, run: Run, part: str, path: str) -> IO[bytes]:
    """Returns the bytes of a file of a run. Raises UnknownRun, also for a path that leads out of the run."""
    if not is_safe(path):
        raise UnknownRun(f"run {short_id(run.id)} has no file '{path}'", f"To list its files: git run ls {short_id(run.id)}")
    spool = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - `pieces` closes it
    try:
        project.copy_file(run, part, path, cast("BinaryIO", spool))
    except BaseException:
        spool.close()
        raise
    spool.seek(0)
    return spool


def describe_file(path: str, head: bytes, *, is_drawn: bool) -> dict[str, str]:
    """Returns the headers that say what a file is, from its name and its first bytes."""
    extension = PurePosixPath(path).suffix.lower()
    if extension in IMAGES:
        policy = {POLICY: INERT.format(frames="'none'")} if extension == ".svg" else {}
        return {"content-type": IMAGES[extension], **policy}
    if extension in HTML and is_drawn:
        return {"content-type": "text/html; charset=utf-8", POLICY: INERT.format(frames="'self'")}
    if b"\0" not in head and not head.startswith(b"%PDF-"):
        return {"content-type": TEXT}
    name = quote(PurePosixPath(path).name, errors="replace")
    return {"content-type": BYTES, "content-disposition": f"attachment; filename*=UTF-8''{name}"}


def pieces(source: IO[bytes]) -> Iterator[bytes]:
    """Yields a file in pieces, and closes it."""
    with source:
        while data := source.read(PIECE):
            yield data


def send_output(project: Project, run_id: str, query: Mapping[str, str]) -> Response:
    """Returns the output of a run from a byte on, at most 64 MiB. Raises UnknownRun, UsageError."""
    start = feed.read_number(query, "from", 0, least=-LARGEST)
    run = feed.find_run(project, run_id)
    with open_output(project, run) as source:
        source.seek(0, os.SEEK_END)
        source.seek(start_of(start, source.tell()))
        data = source.read(MOST_OUTPUT)
    # the last bytes of an output may begin inside of a character
    skipped = next((at for at, byte in enumerate(data[:4]) if byte & 0xC0 != 0x80), 0) if start < 0 else 0
    return Response(data[skipped:], media_type="text/plain")


def open_output(project: Project, run: Run) -> IO[bytes]:
    """Opens the output of a run, that of a running one while it is written."""
    if run.status == RUNNING:
        # the run may end at this moment
        with suppress(FileNotFoundError):
            return (directory_of(project.git.state, run.id) / OUTPUT).open("rb")
    spool = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - the caller closes it
    project.copy_file(run, "output", None, cast("BinaryIO", spool))
    return spool

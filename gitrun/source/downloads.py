"""Downloads of inputs, limited in size and time. Any fault of a server becomes a one-line error."""

from __future__ import annotations

import hashlib
import os
import threading
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib import request
from urllib.error import URLError
from urllib.parse import unquote, urlsplit

from gitrun.errors import DownloadFailed
from gitrun.git.locks import make_private_directory
from gitrun.model.text import hide_passwords, limit_text, safe_text
from gitrun.source.input_cache import cached_input

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from gitrun.git.exe import Git
    from gitrun.model.entry import Input
    from gitrun.model.settings import Settings

PATIENCE = 60.0
"""Seconds without data after which a download fails."""
PIECE = 1 << 16
HANDLERS = (
    request.ProxyHandler, request.HTTPHandler, request.HTTPSHandler, request.FileHandler, request.UnknownHandler,
    request.HTTPDefaultErrorHandler, request.HTTPRedirectHandler, request.HTTPErrorProcessor,
)  # fmt: skip
"""The schemes allowed: http, https and file. A server cannot redirect to ftp or data."""


class DownloadRefused(Exception):
    """A download that was given up. Its text is the reason."""


def download_input(git: Git, entry: Input, operation: str, settings: Settings) -> Path:
    """Returns the read-only file of the input, downloading it if it is not cached. Raises CannotRun."""
    target = cached_input(git, entry.sha256)
    if target.is_file():
        return target
    make_private_directory(target.parent)
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        with fresh.open("wb") as sink:
            # urllib's timeout is for each read, not for the whole download
            downloaded = Download(entry.url, sink, settings).wait()
        if downloaded != entry.sha256:
            raise DownloadFailed(
                f"{hide_passwords(entry.url)} is not the file that input {entry.path} of {operation} describes",
                f"Its sha256 is {downloaded}",
            )
        # many runs share this file, so no program may write to it
        fresh.chmod(0o444)
        fresh.replace(target)
    except (OSError, DownloadRefused) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        raise DownloadFailed(
            f"cannot download input {entry.path} of {operation} from {hide_passwords(entry.url)}: {reason}"
        ) from error
    finally:
        fresh.unlink(missing_ok=True)
    return target


class Download(threading.Thread):
    """A thread that writes the content of an address into `sink`. As a thread it can be abandoned when time is up."""

    def __init__(self, url: str, sink: BinaryIO, settings: Settings) -> None:
        # a daemon thread does not keep the process alive after its time is up
        super().__init__(daemon=True)
        self._url, self._sink = url, sink
        self._most, self._seconds = settings.max_download, settings.download_timeout
        self._digest = hashlib.sha256()
        self._wrong = ""
        self._late = False
        self.start()

    def wait(self) -> str:
        """Waits for the end and returns the SHA-256 of the content in hex. Raises DownloadRefused."""
        self.join(self._seconds)
        if self.is_alive():
            # a thread cannot be killed; this one ends after its next read
            self._late = True
            raise DownloadRefused(
                f"it takes longer than {self._seconds:g} s. To wait longer: git config gitrun.downloadTimeout 2h"
            )
        if self._wrong:
            raise DownloadRefused(self._wrong)
        return self._digest.hexdigest()

    def run(self) -> None:
        """Downloads, and keeps any error for `wait`."""
        try:
            self._download()
        except DownloadRefused as error:
            self._wrong = str(error)
        except (OSError, HTTPException, ValueError) as error:  # a bad port or host is a ValueError
            self._wrong = format_reason(error)

    def _download(self) -> None:
        require_regular_file(self._url)
        # build_opener would add handlers for ftp and data
        opener = request.OpenerDirector()
        for handler in HANDLERS:
            opener.add_handler(handler())
        with opener.open(self._url, timeout=min(PATIENCE, self._seconds)) as source:
            stated = source.headers.get("Content-Length") or ""
            # a chunked answer has no length; a hostile one may have thousands of digits, which int() refuses
            size = int(stated) if stated.isdecimal() and len(stated) < 19 else None
            self._require_small(size or 0)
            # read1 returns what has arrived, so a slow server cannot delay the checks
            read_some, count = getattr(source, "read1", source.read), 0
            while not self._late and (piece := read_some(PIECE)):
                count += len(piece)
                self._require_small(count)
                self._digest.update(piece)
                self._sink.write(piece)
        # http.client reports no error for a connection that ends early
        if size is not None and count < size:
            raise DownloadRefused(f"the server sent {count:,} of {size:,} bytes")

    def _require_small(self, size: int) -> None:
        if size > self._most:
            most = limit_text(self._most)
            raise DownloadRefused(f"it is larger than {most}. To allow more: git config gitrun.maxDownload 20g")


def require_regular_file(url: str) -> None:
    """Raises DownloadRefused if the address is a device, a pipe or a directory: a device may never end."""
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.scheme == "file" and os.path.exists(path) and not os.path.isfile(path):
        raise DownloadRefused("it is not a file")


def format_reason(error: Exception) -> str:
    """Returns the reason of an error as one safe line."""
    # HTTPError is a URLError whose own text has the status: HTTP Error 404: Not Found
    reason = error.reason if isinstance(error, URLError) and type(error) is URLError else error
    words = " ".join(str(reason).split()) or type(error).__name__
    # urllib: … would lead to an infinite loop. The last 30x error message was: Found
    return safe_text(words.partition(" The last 30x error")[0])[:200]

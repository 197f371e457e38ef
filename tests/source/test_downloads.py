"""Downloads from servers that do everything wrong: one line each, within bounds, and nothing is left behind."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from sampled import sampled_values

from gitrun.model.settings import Settings
from gitrun.source.downloads import Download

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from repository import Repo

OK = b"HTTP/1.1 200 OK\r\n"
BODY = b"downloaded\n"
SHA256 = hashlib.sha256(BODY).hexdigest()


def slowly(peer: socket.socket, head: bytes) -> None:
    """Sends a byte now and then, for a minute."""
    peer.sendall(head)
    for _ in range(600):
        peer.sendall(b"x")
        time.sleep(0.1)


def without_end(peer: socket.socket) -> None:
    peer.sendall(OK + b"\r\n")
    while True:
        peer.sendall(b"x" * (1 << 16))


ANSWERS: dict[str, Callable[[socket.socket], None]] = {
    "closes at once": lambda _: None,
    "resets": lambda peer: peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"),
    "speaks no HTTP": lambda peer: peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "has a wrong status": lambda peer: peer.sendall(b"HTTP/1.1 abc OK\r\n\r\n"),
    "has an endless status": lambda peer: peer.sendall(b"HTTP/1.1 200 " + b"x" * (1 << 18)),
    "has endless headers": lambda peer: peer.sendall(OK + b"X: y\r\n" * 500),
    "cuts the body": lambda peer: peer.sendall(OK + b"Content-Length: 100\r\n\r\nshort"),
    "sends chunks of garbage": lambda peer: peer.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\nzzz\r\nabc"),
    "cuts a chunk": lambda peer: peer.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\nff\r\nabc"),
    "says a negative length": lambda peer: peer.sendall(OK + b"Content-Length: -5\r\n\r\nabc"),
    "redirects for ever": lambda peer: peer.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"),
    "redirects to a file": lambda peer: peer.sendall(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n"),
    "redirects to ftp": lambda peer: peer.sendall(b"HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1:1/x\r\n\r\n"),
    "redirects nowhere": lambda peer: peer.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n"),
    "fails": lambda peer: peer.sendall(b"HTTP/1.1 500 Internal\r\nContent-Length: 0\r\n\r\n"),
    "says too large a length": lambda peer: peer.sendall(OK + b"Content-Length: 99999999999999\r\n\r\nabc"),
    "sends without end": without_end,
    "says nothing": lambda _: time.sleep(30),
    "drips headers": lambda peer: slowly(peer, OK),
    "drips the body": lambda peer: slowly(peer, OK + b"\r\n"),
}


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """Starts a server on loopback that answers each connection so; returns its address without a scheme."""
    listeners: list[socket.socket] = []

    def start(answer: Callable[[socket.socket], None]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(peer,), daemon=True).start()

        def talk(peer: socket.socket) -> None:
            with peer:
                try:
                    peer.settimeout(5)
                    peer.recv(1 << 16)
                    answer(peer)
                except OSError:
                    pass

        threading.Thread(target=accept, daemon=True).start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        listener.close()


def refused(repo: Repo, url: str) -> str:
    """The one line with which an entry that reads from the address is refused."""
    repo.write("read.py", "print(open('in').read())\n")
    entry = f'[operations.read]\nscript = "read.py"\ninputs = [{{ url = "{url}", path = "in", sha256 = "{SHA256}" }}]\n'
    repo.write("gitrun.toml", entry)
    ended = repo.run("read", timeout=20)
    assert ended.returncode in {128, 129}, ended.stderr
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    assert repo.git("for-each-ref", "refs/runs") == ""
    return ended.stderr


@pytest.mark.parametrize("what", sampled_values(10, ANSWERS))
def test_server_that_misbehaves_is_one_line(repo, serve, what) -> None:
    repo.git("config", "gitrun.downloadTimeout", "2s")
    repo.git("config", "gitrun.maxDownload", "1m")
    said = refused(repo, f"http://{serve(ANSWERS[what])}/in")
    assert "input in of read" in said
    assert list((repo.path / ".git" / "gitrun" / "inputs").iterdir()) == []


WORDS = {
    "cuts the body": "the server sent 5 of 100 bytes", "says too large a length": "larger than 1 MiB",
    "sends without end": "larger than 1 MiB. To allow more: git config gitrun.maxDownload",
    "drips the body": "takes longer than 2 s. To wait longer: git config gitrun.downloadTimeout",
    "drips headers": "takes longer than 2 s",
}  # fmt: skip


@pytest.mark.parametrize("what", WORDS)
def test_bound_that_is_reached_is_said(repo, serve, what) -> None:
    repo.git("config", "gitrun.downloadTimeout", "2s")
    repo.git("config", "gitrun.maxDownload", "1m")
    assert WORDS[what] in refused(repo, f"http://{serve(ANSWERS[what])}/in")


def test_tls_to_a_plain_port_is_one_line(repo, serve) -> None:
    assert "SSL" in refused(repo, f"https://{serve(lambda peer: peer.sendall(OK))}/in").upper()


@pytest.mark.parametrize(
    "url",
    [
        "http://nowhere.invalid/in",
        "http://127.0.0.1:1/in",
        "file:///nowhere/in",
        "file:///dev/zero",
        "file:///dev",
        "http://a..b/in",
    ],
)
def test_address_that_leads_nowhere_is_one_line(repo, url) -> None:
    assert "cannot download input" in refused(repo, url)


@pytest.mark.parametrize(
    "url",
    [
        "http://a:b/in",
        "http://a:99999/in",
        "http://a:0/in",
        "http://[::1/in",
        "http://[zz]/in",
        "http:///in",
        "http://a b/in",
        "http://a/\\u001b",
    ],
)
def test_address_that_does_not_read_is_refused_with_its_line(repo, url) -> None:
    said = refused(repo, url)
    assert "gitrun.toml" in said
    assert "operations.read.inputs.url is not a valid address: " in said


def test_password_of_an_address_is_not_said(repo) -> None:
    assert "SECRET" not in refused(repo, "http://u:SECRET@127.0.0.1:1/in")


def test_download_with_a_right_length_and_in_chunks_comes_whole(serve, tmp_path) -> None:
    plain = serve(lambda peer: peer.sendall(OK + b"Content-Length: 11\r\n\r\n" + BODY))
    chunked = serve(
        lambda peer: peer.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\ndownl\r\n6\r\noaded\n\r\n0\r\n\r\n")
    )
    for address in (plain, chunked):
        with (tmp_path / "in").open("wb") as sink:
            assert Download(f"http://{address}/in", sink, Settings()).wait() == SHA256
        assert (tmp_path / "in").read_bytes() == BODY


def test_full_disk_is_one_line(serve) -> None:
    from gitrun.source.downloads import DownloadRefused

    address = serve(lambda peer: peer.sendall(OK + b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000))
    with open("/dev/full", "wb", buffering=0) as sink, pytest.raises(DownloadRefused, match="No space left"):  # noqa: PTH123 - a device
        Download(f"http://{address}/in", sink, Settings()).wait()


@pytest.mark.parametrize(
    "path", [".git/config", ".git", ".gitrun/run.toml", "a/.git/hooks/x", ".GIT/config", "../x", "/etc/x", "~/x", "."]
)
def test_path_in_gits_own_directory_or_ours_is_refused_when_the_file_is_read(repo, path) -> None:
    url = f'url = "file:///x", sha256 = "{SHA256}", '
    for more in (url, "") if not path.startswith(("/", "~")) else (url,):
        repo.write("read.py", "")
        repo.write("gitrun.toml", f'[operations.read]\nscript = "read.py"\ninputs = [{{ {more}path = "{path}" }}]\n')
        ended = repo.run("ops")
        assert "operations.read.inputs" in ended.stderr + ended.stdout
        assert "must be a path" in ended.stderr + ended.stdout
        assert repo.run("read").returncode != 0

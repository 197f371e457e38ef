"""Servers on this machine for the bare repository of a team: git daemon, git http-backend, and an ssh server.

The fixtures take a fixture `team` with a repository `remote`, and give its URL.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from supervised import until


class Backend(BaseHTTPRequestHandler):
    """git http-backend as a CGI program."""

    root = ""
    limit = 1 << 40

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else self.chunks()
        if len(body) > self.limit:
            self.send_error(413)
            return
        env = {
            **os.environ, "GIT_PROJECT_ROOT": self.root, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
            "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""), "REMOTE_USER": "ann",
            "CONTENT_LENGTH": str(len(body)), "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "REMOTE_ADDR": "127.0.0.1",
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }  # fmt: skip
        done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False)
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(rest)

    do_POST = do_GET  # noqa: N815 - the name that http.server calls

    def chunks(self) -> bytes:
        """A body that comes in chunks."""
        found = b""
        while self.headers.get("Transfer-Encoding") == "chunked" and (size := int(self.rfile.readline(), 16)):
            found += self.rfile.read(size)
            self.rfile.readline()
        return found

    def log_message(self, *_: object) -> None:
        pass


PORTS = iter(range(20_000 + os.getpid() * 37 % 12_000, 32_768))
"""Ports to try: below those that Linux gives to connections, and others in each process that runs tests."""


def free_port() -> int:
    """Returns a port that nobody has, and that nobody gets unless it is asked for."""
    for port in PORTS:
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@pytest.fixture
def daemon(team):
    """The URL of the remote through git daemon."""
    if not (Path(subprocess.check_output(["git", "--exec-path"], text=True).strip()) / "git-daemon").exists():
        pytest.skip("git daemon is not installed")
    port, top = free_port(), team.remote.path.parent
    words = ["git", "daemon", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}", f"--base-path={top}"]
    process = subprocess.Popen(
        [*words, "--export-all", "--enable=receive-pack", str(top)], stderr=subprocess.DEVNULL, start_new_session=True
    )
    url = f"git://127.0.0.1:{port}/remote.git"
    until(lambda: subprocess.run(["git", "ls-remote", url], capture_output=True, check=False).returncode == 0)
    yield url
    os.killpg(process.pid, signal.SIGTERM)
    process.wait()


@pytest.fixture
def http(team):
    """The URL of the remote through git http-backend."""
    programs = Path(subprocess.check_output(["git", "--exec-path"], text=True).strip())
    if not (programs / "git-http-backend").exists():
        pytest.skip("git http-backend is not installed")
    helper = programs / "git-remote-http"
    # a git that was copied here alone lacks libcurl
    if not helper.exists() or b"usage" not in subprocess.run([helper], capture_output=True, check=False).stderr:
        pytest.skip("this git cannot use http")
    team.remote.git("config", "http.receivepack", "true")
    handler = type("Handler", (Backend,), {"root": str(team.remote.path.parent)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/remote.git"
        server.shutdown()
        thread.join()


@pytest.fixture
def ssh(team, tmp_path_factory, monkeypatch):
    """The URL of the remote through an ssh server of our own, with keys made for the test."""
    if not (program := shutil.which("sshd", path="/usr/sbin:" + os.environ["PATH"])):
        pytest.skip("sshd is not installed")
    place, port = tmp_path_factory.mktemp("ssh"), free_port()
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / name], check=True)
    shutil.copy(place / "user.pub", place / "authorized")
    options = {
        "Port": port, "ListenAddress": "127.0.0.1", "HostKey": place / "host", "AuthorizedKeysFile": place / "authorized",
        "PidFile": "none", "StrictModes": "no", "UsePAM": "no", "PermitRootLogin": "yes",
    }  # fmt: skip
    (place / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in options.items()))
    # the directory that sshd insists on is Debian's
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen([program, "-D", "-f", place / "sshd_config"], stderr=subprocess.DEVNULL)
    client = (
        f"ssh -p {port} -i {place / 'user'} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "
        "-o IdentitiesOnly=yes"
    )
    monkeypatch.setenv("GIT_SSH_COMMAND", client)
    url = f"ssh://{getpass.getuser()}@127.0.0.1{team.remote.path}"
    until(lambda: subprocess.run(["git", "ls-remote", url], capture_output=True, check=False).returncode == 0)
    yield url
    server.terminate()
    server.wait()

"""git run view: its address, its browser, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from keyboard import Terminal
from supervised import until
from view_server import serve_view

RECORDS = '#!/bin/sh\necho "$1" >> opened\n'


def test_one_address_is_printed_and_served(repo) -> None:
    with serve_view(repo) as server:
        assert server.url == f"http://127.0.0.1:{server.port}/?token={server.token}"
        assert b"<!DOCTYPE html>" in server.get("/").body
        # of a processor, as a busy machine gives it less
        ticks = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        assert sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK") < 2
        server.process.send_signal(signal.SIGTERM)
        assert server.process.communicate(timeout=20)[0] == b""


def test_address_with_print_url_is_all_that_is_printed(repo) -> None:
    with serve_view(repo, "--print-url") as server:
        server.process.send_signal(signal.SIGTERM)
        assert server.process.communicate(timeout=20) == (b"", b"")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_server_ends_at_a_signal(repo, number, status) -> None:
    # a browser keeps its connection
    with serve_view(repo) as server, server.open("/"):
        before = time.monotonic()
        assert server.end(number) == status
        assert time.monotonic() - before < 10


def test_ctrl_c_in_a_terminal_ends_the_server(repo) -> None:
    with Terminal(repo, "git", "run", "view", "--no-open") as terminal:
        terminal.shows("To stop: Ctrl-C")
        terminal.type("\x03")
        assert terminal.ends() in {130, -signal.SIGINT}


def test_first_page_is_the_one_asked_for(repo) -> None:
    repo.run("echo.py", check=True)
    run = repo.run("select", check=True).stdout.strip()
    repo.commit()
    for words, page in (
        (["1"], f"/runs/{run}?"),
        (["HEAD~1..HEAD"], "/commits?range=HEAD~1..HEAD&"),
        (["--where", "x<2 and y=1"], "/?q=x%3C2+and+y%3D1&"),
    ):
        with serve_view(repo, *words) as server:
            assert server.url == f"http://127.0.0.1:{server.port}{page}token={server.token}"
            answer = server.get(server.url.partition(str(server.port))[2], {"Cookie": ""})
            assert (answer.status, answer.headers["location"]) == (303, page[:-1])


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--where", "x <"], 129, "x <"),
        (["nothing"], 128, "no run 'nothing'"),
        (["--where", "x<1", "1"], 129, "cannot be combined"),
        (["--idle", "soon"], 129, "'soon' is not a duration"),
    ],
)
def test_what_cannot_be_shown_is_refused_before_serving(repo, words, status, message) -> None:
    ended = repo.run("view", "--no-open", *words)
    assert ended.returncode == status
    assert message in ended.stderr
    assert ended.stdout == ""


def test_server_ends_by_itself_when_no_page_is_open(repo) -> None:
    with serve_view(repo, "--idle", "1s") as server:
        # an open page listens
        with server.stream("/api/events") as stream:
            assert next(stream).name == "live"
            time.sleep(2)
            assert server.process.poll() is None
        assert server.process.wait(20) == 0


def test_port_in_use_is_named(repo) -> None:
    with serve_view(repo) as server:
        ended = repo.run("view", "--no-open", "--port", str(server.port))
    assert ended.returncode == 128
    assert f"cannot listen on port {server.port}" in ended.stderr


def test_browser_is_opened_once_on_a_terminal_of_this_machine(repo) -> None:
    repo.write("browser", RECORDS).chmod(0o755)
    environ = {**os.environ, "BROWSER": str(repo.path / "browser")}
    with Terminal(repo, "git-run", "view", env=environ) as terminal:
        terminal.shows("To stop: Ctrl-C")
        # the file is there before its line
        opened = until(lambda: (repo.path / "opened").exists() and (repo.path / "opened").read_text().strip())
        # the token of the command, which other users see, is not the one that stays
        assert opened.startswith("http://127.0.0.1:")
        assert opened not in terminal.seen.decode()
        terminal.type("\x03")
        assert terminal.ends() == 130


@pytest.mark.parametrize(
    ("words", "variables"),
    [([], {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}), (["--no-open"], {}), (["--print-url"], {})],
    ids=["ssh", "no-open", "print-url"],
)
def test_browser_stays_closed_where_nobody_would_see_it(repo, words, variables) -> None:
    repo.write("browser", RECORDS).chmod(0o755)
    environ = {**os.environ, "BROWSER": str(repo.path / "browser"), **variables}
    with Terminal(repo, "git-run", "view", *words, env=environ) as terminal:
        seen = terminal.shows("token=" if words == ["--print-url"] else "To stop")
        assert (b"ssh -L" in seen) == bool(variables)
        terminal.type("\x03")
        assert terminal.ends() == 130
    assert not (repo.path / "opened").exists()


def test_missing_packages_are_named_with_their_install_command(repo, tmp_path) -> None:
    (tmp_path / "hide.py").write_text(
        "import sys, importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name in {'starlette', 'uvicorn'} else find(name, *a)\n"
        "from gitrun.commands.main import run_command\nsys.exit(run_command(sys.argv[1:]))\n"
    )
    ended = subprocess.run(
        [sys.executable, tmp_path / "hide.py", "view"], cwd=repo.path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 128
    assert ended.stderr == (
        "gitrun: error: git run view needs starlette and uvicorn. To install them: pip install 'git-run-tracker[view]'\n"
    )

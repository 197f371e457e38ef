"""Runs as a page asks for them: in blocks, and what changes between two looks."""

from __future__ import annotations

import gzip
import json
import os
import time
from typing import TYPE_CHECKING

import pytest
from forms import asked_form
from supervised import until
from templates import made_once
from view_server import serve_view

if TYPE_CHECKING:
    from view_server import ViewServer

pytestmark = pytest.mark.usefixtures("forked")


@pytest.fixture
@made_once
def three(repo):
    """A repository with three runs."""
    for x in (1, 2, 3):
        repo.run("echo.py", f"x={x}", check=True)
    return repo


@pytest.fixture
def server(three):
    """A server of that repository."""
    with serve_view(three) as server:
        yield server


def ids(answer) -> list[str]:
    return answer["id"]


def listed(repo) -> list[str]:
    return [run["id"][:12] for run in json.loads(repo.run("list", "--all", "--json", check=True).stdout)]


def test_runs_are_those_of_the_list_in_its_order(repo, server) -> None:
    answer = server.get("/api/runs")
    assert answer.headers["version"] == "1"
    assert ids(answer.json) == listed(repo)
    assert answer.json["flags"]["x"]["v"] == [3, 2, 1]


def test_further_blocks_are_of_the_runs_as_they_were(repo, server) -> None:
    before = listed(repo)
    first = server.get("/api/runs?limit=1").json
    repo.run("echo.py", "x=4", check=True)
    rest = server.get(f"/api/runs?start=1&limit=5&stamp={first['stamp']}").json
    assert ids(first) + ids(rest) == before
    assert ids(server.get("/api/runs").json) == listed(repo)


def test_large_answer_is_compressed_for_who_takes_that(repo, server) -> None:
    repo.run("echo.py", f"z={'a' * 2000}", check=True)
    plain, packed = server.get("/api/runs"), server.get("/api/runs", {"Accept-Encoding": "gzip, br"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) == len(packed.body) < len(plain.body)
    assert gzip.decompress(packed.body) == plain.body


def test_unknown_stamp_is_gone(server) -> None:
    answer = server.get("/api/runs?stamp=1234")
    assert (answer.status, answer.json["kind"]) == (410, "unknown-stamp")
    assert server.get("/api/changes?since=1234").json["reload"] is True


def test_number_that_is_none_is_refused(server) -> None:
    for query in ("limit=x", "start=1.5", "start=-1", "digits=%00", "limit="):
        assert server.get(f"/api/runs?{query}").status == 400, query


def changes(server: ViewServer, since: str) -> dict:
    """What has changed, once anything has."""
    return until(lambda: (answer := server.get(f"/api/changes?since={since}").json)["stamp"] != since and answer)


def test_new_changed_and_deleted_runs_are_changes(repo, server) -> None:
    stamp = server.get("/api/runs").json["stamp"]
    assert server.get(f"/api/changes?since={stamp}").json["stamp"] == stamp
    repo.run("echo.py", "x=4", check=True)
    new = changes(server, stamp)
    assert (ids(new["rows"]), new["position"], new["removed"]) == (listed(repo)[:1], [0], [])
    repo.run("label", "best", "2", check=True)
    changed = changes(server, new["stamp"])
    assert (ids(changed["rows"]), changed["rows"]["label"]) == (listed(repo)[1:2], {"0": "best"})
    deleted = listed(repo)[0]
    repo.run("rm", "1", check=True)
    gone = changes(server, changed["stamp"])
    assert (gone["removed"], ids(gone["rows"]), gone["total"]) == ([deleted], [], 3)


def test_packed_refs_are_noticed_and_change_nothing(repo, server) -> None:
    stamp = server.get("/api/runs").json["stamp"]
    repo.git("pack-refs", "--all")
    assert server.get(f"/api/changes?since={stamp}").json["stamp"] == stamp
    repo.run("rm", "1", check=True)
    assert changes(server, stamp)["total"] == 2


def test_page_hears_of_a_run_from_its_start_to_its_end(repo, server) -> None:
    repo.write(
        "log.py", "import time, gitrun\nfor i in range(200):\n    gitrun.log({'loss': i}, step=i)\n    time.sleep(0.1)\n"
    )
    with server.stream("/api/events") as stream:
        assert next(stream).value == {"ids": []}
        stamp = next(stream).value["stamp"]
        run = repo.run("--background", "log.py", check=True).stdout.strip()
        live = next(event for event in stream if event.name == "live")
        assert live.value == {"ids": [run]}
        row = changes(server, stamp)["rows"]
        assert row["status"] == {"v": ["running"]}
        # its metrics are changes too, without any change of a ref
        for _ in range(3):
            next(event for event in stream if event.name == "changed")
        assert until(lambda: server.get("/api/runs").json["metrics"].get("loss"))
        repo.run("stop", run, check=True)
        assert next(event for event in stream if event.name == "live").value == {"ids": []}
        until(lambda: server.get("/api/runs?limit=1").json["status"]["v"] == ["terminated"])


def test_server_outlives_a_repository_that_is_gone_for_a_while(repo, server) -> None:
    with server.stream("/api/events") as stream:
        assert next(stream).name == "live"
        stamp = next(stream).value["stamp"]
        head = repo.path / ".git" / "HEAD"
        head.rename(repo.path / "HEAD.away")
        os.utime(repo.path / ".git" / ("refs/runs" if asked_form().refs == "files" else "reftable/tables.list"))
        failed = until(lambda: (answer := server.get(f"/api/changes?since={stamp}")).status == 500 and answer)
        assert failed.json["kind"] == "git-failed"
        assert server.get("/api/events").status == 500
        # the watcher has met it too
        time.sleep(1)
        (repo.path / "HEAD.away").rename(head)
        repo.run("echo.py", "x=4", check=True)
        assert next(event for event in stream if event.name == "changed").value["stamp"] != stamp
    assert ids(server.get("/api/runs").json) == listed(repo)

"""The server of `git run view`: what it answers where."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from belongings import belongings
from repository import Repo
from supervised import until
from templates import echo, made_once
from view_server import serve_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from view_server import ViewServer

pytestmark = pytest.mark.usefixtures("forked")


@pytest.fixture(scope="module")
def server(browsing_home, tmp_path_factory) -> Iterator[ViewServer]:
    """A server of a repository without runs."""
    with serve_view(echo(tmp_path_factory.mktemp("app") / "repo")) as server:
        yield server


PAGES = ("/", "/runs/1234abcd", "/compare?r=1234,5678", "/diff/1234/5678", "/diff/1234/base", "/live", "/lineage/1234",
         "/batches/1234", "/commits?range=main", "/runs/1234abcd?tab=files")  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_the_shell_that_draws_it(server, page) -> None:
    answer = server.get(page)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.body == server.get("/").body


@pytest.mark.parametrize(
    ("name", "kind"), [("dom.js", "text/javascript"), ("tokens.css", "text/css"), ("icon.svg", "image/svg+xml")]
)
def test_assets_have_their_media_types(server, name, kind) -> None:
    answer = server.get(f"/static/{name}")
    assert answer.status == 200
    assert answer.headers["content-type"].partition(";")[0] == kind


READ = ("/", "/api/runs", "/api/series?ids={run}&metrics=loss", "/api/runs/{run}", "/api/runs/{run}/output",
        "/api/runs/{run}/context", "/api/runs/{run}/files", "/api/live", "/api/diff/{run}/base", "/api/diff/{run}/{other}",
        "/api/diff/{run}/{other}/patch", "/api/lineage/{run}", "/api/commits?range=HEAD", "/api/changes?since=x",
        "/files/{run}/out.txt", "/files/{run}/work.py?source=1")  # fmt: skip
"""An address of each kind that answers with a value, for two runs."""


@pytest.fixture
@made_once
def worked(repo: Repo) -> tuple[Repo, str, str]:
    """A repository with two runs of a program that writes a file, and their ids, the newest first."""
    repo.write(
        "work.py", "import gitrun\nx = 1\ngitrun.log({'loss': x}, step=1)\nopen('out.txt', 'w').write('done')\nprint(x)\n"
    )
    repo.commit()
    for x in (1, 2):
        repo.run("work.py", f"x={x}", check=True)
    run, other = repo.run("select", "--all", check=True).stdout.split()
    return repo, run, other


def answers(server: ViewServer, run: str, other: str) -> dict[str, int]:
    """The status of each answer."""
    return {path: server.get(path.format(run=run, other=other)).status for path in READ}


def test_looking_changes_nothing(worked) -> None:
    repo, run, other = worked
    repo.write("echo.py", "changed")
    repo.git("stash")
    repo.write("echo.py", "changed again")
    repo.git("add", "echo.py")
    repo.write("new.txt", "not tracked")
    before, runs = belongings(repo), repo.git("for-each-ref", "refs/runs")
    with serve_view(repo) as server, server.stream("/api/events") as stream, server.stream(f"/api/runs/{run}/tail") as tail:
        assert next(stream).name == "live"
        assert [event.name for event in tail] == ["message", "end"]
        assert answers(server, run, other) == dict.fromkeys(READ, 200)
    assert belongings(repo) == before
    assert repo.git("for-each-ref", "refs/runs") == runs


def test_repository_without_runs_says_so(empty_repo) -> None:
    with serve_view(empty_repo) as server, server.stream("/api/events") as stream:
        assert [next(stream).name, next(stream).name] == ["live", "changed"]
        answer = server.get("/api/runs").json
        assert (answer["total"], answer["id"], answer["broken"]) == (0, [], [])
        assert server.get("/api/live").json == {"running": [], "ended": []}
        # HEAD is unborn
        assert server.get("/api/commits?range=HEAD").status == 400
        assert server.get("/api/series?ids=&metrics=").json == {}


def test_bare_repository_is_served(worked, tmp_path) -> None:
    repo, run, other = worked
    subprocess.run(["git", "clone", "--quiet", "--mirror", repo.path, tmp_path / "bare.git"], check=True)
    with serve_view(Repo(tmp_path / "bare.git")) as server:
        assert answers(server, run, other) == dict.fromkeys(READ, 200)


def test_linked_worktree_shows_the_runs_of_the_repository(worked, tmp_path) -> None:
    repo, run, other = worked
    repo.git("worktree", "add", "--quiet", "-b", "other", tmp_path / "linked")
    with serve_view(Repo(tmp_path / "linked")) as server:
        assert answers(server, run, other) == dict.fromkeys(READ, 200)


def test_packed_refs_are_answered_alike(worked) -> None:
    repo, run, other = worked
    with serve_view(repo) as server:
        loose = server.get("/api/runs").json
        repo.git("pack-refs", "--all", "--prune")
        assert server.get("/api/runs").json == loose
        assert answers(server, run, other) == dict.fromkeys(READ, 200)


def test_unreadable_run_is_listed_last_with_its_reason(worked) -> None:
    repo, run, other = worked
    repo.git("update-ref", f"refs/runs/{'1' * 40}", "HEAD")
    with serve_view(repo) as server:
        answer = server.get("/api/runs").json
        assert [one[:8] for one in answer["id"]] == [run[:8], other[:8]]
        assert [(broken["id"], bool(broken["reason"])) for broken in answer["broken"]] == [("1" * 12, True)]
        failed = server.get(f"/api/runs/{'1' * 40}")
        assert (failed.status, failed.json["kind"]) == (422, "bad-run")
        assert server.get(f"/api/series?ids={'1' * 40},{run}&metrics=loss").json == {run: {"loss": [[1.0], [2.0]]}}


def test_run_deleted_while_shown_tells_how_to_restore_it(worked) -> None:
    repo, run, other = worked
    with serve_view(repo) as server:
        assert server.get(f"/api/runs/{run}").status == 200
        stamp = server.get("/api/runs").json["stamp"]
        repo.run("rm", run, check=True)
        gone = until(lambda: server.get(f"/api/changes?since={stamp}").json.get("removed"))
        assert gone == [run[:12]]
        for path in ("/api/runs/{run}", "/api/runs/{run}/output", "/api/diff/{run}/{other}", "/files/{run}/out.txt"):
            answer = server.get(path.format(run=run, other=other))
            assert (answer.status, answer.json["hint"]) == (404, f"To restore it: git run restore {run[:8]}")
        # a block of the runs as they were leaves it out
        assert server.get(f"/api/runs?stamp={stamp}").json["id"] == [other[:12]]
        repo.run("restore", run, check=True)
        assert server.get(f"/api/runs/{run}").status == 200


def test_two_servers_and_a_gc_at_once_disturb_nothing(worked) -> None:
    repo, run, other = worked
    with (
        serve_view(repo) as one,
        serve_view(repo) as two,
        one.stream("/api/events") as first,
        two.stream("/api/events") as second,
    ):
        # the cookies of both are in one browser
        both = {"Cookie": f"{one.cookie['Cookie']}; {two.cookie['Cookie']}"}
        for words in (("gc", "--prune=now", "--quiet"), ("run", "gc"), ("repack", "-adq"), ("run", "--", "true")):
            process = subprocess.Popen(["git", *words], cwd=repo.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while process.poll() is None:
                for server in (one, two):
                    assert answers(server, run, other) == dict.fromkeys(READ, 200)
            assert process.returncode == 0
        assert one.get("/api/runs", both).json == two.get("/api/runs", both).json
        assert one.get("/", {"Cookie": two.cookie["Cookie"]}).status == 401
        for stream in (first, second):
            assert next(event for event in stream if event.name == "changed")


def test_page_recovers_when_the_server_is_started_again(worked) -> None:
    repo, *_ = worked
    with serve_view(repo) as server:
        stamp, port = server.get("/api/runs").json["stamp"], server.port
    with serve_view(repo, "--port", str(port)) as again:
        # the token of before is worth nothing
        assert again.get("/", server.cookie).status == 401
        assert again.get(f"/api/changes?since={stamp}").json["stamp"] == stamp
        assert again.get(f"/api/runs?stamp={stamp}").status == 200


def test_many_questions_at_once_are_all_answered(worked) -> None:
    repo, run, other = worked
    with serve_view(repo) as server, ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: answers(server, run, other), range(4)))
    assert found == [dict.fromkeys(READ, 200)] * 4


def test_series_of_too_many_runs_are_refused(repo) -> None:
    with serve_view(repo) as server:
        answer = server.get(f"/api/series?ids={','.join(['1234'] * 51)}&metrics=loss")
    assert (answer.status, answer.json["message"]) == (400, "series of at most 50 runs at a time, not 51")

"""Many readers and writers of the index at once: nobody is told what was true before they asked."""

from __future__ import annotations

import threading

from gitrun import Project
from gitrun.store.index import Index


def test_an_older_look_puts_nothing_over_what_a_newer_one_has_put_in(repo, monkeypatch) -> None:
    project = Project(repo.path)
    run = project.run("echo.py").id
    end = repo.git("rev-parse", f"refs/runs/{run}")
    repo.git("update-ref", f"refs/runs/{run}", run)
    (project.git.state / "index.sqlite").unlink(missing_ok=True)
    looked, may_go = threading.Event(), threading.Event()
    store = Index._store

    def slow(self, changed, before):
        if threading.current_thread() is late:
            looked.set()
            assert may_go.wait(30)
        return store(self, changed, before)

    monkeypatch.setattr(Index, "_store", slow)
    told: list[str] = []
    late = threading.Thread(target=lambda: told.extend(one.tip for one in Project(repo.path).list_runs()))
    late.start()
    assert looked.wait(30)
    repo.git("update-ref", f"refs/runs/{run}", end)
    with Index(project.git) as index:
        may_go.set()
        late.join(30)
        assert [one.tip for one in index.readable_runs()] == told == [end]


def test_what_threads_have_run_is_complete_when_they_are_told(repo) -> None:
    repo.write("n.py", "n = 0\nprint(n)\n")
    found: dict[int, str] = {}

    def go(n: int) -> None:
        found[n] = Project(repo.path).run("n.py", flags={"n": n}).output

    for _ in range(3):
        threads = [threading.Thread(target=go, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert found == {n: f"{n}\n" for n in range(4)}

"""Many readers and writers of the index at once: nobody is told what was true before they asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading

from supervised import until

from gitrun import Project
from gitrun.store.index import Index

SLOW = """#!/bin/sh
case " $* " in *" cat-file "*) : >"$LOOKED"; while [ ! -e "$MAY_GO" ]; do sleep 0.02; done;; esac
exec {git} "$@"
"""


def test_an_older_look_puts_nothing_over_what_a_newer_one_has_put_in(repo, tmp_path) -> None:
    project = Project(repo.path)
    run = project.run("echo.py").id
    end = repo.git("rev-parse", f"refs/runs/{run}")
    # loose objects are read without a git
    repo.git("repack", "-adq")
    repo.git("update-ref", f"refs/runs/{run}", run)
    (project.git.state / "index.sqlite").unlink(missing_ok=True)
    looked, may_go, slow = tmp_path / "looked", tmp_path / "may_go", tmp_path / "slow" / "git"
    slow.parent.mkdir()
    slow.write_text(SLOW.format(git=shutil.which("git")))
    slow.chmod(0o755)
    environ = {**os.environ, "PATH": f"{slow.parent}:{os.environ['PATH']}", "LOOKED": str(looked), "MAY_GO": str(may_go)}
    words = ["git-run", "list", "--format", "%(status)"]
    with subprocess.Popen(words, cwd=repo.path, env=environ, stdout=subprocess.PIPE, text=True) as late:
        until(looked.exists)
        repo.git("update-ref", f"refs/runs/{run}", end)
        with Index(project.git) as index:
            may_go.touch()
            told, _ = late.communicate(timeout=30)
            assert [one.tip for one in index.readable_runs()] == [end]
    assert told == "completed\n"


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


def test_a_new_index_is_made_by_many_at_once(repo) -> None:
    project = Project(repo.path)
    run_id = project.run("echo.py").id
    together = threading.Barrier(6)
    seen: list[list[str]] = []

    def look() -> None:
        together.wait(60)
        with Index(project.git) as index:
            seen.append([run.id for run in index.readable_runs()])

    for _ in range(30):
        (project.git.state / "index.sqlite").unlink()
        threads = [threading.Thread(target=look) for _ in range(together.parties)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert seen == [[run_id]] * 30 * together.parties
    # nobody has deleted what another one was about to use
    with Index(project.git) as index:
        assert index.count() == 1
    assert (project.git.state / "index.sqlite").exists()

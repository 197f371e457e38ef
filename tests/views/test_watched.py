"""Several runs watched at once: what runs, what has ended since, and how far it is."""

from __future__ import annotations

import pytest
from supervised import said, start, until

from gitrun import Project
from gitrun.views.watched import RunWatch, last_line

BATCH = """\
x = 1
import time
print("loss:", x, flush=True)
time.sleep(60 if x > 1 else 0)
"""
LOG = """\
import gitrun
for n in range(3):
    gitrun.log({"loss": 3 - n}, step=n * 10)
print("acc: 0.5")
print("ready", flush=True)
input()
"""


def watch_of(repo, *names: str, everything: bool = False) -> RunWatch:
    project = Project(repo.path)
    runs = [run for _, run in project.select(names).runs] if names else []
    return RunWatch(project.git, project.index, runs, everything=everything)


def test_ended_run_is_reported_once(repo) -> None:
    repo.run("echo.py", check=True)
    watch = watch_of(repo, "1")
    assert [len(looked.ended) for looked in (watch.look(), watch.look())] == [1, 0]


def test_run_that_starts_is_seen_only_if_everything_is_watched(repo) -> None:
    repo.run("echo.py", check=True)
    named, every = watch_of(repo, "1"), watch_of(repo, everything=True)
    assert every.look().running == ()
    run = start(repo, "--", "sh", "-c", "echo ready; sleep 60")
    said(run)
    assert len(every.look().running) == 1
    assert named.look().running == ()
    repo.run("stop", "1", check=True)
    run.communicate()
    assert [ended.status for ended in every.look().ended] == ["terminated"]


def test_batch_is_watched_with_the_trials_that_run_from_now_on(repo) -> None:
    repo.write("b.py", BATCH)
    batch = start(repo, "b.py", "x=[1,2,3]", "--jobs", "1")
    until(lambda: [run for run in Project(repo.path).list_runs() if run.flags.get("x") == 2 and run.status == "running"])
    name = next(run.id for run in Project(repo.path).list_runs() if run.attempt.kind == "batch")
    watch = watch_of(repo, name)
    looked = watch.look()
    # the first trial had ended before, the third waits
    assert [run.attempt.trial for run in looked.running] == [None, 2]
    assert looked.ended == ()
    trial = looked.running[1]
    repo.run("stop", trial.id, check=True)
    until(lambda: any(run.attempt.trial == 3 for run in watch.look().running))
    repo.run("stop", name, check=True)
    batch.communicate()
    assert {run.attempt.trial for run in watch.look().ended} >= {3, None}


def test_deleted_run_is_named_once(repo) -> None:
    repo.run("echo.py", check=True)
    run_id = Project(repo.path).find("1").id
    watch = watch_of(repo, "1")
    repo.run("rm", "1", check=True)
    assert [looked.gone for looked in (watch.look(), watch.look())] == [(run_id,), ()]


def test_progress_has_what_was_logged_and_printed(repo) -> None:
    repo.write("log.py", LOG)
    run = start(repo, "log.py", stdin=-1)
    said(run)
    watch = watch_of(repo, "1")
    progress = watch.read_progress(watch.look().running[0])
    assert (progress.step, list(progress.values), progress.last_line) == (20, [3, 2, 1], "ready")
    assert dict(progress.metrics) == {"loss": 1, "acc": 0.5}
    run.communicate()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"one\ntwo\n", "two"),
        (b"one\ntwo\n\n  \n", "two"),
        (b"10%\r20%\r30%", "30%"),
        (b"\x1b[31mred\x1b[0m \x1b]0;title\x07end\n", "red end"),
        (b"a\x07b\xff\n", "a\\x07b\ufffd"),
        (b"x" * 9_000, "x" * 4096),
        (b"", ""),
    ],
)
def test_last_line_is_what_a_terminal_would_show_last(repo, written: bytes, shown: str) -> None:
    git = Project(repo.path).git
    path = git.state / "live" / ("a" * 40)
    path.mkdir(parents=True)
    (path / "output").write_bytes(written)
    assert last_line(git, "a" * 40) == shown

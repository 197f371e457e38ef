"""Many at once in one repository: each run records its own, and of several restarts of one run one wins."""

from __future__ import annotations

import subprocess
import threading

import pytest
from supervised import last, live, output, runs, said, start, state, until, whole

pytestmark = pytest.mark.usefixtures("forked")
COUNT = "n = 0\nprint('number', n, flush=True)\nopen('made', 'w').write(str(n))\n"


def together(repo, number):
    """The exit codes and last words of so many runs started at the same moment."""
    processes = [start(repo, "count.py", f"n={n}") for n in range(number)]
    ends = [(process.communicate(timeout=240), process.returncode) for process in processes]
    return [(code, err.decode()) for (_, err), code in ends]


def check(repo, number):
    """Fails unless each of so many runs has recorded its own output and file."""
    found = runs(repo)
    assert sorted(run["flags"]["n"] for run in found) == list(range(number))
    for run in found:
        assert run["status"] == "completed"
        assert output(repo, run["id"]) == f"number {run['flags']['n']}\n".encode()
        assert repo.git("show", f"refs/runs/{run['id']}:made") == str(run["flags"]["n"])
    assert live(repo) == []
    whole(repo)


@pytest.mark.parametrize("number", [12, pytest.param(50, marks=pytest.mark.slow)])
def test_runs_started_at_the_same_moment_all_record_each_its_own(repo, number):
    repo.write("count.py", COUNT)
    assert [end for end in together(repo, number) if end[0]] == []
    check(repo, number)


@pytest.mark.parametrize("number", [8, pytest.param(30, marks=pytest.mark.slow)])
def test_beside_a_gc_that_prunes_all_the_time_every_run_that_reports_success_is_whole(repo, number):
    repo.write("count.py", COUNT)
    over = threading.Event()

    def collect():
        while not over.wait(0.05):
            subprocess.run(["git", "gc", "--quiet", "--prune=now"], cwd=repo.path, check=False, capture_output=True)

    collecting = threading.Thread(target=collect)
    collecting.start()
    ends = together(repo, number)
    over.set()
    collecting.join()
    assert [end for end in ends if end[0]] == []
    check(repo, number)


def test_a_restart_of_a_running_run_is_refused(repo):
    process = start(repo, "--", "sh", "-c", "echo ready; sleep 60")
    said(process)
    run = last(repo)["id"]
    done = repo.run("--restart", run)
    assert (done.returncode, done.stdout) == (128, "")
    assert done.stderr == f"gitrun: error: cannot restart run {run[:8]}: it is running. Try: git run stop {run[:8]}\n"
    repo.run("stop", run, check=True)
    process.communicate(timeout=20)
    assert repo.git("rev-list", "--count", "--grep=Gitrun-Kind: attempt", f"refs/runs/{run}") == "1"


def test_of_many_restarts_in_the_same_instant_one_wins_and_the_others_say_why(repo):
    gate = repo.path.parent / "gate"
    repo.write("count.py", COUNT + f"import os, time\nwhile n == 1 and not os.path.exists({str(gate)!r}): time.sleep(.02)\n")
    repo.run("count.py", check=True)
    run = last(repo)["id"]
    processes = [start(repo, "--restart", run, "n=1") for _ in range(8)]
    until(lambda: sum(process.poll() is not None for process in processes) == 7, 100)
    gate.touch()
    ends = [(process.communicate(timeout=120), process.returncode) for process in processes]
    words = [err.decode() for (_, err), code in ends if code]
    assert [out for (out, _), code in ends if not code] == [b"number 1\n"]
    assert len(words) == 7
    assert all("it is running" in word or "another process changed" in word for word in words)
    assert repo.git("rev-list", "--count", "--grep=Gitrun-Kind: attempt", f"refs/runs/{run}") == "2"
    assert live(repo) == []


def test_annotations_made_while_a_run_goes_on_stay(repo):
    process = start(repo, "--", "sh", "-c", "echo ready; sleep 1.5")
    said(process)
    run = last(repo)["id"]
    repo.run("mark", run, check=True)
    process.communicate(timeout=20)
    assert (last(repo)["status"], last(repo)["marked"]) == ("completed", True)


def test_slots_are_used_again(repo):
    repo.write("count.py", COUNT)
    for n in range(3):
        repo.run("count.py", f"n={n}", check=True)
    until(lambda: live(repo) == [])
    assert len([path for path in (state(repo) / "slots").iterdir() if path.is_dir()]) == 1

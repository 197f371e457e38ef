"""A worker: a run that was handed out is executed once, where it can be, by whoever claims it first."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading

import pytest
from clones import clone, tip
from handed_out import hand_out
from sampled import sampled_values
from supervised import runs, start, until


@pytest.fixture
def team(waiting_team):
    return waiting_team


def start_worker(repo, run_id, gates, *words, is_forked=True):
    """A worker under way that executes one run."""
    environ = {**os.environ, "GATES": str(gates)}
    words = ("worker", "origin", "--once", run_id, *words)
    return start(repo, *words, program=("git-run",), is_forked=is_forked, env=environ)


def test_a_staged_run_is_executed_once_and_its_result_pushed(team) -> None:
    run_id = hand_out(team.ann, "echo.py", "x=7.0")
    ended = team.bob.run("worker", "origin", "--once", run_id, check=True)
    assert ended.stdout == "7.0 2 'a'\n"
    team.ann.run("fetch", check=True)
    (run,) = runs(team.ann)
    assert (run["id"], run["status"], run["worker"]) == (run_id, "completed", os.uname().nodename)
    assert tip(team.remote) == tip(team.bob) == tip(team.ann)
    assert not list((team.bob.path / ".git/gitrun/claims").iterdir())
    before = tip(team.remote)
    carol = clone(team.remote.path, team.ann.path.parent / "carol")
    ended = carol.run("worker", "origin", "--once", run_id, check=True)
    assert ended.stdout == ""
    assert "has already completed" in ended.stderr
    assert tip(team.remote) == before


def test_a_run_of_a_stranger_is_not_executed(team) -> None:
    run_id = hand_out(team.ann, "echo.py")
    stderr = team.bob.run("worker", "origin", check=True).stderr
    assert "0 runs executed" in stderr
    assert "note: 1 run waits and is not trusted here" in stderr
    named = team.bob.run("worker", "origin", "--once", run_id[:8])
    assert (named.returncode, named.stdout) == (128, "")
    assert "is not trusted" in named.stderr
    assert tip(team.remote) == tip(team.ann)


def test_a_later_attempt_needs_trust_of_its_own(team) -> None:
    run_id = hand_out(team.ann, "echo.py")
    team.ann.run("--stage", "--restart", run_id, "x=2.0", check=True)
    team.ann.run("push", "--stage", "origin", run_id, check=True)
    assert "is not trusted" in team.bob.run("worker", "origin", "--once", run_id).stderr
    attempt = tip(team.ann)[run_id]
    ended = team.bob.run("worker", "origin", "--once", run_id, "--attempt", attempt, check=True)
    assert ended.stdout == "2.0 2 'a'\n"


def test_trusted_runs_are_executed_until_none_are_left(team) -> None:
    run_ids = [hand_out(team.ann, "echo.py", f"x={x}.0") for x in range(3)]
    pushes = count_pushes(team.remote)
    team.bob.run("fetch", check=True)
    team.bob.run("trust", *run_ids, check=True)
    ended = team.bob.run("worker", "origin", check=True)
    assert ended.stdout == "0.0 2 'a'\n1.0 2 'a'\n2.0 2 'a'\n"
    assert "3 runs executed" in ended.stderr
    # a claim and a result each
    assert pushes() == 6


def test_two_workers_execute_a_run_once(team, gates) -> None:
    run_id = hand_out(team.ann, "wait.py")
    carol = clone(team.remote.path, team.ann.path.parent / "carol")
    words = ("worker", "origin", "--once", run_id, "--name")
    ended = {}

    def work(repo, name):
        ended[name] = repo.run(*words, name, env={"GATES": str(gates)})

    workers = [threading.Thread(target=work, args=pair) for pair in ((team.bob, "bob"), (carol, "carol"))]
    for worker in workers:
        worker.start()
    until(lambda: len(ended) == 1)
    (gates / "go").touch()
    for worker in workers:
        worker.join()
    assert sorted(one.returncode for one in ended.values()) == [0, 75]
    (loser,) = [one for one in ended.values() if one.returncode == 75]
    assert "is claimed by" in loser.stderr
    team.ann.run("fetch", check=True)
    attempts = json.loads(team.ann.run("log", run_id, "--json", check=True).stdout)
    assert len(attempts) == 2


def test_a_worker_that_is_told_to_end_leaves_the_run_to_the_next(team, gates) -> None:
    run_id = hand_out(team.ann, "wait.py")
    worker = start_worker(team.bob, run_id, gates)
    until((gates / "started").exists)
    worker.send_signal(signal.SIGTERM)
    worker.communicate()
    team.ann.run("fetch", check=True)
    (run,) = runs(team.ann)
    assert run["status"] == "terminated"
    (gates / "go").touch()
    team.ann.run("trust", run_id, check=True)
    assert "1 run executed" in team.ann.run("worker", "origin", env={"GATES": str(gates)}, check=True).stderr
    (run,) = runs(team.ann)
    assert run["status"] == "completed"


def test_a_killed_worker_hands_its_result_over_later(team, gates) -> None:
    run_id = hand_out(team.ann, "wait.py")
    worker = start_worker(team.bob, run_id, gates, is_forked=False)
    until((gates / "started").exists)
    worker.kill()
    worker.communicate()
    team.ann.run("fetch", check=True)
    assert runs(team.ann)[0]["status"] == "pending"
    ended = team.bob.run("worker", "origin", "--max", "0", check=True)
    assert f"pushed the result of run {run_id[:8]}" in ended.stderr
    team.ann.run("fetch", check=True)
    assert runs(team.ann)[0]["status"] == "terminated"


def test_a_result_is_kept_while_the_remote_is_away(team, gates) -> None:
    run_id = hand_out(team.ann, "wait.py")
    worker = start_worker(team.bob, run_id, gates)
    until((gates / "started").exists)
    away = team.remote.path.with_name("away.git")
    team.remote.path.rename(away)
    worker.send_signal(signal.SIGTERM)
    _, stderr = worker.communicate()
    assert worker.returncode == 1
    assert b"is kept in" in stderr
    bundle = team.bob.path / ".git/gitrun/claims" / f"{run_id}.bundle"
    team.ann.run("import", bundle, check=True)
    assert runs(team.ann)[0]["status"] == "terminated"
    away.rename(team.remote.path)
    team.bob.run("worker", "origin", "--max", "0", check=True)
    assert tip(team.remote) == tip(team.bob) == tip(team.ann)
    assert not bundle.exists()


def test_a_claim_that_the_remote_refuses_starts_nothing(team) -> None:
    run_id = hand_out(team.ann, "echo.py")
    hook = team.remote.path / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    before = tip(team.bob)
    ended = team.bob.run("worker", "origin", "--once", run_id)
    assert (ended.returncode, ended.stdout) == (75, "")
    assert "refuses the claim" in ended.stderr
    team.bob.run("fetch", check=True)
    assert tip(team.bob) == {**before, **tip(team.ann)}
    assert team.bob.git("fsck", "--strict", "--no-dangling") == ""


@pytest.mark.parametrize("what", ["program", "data"])
def test_a_run_that_cannot_be_executed_here_stays_open(team, what) -> None:
    if what == "data":
        team.ann.write(".gitignore", "data/\n")
        team.ann.write("data/points.csv", "1\n")
        team.ann.commit("ignore")
        run_id = hand_out(team.ann, "echo.py")
    else:
        run_id = hand_out(team.ann, "--", "no-such-program", "1")
    ended = team.bob.run("worker", "origin", "--once", run_id)
    assert (ended.returncode, ended.stdout) == (75, "")
    assert {"program": "no-such-program", "data": "data/"}[what] in ended.stderr
    assert tip(team.remote) == tip(team.ann)


@pytest.mark.parametrize("how", sampled_values(1, ["by name", "with all"]))
def test_an_old_claim_can_be_taken_over(team, gates, how) -> None:
    run_id = hand_out(team.ann, "wait.py")
    worker = start_worker(team.bob, run_id, gates)
    until((gates / "started").exists)
    carol = clone(team.remote.path, team.ann.path.parent / "carol")
    claimed = tip(team.remote)[run_id]
    if how == "with all":
        # the claim does what is trusted, so that it needs no trust of its own
        carol.git("fetch", "--quiet", "origin", f"{run_id}:refs/runs/{run_id}")
        carol.run("trust", run_id, check=True)
        more = ("--name", "carol")
    else:
        more = ("--once", run_id, "--attempt", claimed, "--name", "carol")
    early = carol.run("worker", "origin", *more, "--take-over", "2h")
    assert early.returncode == (0 if how == "with all" else 75)
    assert early.stdout == ""
    own = gates / "carol"
    own.mkdir()
    (own / "go").touch()
    carol.run("worker", "origin", *more, "--take-over", "0.001s", env={"GATES": str(own)}, check=True)
    (gates / "go").touch()
    worker.communicate()
    assert worker.returncode == 1
    team.ann.run("fetch", check=True)
    (run,) = runs(team.ann)
    assert (run["status"], run["worker"]) == ("completed", "carol")


def test_a_claimed_run_says_so_in_the_list(team, gates) -> None:
    run_id = hand_out(team.ann, "wait.py")
    worker = start_worker(team.bob, run_id, gates)
    until((gates / "started").exists)
    team.ann.run("fetch", check=True)
    assert f"pending  claimed by {os.uname().nodename} since " in team.ann.run("list", check=True).stdout
    assert "status:    pending, claimed by" in team.ann.run("show", run_id, check=True).stdout
    (gates / "go").touch()
    worker.communicate()
    team.ann.run("fetch", check=True)
    assert "claimed" not in team.ann.run("list", check=True).stdout


def test_files_of_a_result_that_nobody_vouches_for_are_not_used(team, gates) -> None:
    run_id = hand_out(team.ann, "wait.py")
    worker = start_worker(team.bob, run_id, gates)
    until((gates / "started").exists)
    worker.terminate()
    worker.communicate()
    carol = clone(team.remote.path, team.ann.path.parent / "carol")
    (gates / "go").touch()
    words = ("worker", "origin", "--once", run_id)
    environ = {"GATES": str(gates)}
    attempt = team.bob.git("rev-parse", f"refs/runs/{run_id}^")
    assert "is not trusted" in carol.run(*words, env=environ).stderr
    assert "are not trusted" in carol.run(*words, "--attempt", attempt, env=environ).stderr
    ended = carol.run(*words, "--attempt", tip(team.bob)[run_id], env=environ, check=True)
    assert ended.stdout == "loss: 1\n"


def test_a_gpu_is_given_to_one_worker_at_a_time(team, gates, tmp_path) -> None:
    first, second = (hand_out(team.ann, "wait.py", *words) for words in ((), ("--random-seed", "1")))
    environ = {"GATES": str(gates), "XDG_STATE_HOME": str(tmp_path / "state")}
    worker = start(
        team.bob, "worker", "origin", "--once", first, "--gpus", "0", program=("git-run",), env={**os.environ, **environ}
    )
    until((gates / "started").exists)
    refused = team.bob.run("worker", "origin", "--once", second, "--gpus", "0,1", env=environ)
    assert refused.returncode == 75
    assert "GPUs 0,1 are in use" in refused.stderr
    (gates / "go").touch()
    worker.communicate()
    team.bob.run("worker", "origin", "--once", second, "--gpus", "0,1", env=environ, check=True)


def test_steps_of_a_pipeline_come_with_its_result(team) -> None:
    team.ann.write("gitrun.toml", '[operations.all]\nsteps = ["echo.py x=1.0", "echo.py x=2.0"]\n')
    team.ann.commit("steps")
    run_id = hand_out(team.ann, "all")
    team.bob.run("worker", "origin", "--once", run_id, check=True)
    team.ann.run("fetch", check=True)
    ended = runs(team.ann)
    assert sorted(run["operation"] for run in ended) == ["all", "echo.py", "echo.py"]
    assert {run["status"] for run in ended} == {"completed"}


@pytest.mark.skipif(not shutil.which("faketime"), reason="there is no faketime")
def test_a_clock_that_is_a_day_behind_gives_nothing_away(team, gates) -> None:
    run_id = hand_out(team.ann, "wait.py")
    worker = start_worker(team.bob, run_id, gates)
    until((gates / "started").exists)
    carol = clone(team.remote.path, team.ann.path.parent / "carol")
    claimed = tip(team.remote)[run_id]
    own = gates / "carol"
    own.mkdir()
    (own / "go").touch()
    # Carol's clock says that the claim is old, so that both execute the run; the remote takes one result
    words = ("git-run", "worker", "origin", "--once", run_id, "--attempt", claimed, "--take-over", "2h")
    taken = subprocess.run(["faketime", "+1 day", *words], cwd=carol.path, env={**os.environ, "GATES": str(own)}, check=False)
    assert taken.returncode == 0
    (gates / "go").touch()
    worker.communicate()
    assert worker.returncode == 1
    team.ann.run("fetch", check=True)
    attempts = json.loads(team.ann.run("log", run_id, "--json", check=True).stdout)
    assert [attempt["status"] for attempt in attempts].count("completed") == 1
    for repo in (team.ann, team.bob, carol, team.remote):
        assert repo.git("fsck", "--strict", "--no-dangling") == ""


@pytest.mark.parametrize("transport", ["http", "ssh"])
def test_runs_are_claimed_over_the_network(team, transport, request) -> None:
    url = request.getfixturevalue(transport)
    for repo in (team.ann, team.bob):
        repo.git("remote", "set-url", "origin", url)
    run_id = hand_out(team.ann, "echo.py")
    assert team.bob.run("worker", "origin", "--once", run_id, check=True).stdout == "1.0 2 'a'\n"
    team.ann.run("fetch", check=True)
    assert runs(team.ann)[0]["status"] == "completed"


def test_a_worker_of_another_user_hands_its_result_over(team, tmp_path) -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can be somebody else")
    somebody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if subprocess.run([*somebody, "git-run", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("other users may not execute the Python of the tests")
    run_id = hand_out(team.ann, "echo.py")
    carol = clone(team.remote.path, tmp_path / "carol")
    team.remote.git("config", "core.sharedRepository", "all")
    for place in (team.remote.path, carol.path):
        subprocess.run(["chmod", "-R", "a+rwX", place], check=True)
    subprocess.run(["chown", "-R", "65534:65534", carol.path], check=True)
    for place in [tmp_path, *tmp_path.parents][:-2]:
        place.chmod(place.stat().st_mode | 0o055)
    words = [*somebody, "git-run", "worker", "origin", "--once", run_id]
    home = tmp_path / "home"
    home.mkdir(mode=0o777)
    (home / ".gitconfig").write_text("[safe]\n\tdirectory = *\n")
    environ = {name: value for name, value in os.environ.items() if name != "GIT_CONFIG_GLOBAL"}
    ended = subprocess.run(
        words, cwd=carol.path, env={**environ, "HOME": str(home)}, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "1.0 2 'a'\n"), ended.stderr
    team.ann.run("fetch", check=True)
    assert runs(team.ann)[0]["status"] == "completed"


def count_pushes(remote):
    """Has a bare repository write a line for each push that it gets. Returns a function that counts them."""
    log = remote.path / "pushes"
    hook = remote.path / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\necho push >> {log}\n")
    hook.chmod(0o755)
    return lambda: len(log.read_text().splitlines()) if log.exists() else 0


@pytest.mark.parametrize("words", [["--stage-trials"], ["--on", "origin"]], ids=" ".join)
@pytest.mark.parametrize("count", [100, pytest.param(1_000, marks=pytest.mark.slow)])
def test_many_runs_are_handed_over_in_one_push(team, words, count) -> None:
    pushes = count_pushes(team.remote)
    team.ann.run("echo.py", f"x=range[1:{count}]", *words, check=True, timeout=300)
    if "--on" not in words:
        team.ann.run("push", "--stage", "origin", check=True, timeout=300)
    assert pushes() == 1
    trials = {run["id"] for run in runs(team.ann, flat=True)}
    assert len(trials & tip(team.remote).keys()) >= count


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MB."""
    place = tmp_path / "small"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small file system")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


FILL = """\
import os, pathlib
with open(os.environ["BALLAST"], "wb", buffering=0) as file:
    try:
        while True:
            file.write(b"x" * 65536)
    except OSError:
        print("full", flush=True)
"""


def test_a_result_that_a_full_disk_refuses_is_pushed_later(team, small_disk) -> None:
    team.ann.write("fill.py", FILL)
    team.ann.commit("fill")
    team.ann.git("push", "--quiet")
    carol = clone(team.remote.path, small_disk / "carol")
    run_id = hand_out(team.ann, "fill.py")
    ballast = small_disk / "ballast"
    ended = carol.run("worker", "origin", "--once", run_id, env={"BALLAST": str(ballast)})
    assert ended.returncode == 128
    assert "No space left on device" in ended.stderr
    assert ". What the run left is in " in ended.stderr
    # as long as there is no space, nobody takes the run for ended
    carol.run("worker", "origin", "--max", "0", check=True)
    team.ann.run("fetch", check=True)
    assert runs(team.ann)[0]["status"] == "pending"
    ballast.unlink()
    assert "pushed the result" in carol.run("worker", "origin", "--max", "0", check=True).stderr
    team.ann.run("fetch", check=True)
    assert runs(team.ann)[0]["status"] == "completed"
    log = json.loads(team.ann.run("log", run_id, "--json", check=True).stdout)
    assert [one["status"] for one in log].count("completed") == 1
    for repo in (team.ann, team.remote, carol):
        assert repo.git("fsck", "--strict", "--no-dangling") == ""


def test_a_run_for_which_a_disk_is_too_small_goes_to_another_worker(team, small_disk) -> None:
    carol = clone(team.remote.path, small_disk / "carol")
    # small in git, and too large in a worktree
    team.ann.write("large.txt", "x" * 9_000_000)
    team.ann.commit("large")
    team.ann.git("push", "--quiet")
    run_id = hand_out(team.ann, "echo.py", "x=5.0")
    ended = carol.run("worker", "origin", "--once", run_id)
    assert ended.stdout == ""
    assert "unable to write file large.txt" in ended.stderr
    attempts = json.loads(carol.run("log", run_id, "--json", check=True).stdout)
    assert attempts[-1]["status"] in {"terminated", "pending"}
    subprocess.run(["find", small_disk, "-name", "large.txt", "-delete"], check=True)
    carol.run("worker", "origin", "--max", "0", check=True)
    words = ("worker", "origin", "--once", run_id, "--attempt", tip(team.remote)[run_id])
    assert team.bob.run(*words, check=True).stdout == "5.0 2 'a'\n"


def test_a_full_disk_claims_nothing(team, small_disk) -> None:
    carol = clone(team.remote.path, small_disk / "carol")
    run_id = hand_out(team.ann, "echo.py")
    ballast = small_disk / "ballast"
    subprocess.run(["dd", "if=/dev/zero", f"of={ballast}", "bs=64k"], capture_output=True, check=False)
    ended = carol.run("worker", "origin", "--once", run_id)
    assert (ended.returncode, ended.stdout) == (128, "")
    assert "No space left on device" in ended.stderr
    assert tip(team.remote) == tip(team.ann)
    ballast.unlink()
    assert carol.run("worker", "origin", "--once", run_id, check=True).stdout == "1.0 2 'a'\n"


@pytest.mark.slow
def test_workers_of_one_clone_share_its_runs(team) -> None:
    team.ann.run("echo.py", "x=range[1:8]", "--on", "origin", check=True)
    workers = [start(team.ann, "worker", "origin", program=("git-run",)) for _ in range(4)]
    said = [worker.communicate(timeout=120) for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4, said
    assert sum(stdout.count(b"\n") for stdout, _ in said) == 8
    trials = [run for run in runs(team.ann, flat=True) if run["trial"]]
    assert [run["status"] for run in trials] == ["completed"] * 8

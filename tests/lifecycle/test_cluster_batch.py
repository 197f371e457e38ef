"""A batch on a Dask cluster: each trial has one result, whatever dies."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess

import pytest
from clones import clone, tip
from dask_cluster import kill
from supervised import runs, start, until

pytest.importorskip("distributed")


def read_trials(repo, batch: str = "") -> list[dict]:
    """The runs of the trials in Ann's list, by number."""
    return sorted((run for run in runs(repo, flat=True) if run["trial"]), key=lambda run: run["trial"])


def require_one_result_each(team, count: int, *repos) -> list[dict]:
    """Ann's list is complete, each trial has one result that everybody has, and git finds no fault."""
    trials = read_trials(team.ann)
    assert [run["trial"] for run in trials] == [*range(1, count + 1)]
    assert {run["status"] for run in trials} == {"completed"}
    there = tip(team.remote)
    for run in trials:
        log = json.loads(team.ann.run("log", run["id"], "--json", check=True).stdout)
        assert [one["status"] for one in log].count("completed") == 1, log
        assert tip(team.ann)[run["id"]] == there[run["id"]]
    doctor = team.ann.run("doctor")
    assert (doctor.returncode, doctor.stdout) == (0, ""), doctor.stderr
    for repo in (team.remote, team.ann, *repos):
        assert repo.git("fsck", "--strict", "--no-dangling") == ""
    return trials


def drive(repo, *words: str, address: str = ""):
    """A driver under way."""
    return start(repo, *words, "--on", address, program=("git-run",))


def test_trials_are_spread_over_workers_and_adopted_and_never_executed_again(cluster, dask_team, pair) -> None:
    from distributed import Client  # an extra

    driver = dask_team.ann.run("--json", "fast.py", "n=[1,2,3,4]", "--on", cluster.address, check=True)
    events = [json.loads(line) for line in driver.stdout.splitlines()]
    assert [event["trial"] for event in events if event["event"] == "trial-handed-out"] == [1, 2, 3, 4]
    assert all(event["host"] and event["metrics"] for event in events if event["event"] == "trial-ended")
    trials = require_one_result_each(dask_team, 4, *pair)
    assert [run["metrics"]["loss"] for run in trials] == [1, 2, 3, 4]
    before = tip(dask_team.remote)
    first = min(run for run, at in before.items() if run != at)
    with Client(cluster.address, set_as_default=False) as client:
        words = ["git", "run", "worker", "origin", "--once", first, "--json", "--quiet"]
        done = client.submit(subprocess.run, words, capture_output=True, pure=False).result()
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["run"], answer["status"]) == (0, first, "completed")
    assert b"has already completed" in done.stderr
    assert tip(dask_team.remote) == before


def test_a_run_handed_to_two_workers_is_executed_by_one(cluster, dask_team, pair, gates) -> None:
    from distributed import Client  # an extra

    dask_team.ann.run("--stage", "wait.py", check=True)
    (run_id,) = tip(dask_team.ann)
    dask_team.ann.run("push", "--stage", "origin", run_id, check=True)
    words = ["git", "run", "worker", "origin", "--once", run_id, "--json", "--quiet"]
    with Client(cluster.address, set_as_default=False) as client:
        until(lambda: len(client.nthreads()) == 2, 60)
        tasks = [
            client.submit(subprocess.run, words, capture_output=True, pure=False, workers=[worker])
            for worker in client.nthreads()
        ]
        until(lambda: any(task.done() for task in tasks), 60)
        (gates / "go").touch()
        codes = sorted(task.result().returncode for task in tasks)
    assert codes == [0, 75]
    dask_team.ann.run("fetch", check=True)
    log = json.loads(dask_team.ann.run("log", run_id, "--json", check=True).stdout)
    assert [one["status"] for one in log].count("completed") == 1


@pytest.mark.slow
def test_ctrl_c_on_the_driver_stops_the_trials_on_the_workers(cluster, dask_team, pair, gates) -> None:
    driver = drive(dask_team.ann, "wait.py", "n=[1,2,3,4]", address=cluster.address)
    until(lambda: len(list(gates.glob("started.*"))) == 2, 60)
    driver.send_signal(signal.SIGINT)
    _, stderr = driver.communicate(timeout=120)
    assert driver.returncode == 130, stderr
    statuses = [run["status"] for run in read_trials(dask_team.ann)]
    assert statuses == ["terminated", "terminated"]
    (gates / "go").touch()
    (batch,) = {run["batch"] for run in read_trials(dask_team.ann)}
    dask_team.ann.run("--restart", batch, "--on", cluster.address, check=True)
    require_one_result_each(dask_team, 4, *pair)


@pytest.mark.slow
def test_a_worker_killed_with_its_children_loses_no_trial(cluster, dask_team, gates, tmp_path) -> None:
    worker = cluster.add_worker(dask_team.bob, "--name", "bob")
    driver = drive(dask_team.ann, "wait.py", "n=[1,2]", address=cluster.address)
    until(lambda: list(gates.glob("started.*")), 60)
    kill(worker)
    (gates / "go").touch()
    carol = clone(dask_team.remote.path, tmp_path / "carol")
    cluster.add_worker(carol, "--name", "carol")
    _, stderr = driver.communicate(timeout=240)
    assert driver.returncode == 0, stderr
    require_one_result_each(dask_team, 2, carol)
    assert b"did not end on" in stderr


@pytest.mark.slow
def test_a_trial_whose_end_another_call_recorded_goes_on(cluster, dask_team, gates, tmp_path) -> None:
    """A call in the clone of a killed worker pushes the end of its trial, before the driver hears of it."""
    worker = cluster.add_worker(dask_team.bob, "--name", "bob")
    driver = drive(dask_team.ann, "wait.py", "n=[1,2]", address=cluster.address)
    until(lambda: list(gates.glob("started.*")), 60)
    kill(worker)
    assert "pushed the result" in dask_team.bob.run("worker", "origin", "--max", "0", check=True).stderr
    (gates / "go").touch()
    carol = clone(dask_team.remote.path, tmp_path / "carol")
    cluster.add_worker(carol, "--name", "carol")
    _, stderr = driver.communicate(timeout=240)
    assert driver.returncode == 0, stderr
    require_one_result_each(dask_team, 2, carol)


@pytest.mark.slow
def test_a_remote_that_goes_away_during_a_trial_loses_no_result(cluster, dask_team, pair, gates) -> None:
    driver = drive(dask_team.ann, "wait.py", "n=[1,2]", address=cluster.address)
    until(lambda: len(list(gates.glob("started.*"))) == 2, 60)
    away = dask_team.remote.path.with_name("away.git")
    dask_team.remote.path.rename(away)
    (gates / "go").touch()
    # both workers try for a minute, and hand bundles over
    bundles = [repo.path / ".git/gitrun/claims" for repo in pair]
    until(lambda: all(list(place.glob("*.bundle")) for place in bundles), 240)
    away.rename(dask_team.remote.path)
    _, stderr = driver.communicate(timeout=240)
    assert driver.returncode == 0, stderr
    require_one_result_each(dask_team, 2, *pair)


@pytest.mark.slow
def test_a_worker_cut_off_from_the_scheduler_ends_no_trial_twice(cluster, dask_team, gates, tmp_path) -> None:
    """The scheduler gives a worker up that answers no longer, whose program goes on."""
    cluster.end()
    cluster.processes.clear()
    cluster.file.unlink()
    cluster.environ["DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL"] = "5s"
    cluster.start()
    worker = cluster.add_worker(dask_team.bob, "--name", "bob")
    driver = drive(dask_team.ann, "wait.py", "n=[1]", address=cluster.address)
    until((gates / "started.1").exists, 60)
    (gates / "started.1").unlink()
    worker.send_signal(signal.SIGSTOP)
    carol = clone(dask_team.remote.path, tmp_path / "carol")
    cluster.add_worker(carol, "--name", "carol")
    until((gates / "started.1").exists, 120)
    (gates / "go").touch()
    _, stderr = driver.communicate(timeout=240)
    worker.send_signal(signal.SIGCONT)
    assert driver.returncode == 0, stderr
    require_one_result_each(dask_team, 1, carol)


@pytest.mark.slow
def test_a_scheduler_that_dies_ends_the_batch_and_a_restart_goes_on(cluster, dask_team, pair, gates) -> None:
    driver = drive(dask_team.ann, "wait.py", "n=[1,2,3]", address=cluster.address)
    until(lambda: len(list(gates.glob("started.*"))) == 2, 60)
    kill(cluster.scheduler)
    _, stderr = driver.communicate(timeout=240)
    assert b"scheduler" in stderr
    (gates / "go").touch()
    # the workers end what they have begun, and push it
    started = [int(path.suffix[1:]) for path in gates.glob("started.*")]
    for worker in cluster.processes[1:]:
        worker.wait(timeout=120)
    assert len(started) == 2
    for path in gates.glob("started.*"):
        path.unlink()
    cluster.file.unlink()
    cluster.processes.clear()
    cluster.start()
    cluster.add_worker(pair[0])
    (batch,) = {run["batch"] for run in read_trials(dask_team.ann)}
    again = dask_team.ann.run("--restart", batch, "--on", cluster.address, check=True)
    assert "has completed on" in again.stderr
    require_one_result_each(dask_team, 3, *pair)


@pytest.mark.slow
def test_a_killed_driver_leaves_the_batch_to_a_restart(cluster, dask_team, pair, gates) -> None:
    driver = drive(dask_team.ann, "wait.py", "n=[1,2,3]", address=cluster.address)
    until(lambda: len(list(gates.glob("started.*"))) == 2, 60)
    driver.kill()
    driver.communicate()
    (batch,) = {run["batch"] for run in read_trials(dask_team.ann)}
    again = drive(dask_team.ann, "--restart", batch, address=cluster.address)
    (gates / "go").touch()
    _, stderr = again.communicate(timeout=240)
    assert again.returncode == 0, stderr
    require_one_result_each(dask_team, 3, *pair)


@pytest.mark.slow
def test_what_a_stranger_pushes_is_not_executed(cluster, dask_team, gates, tmp_path) -> None:
    """A stranger puts another program on top of each trial before a worker comes."""
    stranger = clone(dask_team.remote.path, tmp_path / "stranger")
    driver = drive(dask_team.ann, "fast.py", "n=[1,2]", "--jobs", "2", address=cluster.address)
    until(lambda: len(tip(dask_team.remote)) == 2, 60)
    stranger.run("fetch", check=True)
    stranger.write("fast.py", f'n = 0\nopen("{gates}/evil", "w")\nprint("loss: -1")\n')
    for run_id in tip(stranger):
        stranger.run("trust", run_id, check=True)
        stranger.run("--stage", "--restart", run_id, "--force-sourcecode", check=True)
        stranger.run("push", "--stage", "origin", run_id, check=True)
    worker = cluster.add_worker(dask_team.bob)
    # the worker refuses both, and the driver waits for neither
    _, stderr = driver.communicate(timeout=120)
    assert driver.returncode == 1
    assert stderr.count(b"somebody has pushed another program to it on origin") == 2
    kill(worker)
    again = dask_team.ann.run("--restart", read_trials(dask_team.ann)[0]["batch"], "--jobs", "1")
    assert again.returncode != 0
    assert "is not trusted" in again.stderr
    assert not (gates / "evil").exists()


@pytest.mark.slow
def test_a_failed_trial_shows_the_end_of_its_output(cluster, dask_team, pair) -> None:
    repo = dask_team.ann
    repo.write("fail.py", 'n = 0\nfor k in range(20):\n    print("line", k)\nraise SystemExit(n)\n')
    repo.commit()
    repo.git("push", "--quiet")
    ended = repo.run("fail.py", "n=[0,3]", "--on", cluster.address, check=True)
    assert "#2  " in ended.stderr
    assert "error (exit status 3)" in ended.stderr
    assert "#2 line 19" in ended.stderr
    assert "#2 line 9\n" not in ended.stderr
    assert "#1 line" not in ended.stderr


@pytest.mark.slow
def test_a_trial_whose_worker_is_killed_is_handed_out_again(cluster, dask_team, pair, tmp_path) -> None:
    repo = dask_team.ann
    repo.write(
        "once.py",
        f"""\
import os, pathlib, signal, time
n = 0
place = pathlib.Path("{tmp_path}") / f"begun.{{n}}"
if not place.exists():
    place.write_text(str(os.getppid()))
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)
print("loss:", n)
""",
    )
    repo.commit()
    repo.git("push", "--quiet")
    ended = repo.run("once.py", "n=[1,2]", "--on", cluster.address, check=True, timeout=120)
    assert ended.stderr.count("gitrun hands it out again") == 2
    trials = read_trials(repo)
    assert [run["status"] for run in trials] == ["completed"] * 2
    log = json.loads(repo.run("log", trials[0]["id"], "--json", check=True).stdout)
    assert [one["status"] for one in log].count("completed") == 1


def test_a_worker_outside_a_clone_is_named(cluster, dask_team, tmp_path) -> None:
    place = tmp_path / "nowhere"
    place.mkdir()
    cluster.launch("dask_worker", cluster.address, "--nthreads", "1", "--no-dashboard", "--no-nanny", cwd=place)
    until(lambda: worker_count(cluster) == 1, 60)
    ended = dask_team.ann.run("fast.py", "n=[1,2]", "--on", cluster.address)
    assert ended.returncode == 128
    assert "no worker can execute runs: " in ended.stderr
    assert "cd CLONE && dask worker" in ended.stderr
    assert tip(dask_team.ann) == tip(dask_team.remote) == {}


def worker_count(cluster) -> int:
    from distributed import Client  # an extra

    with Client(cluster.address, set_as_default=False) as client:
        return len(client.nthreads())


@pytest.mark.slow
@pytest.mark.parametrize(("count", "workers"), [(20, 3), (200, 4)])
def test_workers_that_are_killed_again_and_again_lose_no_trial(cluster, dask_team, tmp_path, count, workers) -> None:
    """Every five seconds a worker is killed with its children, and another one comes, in the same clone."""
    clones = [dask_team.bob, *(clone(dask_team.remote.path, tmp_path / f"clone{n}") for n in range(workers - 1))]
    running = [(repo, cluster.add_worker(repo)) for repo in clones]
    driver = drive(dask_team.ann, "fast.py", f"n=range[1:{count}]", "--jobs", str(workers), address=cluster.address)
    kills = 0
    while driver.poll() is None:
        try:
            driver.wait(timeout=5)
        except subprocess.TimeoutExpired:
            repo, victim = running.pop(0)
            kill(victim)
            kills += 1
            running.append((repo, cluster.add_worker(repo)))
    _, stderr = driver.communicate()
    assert driver.returncode == 0, stderr
    assert kills
    require_one_result_each(dask_team, count)


@pytest.mark.slow
def test_two_drivers_of_one_batch_execute_each_trial_once(cluster, dask_team, pair, tmp_path) -> None:
    dask_team.ann.run("fast.py", "n=[1,2,3,4,5,6]", "--stage-trials", check=True)
    (batch,) = {run["batch"] for run in read_trials(dask_team.ann)}
    dask_team.ann.run("push", "--stage", "origin", check=True)
    dask_team.ann.git("push", "--quiet", "origin", f"refs/runs/{batch}:refs/runs/{batch}")
    dave = clone(dask_team.remote.path, tmp_path / "dave")
    dave.run("fetch", check=True)
    dave.run("trust", batch, *tip(dave), check=True)
    drivers = [drive(repo, "--restart", batch, address=cluster.address) for repo in (dask_team.ann, dave)]
    for driver in drivers:
        _, stderr = driver.communicate(timeout=240)
        assert driver.returncode == 0, stderr
    dask_team.ann.run("fetch", check=True)
    trials = read_trials(dask_team.ann)
    for run in trials:
        log = json.loads(dask_team.ann.run("log", run["id"], "--json", check=True).stdout)
        assert [one["status"] for one in log].count("completed") == 1
    assert tip(dask_team.ann).keys() == tip(dave).keys() == tip(dask_team.remote).keys()
    assert len(trials) == 6


@pytest.fixture
def tls(cluster, tmp_path):
    """Settings of Dask for a scheduler, workers and drivers that trust one certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([*words, "-keyout", key, "-out", certificate], capture_output=True, check=True)
    settings = {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true", "DASK_DISTRIBUTED__COMM__DEFAULT_SCHEME": "tls"}
    place = "DASK_DISTRIBUTED__COMM__TLS__"
    settings[f"{place}CA_FILE"] = str(certificate)
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        settings |= {f"{place}{role}__CERT": str(certificate), f"{place}{role}__KEY": str(key)}
    return settings


@pytest.mark.slow
def test_a_cluster_with_tls_takes_drivers_with_its_certificate(cluster, dask_team, tls) -> None:
    cluster.end()
    cluster.processes.clear()
    cluster.file.unlink()
    cluster.environ |= tls
    cluster.start()
    cluster.add_worker(dask_team.bob)
    assert cluster.address.startswith("tls://")
    refused = dask_team.ann.run("fast.py", "n=[1,2]", "--on", cluster.address)
    assert refused.returncode == 128
    assert "needs a certificate and a key of the client" in refused.stderr
    assert tip(dask_team.ann) == {}
    words = ("fast.py", "n=[1,2]", "--on", cluster.address)
    assert "2 of 2 trials completed" in dask_team.ann.run(*words, env=tls, check=True).stderr
    require_one_result_each(dask_team, 2, dask_team.bob)

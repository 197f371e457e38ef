"""Somebody who may push to the remote of a worker gets nothing executed, and keeps nobody from working."""

from __future__ import annotations

import hashlib
import json
import os
import time
from itertools import count

import pytest
from clones import clone, tip
from forgeries import EVIL, forged, replaced, tree_with
from handed_out import hand_out
from supervised import runs, shown, start, until


@pytest.fixture
def team(waiting_team):
    """Ann hands out runs, Bob works, and Mallory may push."""
    return waiting_team


@pytest.fixture
def mallory(team):
    return clone(team.remote.path, team.ann.path.parent / "mallory")


def trust(repo, run_id: str) -> None:
    repo.run("fetch", check=True)
    repo.run("trust", run_id, check=True)


def forge_tip(mallory, run_id: str, kind: str) -> str:
    """A commit of this kind on top of a staged run, which would have a worker execute evil code."""
    if kind in {"attempt", "older claim"}:
        mallory.write("echo.py", EVIL.decode())
        mallory.run("trust", run_id, check=True)
        mallory.run("--stage", "--restart", run_id, "--force-sourcecode", check=True)
        staged = tip(mallory)[run_id]
        if kind == "attempt":
            return staged
        record = replaced(mallory, f"{staged}:.gitrun/run.toml", "nonce = ", 'worker = "box"\nnonce = ')
        tree = tree_with(mallory, staged, {".gitrun/run.toml": record.replace(b"staged = true\n", b"")})
        parents = mallory.git("show", "--no-patch", "--format=%P", staged).split()
        before = [word for parent in parents for word in ("-p", parent)]
        return mallory.git("commit-tree", tree, *before, "-m", mallory.git("show", "--no-patch", "--format=%B", staged))
    return forged(mallory, run_id, {"echo.py": EVIL}, kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["attempt", "older claim", "annotation", "merge", "result"])
def test_a_forged_tip_of_a_trusted_run_is_not_executed(team, mallory, kind) -> None:
    run_id = hand_out(team.ann, "echo.py")
    trust(team.bob, run_id)
    mallory.run("fetch", check=True)
    mallory.git("push", "--quiet", "--force", "origin", f"{forge_tip(mallory, run_id, kind)}:refs/runs/{run_id}")
    for repo in (team.bob, clone(team.remote.path, team.ann.path.parent / "carol")):
        repo.run("trust", run_id)
        for words in (("--take-over", "0.001s"), ("--once", run_id, "--take-over", "0.001s")):
            ended = repo.run("worker", "origin", *words)
            assert "EVIL" not in ended.stdout + ended.stderr
    assert team.bob.git("fsck", "--strict", "--no-dangling") == ""


@pytest.mark.parametrize("name", ["1", "best"])
def test_a_name_that_is_looked_up_proves_nothing(team, mallory, name) -> None:
    mallory.write("echo.py", EVIL.decode())
    mallory.run("--stage", "echo.py", "--label", "best", check=True)
    mallory.run("push", "--stage", "origin", check=True)
    team.bob.run("fetch", check=True)
    ended = team.bob.run("worker", "origin", "--once", name)
    assert "EVIL" not in ended.stdout
    assert "is not trusted" in ended.stderr


def mallory_staged(mallory) -> bytes:
    """The text of the first attempt of a run that was staged and would execute evil code."""
    mallory.write("echo.py", EVIL.decode())
    mallory.run("--stage", "echo.py", check=True)
    (run_id,) = tip(mallory)
    return (mallory.git("cat-file", "commit", run_id) + "\n").encode()


def commit_id(text: bytes) -> str:
    """The id of a commit with this text."""
    return hashlib.sha1(b"commit %d\0" % len(text) + text).hexdigest()


@pytest.mark.slow
def test_an_id_that_begins_like_another_executes_neither(team, mallory) -> None:
    run_id = hand_out(team.ann, "echo.py", "x=7.0")
    head, _, message = mallory_staged(mallory).partition(b"\n\n")
    texts = (b"%b\n\n%d %b" % (head, number, message) for number in count())
    mallory.write("commit", next(text for text in texts if commit_id(text).startswith(run_id[:4])))
    made = mallory.git("hash-object", "-w", "-t", "commit", "commit")
    mallory.git("push", "--quiet", "origin", f"{made}:refs/runs/{made}")
    ended = team.bob.run("worker", "origin", "--once", run_id[:4])
    assert (ended.returncode, ended.stdout) == (128, "")
    assert team.bob.run("worker", "origin", "--once", run_id, check=True).stdout == "7.0 2 'a'\n"


@pytest.mark.slow
def test_a_run_that_was_set_back_is_not_executed_again(team, mallory) -> None:
    run_id = hand_out(team.ann, "echo.py", "x=7.0")
    trust(team.bob, run_id)
    mallory.run("fetch", check=True)
    assert team.bob.run("worker", "origin", check=True).stdout == "7.0 2 'a'\n"
    claim = team.bob.git("rev-parse", f"refs/runs/{run_id}^")
    for old in (run_id, claim):
        team.remote.git("update-ref", f"refs/runs/{run_id}", old)
        for words in (("--take-over", "0.001s"), ("--once", run_id, "--take-over", "0.001s")):
            assert team.bob.run("worker", "origin", *words).stdout == ""
    log = json.loads(team.bob.run("log", run_id, "--json", check=True).stdout)
    assert [one["status"] for one in log].count("completed") == 1


ODD = (
    "refs/runs/nonsense", f"refs/runs/{'0' * 40}", f"refs/runs/{'f' * 39}", f"refs/runs/{'a' * 40}/below", "refs/runs/-rf",
    "refs/runs/$(touch${IFS}evil)", "refs/runs/\u202ename", "refs/gitrun/progress/x", "refs/gitrun/stop/HEAD",
    "refs/gitrun/archive/x",
)  # fmt: skip


def test_refs_with_odd_names_keep_no_worker_from_its_run(team, mallory) -> None:
    run_id = hand_out(team.ann, "echo.py", "x=7.0")
    trust(team.bob, run_id)
    head = mallory.head()
    targets = [head, mallory.git("rev-parse", "HEAD^{tree}"), mallory.git("rev-parse", "HEAD:echo.py")]
    for number, ref in enumerate(ODD):
        mallory.git("push", "--quiet", "origin", f"{targets[number % 3]}:{ref}")
    for number, target in enumerate(targets):
        mallory.git("push", "--quiet", "origin", f"{target}:refs/runs/{str(number + 1) * 40}")
    assert team.bob.run("worker", "origin", check=True).stdout == "7.0 2 'a'\n"
    assert not list(team.bob.path.rglob("evil"))


@pytest.mark.slow
def test_a_forged_name_of_a_worker_reaches_no_terminal(team, mallory) -> None:
    run_id = hand_out(team.ann, "echo.py")
    trust(team.bob, run_id)
    mallory.run("fetch", check=True)
    record = replaced(mallory, f"{run_id}:.gitrun/run.toml", "nonce = ", 'worker = "\\u001b]0;evil\\u0007\\u202e"\nnonce = ')
    claim = forged(mallory, run_id, {".gitrun/run.toml": record.replace(b"staged = true\n", b"")}, "attempt")
    mallory.git("push", "--quiet", "origin", f"{claim}:refs/runs/{run_id}")
    team.bob.run("fetch")
    for words in (("worker", "origin", "--once", run_id), ("list",), ("show", run_id)):
        ended = team.bob.run(*words)
        assert not {"\x1b", "\x07", "\u202e"} & set(ended.stdout + ended.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["older attempt", "no commit", "other ref"])
def test_only_a_wish_for_this_attempt_stops_a_run(team, mallory, gates, target) -> None:
    run_id = hand_out(team.ann, "wait.py")
    team.bob.git("config", "gitrun.progressInterval", "0.2")
    environ = {**os.environ, "GATES": str(gates)}
    worker = start(team.bob, "worker", "origin", "--once", run_id, program=("git-run",), env=environ)
    until((gates / "started").exists)
    mallory.run("fetch", check=True)
    claim = tip(team.remote)[run_id]
    name, wish = {
        "older attempt": (run_id, run_id), "no commit": (run_id, mallory.git("rev-parse", "HEAD:echo.py")),
        "other ref": (f"refs/gitrun/stop/{run_id}", claim),
    }[target]  # fmt: skip
    mallory.git("push", "--quiet", "origin", f"{wish}:refs/gitrun/stop/{name}")
    # five visits
    time.sleep(1)
    assert worker.poll() is None
    mallory.git("push", "--quiet", "--force", "origin", f"{claim}:refs/gitrun/stop/{run_id}")
    worker.communicate(timeout=30)
    assert shown(team.bob, run_id)["status"] == "terminated"


@pytest.mark.slow
@pytest.mark.parametrize("change", ["source", "flags", "program", "flag of another name"])
def test_trust_in_a_batch_covers_no_trial_that_it_does_not_describe(team, mallory, change) -> None:
    team.ann.run("echo.py", "x=[1.0,2.0]", "--on", "origin", check=True)
    (batch,) = {run["batch"] for run in runs(team.ann, flat=True) if run["batch"]}
    mallory.run("fetch", check=True)
    trial = next(run for run in tip(mallory) if run != batch)
    words = {"source": ["echo.py", "x=1.0"], "flags": ["echo.py", "x=9.0"], "program": ["evil.py"]}.get(change)
    if change in {"source", "program"}:
        mallory.write("echo.py" if change == "source" else "evil.py", EVIL.decode() + "x = 1.0\n")
    mallory.run("--stage", *(words or ["echo.py", "x=1.0", "y=9"]), check=True)
    (own,) = tip(mallory).keys() - tip(team.ann).keys()
    record = replaced(mallory, f"{own}:.gitrun/run.toml", "\n[source]", f'batch = "{batch}"\ntrial = 1\n\n[source]')
    base = mallory.git("rev-parse", f"{own}^")
    made = forged(mallory, own, {".gitrun/run.toml": record}, "attempt", base)
    mallory.git("push", "--quiet", "origin", f"{made}:refs/runs/{made}")
    received = team.bob.run("fetch", check=True).stderr
    assert "refused" not in received, received
    assert "and 2 trials of it" in team.bob.run("trust", batch, check=True).stderr
    ended = team.bob.run("worker", "origin", "--batch", batch[:8], check=True)
    assert "2 runs executed" in ended.stderr
    assert "EVIL" not in ended.stdout
    assert trial in tip(team.bob)

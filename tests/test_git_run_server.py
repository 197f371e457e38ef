"""A forked `git run` is what a started one is."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import calling
import pytest

if TYPE_CHECKING:
    from repository import Repo

TELL = """\
import json, os, pathlib, re, resource, sys

GIVEN_FOR_THIS_RUN = ("GITRUN_", "RUN_", "TMP", "PYTHONPYCACHEPREFIX")


def seen(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    signals = re.findall(r"Sig(?:Blk|Ign|Cgt):\\t(.*)", status)
    return signals, re.findall(r"Umask:\\t(.*)", status), sorted(os.listdir(f"/proc/{pid}/fd"))


environ = {name: value for name, value in os.environ.items() if not name.startswith(GIVEN_FOR_THIS_RUN)}
limits = [resource.getrlimit(which) for which in range(10)]
print(json.dumps([environ, seen("self"), seen(os.getppid()), limits, sys.stdin.read(), sys.argv[1:]]))
"""
VARIES = re.compile(r"\b[0-9a-f]{8}\b|[0-9.]+s")
pytestmark = pytest.mark.skipif(not calling.FORKING, reason="calls are forked on Linux alone")


def both(patch: pytest.MonkeyPatch, repo: Repo, *words: str, **given: Any) -> list[subprocess.CompletedProcess[str]]:
    """The ended call, forked and started."""
    ended = [repo.run(*words, **given)]
    with patch.context() as started:
        started.setattr(calling, "FORKING", False)
        ended.append(repo.run(*words, **given))
    return ended


def test_program_and_gitrun_see_the_same_world(repo, monkeypatch):
    repo.write("tell.py", TELL)
    (repo.path / "sub").mkdir()
    given = {"cwd": repo.path / "sub", "input": "typed\n", "env": {"ONE": "more\udcff", "PWD": "/nowhere"}}
    forked, started = both(monkeypatch, repo, "--", "python", repo.path / "tell.py", "a b", "ü", **given)
    assert json.loads(forked.stdout) == json.loads(started.stdout)
    assert forked.returncode == started.returncode == 0


@pytest.mark.parametrize(
    "words", ["list --json", "nosuch.py", "show 9", "list -h", "--nosuch", "run -- sh -c 'exit 7'", "help list"]
)
def test_output_and_exit_status_are_the_same(repo, monkeypatch, words):
    forked, started = both(monkeypatch, repo, *words.split())
    assert (forked.stdout, forked.stderr.partition("run ")[0]) == (started.stdout, started.stderr.partition("run ")[0])
    assert forked.returncode == started.returncode


def test_gitrun_that_is_killed_is_reported_as_by_git(repo, monkeypatch):
    for ended in both(monkeypatch, repo, "--", "sh", "-c", "kill -9 $PPID; sleep 0.2"):
        assert ended.returncode == 137
        assert ended.stderr.endswith("error: git-run died of signal 9\n")


def test_call_that_takes_too_long_is_killed(repo):
    with pytest.raises(subprocess.TimeoutExpired):
        repo.run("--", "sleep", "20", timeout=0.7)


def test_missing_directory_is_the_error_of_a_start(repo):
    with pytest.raises(FileNotFoundError):
        repo.run("list", cwd=repo.path / "nowhere")


def test_variables_that_act_on_a_start_are_given_to_a_start(repo, monkeypatch):
    def refuse(*_: object):
        raise AssertionError("this call was forked")

    monkeypatch.setattr(calling, "forked", refuse)
    for env in ({"PYTHONPATH": "/nowhere"}, {"LC_ALL": "C"}, {"GIT_TRACE2_EVENT": "/dev/null"}, {"PATH": "/usr/bin:/bin"}):
        repo.run("list", env=env)
    with pytest.raises(AssertionError, match="forked"):
        repo.run("list")


def test_call_of_a_script_sees_the_same_world(repo, request):
    repo.write("tell.py", TELL)
    (repo.path / "sub").mkdir()
    script = "cd sub; umask 027; echo typed | git run -- python ../tell.py 'a b' ü"
    worlds = []
    for fixture in ("world", "forked"):
        request.getfixturevalue(fixture)
        ended = subprocess.run(["sh", "-c", script], cwd=repo.path, capture_output=True, text=True, check=True)
        worlds.append(json.loads(ended.stdout))
    paths = [world[0].pop("PATH").split(":") for world in worlds]
    assert worlds[0] == worlds[1]
    assert [path for path in paths[1] if path not in paths[0]] == [str(Path(calling.CLIENTS[0]).parent)]


@pytest.mark.parametrize(
    ("before", "name"),
    [
        ("", "python"), ("trap '' INT;", "gitrun"), ("ulimit -n 500;", "gitrun"), ("LC_ALL=C", "gitrun"),
        ("PYTHONPATH=/nowhere", "gitrun"),
    ],
)  # fmt: skip
def test_call_of_a_script_is_started_where_that_may_matter(repo, forked, before, name):
    script = f"{before} git run -- sh -c 'cat /proc/$PPID/comm; exit 7'"
    ended = subprocess.run(["sh", "-c", script], cwd=repo.path, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.returncode) == (f"{name}\n", 7), ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_to_a_call_of_another_program_ends_it_as_if_started(repo, request, number):
    ends = []
    for fixture in ("world", "forked"):
        request.getfixturevalue(fixture)
        with subprocess.Popen(
            ["git-run", "--", "sh", "-c", "echo ready; exec sleep 20"], cwd=repo.path, stdout=-1, stderr=-1
        ) as call:
            assert call.stdout is not None
            assert call.stdout.readline() == b"ready\n"
            call.send_signal(number)
            _, err = call.communicate()
        ends.append((call.returncode, VARIES.sub("X", err.decode())))
    assert ends[0] == ends[1]
    assert ends[0][0]


def test_call_of_another_program_dies_of_the_signal_that_killed_gitrun(repo, forked):
    words = ["git", "run", "--", "sh", "-c", "kill -9 $PPID; sleep 0.2"]
    ended = subprocess.run(words, cwd=repo.path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (137, "error: git-run died of signal 9\n")

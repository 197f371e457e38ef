"""A run executed again comes to the same or does not; the run, its refs, files and the working tree stay as they are."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest
from sampled import sampled

from gitrun import Project

TRAIN = """\
import random
seed = 1
lr = 0.1
random.seed(seed)
print("loss:", lr * random.random())
open("model.txt", "w").write(str(random.random()))
"""


def state(repo) -> dict[str, object]:
    """All of the repository and the working tree that somebody could miss."""
    gitrun = repo.path / ".git" / "gitrun"
    files = [path for path in (gitrun / "files").rglob("*") if path.is_file()] if (gitrun / "files").exists() else []
    return {
        "refs": repo.git("for-each-ref"), "status": repo.git("status", "--porcelain", "--ignored"),
        "head": repo.head(), "live": [path.name for path in (gitrun / "live").rglob("*")],
        "files": {path: path.read_bytes() for path in files}, "tmp": list((gitrun / "tmp").iterdir()),
        "worktree": {path.name: path.read_bytes() for path in repo.path.iterdir() if path.is_file()},
    }  # fmt: skip


@pytest.fixture
def trained(repo):
    repo.write("train.py", TRAIN)
    repo.commit()
    repo.run("train.py", "lr=0.2", check=True)
    repo.write("train.py", "raise SystemExit('another source')\n")
    return repo


def test_run_is_reproduced_from_its_own_source_and_nothing_changes(trained) -> None:
    before = state(trained)
    ended = trained.run("verify", "1")
    assert (ended.returncode, ended.stdout.partition(":")[0]) == (0, "reproduced"), ended
    assert "(status, 1 metric, 1 file)" in ended.stdout
    assert "loss:" in ended.stderr
    assert state(trained) == before
    assert len(Project(trained.path).attempts(Project(trained.path).find("1"))) == 1


@pytest.mark.parametrize(
    ("words", "code"),
    sampled(
        3,
        [
            (("--tolerance", "0.5"), 1),
            (("--ignore", "out/*"), 1),
            (("--tolerance", "0.5", "--ignore", "out/*"), 0),
            (("--tolerance", "loss=inf", "--ignore", "*"), 0),
            (("--tolerance", "1", "--tolerance", "loss=0.01", "--ignore", "*"), 1),
        ],
    ),
    ids=str,
)
def test_tolerance_and_ignored_files_do_not_count(by_chance, words, code) -> None:
    assert by_chance.run("verify", *words, env={"LOSS": "0.75"}).returncode == code


def test_failed_run_is_reproduced_by_failing_in_the_same_way(repo) -> None:
    repo.run("--", "sh", "-c", "exit $((${CODE:-0} + 3))")
    assert repo.run("verify").returncode == 0
    ended = repo.run("verify", env={"CODE": "1"})
    assert ended.returncode == 1
    assert ended.stdout.splitlines()[2].split() == ["status", "error", "(3)", "error", "(4)"]


def test_program_that_is_not_here_cannot_be_run(repo, tmp_path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    repo.run("--", str(tool), check=True)
    tool.unlink()
    ended = repo.run("verify")
    assert (ended.returncode, ended.stdout) == (128, "")
    assert "no such program" in ended.stderr


def test_run_without_a_result_is_refused(repo) -> None:
    repo.run("--stage", "echo.py", check=True)
    ended = repo.run("verify")
    assert (ended.returncode, ended.stderr.count("\n")) == (128, 1)
    assert "staged" in ended.stderr


def test_run_from_elsewhere_is_not_executed_until_it_is_trusted(trained) -> None:
    (trained.path / ".git/gitrun/trust").unlink()
    ended = trained.run("verify")
    assert (ended.returncode, ended.stdout) == (128, "")
    assert "loss" not in ended.stderr
    trained.run("trust", "1", check=True)
    assert trained.run("verify").returncode == 0


def test_restarted_run_is_verified_with_what_it_found_there(repo) -> None:
    repo.write(".gitignore", "*.bin\n")
    repo.write("count.py", COUNT)
    repo.commit()
    repo.run("count.py", check=True)
    repo.run("--restart", "1", check=True)
    before = state(repo)
    ended = repo.run("verify")
    assert (ended.returncode, "2 files" in ended.stdout) == (0, True), ended
    assert state(repo) == before
    assert len(before["files"]) == 2


WAIT = """\
import os, time
if os.environ.get("SLOW"):
    print("waiting", flush=True)
    time.sleep(60)
"""
COUNT = """\
from pathlib import Path
for name in ("count.txt", "count.bin"):
    place = Path(name)
    n = int(place.read_text()) if place.exists() else 0
    place.write_text(str(n + 1))
"""


def test_large_file_of_a_run_is_compared_and_stays(repo) -> None:
    repo.git("config", "gitrun.maxProduced", "1k")
    repo.write("large.py", "open('large.bin', 'w').write('x' * 5000)\n")
    repo.commit()
    repo.run("large.py", check=True)
    before = state(repo)
    assert repo.run("verify").returncode == 0
    assert state(repo) == before


def test_what_was_linked_in_is_there_again_and_nothing_else(repo) -> None:
    repo.write(".gitignore", "data/\nlater/\n")
    repo.write("data/n", "5")
    repo.write("use.py", "import os\nprint('n:', open('data/n').read(), 'later:', int(os.path.exists('later')))\n")
    repo.commit()
    repo.run("use.py", check=True)
    repo.write("later/n", "5")
    ended = repo.run("verify")
    assert (ended.returncode, "output differs" in ended.stdout) == (0, False), ended


def test_kept_execution_is_another_attempt(trained) -> None:
    ended = trained.run("verify", "--keep", "--json", check=True)
    project = Project(trained.path)
    run = project.find("1")
    assert json.loads(ended.stdout)["kept"] == run.attempt.id
    assert [attempt.status for attempt in project.attempts(run)] == ["completed", "completed"]


def test_keep_is_refused_where_another_attempt_would_start_from_other_files(repo) -> None:
    repo.write("count.py", COUNT)
    repo.commit()
    repo.run("count.py", check=True)
    repo.run("--restart", "1", check=True)
    ended = repo.run("verify", "--keep")
    assert (ended.returncode, "To verify it: leave out --keep" in ended.stderr) == (129, True)


def test_every_step_is_verified(repo) -> None:
    repo.write("gitrun.toml", '[operations.both]\nsteps = ["one.py", "two.py"]\n')
    repo.write("one.py", "print('a:', 1)\n")
    repo.write("two.py", "import os\nprint('b:', float(os.environ.get('B', '2')))\n")
    repo.commit()
    repo.run("both", check=True)
    ended = repo.run("verify", "both")
    assert (ended.returncode, "2 steps" in ended.stdout) == (0, True), ended
    ended = repo.run("verify", "both", "--json", env={"B": "3"})
    assert [step["verdict"] for step in json.loads(ended.stdout)["steps"]] == ["reproduced", "differs"]


def slow_verification(repo) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["git-run", "verify"], cwd=repo.path, env={**os.environ, "SLOW": "1"}, stderr=subprocess.PIPE)


def test_interrupted_verification_leaves_nothing(repo) -> None:
    repo.write("wait.py", WAIT)
    repo.commit()
    repo.run("wait.py", check=True)
    before = state(repo)
    with slow_verification(repo) as process:
        assert process.stderr.readline() == b"waiting\n"
        process.send_signal(signal.SIGINT)
        process.stderr.read()
        assert process.wait(timeout=30) == 130
    assert state(repo) == before


def test_killed_verification_is_forgotten_by_the_next_command(repo) -> None:
    repo.write("wait.py", WAIT)
    repo.commit()
    repo.run("wait.py", check=True)
    before = repo.git("for-each-ref")
    with slow_verification(repo) as process:
        assert process.stderr.readline() == b"waiting\n"
        process.kill()
    assert Project(repo.path).find("1").status == "completed"
    assert repo.git("for-each-ref") == before
    assert not list((repo.path / ".git/gitrun/live").iterdir())
    assert repo.run("verify").returncode == 0


def test_run_that_read_beside_the_repository_finds_that_again_and_no_more(repo) -> None:
    (repo.path.parent / "beside").write_text("5")
    repo.write("look.py", 'import os\nprint("loss:", open("../beside").read())\nprint("files:", len(os.listdir(".")))\n')
    repo.run("look.py", check=True)
    repo.write("new.log", "")
    (repo.path / ".git/info/exclude").write_text("new.log\n")
    assert repo.run("verify", check=True).stdout.startswith("reproduced: ")

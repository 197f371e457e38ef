from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from killed_runs import killed
from litter import DEEP, LITTER, contents, slot
from repository import Repo
from sampled import sampled, sampled_values

from gitrun.git.exe import open_repository
from gitrun.store.live import recorded_runs
from gitrun.workspace.slots import awaits_recovery


@pytest.fixture
def repo(looking: Repo) -> Repo:
    return looking


@pytest.mark.parametrize("script", sampled_values(8, LITTER.values()), ids=LITTER)
def test_whatever_a_program_leaves_it_is_recorded_and_its_slot_is_clean_for_the_next(repo, outside, script):
    before, clean = contents(outside.path), repo.run("look.py", check=True).stdout
    repo.run("--", "bash", "-ec", script, env={"OUTSIDE": str(outside.path)}, check=True)
    after = repo.run("look.py", check=True)
    assert after.stdout == clean == "['.gitignore', 'd', 'd/f', 'look.py'] '1'\n"
    assert contents(outside.path) == before
    assert outside.git("status", "--porcelain") == ""
    assert repo.git("status", "--porcelain") == ""
    assert not (slot(repo, 1)).exists()


@pytest.mark.parametrize("after", ["git add -A", "git add -A; git commit -q -m mine", "git checkout -q -b mine; git add -A"])
def test_what_a_program_gives_to_git_itself_is_produced_all_the_same(repo, after):
    repo.run("--", "bash", "-ec", f"echo model > new; echo 2 > d/f; {after}", check=True)
    assert repo.run("cat", "1", "-p", "new", check=True).stdout == "model\n"
    assert repo.run("cat", "1", "-p", "d/f", check=True).stdout == "2\n"


def test_a_slot_is_used_again_and_only_what_differs_is_written(repo):
    for name in "abc":
        repo.write(f"src/{name}.txt", name)
    repo.run("look.py", check=True)
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in slot(repo).rglob("*") if path.is_file()}
    repo.write("src/b.txt", "B")
    repo.run("look.py", check=True)
    after = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in slot(repo).rglob("*") if path.is_file()}
    written = {path.relative_to(slot(repo)) for path in after if after[path] != before.get(path)}
    assert {path for path in written if path.parts[0] != ".gitrun"} == {Path("src/b.txt")}


def test_runs_at_the_same_time_have_slots_of_their_own(repo, tmp_path):
    started = []
    for number in range(4):
        repo.write("d/f", str(number))
        words = ["git", "run", "--", "bash", "-c", f"cat d/f; until [ -e {tmp_path}/go ]; do sleep 0.05; done; cat d/f"]
        started.append(subprocess.Popen(words, cwd=repo.path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
        wait_for(repo, number + 1)
    (tmp_path / "go").touch()
    assert [each.communicate()[0] for each in started] == [b"00", b"11", b"22", b"33"]
    assert repo.git("worktree", "prune", "--dry-run", "--verbose") == ""


def wait_for(repo: Repo, runs: int) -> None:
    """Returns when that many runs have begun to write."""
    end = time.monotonic() + 20
    while sum(path.stat().st_size > 0 for path in (repo.path / ".git" / "gitrun" / "live").glob("*/output")) < runs:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_killed_run_leaves_a_slot_that_is_clean_for_the_next(repo):
    script = "echo left > left; mkdir empty; echo started; sleep 60"
    words = ["git-run", "--", "bash", "-c", script]
    with subprocess.Popen(words, cwd=repo.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        wait_for(repo, 1)
        os.kill(started.pid, signal.SIGKILL)
    assert "left" not in repo.run("look.py", check=True).stdout
    assert repo.run("cat", "2", "-p", "left", check=True).stdout == "left\n"


def gits(repo: Repo, tmp_path: Path, *words: str) -> list[str]:
    """The gits that a run starts in its slot, by their first words."""
    trace = tmp_path / "trace"
    trace.unlink(missing_ok=True)
    repo.git("config", "--global", "trace2.eventTarget", str(trace))  # unlike a variable, git reads it in a forked run too
    repo.run(*words, check=True)
    repo.git("config", "--global", "--unset", "trace2.eventTarget")
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    started = [event["argv"] for event in events if event["event"] == "start"]
    return [next(word for word in VERBS if word in argv) for argv in started if any("/slots/0/" in word for word in argv)]


VERBS = ("checkout", "status", "read-tree", "ls-files", "diff-tree", "hash-object")


def test_a_second_run_of_the_same_source_starts_no_git_in_its_slot(repo, tmp_path):
    repo.write("quiet.py", "x = 1\nprint(x)\n")
    repo.write("cache.py", "import os\nos.makedirs('d/__pycache__', exist_ok=True)\nopen('d/__pycache__/f.pyc', 'w')\n")
    repo.run("quiet.py", check=True)
    assert gits(repo, tmp_path, "quiet.py", "x=2") == []
    assert gits(repo, tmp_path, "cache.py") == []
    assert gits(repo, tmp_path, "--restart", "1") == []
    assert gits(repo, tmp_path, "--", "touch", "new") == ["status", "hash-object"]
    assert gits(repo, tmp_path, "quiet.py") == []
    repo.write("d/f", "other")
    assert gits(repo, tmp_path, "quiet.py") == ["checkout"]
    assert gits(repo, tmp_path, "--", "touch", "d/f") == []
    assert gits(repo, tmp_path, "--", "sh", "-c", "echo more >> d/f") == ["status", "hash-object"]
    assert gits(repo, tmp_path, "quiet.py") == ["checkout"]


def test_the_slot_of_a_dead_run_waits_for_its_recovery(repo):
    killed(repo)
    git, directory = open_repository(repo.path, os.environ), repo.path / ".git" / "gitrun" / "slots" / "0"
    (dead,) = recorded_runs(git.state)
    assert awaits_recovery(git, directory)
    assert not awaits_recovery(git, directory, dead)
    # as if it had died after it had given the slot back
    (directory / "state").rename(directory / "idle")
    assert not awaits_recovery(git, directory)
    # and as if an earlier version, which knows no `idle`, had died in it later
    (directory / "state").write_text("{}")
    assert awaits_recovery(git, directory)


def test_an_earlier_version_reads_which_run_uses_a_slot(repo):
    killed(repo)
    directory = repo.path / ".git" / "gitrun" / "slots" / "0"
    (dead,) = recorded_runs(directory.parents[1])
    assert json.loads((directory / "state").read_text()) == {"attempt": dead, "run": dead, "caches": None, "copied": 0}
    repo.run("look.py", check=True)
    assert (directory / "idle").exists()
    assert not (directory / "state").exists()


def test_files_of_a_run_that_died_in_an_earlier_version_are_recorded(repo):
    repo.run("look.py", check=True)
    directory = repo.path / ".git" / "gitrun" / "slots" / "0"
    idle = (directory / "idle").read_text()
    killed(repo)
    (directory / "idle").write_text(idle)  # earlier versions leave it there
    assert repo.run("cat", "-p", "made", "1", check=True).stdout == "produced"
    repo.run("look.py", check=True)
    assert not (directory / "state").exists()


def test_a_repository_that_was_moved_keeps_its_slots(repo, tmp_path):
    repo.run("look.py", check=True)
    inode = (slot(repo) / "look.py").stat().st_ino
    moved = Repo(repo.path.rename(tmp_path / "elsewhere"))
    assert moved.run("look.py", check=True).stdout == "['.gitignore', 'd', 'd/f', 'look.py'] '1'\n"
    assert (slot(moved) / "look.py").stat().st_ino == inode
    assert len(moved.git("worktree", "list").splitlines()) == 2


def test_a_copy_of_a_repository_and_its_original_do_not_touch_each_other(repo, tmp_path):
    repo.run("look.py", check=True)
    copy = Repo(shutil.copytree(repo.path, tmp_path / "copy", symlinks=True))
    before = (slot(repo) / ".git").read_text(), repo.git("worktree", "list")
    copy.write("d/f", "2")
    assert copy.run("look.py", check=True).stdout.endswith("'2'\n")
    assert ((slot(repo) / ".git").read_text(), repo.git("worktree", "list")) == before
    assert str(repo.path) not in copy.git("worktree", "list").replace(str(copy.path), "")
    assert repo.run("look.py", check=True).stdout.endswith("'1'\n")


def test_linked_worktrees_share_slots_and_each_finds_its_own_name(repo, tmp_path):
    other = Repo(tmp_path / "feature")
    repo.git("worktree", "add", "-q", str(other.path))
    for each in (repo, other, repo):
        assert each.run("--", "sh", "-c", "basename $PWD", check=True).stdout == f"{each.path.name}\n"
    assert not slot(repo, 1).parent.exists()
    assert len(repo.git("worktree", "list").splitlines()) == 3


@pytest.mark.parametrize("name", sampled(4, ["lock", "state", "index", "tree", "a b", "-x", "ü"]))
def test_a_repository_may_have_any_name(tmp_path, name):
    repo = Repo.create(tmp_path / name)
    repo.write("look.py", "print('hello')")
    assert [repo.run("look.py", check=True).stdout for _ in range(2)] == ["hello\n", "hello\n"]


def test_a_worktree_of_the_user_is_never_taken_for_a_slot(repo, tmp_path):
    mine = Repo(tmp_path / "gitrun-0")
    repo.git("worktree", "add", "-q", str(mine.path))
    mine.write("d/f", "precious")
    repo.run("look.py", check=True)
    assert mine.git("rev-parse", "--abbrev-ref", "HEAD") == "gitrun-0"
    assert mine.git("status", "--porcelain") == " M d/f"


@pytest.mark.parametrize(
    "words", ["rm -r .git/gitrun", "rm -r .git/gitrun/slots", "rm -r .git/worktrees", "git worktree prune"]
)
def test_slots_are_made_again_when_somebody_takes_them_away(repo, words):
    repo.run("look.py", check=True)
    subprocess.run(["bash", "-ec", words], cwd=repo.path, check=True)
    assert repo.run("look.py", check=True).stdout == "['.gitignore', 'd', 'd/f', 'look.py'] '1'\n"


def test_a_file_that_may_not_be_read_is_recorded(repo):
    repo.run("--", "sh", "-c", "echo secret > new; chmod 000 new", check=True)
    assert repo.run("cat", "1", "-p", "new", check=True).stdout == "secret\n"


def test_a_linked_submodule_stays_linked_in_a_slot_that_is_used_again(repo, outside):
    repo.git("submodule", "--quiet", "add", str(outside.path), "module")
    repo.git("config", "gitrun.submodules", "commit")
    repo.commit()
    for _ in range(2):
        assert repo.run("--", "cat", "module/victim", check=True).stdout == "mine"
    assert (repo.path / "module" / "victim").exists()


def test_what_lies_too_deep_to_be_read_is_named(repo):
    ended = repo.run("--", "python", "-c", DEEP, check=True)
    assert "warning: not recorded, because it cannot be read: deeper/" in ended.stderr
    repo.run("look.py", check=True)  # what removes the directories of tests cannot go so deep


def test_file_deep_in_directories_is_kept_and_blocks_no_run(repo):
    deep = 'import os\nfor _ in range(1500):\n  os.mkdir("e")\n  os.chdir("e")\nopen("file", "w").write("x")'
    repo.run("--", "python", "-c", deep, check=True)
    assert repo.run("cat", "1", "e/" * 1500 + "file", check=True).stdout == "x"
    assert repo.run("--", "echo", "on", check=True).stdout == "on\n"

"""The machine goes down: what a finished command has said is on the disk, and not only on its way there.

A file system in a file is mounted; right after the commands have ended that file is copied, as a disk is that loses its
power: nothing is synced, what has not been written is not there. The copy is mounted, which replays its journal.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import contextmanager

import pytest
from faults.striking import PROGRAM, deleted, sound
from forms import Form
from repository import Repo

from gitrun import Project
from gitrun.git.objects import fsync
from gitrun.store.refs import pack_refs

RUNS = 20


def made(*words):
    """The ended program. Raises CalledProcessError, OSError."""
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)


@contextmanager
def mounted(image, place):
    """The file system in the file, at the place; by itself it writes nothing down for minutes."""
    place.mkdir()
    try:
        made("mount", "-o", "loop,commit=300", str(image), str(place))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"loop mounts are not allowed here: {error}")
    try:
        yield place
    finally:
        unmount(place)


def unmount(place):
    """Ends the mount. A process of a command that has just ended may hold it for a moment."""
    Repo(place.parent).run("--version")  # the tests' server of commands stays where the last one was
    for _ in range(50):
        if subprocess.run(["umount", place], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)
    made("umount", "--lazy", str(place))


@pytest.fixture
def image(tmp_path):
    """A file with an empty file system."""
    if os.geteuid() or not shutil.which("mkfs.ext4"):
        pytest.skip("mounting is for root, and needs mkfs.ext4")
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate(96 << 20)
    made("mkfs.ext4", "-q", str(path))
    return path


@contextmanager
def after_power_cut(image, tmp_path, act):
    """The repository as it is found when the power fails as soon as `act` has returned; before that all was on the disk."""
    with mounted(image, tmp_path / "before") as place:
        repo = Repo.create(place / "repo")
        repo.write("p.py", PROGRAM)
        repo.commit()
        os.sync()
        act(repo)
        cut = tmp_path / "cut"
        made("cp", "--sparse=always", str(image), str(cut))
    with mounted(cut, tmp_path / "after") as place:
        yield Repo(place / "repo")
    assert made("e2fsck", "-f", "-n", str(cut)).returncode == 0


def several(repo):
    for x in range(RUNS):
        repo.run("p.py", f"x={x}", check=True)


def statuses(repo):
    return repo.run("list", "--all", "--format=%(status)", check=True).stdout.split()


@pytest.mark.slow
def test_all_finished_runs_survive_a_power_cut(image, tmp_path) -> None:
    with after_power_cut(image, tmp_path, several) as repo:
        assert statuses(repo) == ["completed"] * RUNS
        assert repo.run("cat", "--path", "made", "1", check=True).stdout == "19" * 100
        sound(repo)
        assert repo.run("doctor", "--fix").returncode == 0
        assert repo.run("doctor").returncode == 0


def test_trials_of_a_batch_survive_a_power_cut(image, tmp_path) -> None:
    def act(repo):
        # enough that their packs are merged, and the small ones deleted
        repo.run("p.py", "x=range[1:25]", check=True)

    with after_power_cut(image, tmp_path, act) as repo:
        listed = repo.run("list", "--all", "--flat", "--format=%(status) %(flag:x) %(id)", check=True).stdout.splitlines()
        assert [line.split(" ")[0] for line in listed] == ["completed"] * 26
        (last,) = [line.split(" ")[-1] for line in listed if line.startswith("completed 25 ")]
        assert repo.run("cat", "--path", "made", last, check=True).stdout == "25" * 100
        sound(repo)


@pytest.mark.parametrize("packs", [False, True])
def test_refs_in_reftables_survive_a_power_cut(image, tmp_path, monkeypatch, packs) -> None:
    def act(repo):
        repo.run("p.py", check=True)
        if packs:
            pack_refs(Project(repo.path).git)
            fsync(repo.write("other", ""))  # names of files go to the disk with those of all others

    Form(refs="reftable").apply(monkeypatch)
    with after_power_cut(image, tmp_path, act) as repo:
        assert statuses(repo) == ["completed"]
        assert repo.git("log", "--format=%s", "main")
        sound(repo)


def test_what_is_said_of_runs_and_their_deletion_survive_a_power_cut(image, tmp_path) -> None:
    def act(repo):
        for words in (("p.py",), ("p.py", "x=2"), ("label", "fine", "1"), ("rm", "2"), ("--restart", "1", "x=3")):
            repo.run(*words, check=True)

    with after_power_cut(image, tmp_path, act) as repo:
        assert repo.run("list", "--format=%(label) %(flag:x)", check=True).stdout == "fine 3\n"
        assert len(deleted(repo)) == 1
        sound(repo)


def test_without_the_care_a_power_cut_takes_a_run(image, tmp_path) -> None:
    def act(repo):
        repo.git("config", "gitrun.fsync", "false")
        os.sync()
        repo.run("p.py", check=True)

    with after_power_cut(image, tmp_path, act) as repo:
        assert statuses(repo) != ["completed"]
        repo.run("doctor", "--fix")
        assert repo.run("p.py", "x=7").returncode == 0

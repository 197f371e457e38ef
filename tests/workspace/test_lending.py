"""What git ignores is lent: a run reads all of it, and what it writes is its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from ignored_files import look
from sampled import sampled_values
from supervised import shown

from gitrun.model.lent import COPY, LINK, Lent
from gitrun.model.settings import Settings
from gitrun.workspace.lending import lent_changes
from gitrun.workspace.manifest import Manifest, lend_files

if TYPE_CHECKING:
    from pathlib import Path

    from repository import Repo

CHECKPOINT = """\
import os, time
lr = 0.1
os.makedirs("out", exist_ok=True)
mine = []
for _ in range(10):
    open("out/ckpt", "w").write(str(lr))
    time.sleep(0.05)
    mine.append(open("out/ckpt").read() == str(lr))
print("mine" if all(mine) else "not mine")
"""


def tree(repo: Repo, number: int = 0) -> Path:
    """The worktree of a slot."""
    return repo.path / ".git" / "gitrun" / "slots" / str(number) / "tree" / repo.path.parent.name / repo.path.name


def ignore(repo: Repo, *patterns: str) -> None:
    repo.write(".gitignore", "".join(f"{pattern}\n" for pattern in patterns))
    repo.commit()


@pytest.mark.parametrize("existing", sampled_values(1, [(), ("out/old",)]), ids=["empty", "used"])
def test_four_runs_at_once_each_have_their_own_output_directory(empty_repo, existing):
    repo = empty_repo
    repo.write("t.py", CHECKPOINT)
    ignore(repo, "out/")
    (repo.path / "out").mkdir()
    for path in existing:
        repo.write(path, "old")
    rates = ["1.0", "2.0", "3.0", "4.0"]
    programs = [repo.start("t.py", f"lr={rate}") for rate in rates]
    assert [program.communicate(timeout=60)[0] for program in programs] == ["mine\n"] * 4
    found = {repo.run("cat", f"{number}", "-p", "out/ckpt", check=True).stdout for number in (1, 2, 3, 4)}
    assert found == set(rates)
    assert sorted(path.name for path in (repo.path / "out").iterdir()) == [path.split("/")[1] for path in existing]


@pytest.mark.parametrize("restart", [False, True], ids=["first", "restart"])
def test_dots_out_of_an_ignored_directory_lead_to_the_runs_source(empty_repo, restart):
    repo = empty_repo
    ignore(repo, "outputs/")
    repo.write("conf.yaml", "then")
    repo.write("outputs/old", "")
    words = ("--", "sh", "-c", "cd outputs && cat ../conf.yaml && echo made > ../summary.txt")
    assert repo.run(*words, check=True).stdout == "then"
    if restart:
        repo.write("conf.yaml", "now")
        assert repo.run("--restart", "1", check=True).stdout == "then"
    assert not (repo.path / "summary.txt").exists()
    assert repo.run("cat", "1", "-p", "summary.txt", check=True).stdout == "made\n"


def test_what_a_run_does_to_lent_files_is_its_own(empty_repo):
    repo = empty_repo
    ignore(repo, "data/")
    for name in ("kept", "changed", "removed", "moved", "old-time"):
        repo.write(f"data/{name}", name)
    old = "cp -p old-time t; printf other-ti > old-time; touch -r t old-time; rm t"
    script = f"cd data; echo x >> changed; rm removed; mv moved to; {old}"
    repo.run("--", "sh", "-c", script, check=True)
    produced = {file["path"] for file in shown(repo)["files"]}
    assert produced == {"data/changed", "data/to", "data/old-time"}
    after = {path.name: path.read_text() for path in (repo.path / "data").iterdir()}
    assert after == {name: name for name in ("kept", "changed", "removed", "moved", "old-time")}
    again = repo.run("--", "sh", "-c", "cd data; ls; cat changed", check=True).stdout
    assert again == "changed\nkept\nmoved\nold-time\nremoved\nchanged"


def test_a_restart_finds_what_the_attempt_before_wrote_over_lent_files(empty_repo):
    repo = empty_repo
    ignore(repo, "out/")
    repo.write("out/ckpt", "0")
    script = "read n < out/ckpt; echo $((n + 1)) > out/ckpt; cat out/ckpt"
    assert repo.run("--", "sh", "-c", script, check=True).stdout == "1\n"
    assert repo.run("--restart", "1", check=True).stdout == "2\n"
    assert repo.run("--restart", "1", "--clean", check=True).stdout == "1\n"
    assert (repo.path / "out" / "ckpt").read_text() == "0"


def test_a_lent_copy_that_has_not_changed_is_not_copied_again(empty_repo):
    repo = empty_repo
    ignore(repo, "data/", "*.bin")
    repo.write("data/deep/a", "a")
    repo.write("b.bin", "b")
    time.sleep(0.1)
    repo.run("--", "true", check=True)
    before = {name: (tree(repo) / name).stat().st_ctime_ns for name in ("data/deep/a", "b.bin")}
    repo.write("b.bin", "B")
    assert repo.run("--", "cat", "b.bin", check=True).stdout == "B"
    after = {name: (tree(repo) / name).stat().st_ctime_ns for name in before}
    assert after["data/deep/a"] == before["data/deep/a"]
    assert after["b.bin"] != before["b.bin"]


def test_two_changes_of_one_size_at_once_are_never_taken_for_none(empty_repo):
    repo = empty_repo
    ignore(repo, "data/")
    for number in range(6):
        repo.write("data/a", str(number))
        assert repo.run("--", "cat", "data/a", check=True).stdout == str(number)


def test_a_copy_keeps_its_time_and_its_permissions(empty_repo):
    repo = empty_repo
    ignore(repo, "data/")
    repo.write("data/job", "#!/bin/sh\necho ran\n").chmod(0o755)
    os.utime(repo.path / "data" / "job", (1_000_000_000, 1_000_000_000))
    assert repo.run("--", "sh", "-c", "stat -c %Y data/job; data/job", check=True).stdout == "1000000000\nran\n"


@pytest.mark.parametrize("mark", ["pyvenv.cfg", "conda-meta/history"])
def test_an_environment_is_a_link_by_what_lies_in_it(top, mark):
    (top / "env" / mark).parent.mkdir(parents=True)
    (top / "env" / mark).touch()
    (top / "env" / "lib").mkdir()
    found = look(top, b"env/")
    assert (found.links, dict(found.copies), found.environments) == ((b"env",), {}, {b"env"})
    assert [(one.path, one.how) for one in found.entries] == [("env/", "link")]


def test_node_modules_are_linked_wherever_they_are(top):
    for place in ("node_modules/a", "web/node_modules/b"):
        (top / place).mkdir(parents=True)
    (top / "web" / "index").touch()
    found = look(top, b"node_modules/", b"web/")
    assert found.links == (b"node_modules", b"web/node_modules")
    assert list(found.copies) == [b"web/index"]


def test_what_is_large_is_a_link_and_the_rest_a_copy(top):
    (top / "data" / "many").mkdir(parents=True)
    for number in range(6):
        (top / "data" / "many" / str(number)).touch()
    (top / "data" / "big").write_bytes(b"x" * 101)
    (top / "data" / "small").write_bytes(b"x" * 100)
    found = look(top, b"data/", settings=Settings(lend_max_entries=5, lend_max_file=100))
    assert (sorted(found.links), list(found.copies)) == ([b"data/big", b"data/many"], [b"data/small"])
    assert (found.entries[0].how, found.entries[0].links) == ("copy", 2)


def test_a_directory_with_too_much_below_it_is_lent_one_level_deep(top):
    for number in range(4):
        (top / "data" / f"d{number}" / "e").mkdir(parents=True)
        (top / "data" / f"d{number}" / "e" / "x").touch()
    (top / "data" / "own").touch()
    found = look(top, b"data/", settings=Settings(lend_max_entries=10))
    assert (sorted(found.links), list(found.copies)) == ([b"data/d0", b"data/d1", b"data/d2", b"data/d3"], [b"data/own"])


def test_over_the_limit_of_a_run_the_largest_files_become_links(top):
    for name, size in (("a", 10), ("b", 30), ("c", 20)):
        (top / f"{name}.bin").write_bytes(b"x" * size)
    found = look(top, b"a.bin", b"b.bin", b"c.bin", settings=Settings(lend_max_total=30))
    assert (found.links, sorted(found.copies)) == ((b"b.bin",), [b"a.bin", b"c.bin"])


def test_many_ignored_files_of_one_directory_are_links(top):
    names = [b"%d.png" % number for number in range(6)]
    for name in names:
        (top / os.fsdecode(name)).touch()
    assert len(look(top, *names, settings=Settings(lend_max_entries=5)).links) == 6


def test_settings_name_what_is_linked_and_what_is_copied(top):
    (top / "data" / "cache").mkdir(parents=True)
    (top / "data" / "cache" / "x").touch()
    (top / "data" / "large").write_bytes(b"x" * 200)
    (top / "runs.sqlite").touch()
    settings = Settings(link_paths=("data/cache", "*.sqlite"), lend_paths=("data/large",), lend_max_file=100)
    found = look(top, b"data/", b"runs.sqlite", settings=settings)
    assert (found.links, list(found.copies)) == ((b"data/cache", b"runs.sqlite"), [b"data/large"])


def test_links_inside_stay_links_and_those_that_lead_out_lead_to_the_users(top):
    (top / "data").mkdir()
    (top / "data" / "x").write_text("x")
    (top / "data" / "in").symlink_to("x")
    (top / "data" / "out").symlink_to("../../elsewhere")
    (top / "data" / "absolute").symlink_to("/etc")
    found = look(top, b"data/")
    assert (sorted(found.links), sorted(found.copies)) == ([b"data/absolute", b"data/out"], [b"data/in", b"data/x"])


def test_restart_needed_verify_and_show_say_what_has_changed_since(empty_repo):
    repo = empty_repo
    ignore(repo, "data/", "*.bin")
    repo.write("data/a", "1")
    repo.write("m.bin", "1")
    repo.run("--", "cat", "data/a", "m.bin", check=True)
    for words in (("--restart", "1", "--needed"), ("verify", "1"), ("show", "1")):
        ended = repo.run(*words)
        assert "has changed since" not in ended.stdout + ended.stderr
    repo.write("data/a", "2")
    (repo.path / "m.bin").unlink()
    said = "data/ has changed since the run (its content)"
    gone = "m.bin was lent to the run and is not here"
    needed = repo.run("--restart", "1", "--needed")
    assert said in needed.stderr
    assert gone in needed.stderr
    shown = repo.run("show", "1", check=True)
    assert said in shown.stdout
    assert gone in shown.stdout
    assert said in repo.run("verify", "1").stderr
    assert said in repo.run("--restart", "1").stderr


@pytest.mark.parametrize("how", [COPY, LINK])
def test_nothing_behind_a_link_is_looked_at_for_changes(top, how):
    outside = top.parent / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "deep" / "x").write_text("not to be read")
    (top / "way").symlink_to(outside)
    recorded = [Lent(path, how, 1, 14, "digest") for path in ("way/deep/", "way/deep/x")]
    said = lent_changes(top, recorded, Settings(), top.parent)
    assert said == tuple(f"{one.path} was lent to the run and is not here" for one in recorded)


def test_what_is_no_file_any_more_is_not_copied(top, tmp_path):
    for name in ("d/fifo", "d/directory", "d/gone", "e/below", "d/file"):
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_text("x")
    seen = look(top, b"d/", b"e/")
    for name in ("fifo", "directory", "gone"):
        (top / "d" / name).unlink()
    os.mkfifo(top / "d" / "fifo")
    (top / "d" / "directory").mkdir()
    shutil.rmtree(top / "e")
    (top / "e").write_text("a file now")
    (tmp_path / "tree").mkdir()
    made, unsteady = lend_files(tmp_path / "tree", seen, Manifest())
    assert list(made.copies) == [b"d/file"]
    assert sorted(unsteady) == [b"d/directory", b"d/fifo", b"d/gone", b"e/below"]


def test_a_killed_copy_is_made_again(empty_repo):
    repo = empty_repo
    ignore(repo, "data/")
    repo.write("data/a", "whole")
    repo.run("--", "true", check=True)
    copy = tree(repo) / "data" / "a"
    copy.write_text("who")
    (tree(repo) / "data" / "left").write_text("over")
    assert repo.run("--", "sh", "-c", "ls data; cat data/a", check=True).stdout == "a\nwhole"


def test_a_path_that_is_tracked_by_then_is_the_tracked_one(empty_repo):
    repo = empty_repo
    ignore(repo, "data/")
    repo.write("data/a", "ignored")
    repo.run("--", "cat", "data/a", check=True)
    repo.write("data/a", "tracked")
    repo.write(".gitignore", "")
    repo.commit()
    assert repo.run("--", "cat", "data/a", check=True).stdout == "tracked"
    ignore(repo, "data/")
    repo.git("rm", "-q", "--cached", "-r", "data")
    repo.git("commit", "-qm", "ignored again")
    repo.write("data/a", "ignored again")
    assert repo.run("--restart", "1", check=True).stdout == "tracked"
    assert repo.run("--", "cat", "data/a", check=True).stdout == "ignored again"


def test_a_second_live_run_that_shares_files_is_warned_of(empty_repo, tmp_path):
    repo = empty_repo
    ignore(repo, "data/", ".venv/")
    repo.write("data/db", "")
    repo.write(".venv/pyvenv.cfg", "")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    first = repo.start("--link", "data", "--", "cat", str(fifo))
    with fifo.open("w"):  # opens once the program of the first run reads it
        second = repo.run("--link", "data", "--", "true", check=True)
        third = repo.run("--", "true", check=True)
    first.communicate(timeout=30)
    assert "warning: data is shared with run " in second.stderr
    assert "shared" not in third.stderr


def test_idle_slots_keep_their_copies_within_the_limit(empty_repo):
    repo = empty_repo
    ignore(repo, "*.bin")
    repo.write("a.bin", "x" * 5000)
    repo.git("config", "gitrun.lend.keep", "4k")
    assert repo.run("--", "sh", "-c", "wc -c < a.bin", check=True).stdout.strip() == "5000"
    assert not (tree(repo) / "a.bin").exists()
    assert repo.run("--", "sh", "-c", "wc -c < a.bin", check=True).stdout.strip() == "5000"


def test_a_slot_of_an_earlier_version_is_used_as_it_is(empty_repo):
    repo = empty_repo
    repo.write("a", "a")
    repo.commit()
    repo.run("--", "true", check=True)
    directory, worktree = repo.path / ".git" / "gitrun" / "slots" / "0", tree(repo)
    inode = (worktree / "a").stat().st_ino
    old = directory / "tree" / repo.path.name
    worktree.rename(directory / "x")
    subprocess.run(["rm", "-rf", str(directory / "tree")], check=True)
    (directory / "tree").mkdir()
    (directory / "x").rename(old)
    (repo.path / ".git/worktrees/gitrun-0/gitdir").write_text(f"{old}/.git\n")
    assert repo.run("--", "cat", "a", check=True).stdout == "a"
    assert (worktree / "a").stat().st_ino == inode
    assert not (repo.path / ".git/gitrun/slots/1").exists()


@pytest.mark.parametrize("level", ["tree", "parent", "worktree"])
def test_a_slot_that_has_become_a_link_is_never_followed(empty_repo, tmp_path, level):
    repo = empty_repo
    repo.write("a", "a")
    repo.run("--", "true", check=True)
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "precious").write_text("mine")
    place = {"tree": tree(repo).parent.parent, "parent": tree(repo).parent, "worktree": tree(repo)}[level]
    subprocess.run(["rm", "-rf", str(place)], check=True)
    place.symlink_to(victim)
    assert repo.run("--", "cat", "a", check=True).stdout == "a"
    assert [path.name for path in victim.iterdir()] == ["precious"]


def test_a_path_that_is_ignored_and_linked_is_recorded_once(empty_repo):
    repo = empty_repo
    ignore(repo, "data/")
    repo.write("data/a", "1")
    repo.git("config", "--add", "gitrun.link", "data")
    repo.run("--", "cat", "data/a", check=True)
    assert repo.git("show", "runs/" + repo.run("select", "1").stdout.strip() + ":.gitrun/lent.toml").count("data/") == 1

"""Small files that git ignores and a run produced: they go along with a push, and what stays behind is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from clones import make_team, tip
from templates import place_made_once

from gitrun import Project

MAKE = """\
import os, pathlib
size, many = 10, 1
pathlib.Path("out").mkdir(exist_ok=True)
for number in range(many):
    pathlib.Path(f"out/f{number}").write_bytes(bytes([65 + number % 26]) * size)
pathlib.Path("out/run.sh").write_text("#!/bin/sh\\necho ran\\n")
os.chmod("out/run.sh", 0o755)
print("before:", sorted(path.name for path in pathlib.Path(".").glob("*.ckpt")))
pathlib.Path("last.ckpt").write_text(str(size))
"""


@pytest.fixture
@place_made_once
def team(tmp_path):
    """Ann and Bob, whose project ignores `out/` and checkpoints."""
    made = make_team(tmp_path)
    made.ann.write("make.py", MAKE)
    made.ann.write(".gitignore", "out/\n*.ckpt\n.env\n")
    made.ann.commit("make")
    made.ann.git("push", "--quiet")
    made.bob.git("pull", "--quiet", "origin", "main")
    return made


def local(repo, run: str) -> dict[str, bool]:
    """The local files of a run, and whether they are here."""
    listed = json.loads(repo.run("ls", run, "--local", "--json", check=True).stdout)
    return {one["path"]: one["here"] for one in listed}


def test_small_ignored_files_go_along_and_are_had_elsewhere(team) -> None:
    run = Project(team.ann.path).run("make.py").id
    assert "stay" not in team.ann.run("push", check=True).stderr
    team.bob.run("fetch", check=True)
    assert local(team.bob, run) == {"last.ckpt": True, "out/f0": True, "out/run.sh": True}
    assert team.bob.run("cat", run, "--path", "out/f0", check=True).stdout == "A" * 10
    team.bob.run("checkout", run, check=True)
    assert (team.bob.path / "out/f0").read_text() == "A" * 10
    assert (team.bob.path / "out/run.sh").stat().st_mode & 0o111
    assert team.bob.git("status", "--short") == ""


def test_restart_elsewhere_finds_the_checkpoint(team) -> None:
    run = Project(team.ann.path).run("make.py").id
    team.ann.run("push", check=True)
    team.bob.run("fetch", check=True)
    team.bob.run("trust", run, check=True)
    assert "before: ['last.ckpt']" in team.bob.run("--restart", run, check=True).stdout
    team.bob.run("push", "origin", run, check=True)
    team.ann.run("fetch", check=True)
    team.ann.run("trust", run, check=True)
    team.ann.run("verify", run, check=True)


def test_what_is_too_large_stays_and_is_named(team) -> None:
    run = Project(team.ann.path).run("make.py", flags={"size": 400_000, "many": 4}).id
    said = team.ann.run("push", check=True).stderr
    assert f"note: 2 files outside git are not pushed: out/f2 of run {run[:8]} (400 kB), out/f3 of run {run[:8]}" in said
    team.bob.run("fetch", check=True)
    there = {"last.ckpt": True, "out/run.sh": True, "out/f0": True, "out/f1": True, "out/f2": False, "out/f3": False}
    assert local(team.bob, run) == there
    assert local(team.ann, run) == dict.fromkeys(there, True)
    team.bob.run("trust", run, check=True)
    words = "warning: this attempt starts without out/f2 and 1 more file, which are not on this machine\n"
    assert words in team.bob.run("--restart", run, check=True).stderr
    assert "starts without" not in team.ann.run("--restart", run, check=True).stderr
    refused = team.bob.run("verify", run)
    assert (refused.returncode, "may have started from 'out/f2' of its previous attempt" in refused.stderr) == (128, True)
    assert "stay" not in team.ann.run("push", check=True).stderr


@pytest.mark.parametrize(("setting", "count"), [("0", 3), ("15", 1), ("1k", 0)])
def test_setting_says_how_much_goes_along(team, setting, count) -> None:
    team.ann.git("config", "gitrun.maxIgnored", setting)
    run = Project(team.ann.path).run("make.py").id
    said = team.ann.run("push", check=True).stderr
    assert (f"note: {count} file" in said and " not pushed: " in said) == bool(count)
    team.bob.run("fetch", check=True)
    assert sum(not here for here in local(team.bob, run).values()) == count


def test_ignored_file_named_like_a_secret_stays(team) -> None:
    team.ann.write("leak.py", "open('.env', 'w').write('TOKEN=x')\n")
    run = Project(team.ann.path).run("leak.py").id
    said = team.ann.run("push", check=True).stderr
    assert f".env of run {run[:8]}" in said
    assert "kept" not in team.remote.git("ls-tree", "-r", "--name-only", f"refs/runs/{run}", ".gitrun/")


def test_small_ignored_file_with_a_token_is_not_pushed_unasked(team) -> None:
    team.ann.write("leak.py", "open('a.ckpt', 'w').write('gh' + 'p_' + 'a1B2' * 9)\n")
    Project(team.ann.path).run("leak.py")
    refused = team.ann.run("push")
    assert (refused.returncode, ".gitrun/kept/a.ckpt" in refused.stderr) == (129, True)
    assert tip(team.remote) == {}


def test_kept_file_that_is_not_what_the_result_says_is_not_put_anywhere(team) -> None:
    run = Project(team.ann.path).run("make.py").id
    head = tip(team.ann)[run]
    index = {"GIT_INDEX_FILE": str(team.ann.path / ".git" / "forged")}

    def git(*words: str, stdin: str = "") -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=team.ann.path,
            env=os.environ | index,
            input=stdin,
            text=True,
            stdout=subprocess.PIPE,
            check=True,
        )
        return done.stdout.strip()

    git("read-tree", head)
    blob = git("hash-object", "-w", "--stdin", stdin="evil")
    git("update-index", "--cacheinfo", f"100644,{blob},.gitrun/kept/out/f0")
    words = "it\n\nGitrun-Kind: result\nGitrun-Format: 1"
    made = git("commit-tree", git("write-tree"), "-p", run, "-m", words)
    git("push", "--quiet", "origin", f"{made}:refs/runs/{run}")
    team.bob.run("fetch", check=True)
    assert team.bob.run("checkout", run, "out/f0").returncode == 1
    assert not (team.bob.path / "out/f0").exists()


def test_ignored_file_of_any_name_is_kept(team) -> None:
    names = ("a\nb.log", '"quoted".log', "c\rd.log", "-e.log", " f.log", "g\\n.log")
    team.ann.write(".gitignore", "*.log\n")
    team.ann.run("--", sys.executable, "-c", f"for n in {names!r}: open(n, 'w').write(n)", check=True)
    for name in names:
        assert team.ann.run("cat", "1", "-p", name, check=True).stdout == name

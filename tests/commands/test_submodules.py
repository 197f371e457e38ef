"""Runs with files of submodules, shown and shared: what gitrun shows of them, and what leaves this machine."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from clones import clone, tip
from repository import Repo
from submodule_runs import ran

from gitrun import Project
from gitrun.errors import BadRun


def test_unchanged_submodule_is_no_difference(here):
    ran(here.top)
    assert here.top.run("diff", "1", "--exit-code").stdout == ""
    assert json.loads(here.top.run("diff", "1", "--json", check=True).stdout)["source"] == []
    assert here.top.run("diff", "1", "--working", "--exit-code").returncode == 0


def test_uncommitted_changes_in_submodules_are_shown_by_their_files(here):
    here.lib.write("new.txt", "new\n")
    here.deep.write("d.txt", "deeper\n")
    run = ran(here.top)
    changed = [{"path": "lib/deep/d.txt", "change": "changed"}, {"path": "lib/new.txt", "change": "added"}]
    assert json.loads(here.top.run("diff", "1", "--json", check=True).stdout)["source"] == changed
    assert "+deeper" in here.top.run("diff", "1", check=True).stdout
    shown = here.top.run("show", run, check=True).stdout
    assert "changed:   lib/deep/d.txt\nadded:     lib/new.txt\n" in shown
    here.deep.write("d.txt", "deepest\n")
    ran(here.top)
    assert "lib/deep/d.txt" in here.top.run("diff", "2", "1", "--source", "--stat", check=True).stdout
    report = here.top.run("report", "1", check=True).stdout
    assert "lib/deep/d.txt" in report
    assert "lib/run.sh" not in report


def test_run_with_files_compares_with_one_that_has_the_commit(here):
    here.top.git("config", "gitrun.submodules", "commit")
    ran(here.top)
    here.top.git("config", "gitrun.submodules", "files")
    ran(here.top)
    here.lib.write("l.txt", "changed\n")
    ran(here.top)
    assert here.top.run("diff", "3", "2", "--source", "--exit-code").stdout == ""
    for words in (("3", "1"), ("1", "3"), ("3", "--working"), ("1", "--working")):
        found = json.loads(here.top.run("diff", *words, "--json", check=True).stdout)["source"]
        assert [one["path"] for one in found] == ([] if words[0] == "1" and words[1] == "--working" else ["lib/l.txt"])


def test_submodule_whose_commit_is_unknown_is_one_line(here, tmp_path):
    here.lib.write("l.txt", "changed\n")
    run = ran(here.top)
    here.top.run("push", "--with-submodules", check=True)
    there = clone(tmp_path / "remote.git", tmp_path / "there")
    there.run("fetch", check=True)
    found = json.loads(there.run("diff", run, "--json", check=True).stdout)["source"]
    assert found == [{"path": "lib", "change": "changed"}]
    assert there.run("diff", run, check=True).stdout.count("Subproject commit") == 2
    there.git("fsck", "--full")


def test_runs_with_files_of_submodules_are_pushed_only_if_asked(here):
    run = ran(here.top)
    here.top.git("config", "gitrun.submodules", "commit")
    bare = ran(here.top, "--", "true")
    ended = here.top.run("push")
    assert f"warning: run {run[:8]} is not pushed: it contains files of submodule lib\n" in ended.stderr
    assert "To push the code of submodules too: --with-submodules\n" in ended.stderr
    server = Repo(here.top.path.parent / "remote.git")
    assert (ended.returncode, list(tip(server))) == (1, [bare])
    assert here.top.run("push", run, "--dry-run").returncode == 1
    assert here.top.run("push", run).returncode == 1
    assert len(tip(server)) == 1
    here.top.run("push", run, "--with-submodules", check=True)
    assert len(tip(server)) == 2
    # what the remote has already is not held back
    assert "pushed 0 runs to origin, 1 already there" in here.top.run("push", run, check=True).stderr


def test_setting_lets_runs_with_files_of_submodules_go(here):
    ran(here.top)
    here.top.git("config", "gitrun.pushSubmodules", "true")
    assert "pushed 1 run" in here.top.run("push", check=True).stderr
    here.top.run("export", "1", "runs.bundle", check=True)


def test_earlier_attempt_with_files_of_a_submodule_holds_a_run_back(here):
    run = ran(here.top)
    here.top.git("config", "gitrun.submodules", "commit")
    here.top.run("--restart", run, "--force-sourcecode", check=True)
    assert Project(here.top.path).find(run).attempt.content == ""
    assert here.top.run("push", run).returncode == 1
    assert tip(Repo(here.top.path.parent / "remote.git")) == {}


def test_fetched_run_with_files_of_a_submodule_needs_none_there(here, tmp_path):
    here.lib.write("l.txt", "changed\n")
    run = ran(here.top)
    here.top.run("push", "--with-submodules", check=True)
    there = clone(tmp_path / "remote.git", tmp_path / "there")
    there.run("fetch", check=True)
    ended = there.run("--restart", run)
    assert "is not trusted" in ended.stderr
    assert "with M lib (git run diff" in ended.stderr
    there.run("trust", run, check=True)
    assert "reproduced" in there.run("verify", run, check=True).stdout
    assert there.run("--restart", run, check=True).stdout == "changed\ndeep\n"
    assert there.run("push", run).returncode == 1  # nor does it leave from there by accident
    assert there.git("status", "--porcelain") == ""


def forged(repo: Repo, run: str, lines: dict[str, str], tree: str = "") -> str:
    """The id of a first attempt as that of the run, with words of run.toml replaced, of another tree."""
    text = repo.git("cat-file", "blob", f"{run}:.gitrun/run.toml") + "\n"
    for old, new in lines.items():
        assert old in text
        text = text.replace(old, new)
    index = {"GIT_INDEX_FILE": str(repo.path / ".git" / "forged")}
    words = ["git", "hash-object", "-w", "--stdin"]
    blob = subprocess.run(words, cwd=repo.path, input=text, text=True, capture_output=True, check=True).stdout.strip()
    made = ""
    for line in (
        ["read-tree", tree or run],
        ["update-index", "--add", "--cacheinfo", f"100644,{blob},.gitrun/run.toml"],
        ["write-tree"],
    ):
        done = subprocess.run(
            ["git", *line], cwd=repo.path, env={**os.environ, **index}, capture_output=True, text=True, check=True
        )
        made = done.stdout.strip()
    return repo.git("commit-tree", made, "-p", f"{run}^", "-m", "it\n\nGitrun-Kind: attempt\nGitrun-Format: 1")


def with_file(repo: Repo, tree: str, path: str) -> str:
    """The id of the tree with another file at the path."""
    index = {"GIT_INDEX_FILE": str(repo.path / ".git" / "forged")}
    words = ["git", "hash-object", "-w", "--stdin"]
    blob = subprocess.run(words, cwd=repo.path, input="EVIL\n", text=True, capture_output=True, check=True).stdout.strip()
    made = ""
    for line in (["read-tree", tree], ["update-index", "--add", "--cacheinfo", f"100644,{blob},{path}"], ["write-tree"]):
        done = subprocess.run(
            ["git", *line], cwd=repo.path, env={**os.environ, **index}, capture_output=True, text=True, check=True
        )
        made = done.stdout.strip()
    return made


def test_forged_content_is_refused(here):
    run = ran(here.top)
    seen = Project(here.top.path).find(run).attempt
    head = here.lib.head()
    changed = with_file(here.top, run, "lib/l.txt")
    own = with_file(here.top, seen.content, "lib/l.txt")
    beside = with_file(here.top, seen.content, "a.txt")
    lies = {
        "files": forged(here.top, run, {}, changed),
        "source": forged(here.top, run, {seen.content: beside}, with_file(here.top, run, "a.txt")),
        "other path": forged(here.top, run, {f'lib = "{head}"': f'"a.txt/lib" = "{head}"'}),
        "file as submodule": forged(here.top, run, {f'lib = "{head}"': f'lib = "{head}"\n"a.txt" = "{head}"'}),
        "no commit": forged(here.top, run, {f'lib = "{head}"': 'lib = "HEAD"'}),
    }
    sound = forged(here.top, run, {})
    assert own != seen.content
    here.top.git("push", "--quiet", "origin", *(f"{made}:refs/runs/{made}" for made in (*lies.values(), sound)))
    ended = here.top.run("fetch")
    assert (ended.returncode, sound in tip(here.top)) == (1, True), ended.stderr
    here.top.git("fetch", "--quiet", "origin", "refs/runs/*:refs/runs/*")
    here.top.run("trust", *lies.values(), check=True)
    project = Project(here.top.path)
    for lie, made in lies.items():
        assert f"attempt {made[:8]} names another source than it contains" in ended.stderr, lie
        with pytest.raises(BadRun, match="names another source than it contains"):
            project.run(restart=made)

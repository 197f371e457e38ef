"""What a run from elsewhere must be."""

from __future__ import annotations

import subprocess

import pytest
from forgeries import EVIL, attempt_like, forged, forgeries, only, only_tip, pushed, replaced, tree_with

from gitrun import Project
from gitrun.errors import BadRun

pytestmark = pytest.mark.usefixtures("forked")


@pytest.mark.parametrize("what", ["command", "flags", "source", "beside", "result"])
def test_an_annotation_that_changes_more_than_notes_is_not_let_in(forging_team, what) -> None:
    run, head = only(forging_team)
    made = forged(forging_team.bob, head, forgeries(forging_team, head)[what])
    pushed(forging_team, run, made)
    ended = forging_team.ann.run("fetch")
    assert (ended.returncode, "changes more than .gitrun/notes.toml" in ended.stderr) == (1, True)
    assert only_tip(forging_team.ann) == head
    forging_team.remote.run("hooks", "install", check=True)
    again = forged(forging_team.bob, made, {".gitrun/notes.toml": b'label = "l"\n'})
    with pytest.raises(subprocess.CalledProcessError):
        pushed(forging_team, run, again)


def test_a_source_that_is_not_the_attempts_own_is_not_let_in_nor_executed(forging_team) -> None:
    run, _ = only(forging_team)
    other = tree_with(forging_team.bob, f"{run}~1", {"p.py": EVIL})
    own = Project(forging_team.bob.path).find(run).attempt.source
    made = attempt_like(forging_team, {".gitrun/run.toml": replaced(forging_team.bob, f"{run}:.gitrun/run.toml", own, other)})
    forging_team.bob.git("push", "--quiet", "origin", f"{other}:refs/tags/other")
    assert "names another source than it contains" in forging_team.ann.run("fetch").stderr
    forging_team.ann.git("fetch", "--quiet", "origin", "refs/runs/*:refs/runs/*", "refs/tags/*:refs/tags/*")
    forging_team.ann.run("trust", made, check=True)
    with pytest.raises(BadRun, match="names another source than it contains"):
        Project(forging_team.ann.path).run(restart=made)


def carrying(forging_team, name: str) -> bytes:
    return replaced(forging_team.bob, f"{name}:.gitrun/run.toml", "[source]", '[source]\ncarried = ["random.py"]')


@pytest.mark.parametrize("words", ["diff", "trust", "verify", "--restart"])
def test_first_attempt_that_carries_files_is_nowhere_let_in_nor_executed(forging_team, words) -> None:
    run, _ = only(forging_team)
    made = attempt_like(forging_team, {".gitrun/run.toml": carrying(forging_team, run), "random.py": EVIL})
    assert "its first attempt carries files" in forging_team.ann.run("fetch").stderr
    forging_team.ann.git("fetch", "--quiet", "origin", "refs/runs/*:refs/runs/*")
    ended = forging_team.ann.run(words, made)
    assert (ended.returncode, "its first attempt carries files" in ended.stderr, "EVIL" in ended.stdout) == (128, True, False)
    forging_team.remote.git("update-ref", "-d", f"refs/runs/{made}")
    forging_team.remote.run("hooks", "install", check=True)
    with pytest.raises(subprocess.CalledProcessError):
        pushed(forging_team, made, made)


@pytest.mark.parametrize("path", ["random.py", "made"])
def test_later_attempt_carries_only_what_the_tip_before_had(forging_team, path) -> None:
    run, head = only(forging_team)
    forging_team.bob.run("trust", run, check=True)
    forging_team.bob.run("--restart", run, check=True)
    second = Project(forging_team.bob.path).find(run)
    said = replaced(forging_team.bob, f"{second.attempt.id}:.gitrun/run.toml", "carried = [", 'carried = ["random.py", ')
    files = {".gitrun/run.toml": said, path: EVIL}
    base = forging_team.bob.git("rev-parse", f"{second.attempt.id}^1")
    words = "it\n\nGitrun-Kind: attempt\nGitrun-Format: 1"
    tree = tree_with(forging_team.bob, second.attempt.id, files)
    made = forging_team.bob.git("commit-tree", tree, "-p", base, "-p", head, "-m", words)
    pushed(forging_team, run, made)
    assert f"carries '{path}', which the attempt before it did not leave" in forging_team.ann.run("fetch").stderr
    forging_team.ann.git("fetch", "--quiet", "origin", "refs/runs/*:refs/runs/*")
    ended = forging_team.ann.run("trust", run)
    assert (ended.returncode, f"carries '{path}'" in ended.stderr) == (128, True)

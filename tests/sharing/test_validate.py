"""What a run from elsewhere must be."""

from __future__ import annotations

import subprocess

import pytest
from clones import make_team
from forgeries import EVIL, PRINTS, attempt_like, forged, forgeries, only, only_tip, pushed, replaced, tree_with
from templates import place_made_once

from gitrun import Project
from gitrun.errors import BadRun


@pytest.fixture
@place_made_once
def team(tmp_path):
    """Ann has made and pushed a run, Bob has it and may push."""
    made = make_team(tmp_path)
    made.ann.write("p.py", PRINTS)
    made.ann.commit("p")
    made.ann.git("push", "--quiet", "origin", "main")
    made.bob.git("pull", "--quiet", "origin", "main")
    Project(made.ann.path).run("p.py")
    made.ann.run("push", check=True)
    made.bob.run("fetch", check=True)
    return made


@pytest.mark.parametrize("what", ["command", "flags", "source", "beside", "result"])
def test_an_annotation_that_changes_more_than_notes_is_not_let_in(team, what) -> None:
    run, head = only(team)
    made = forged(team.bob, head, forgeries(team, head)[what])
    pushed(team, run, made)
    ended = team.ann.run("fetch")
    assert (ended.returncode, "changes more than .gitrun/notes.toml" in ended.stderr) == (1, True)
    assert only_tip(team.ann) == head
    team.remote.run("hooks", "install", check=True)
    again = forged(team.bob, made, {".gitrun/notes.toml": b'label = "l"\n'})
    with pytest.raises(subprocess.CalledProcessError):
        pushed(team, run, again)


def test_a_source_that_is_not_the_attempts_own_is_not_let_in_nor_executed(team) -> None:
    run, _ = only(team)
    other = tree_with(team.bob, f"{run}~1", {"p.py": EVIL})
    own = Project(team.bob.path).find(run).attempt.source
    made = attempt_like(team, {".gitrun/run.toml": replaced(team.bob, f"{run}:.gitrun/run.toml", own, other)})
    team.bob.git("push", "--quiet", "origin", f"{other}:refs/tags/other")
    assert "names another source than it contains" in team.ann.run("fetch").stderr
    team.ann.git("fetch", "--quiet", "origin", "refs/runs/*:refs/runs/*", "refs/tags/*:refs/tags/*")
    team.ann.run("trust", made, check=True)
    with pytest.raises(BadRun, match="names another source than it contains"):
        Project(team.ann.path).run(restart=made)


def carrying(team, name: str) -> bytes:
    return replaced(team.bob, f"{name}:.gitrun/run.toml", "[source]", '[source]\ncarried = ["random.py"]')


@pytest.mark.parametrize("words", ["diff", "trust", "verify", "--restart"])
def test_first_attempt_that_carries_files_is_nowhere_let_in_nor_executed(team, words) -> None:
    run, _ = only(team)
    made = attempt_like(team, {".gitrun/run.toml": carrying(team, run), "random.py": EVIL})
    assert "its first attempt carries files" in team.ann.run("fetch").stderr
    team.ann.git("fetch", "--quiet", "origin", "refs/runs/*:refs/runs/*")
    ended = team.ann.run(words, made)
    assert (ended.returncode, "its first attempt carries files" in ended.stderr, "EVIL" in ended.stdout) == (128, True, False)
    team.remote.git("update-ref", "-d", f"refs/runs/{made}")
    team.remote.run("hooks", "install", check=True)
    with pytest.raises(subprocess.CalledProcessError):
        pushed(team, made, made)


@pytest.mark.parametrize("path", ["random.py", "made"])
def test_later_attempt_carries_only_what_the_tip_before_had(team, path) -> None:
    run, head = only(team)
    team.bob.run("trust", run, check=True)
    team.bob.run("--restart", run, check=True)
    second = Project(team.bob.path).find(run)
    said = replaced(team.bob, f"{second.attempt.id}:.gitrun/run.toml", "carried = [", 'carried = ["random.py", ')
    files = {".gitrun/run.toml": said, path: EVIL}
    base = team.bob.git("rev-parse", f"{second.attempt.id}^1")
    words = "it\n\nGitrun-Kind: attempt\nGitrun-Format: 1"
    tree = tree_with(team.bob, second.attempt.id, files)
    made = team.bob.git("commit-tree", tree, "-p", base, "-p", head, "-m", words)
    pushed(team, run, made)
    assert f"carries '{path}', which the attempt before it did not leave" in team.ann.run("fetch").stderr
    team.ann.git("fetch", "--quiet", "origin", "refs/runs/*:refs/runs/*")
    ended = team.ann.run("trust", run)
    assert (ended.returncode, f"carries '{path}'" in ended.stderr) == (128, True)

"""What who may push can forge: it is not let in, and where plain git brought it, it changes nothing that is trusted."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from clones import clone, tip
from forgeries import EVIL, attempt_like, forged, forgeries, only, only_tip, pushed, replaced, tree_with

from gitrun import Project


@pytest.mark.parametrize("what", ["command", "flags", "source", "beside", "result"])
def test_what_plain_git_brought_in_an_annotation_changes_nothing_that_a_restart_executes(forging_team, what) -> None:
    run, head = only(forging_team)
    pushed(forging_team, run, forged(forging_team.bob, head, forgeries(forging_team, head)[what]))
    forging_team.ann.git("fetch", "--quiet", "origin", "refs/runs/*:refs/runs/*")
    seen = Project(forging_team.ann.path).find(run)
    assert (seen.flags["x"], seen.status, seen.attempt.command[-1]) == (1.0, "completed", "p.py")
    assert forging_team.ann.run("--restart", run, check=True).stdout == "right 1.0 True\n"


def seen(repo, run: str) -> tuple[object, ...]:
    """What the verbs that look at a run say of its result."""
    shown = json.loads(repo.run("show", run, "--json", check=True).stdout)
    listed = json.loads(repo.run("list", "--json", check=True).stdout)[0]
    output = repo.run("cat", run, check=True).stdout
    return shown["exit_status"], shown["metrics"], listed["metrics"], [one["path"] for one in shown["files"]], output


def evil_result(forging_team, run: str, head: str) -> str:
    """A result of the attempt that is dated later than its own."""
    result = replaced(forging_team.bob, f"{head}:.gitrun/result.toml", "exit_status = 0", "exit_status = 3")
    result += b"[metrics]\nloss = 0.0\n"
    tree = tree_with(forging_team.bob, head, {"random.py": EVIL, ".gitrun/result.toml": result, ".gitrun/output": b"EVIL\n"})
    late = {"GIT_COMMITTER_DATE": "2038-01-01T00:00:00Z", "GIT_AUTHOR_DATE": "2038-01-01T00:00:00Z"}
    words = ["git", "commit-tree", tree, "-p", run, "-m", "it\n\nGitrun-Kind: result\nGitrun-Format: 1"]
    done = subprocess.run(
        words, cwd=forging_team.bob.path, env=os.environ | late, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()


def merge_of(repo, first: str, second: str) -> str:
    words = "it\n\nGitrun-Kind: merge\nGitrun-Format: 1"
    return repo.git("commit-tree", f"{first}^{{tree}}", "-p", first, "-p", second, "-m", words)


@pytest.mark.parametrize("verb", ["fetch", "pull"])
def test_another_result_of_my_attempt_is_refused(forging_team, verb) -> None:
    run, head = only(forging_team)
    before = seen(forging_team.ann, run)
    forging_team.bob.git("push", "--quiet", "--force", "origin", f"{evil_result(forging_team, run, head)}:refs/runs/{run}")
    ended = forging_team.ann.run(verb)
    assert (
        ended.returncode,
        f"error: run {run[:8]} is refused: its attempt {run[:8]} has another result there" in ended.stderr,
    ) == (
        1,
        True,
    )
    assert (only_tip(forging_team.ann), seen(forging_team.ann, run)) == (head, before)


@pytest.mark.parametrize("merged", ["theirs first", "mine first", "on top"])
def test_another_result_that_plain_git_brought_changes_nothing_that_is_seen(forging_team, merged) -> None:
    run, head = only(forging_team)
    before, evil = seen(forging_team.ann, run), evil_result(forging_team, run, head)
    made = {
        "theirs first": lambda: merge_of(forging_team.bob, evil, head),
        "mine first": lambda: merge_of(forging_team.bob, head, evil),
        "on top": lambda: forged(forging_team.bob, evil, {}, "result", head),
    }[merged]()
    pushed(forging_team, run, made)
    assert "has two results" in forging_team.ann.run("fetch").stderr or merged == "on top"
    forging_team.ann.git("fetch", "--quiet", "origin", "refs/runs/*:refs/runs/*")
    assert (only_tip(forging_team.ann), seen(forging_team.ann, run)) == (made, before)
    assert forging_team.ann.run("--restart", run, check=True).stdout == "right 1.0 True\n"


def test_result_that_is_trusted_here_replaces_one_that_is_not(forging_team, tmp_path) -> None:
    run, head = only(forging_team)
    evil = evil_result(forging_team, run, head)
    cas = clone(forging_team.remote.path, tmp_path / "cas")
    forging_team.bob.git("push", "--quiet", "--force", "origin", f"{evil}:refs/runs/{run}")
    cas.run("fetch", check=True)
    forging_team.bob.git("push", "--quiet", "--force", "origin", f"{head}:refs/runs/{run}")
    assert "another result there" in cas.run("fetch").stderr
    (Project(cas.path).git.state / "trust").write_text(f"{run}\n{head}\n")
    cas.run("fetch", check=True)
    assert only_tip(cas) == head
    assert tip(cas, "refs/gitrun/trash") == {f"trash/{run}": evil} or evil in cas.git("for-each-ref", "refs/gitrun/trash")


def test_server_takes_no_other_result_of_an_attempt(forging_team) -> None:
    run, head = only(forging_team)
    forging_team.remote.run("hooks", "install", check=True)
    evil = evil_result(forging_team, run, head)
    for made in (
        evil,
        merge_of(forging_team.bob, evil, head),
        merge_of(forging_team.bob, head, evil),
        forged(forging_team.bob, evil, {}, "result", head),
    ):
        with pytest.raises(subprocess.CalledProcessError):
            forging_team.bob.git("push", "--quiet", "--force", "origin", f"{made}:refs/runs/{run}")
    assert only_tip(forging_team.remote) == head


@pytest.mark.parametrize("words", ["show", "diff", "--restart", "trust", "report", "log"])
def test_what_run_toml_calls_its_base_is_no_option_of_git(forging_team, tmp_path, words) -> None:
    run, _ = only(forging_team)
    mark = tmp_path / "written"
    base = replaced(forging_team.bob, f"{run}:.gitrun/run.toml", "base = ", f'base = "--output={mark}"\nwas = ')
    made = attempt_like(forging_team, {".gitrun/run.toml": base.replace(b"dirty = false", b"dirty = true")})
    forging_team.ann.git("fetch", "--quiet", "origin", "refs/runs/*:refs/runs/*")
    forging_team.ann.run(words, made)
    assert not mark.exists()
    assert Project(forging_team.ann.path).find(made).attempt.base == forging_team.ann.git("rev-parse", f"{made}^")


def test_what_run_toml_calls_its_base_moves_no_ref_when_notes_are_made(forging_team) -> None:
    run, _ = only(forging_team)
    evil = f"abc\\ndata 0\\n\\nreset refs/heads/main\\nfrom {run}\\n\\ncommit refs/gitrun/notes\\ncommitter a <a@b> 0 +0000\\n"
    base = replaced(
        forging_team.bob, f"{run}:.gitrun/run.toml", "base = ", f'base = "{evil}data 0\\nM 100644 inline z"\nwas = '
    )
    attempt_like(forging_team, {".gitrun/run.toml": base})
    forging_team.ann.git("fetch", "--quiet", "origin", "refs/runs/*:refs/runs/*")
    before = forging_team.ann.git("rev-parse", "main")
    forging_team.ann.run("notes", "--rebuild", check=True)
    assert forging_team.ann.git("rev-parse", "main") == before
    assert forging_team.ann.git("for-each-ref", "refs/gitrun/notes") == ""


def test_replaced_objects_are_not_what_is_executed(forging_team) -> None:
    run, _ = only(forging_team)
    own = Project(forging_team.bob.path).find(run).attempt.source
    for old in (own, f"{run}^{{tree}}"):
        forging_team.bob.git("replace", old, tree_with(forging_team.bob, old, {"p.py": EVIL}))
    forging_team.bob.git("push", "--quiet", "origin", "refs/replace/*:refs/replace/*")
    forging_team.ann.git("fetch", "--quiet", "origin", "refs/replace/*:refs/replace/*")
    assert forging_team.ann.run("--restart", run, check=True).stdout == "right 1.0 True\n"


def test_a_needed_file_is_the_one_that_was_used_whatever_a_record_says_of_it(forging_team) -> None:
    steps = '[operations.use]\nscript = "use.py"\nneeds = { "prep" = "made" }\n[operations.prep]\nscript = "p.py"\n'
    forging_team.ann.write("gitrun.toml", steps)
    forging_team.ann.write("use.py", "print(open('made').read())\n")
    forging_team.ann.run("prep", check=True)
    forging_team.ann.run("use", check=True)
    needed = Project(forging_team.ann.path).find("prep")
    head = forged(forging_team.ann, needed.tip, {"made": b"6.6"}, "result")
    forging_team.ann.git("update-ref", f"refs/runs/{needed.id}", head)
    ended = forging_team.ann.run("--restart", "use")
    assert (ended.stdout, ended.returncode) == ("1.0\n", 0)
    assert forging_team.ann.run("use", check=True).stdout == "1.0\n"


def test_paths_that_lead_elsewhere_are_no_files_that_were_carried(forging_team) -> None:
    run, _ = only(forging_team)
    carried = replaced(
        forging_team.bob, f"{run}:.gitrun/run.toml", "[source]", '[source]\ncarried = ["../../etc/passwd", "/x"]'
    )
    made = attempt_like(forging_team, {".gitrun/run.toml": carried})
    assert "its first attempt carries files" in forging_team.ann.run("fetch").stderr
    forging_team.ann.git("fetch", "--quiet", "origin", "refs/runs/*:refs/runs/*")
    for words in (("show", made), ("ls", made), ("checkout", made)):
        ended = forging_team.ann.run(*words)
        assert (ended.returncode, "fatal" in ended.stderr) == (0, False)


def test_files_that_an_attempt_carries_are_shown_before_it_is_trusted(forging_team) -> None:
    run, _ = only(forging_team)
    forging_team.bob.run("trust", run, check=True)
    forging_team.bob.run("--restart", run, check=True)
    forging_team.bob.run("push", check=True)
    forging_team.ann.run("fetch", check=True)
    assert forging_team.ann.run("diff", run, check=True).stdout.splitlines()[-2:] == ["carried", "  carried over  made"]
    assert json.loads(forging_team.ann.run("diff", run, "--json", check=True).stdout)["carried"] == [
        {"path": "made", "change": "carried over"}
    ]
    assert "| carried over | `made` |" in forging_team.ann.run("report", run, check=True).stdout
    assert "carries   made, from the previous attempt" in forging_team.ann.run("--restart", run).stderr


def test_an_attempt_without_words_to_execute_is_refused_in_one_line(forging_team) -> None:
    run, _ = only(forging_team)
    empty = replaced(forging_team.bob, f"{run}:.gitrun/run.toml", "command = [", "was = [")
    made = attempt_like(forging_team, {".gitrun/run.toml": empty})
    forging_team.ann.run("fetch", check=True)
    forging_team.ann.run("show", made, check=True)
    forging_team.ann.run("trust", made, check=True)
    for words in (("--dry-run", "--restart", made), ("--restart", made), ("verify", made)):
        ended = forging_team.ann.run(*words)
        assert (ended.returncode, ended.stderr) == (
            128,
            f"gitrun: error: attempt {made[:8]} records nothing that can be executed\n",
        )


def test_commits_of_the_same_content_by_hand_are_as_good_as_ours(forging_team) -> None:
    run, head = only(forging_team)
    made = forged(forging_team.bob, head, {".gitrun/notes.toml": b'label = "by-hand"\n'})
    pushed(forging_team, run, made)
    forging_team.ann.run("fetch", check=True)
    assert Project(forging_team.ann.path).find("by-hand").id == run

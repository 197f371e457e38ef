"""The format of version 1, as plain git sees it: what other programs build on."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
import tomli
from repository import ECHO, Repo

ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def only_run(repo: Repo) -> str:
    """The id of the only run there is."""
    (ref,) = repo.git("for-each-ref", "--format=%(refname)", "refs/runs").splitlines()
    return ref.removeprefix("refs/runs/")


def parents(repo: Repo, commit: str) -> list[str]:
    return repo.git("rev-list", "--parents", "-n1", commit).split()[1:]


def read(repo: Repo, commit: str, name: str) -> dict:
    return tomli.loads(repo.git("cat-file", "blob", f"{commit}:.gitrun/{name}"))


def names(repo: Repo, commit: str) -> set[str]:
    return set(repo.git("ls-tree", "-r", "--name-only", commit).splitlines())


def message(repo: Repo, commit: str) -> tuple[str, str]:
    """The subject, and the kind that the trailers say."""
    subject, *trailers = repo.git("log", "-1", "--format=%s%n%(trailers:only)", commit).splitlines()
    assert "Gitrun-Format: 1" in trailers
    (kind,) = (line.removeprefix("Gitrun-Kind: ") for line in trailers if line.startswith("Gitrun-Kind: "))
    return subject, kind


def test_a_run_is_named_by_its_first_attempt(repo):
    base = repo.head()
    repo.run("echo.py", check=True)
    run = only_run(repo)
    tip = repo.git("rev-parse", f"refs/runs/{run}")
    assert ID.fullmatch(run)
    assert parents(repo, run) == [base]
    assert parents(repo, tip) == [run]
    assert message(repo, run) == ("run echo.py x=1.0 y=2 z=a", "attempt")
    subject, kind = message(repo, tip)
    assert (re.sub(r"[0-9.]+s", "0.0s", subject), kind) == ("completed in 0.0s", "result")


def test_the_chain_of_two_attempts_with_an_annotation_between(repo):
    repo.run("echo.py", check=True)
    run = only_run(repo)
    result = repo.git("rev-parse", f"refs/runs/{run}")
    repo.run("mark", run, check=True)
    annotation = repo.git("rev-parse", f"refs/runs/{run}")
    repo.write("echo.py", ECHO + "# more\n")
    base = repo.commit()
    repo.run("--restart", run, "--force-sourcecode", check=True)
    second, (attempt,) = repo.git("rev-parse", f"refs/runs/{run}"), parents(repo, f"refs/runs/{run}")
    assert parents(repo, annotation) == [result]
    assert parents(repo, attempt) == [base, annotation]
    assert [message(repo, each)[1] for each in (annotation, attempt, second)] == ["annotation", "attempt", "result"]
    assert read(repo, second, "notes.toml") == {"marked": True}
    assert names(repo, annotation) - names(repo, result) == {".gitrun/notes.toml"}


def test_the_base_of_a_restart_is_that_of_the_runs_own_source(repo):
    base = repo.head()
    repo.run("echo.py", check=True)
    tip = repo.git("rev-parse", f"refs/runs/{only_run(repo)}")
    repo.commit("later")
    repo.run("--restart", "1", check=True)
    assert parents(repo, f"refs/runs/{only_run(repo)}~1") == [base, tip]


def test_the_first_attempt_before_any_commit_has_no_parent(empty_repo):
    empty_repo.write("echo.py", ECHO)
    empty_repo.run("echo.py", check=True)
    run = only_run(empty_repo)
    tip = empty_repo.git("rev-parse", f"refs/runs/{run}")
    assert parents(empty_repo, run) == []
    empty_repo.run("--restart", "1", check=True)
    assert parents(empty_repo, f"refs/runs/{run}~1") == [tip]


def test_the_tree_of_an_attempt_is_the_snapshot_and_three_files(repo):
    repo.write("new.txt", "new")
    repo.run("echo.py", check=True)
    run = only_run(repo)
    ours = {".gitrun/flags.toml", ".gitrun/run.toml", ".gitrun/env.toml"}
    assert names(repo, run) == {"echo.py", "new.txt"} | ours
    assert names(repo, f"refs/runs/{run}") == names(repo, run) | {".gitrun/result.toml", ".gitrun/output"}


def test_the_source_of_a_clean_tree_is_the_tree_of_its_commit(repo):
    repo.run("echo.py", check=True)
    source = read(repo, only_run(repo), "run.toml")["source"]
    head, tree = repo.git("rev-parse", "HEAD", "HEAD^{tree}").split()
    assert source == {"tree": tree, "base": head, "branch": "main", "dirty": False}


def test_run_toml(repo):
    repo.run("--random-seed", "7", "echo.py", check=True)
    found = read(repo, only_run(repo), "run.toml")
    assert (found["format"], found["operation"], found["command"]) == (1, "echo.py", ["{python}", "echo.py"])
    assert (found["cwd"], found["params"]["random_seed"]) == ("", 7)
    assert found["created"].utcoffset().total_seconds() == 0
    assert re.fullmatch(r"[0-9a-f]{32}", found["nonce"])


def test_result_toml(repo):
    repo.write("make.py", "open('made.txt', 'w').write('made')\nraise SystemExit(3)\n")
    assert repo.run("make.py").returncode == 3
    found = read(repo, f"refs/runs/{only_run(repo)}", "result.toml")
    assert (found["format"], found["status"], found["exit_status"]) == (1, "error", 3)
    assert found["started"] <= found["stopped"]
    assert 0 <= found["duration"] < 30
    digest = "a2e6ea1ba72cd6bfe21ded1b0ef1b3dfd4f77a4fce2ab2ed8ebcfb1b8bbb7a4f"
    assert [{**file, "sha256": len(file["sha256"]) == len(digest)} for file in found["files"]] == [
        {"path": "made.txt", "size": 4, "sha256": True, "stored": "git"}
    ]


def test_a_program_ended_by_a_signal_is_terminated_with_minus_its_number(repo):
    assert repo.run("--", "sh", "-c", "kill -TERM $$").returncode == 143
    found = read(repo, f"refs/runs/{only_run(repo)}", "result.toml")
    assert (found["status"], found["exit_status"]) == ("terminated", -15)


def test_the_environment_is_recorded_as_equal_bytes(repo):
    repo.run("echo.py", check=True)
    repo.run("echo.py", check=True)
    refs = repo.git("for-each-ref", "--format=%(refname)", "refs/runs").splitlines()
    blobs = {repo.git("rev-parse", f"{ref}:.gitrun/env.toml") for ref in refs}
    assert len(refs) == 2
    assert len(blobs) == 1
    assert read(repo, refs[0], "env.toml")["python"]["version"].startswith("3.")


def test_equal_flags_are_an_equal_blob(repo):
    repo.run("echo.py", "z=b", "x=3", check=True)
    repo.run("echo.py", "x=3", "z=b", check=True)
    refs = repo.git("for-each-ref", "--format=%(refname)", "refs/runs").splitlines()
    assert len({repo.git("rev-parse", f"{ref}:.gitrun/flags.toml") for ref in refs}) == 1
    assert repo.git("cat-file", "blob", f"{refs[0]}:.gitrun/flags.toml") == 'x = 3\ny = 2\nz = "b"'


def test_launches_in_the_same_instant_differ(repo):
    words = ["git", "run", "--stage", "echo.py"]
    started = [subprocess.Popen(words, cwd=repo.path, stderr=subprocess.DEVNULL) for _ in range(6)]
    assert [process.wait() for process in started] == [0] * 6
    assert len(repo.git("for-each-ref", "refs/runs").splitlines()) == 6


def test_plain_git_shows_a_run(repo):
    repo.write("make.py", "x = 1\nprint('said')\nopen('made.txt', 'w').write('made')\n")
    repo.run("make.py", check=True)
    run = only_run(repo)
    assert "+made" in repo.git("show", f"runs/{run}")
    assert "+said" in repo.git("show", f"runs/{run}")
    assert "+x = 1" in repo.git("show", run)
    assert repo.git("log", "--first-parent", "--format=%s", f"runs/{run}").splitlines()[1:] == ["run make.py x=1", "echo"]
    assert repo.git("diff", "--name-only", run, f"runs/{run}").split() == [".gitrun/output", ".gitrun/result.toml", "made.txt"]


LEAVES = """\
import os
os.makedirs("a/b", exist_ok=True)
open("a/b/c", "w").write("made")
os.path.lexists("link") or os.symlink("made.txt", "link")
os.remove("echo.py")
"""


def test_fsck_finds_nothing(repo):
    repo.write("make.py", LEAVES)
    repo.run("--label", "l", "make.py", check=True)
    repo.run("--restart", "1", check=True)
    repo.run("mark", "1", check=True)
    words = ["git", "fsck", "--strict", "--no-dangling"]
    ended = subprocess.run(words, cwd=repo.path, capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("", "")


def test_the_words_of_a_command_are_its_operation(repo):
    repo.run("n=3", "--", "echo", "{n}", "a b", check=True)
    found = read(repo, only_run(repo), "run.toml")
    assert (found["operation"], found["command"]) == ("echo {n} a b", ["echo", "{n}", "a b"])


def test_a_run_can_be_fetched_and_read_elsewhere(repo, tmp_path):
    repo.write("new.txt", "new")
    repo.run("echo.py", check=True)
    subprocess.run(["git", "clone", "-q", repo.path, tmp_path / "clone"], check=True)
    clone = Repo(tmp_path / "clone")
    clone.git("fetch", "-q", "origin", "refs/runs/*:refs/runs/*")
    (found,) = json.loads(clone.run("list", "--json", check=True).stdout)
    assert (found["id"], found["status"]) == (only_run(repo), "completed")
    clone.run("trust", "1", check=True)
    assert clone.run("--restart", "1", check=True).stdout == "1.0 2 'a'\n"


@pytest.mark.parametrize("words", [["--force-sourcecode"], []], ids=["working tree", "own source"])
def test_a_restart_after_gc_took_the_trees_of_the_source(repo, words):
    repo.write(
        "count.py", "import os\nos.makedirs('out', exist_ok=True)\nopen('out/n', 'a').write('1')\nprint(open('out/n').read())\n"
    )
    repo.run("count.py", check=True)
    source = read(repo, only_run(repo), "run.toml")["source"]["tree"]
    for wanted in ("11", "111"):
        repo.git("gc", "-q", "--prune=now")
        missing = subprocess.run(["git", "cat-file", "-e", source], cwd=repo.path, capture_output=True, check=False)
        assert missing.returncode != 0
        assert repo.run("--restart", "1", *words, check=True).stdout == f"{wanted}\n"
        assert read(repo, f"refs/runs/{only_run(repo)}", "run.toml")["source"]["tree"] == source

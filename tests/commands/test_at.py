"""`git run --at COMMIT`: the code of a commit runs, and the user's files stay as they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from belongings import belongings
from templates import made_once

from gitrun import Project
from gitrun.errors import GitrunError

if TYPE_CHECKING:
    from repository import Repo

REFUSED = {
    "--in-place": ("--at", "HEAD", "--in-place", "train.py"),
    "--restart": ("--at", "HEAD", "--restart", "1"),
    "--force-sourcecode": ("--at", "HEAD", "--force-sourcecode", "train.py"),
}


def train(version: str, more: str = "") -> str:
    return f'lr = 0.1\n{more}\nprint("{version}", lr)\n'


@pytest.fixture
@made_once
def history(empty_repo: Repo) -> Repo:
    """Two commits of train.py; the working tree has one more state of it, of the index and of an untracked file."""
    empty_repo.write("train.py", train("v1"))
    empty_repo.write(".gitignore", "data/\n*.log\n")
    empty_repo.commit("one")
    empty_repo.write("train.py", train("v2"))
    empty_repo.commit("two")
    empty_repo.write("staged.py", "print('staged')\n")
    empty_repo.write("train.py", train("staged"))
    empty_repo.git("add", "staged.py", "train.py")
    empty_repo.write("train.py", train("dirty"))
    empty_repo.write("untracked.py", "print('untracked')\n")
    empty_repo.write("data/x.txt", "lent\n")
    return empty_repo


def shown(repo: Repo, name: str = "1") -> Any:
    return json.loads(repo.run("show", name, "--json", check=True).stdout)


def trees(repo: Repo, *names: str) -> list[str]:
    return [repo.git("rev-parse", f"{name}^{{tree}}") for name in names]


def test_a_commit_runs_with_its_own_code(history: Repo) -> None:
    assert history.run("--at", "HEAD~1", "train.py", "lr=0.5", check=True).stdout == "v1 0.5\n"
    assert history.run("--at", "HEAD", "train.py", "lr=0.5", check=True).stdout == "v2 0.5\n"
    assert history.run("train.py", "lr=0.5", check=True).stdout == "dirty 0.5\n"


def test_record_names_the_commit_and_its_clean_tree(history: Repo) -> None:
    history.run("--at", "HEAD~1", "train.py", check=True)
    run = shown(history)
    commit = history.git("rev-parse", "HEAD~1")
    assert (run["base"], run["source"], run["branch"]) == (commit, trees(history, commit)[0], None)
    record = history.git("cat-file", "-p", f"runs/{run['id']}:.gitrun/run.toml")
    assert "dirty = false" in record
    assert history.git("rev-parse", f"{run['id']}^") == commit


def test_branch_that_is_named_is_recorded(history: Repo) -> None:
    history.git("branch", "topic", "HEAD~1")
    history.run("--at", "topic", "train.py", check=True)
    assert shown(history)["branch"] == "topic"


def test_nothing_of_the_users_changes(history: Repo) -> None:
    before = belongings(history)
    history.run("--at", "HEAD~1", "train.py", check=True)
    assert belongings(history) == before


def test_root_commit_and_merge_run(history: Repo) -> None:
    history.git("stash", "--quiet")
    history.git("checkout", "--quiet", "-b", "side", "HEAD~1")
    history.write("side.py", "print('side')\n")
    history.commit("side")
    history.git("merge", "--quiet", "--no-edit", "main")
    merge = history.head()
    history.git("checkout", "--quiet", "main")
    assert history.run("--at", merge, "side.py", check=True).stdout == "side\n"
    assert history.run("--at", merge, "train.py", check=True).stdout == "v2 0.1\n"
    assert history.run("--at", ":/one", "train.py", check=True).stdout == "v1 0.1\n"


def test_changes_of_the_working_tree_are_not_in_the_run(history: Repo) -> None:
    history.run("--at", "HEAD", "train.py", check=True)
    run = shown(history)["id"]
    files = history.git("ls-tree", "-r", "--name-only", f"runs/{run}").split()
    assert "train.py" in files
    assert not {"staged.py", "untracked.py"} & set(files)
    assert "v2" in history.git("show", f"runs/{run}:train.py")


def test_flags_are_those_of_the_commit(history: Repo) -> None:
    history.write("train.py", "momentum = 1\nprint(momentum)\n")
    history.commit("three")
    assert history.run("--at", "HEAD~1", "train.py", "momentum=2").returncode == 129
    assert history.run("--at", "HEAD", "train.py", "momentum=2", check=True).stdout == "2\n"
    assert history.run("--at", "HEAD", "train.py", "lr=2").returncode == 129


PARSER = """\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--{0}", type=float, default=0.1)
print(parser.parse_args())
"""


@pytest.mark.parametrize("option", [("--at", "HEAD"), ("--at=HEAD",)], ids=["two words", "one word"])
def test_options_of_the_script_are_those_of_the_commit(history: Repo, option: tuple[str, ...]) -> None:
    history.write("opts.py", PARSER.format("rate"))
    history.commit("three")
    history.write("opts.py", PARSER.format("speed"))
    done = history.run(*option, "opts.py", "--rate", "0.3", check=True)
    assert done.stdout == "Namespace(rate=0.3)\n"
    assert shown(history)["flags"] == {"rate": 0.3}
    assert history.run(*option, "opts.py", "--speed", "0.3").returncode == 129


def test_edited_flags_are_those_of_the_commit(history: Repo) -> None:
    history.write("opts.py", PARSER.format("rate"))
    history.commit("three")
    history.write("opts.py", PARSER.format("speed"))
    editor = {"EDITOR": "sed -i s/0.1/0.7/"}
    done = history.run("--at", "HEAD", "--edit-flags", "opts.py", env=editor, check=True)
    assert done.stdout == "Namespace(rate=0.7)\n"


def test_entries_of_the_project_file_are_those_of_the_commit(history: Repo) -> None:
    history.write("gitrun.toml", '[operations.fit]\ncommand = ["echo", "committed"]\n')
    history.commit("three")
    history.write("gitrun.toml", '[operations.fit]\ncommand = ["echo", "dirty"]\n')
    assert history.run("--at", "HEAD", "fit", check=True).stdout == "committed\n"
    assert history.run("--at", "HEAD~1", "fit").returncode == 129


def test_steps_run_with_the_code_of_the_commit(history: Repo) -> None:
    history.write("train.py", train("committed"))
    history.write("gitrun.toml", '[operations.all]\nsteps = [{ run = "train.py", flags = { lr = 7 } }]\n')
    history.commit("three")
    history.write("train.py", train("dirty"))
    assert history.run("--at", "HEAD", "all", check=True).stdout == "committed 7\n"
    step = next(run for run in json.loads(history.run("list", "--json", check=True).stdout) if run["operation"] == "train.py")
    assert step["source"] == trees(history, "HEAD")[0]


def test_ignored_files_are_lent_and_recorded(history: Repo) -> None:
    done = history.run("--at", "HEAD", "--", "cat", "data/x.txt", check=True)
    assert done.stdout == "lent\n"
    assert 'path = "data/"' in history.git("cat-file", "-p", f"runs/{shown(history)['id']}:.gitrun/lent.toml")


def test_ignored_file_does_not_replace_a_file_of_the_commit(history: Repo) -> None:
    history.write("data/x.txt", "committed\n")
    history.git("add", "--force", "data/x.txt")
    commit = history.commit("data in git")
    history.git("rm", "--quiet", "--cached", "data/x.txt")
    history.commit("data is ignored")
    history.write("data/x.txt", "lent\n")
    assert history.run("--at", commit, "--", "cat", "data/x.txt", check=True).stdout == "committed\n"


def test_entry_of_the_commit_links_its_files(history: Repo) -> None:
    history.write("gitrun.toml", '[operations.fit]\ncommand = ["readlink", "data"]\nlink = ["data"]\n')
    history.commit("three")
    history.write("gitrun.toml", "")
    assert history.run("--at", "HEAD", "fit", check=True).stdout == f"{history.path}/data\n"


def test_links_of_steps_are_those_of_the_commit(history: Repo) -> None:
    history.write(
        "gitrun.toml",
        '[operations.fit]\ncommand = ["readlink", "data"]\nlink = ["data"]\n[operations.all]\nsteps = ["fit"]\n',
    )
    history.commit("three")
    history.write("gitrun.toml", "")
    assert history.run("--at", "HEAD", "all", check=True).stdout == f"{history.path}/data\n"


def test_path_that_the_commit_has_is_not_linked(history: Repo) -> None:
    done = history.run("--at", "HEAD", "--link", "train.py", "--", "true")
    assert done.returncode == 129
    assert "cannot link 'train.py': it is tracked by git" in done.stderr


@pytest.mark.parametrize("option", REFUSED)
def test_contradictions_are_refused_before_anything_is_written(history: Repo, option: str) -> None:
    history.run("--at", "HEAD", "train.py", check=True)
    before = history.git("for-each-ref")
    done = history.run(*REFUSED[option])
    assert done.returncode == 129
    assert f"error: --at and {option} cannot be combined" in done.stderr
    assert history.git("for-each-ref") == before


def test_unknown_commits_are_refused(history: Repo) -> None:
    unknown = history.run("--at", "nothing", "train.py")
    assert unknown.returncode == 129
    assert unknown.stderr == "gitrun: error: no commit 'nothing'. To list the commits: git log --oneline --all\n"
    assert history.git("for-each-ref", "refs/runs") == ""


@pytest.mark.parametrize("name", ["-x", "--all", "HEAD^{tree}", "HEAD:train.py", "", "a\x1bb"])
def test_names_that_are_no_commit_are_refused(history: Repo, name: str) -> None:
    done = history.run(f"--at={name}", "train.py")
    assert done.returncode == 129
    assert "\x1b" not in done.stderr
    assert "no commit" in done.stderr


def test_missing_script_is_searched_in_the_commit(history: Repo) -> None:
    history.write("late.py", "print('late')\n")
    history.commit("three")
    done = history.run("--at", "HEAD~1", "late.py")
    assert done.returncode == 129
    assert f"no script or program 'late.py' in commit {history.git('rev-parse', 'HEAD~1')[:8]}" in done.stderr


def test_needed_counts_only_runs_of_the_commits_tree(history: Repo) -> None:
    history.run("--at", "HEAD~1", "train.py", "lr=3", check=True)
    other = history.run("--needed", "--at", "HEAD", "train.py", "lr=3", check=True)
    assert other.stdout == "v2 3\n"
    again = history.run("--needed", "--at", "HEAD~1", "train.py", "lr=3", check=True)
    assert again.stdout.startswith("Skipping because the following runs match")
    assert again.stderr == ""


def test_needed_accepts_a_run_of_an_equal_tree(history: Repo) -> None:
    history.git("stash", "--quiet", "--include-untracked")
    history.run("train.py", "lr=3", check=True)
    history.git("commit", "--quiet", "--allow-empty", "--message=same tree")
    done = history.run("--needed", "--at", "HEAD", "train.py", "lr=3", check=True)
    assert done.stdout.startswith("Skipping")


def test_staged_run_starts_with_the_code_of_its_commit(history: Repo) -> None:
    history.run("--at", "HEAD~1", "--stage", "train.py", "lr=4", check=True)
    assert shown(history)["status"] == "staged"
    assert history.run("--start", "1", check=True).stdout == "v1 4\n"


def test_background_run_has_the_code_of_its_commit(history: Repo) -> None:
    run = history.run("--at", "HEAD~1", "--background", "train.py", check=True).stdout.strip()
    history.run("watch", run, check=True)
    assert history.run("cat", run, check=True).stdout == "v1 0.1\n"


def test_restart_keeps_the_code_of_the_commit(history: Repo) -> None:
    history.run("--at", "HEAD~1", "train.py", check=True)
    assert history.run("--restart", "1", "lr=9", check=True).stdout == "v1 9\n"


def test_dry_run_shows_the_commit_and_writes_nothing(history: Repo) -> None:
    done = history.run("--at", "HEAD~1", "--dry-run", "train.py", check=True)
    commit = history.git("rev-parse", "HEAD~1")
    assert f"source:    {trees(history, commit)[0][:8]} on {commit[:8]}" in done.stdout
    assert history.git("for-each-ref", "refs/runs") == ""


def test_subdirectory_that_the_commit_lacks_is_the_current_one(history: Repo) -> None:
    (history.path / "new").mkdir()
    done = history.run("--at", "HEAD", "--", "sh", "-c", "basename $PWD", cwd=history.path / "new", check=True)
    assert done.stdout == "new\n"


def test_line_ends_are_those_that_git_checks_out(history: Repo) -> None:
    history.write(".gitattributes", "*.txt text eol=crlf\n")
    history.write("a.txt", b"one\ntwo\n")
    history.commit("three")
    history.write("a.txt", b"one\ntwo\n")
    done = history.run_bytes("--at", "HEAD", "--", "cat", "a.txt")
    assert done.stdout == b"one\r\ntwo\r\n"


def test_python_runs_a_commit(history: Repo, capfd: pytest.CaptureFixture[str]) -> None:
    run = Project(history.path).run("train.py", flags={"lr": 2.5}, at="HEAD~1")
    assert (run.status, run.output) == ("completed", "v1 2.5\n")
    assert run.attempt.base == history.git("rev-parse", "HEAD~1")
    with pytest.raises(GitrunError, match="no commit 'gone'"):
        Project(history.path).run("train.py", at="gone")

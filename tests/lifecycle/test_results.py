"""gitrun collects what a program left, and tells what is unusual."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from repository import Repo


ENTRY = """
[operations.draw]
script = "draw.py"
outputs = ["plots", "*.pt", "report/*.html", "kept.txt"]
"""


@pytest.mark.parametrize(
    ("program", "missing"),
    [
        ("pass", "plots, *.pt, report/*.html"),
        ("import os; os.mkdir('plots'); open('plots/a', 'w'); open('m.pt', 'w')", "report/*.html"),
        ("import os; os.makedirs('report/x'); open('report/x/a.html', 'w')", "plots, *.pt"),
    ],
)
def test_outputs_that_match_no_file_are_named(repo, program, missing):
    repo.write("gitrun.toml", ENTRY)
    repo.write("kept.txt", "is there already")
    repo.write(".gitignore", "plots/\n*.pt\n")
    repo.write("draw.py", program + "\n")
    repo.commit()
    said = repo.run("draw", check=True).stderr
    assert f"gitrun: warning: the program wrote no file for these outputs: {missing}\n" in said


def test_outputs_of_a_program_that_fails_are_not_asked_for(repo):
    repo.write("gitrun.toml", ENTRY)
    repo.write("draw.py", "1 / 0\n")
    assert "these outputs" not in repo.run("draw").stderr
    assert "these outputs: *.csv" in repo.run("--output", "*.csv", "--", "true", check=True).stderr


def ignore(repo: Repo, *patterns: str) -> None:
    repo.write(".gitignore", "".join(f"{pattern}\n" for pattern in patterns))
    repo.commit()


def test_a_download_into_an_ignored_directory_is_answered_once(empty_repo):
    repo = empty_repo
    ignore(repo, "data/")
    script = ("--", "sh", "-c", "mkdir -p data; head -c 11000000 /dev/zero > data/set.bin")
    line = "To share it between runs: git config --add gitrun.link data"
    assert repo.run(*script, check=True).stderr.count(line) == 1
    assert line not in repo.run(*script, check=True).stderr


def test_directories_that_a_walk_does_not_enter_are_named_once(empty_repo):
    repo = empty_repo
    ignore(repo, "data/", "outputs/")
    for name in ("data/a/1", "data/b/1", "outputs/a/1", "outputs/b/1"):
        repo.write(name, "x")
    repo.git("config", "gitrun.lend.maxEntries", "3")
    script = ("--", "sh", "-c", "find data -name 1 | wc -l")
    first = repo.run(*script, check=True)
    line = "2 directories in data are links to yours, which find, os.walk() and rglob() do not follow. To link all of data: "
    assert (first.stdout.strip(), first.stderr.count(f"gitrun: warning: {line}")) == ("0", 1)
    assert first.stderr.count("are links") == 1
    assert "lent:      data/ (copy of 0 files, 0 B, 2 links)" in repo.run("show", "1", check=True).stdout
    assert line not in repo.run(*script, check=True).stderr
    # the advised command
    repo.git("config", "--add", "gitrun.link", "data")
    walk = "import os; print(sum(len(names) for _, _, names in os.walk('data')))"
    assert repo.run("--", "python3", "-c", walk, check=True).stdout == "2\n"


def test_one_directory_that_a_walk_does_not_enter_is_named(empty_repo):
    repo = empty_repo
    ignore(repo, "data/")
    for number in range(4):
        repo.write(f"data/images/{number}", "x")
    repo.write("data/labels", "x")
    repo.git("config", "gitrun.lend.maxEntries", "3")
    assert "warning: data/images is a link to yours, which find" in repo.run("--", "true", check=True).stderr


COMMIT = "git add --all && git commit --quiet --message=mine"


def test_a_commit_that_a_program_makes_on_no_branch_is_named(repo):
    said = repo.run("--", "sh", "-c", f"echo 1 > new.txt; {COMMIT}", check=True).stderr
    advice = said.partition("the program made commit ")[2].partition(" on no branch. To keep it: ")[2].split("\n")[0]
    repo.git(*advice.replace("NAME", "kept").split()[1:])
    assert (repo.git("show", "kept:new.txt"), repo.git("log", "-1", "--format=%s", "kept")) == ("1", "mine")


@pytest.mark.parametrize(
    "program",
    [f"git checkout --quiet -b own; {COMMIT}", f"{COMMIT}; git tag own", "git checkout --quiet HEAD~1", "git rev-parse HEAD"],
)
def test_a_commit_that_a_ref_has_needs_no_warning(repo, program):
    assert "made commit" not in repo.run("--", "sh", "-c", f"echo 1 > new.txt; {program}", check=True).stderr

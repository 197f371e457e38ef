"""`--print-trials` and `--save-trials`: a calm table, a file that is read again, and nothing in git."""

from __future__ import annotations

import pytest
from sampled import sampled


def state(repo):
    """The refs, and the files of gitrun's own that belong to runs."""
    local = repo.path / ".git" / "gitrun"
    names = sorted(str(path.relative_to(local)) for path in local.rglob("*") if "live" in path.parts or path.name == "trust")
    return repo.git("for-each-ref"), names


def test_trials_are_shown_as_an_aligned_table(repo):
    ended = repo.run("echo.py", "y=[3,10]", "z=long name", "x=[0.25]", "--print-trials", check=True)
    assert (
        ended.stdout
        == """\
trial  z               x   y
   #1  'long name'  0.25   3
   #2  'long name'  0.25  10
"""
    )
    assert ended.stderr == "gitrun: 2 trials; none was started\n"
    assert not repo.git("for-each-ref", "refs/runs")


def test_a_terminal_gets_no_escape_sequence_from_a_flag(repo):
    repo.write("points.json", '[{"z": "a\\u001b[2Jb"}]')
    assert "\x1b" not in repo.run("echo.py", "@points.json", "--print-trials", check=True).stdout


@pytest.mark.parametrize("ending", sampled(1, ["csv", "json", "toml", "yml"]))
def test_saved_trials_run_from_their_file(repo, ending):
    words = ("echo.py", "x=[0.5,1]", "z=[a,'1','true','@b','x y']")
    direct = repo.run(*words, check=True).stdout
    before = state(repo)
    ended = repo.run(*words, "--save-trials", f"t.{ending}", check=True)
    assert ended.stdout == ""
    assert f"10 trials written to t.{ending}. To run them: @t.{ending}" in ended.stderr
    assert state(repo) == before
    assert repo.run("echo.py", f"@t.{ending}", check=True).stdout == direct


def test_a_file_is_replaced_as_a_whole(repo):
    repo.write("points.csv", "x\n1\n2\n3\n")
    repo.run("echo.py", "@points.csv", "y=[1,2]", "--save-trials", "points.csv", check=True)
    assert (repo.path / "points.csv").read_text() == "x,y\n1,1\n1,2\n2,1\n2,2\n3,1\n3,2\n"
    assert sorted(path.name for path in repo.path.iterdir()) == [".git", "echo.py", "points.csv"]


REFUSED = {
    "--print-trials needs a flag with several values": ("echo.py", "--print-trials"),
    "--save-trials needs a flag with several values": ("echo.py", "x=1", "--save-trials", "t.csv"),
    "t.txt is not a file of trials": ("echo.py", "x=[1,2]", "--save-trials", "t.txt"),
    "cannot write t.csv: No such file or directory": ("echo.py", "x=[1,2]", "--save-trials", "gone/t.csv"),
    "--dry-run cannot be combined with": ("echo.py", "x=[1,2]", "--print-trials", "--dry-run"),
    "--json needs a batch, --dry-run or --print-trials": ("echo.py", "x=1", "--json"),
    "--json and --background cannot be combined": ("echo.py", "x=[1,2]", "--json", "--background"),
    "y has no value in these trials": ("echo.py", "x=[1,2]", "y=null", "--save-trials", "t.csv"),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_shown_or_saved_is_refused(repo, message):
    ended = repo.run(*REFUSED[message])
    assert (ended.returncode, ended.stdout) == (129, "")
    assert message in ended.stderr
    assert not (repo.path / "t.csv").exists()
    assert not repo.git("for-each-ref", "refs/runs")

"""Scripts in other languages are run by the interpreter that their ending names, with flags that they can read."""

from __future__ import annotations

import shutil

import pytest
from sampled import sampled_values

PRINTS = {
    "prep.sh": 'echo "$FLAG_N $FLAG_NAME"',
    "prep.bash": 'echo "${FLAG_N} ${FLAG_NAME}"',
    "prep.pl": r'print "$ENV{FLAG_N} $ENV{FLAG_NAME}\n";',
    "prep.js": "console.log(process.env.FLAG_N, process.env.FLAG_NAME)",
    "prep.rb": 'puts "#{ENV["FLAG_N"]} #{ENV["FLAG_NAME"]}"',
    "prep.lua": 'print(os.getenv("FLAG_N"), os.getenv("FLAG_NAME"))',
    "prep.R": 'cat(Sys.getenv("FLAG_N"), Sys.getenv("FLAG_NAME"), "\\n")',
    "prep.jl": 'println(ENV["FLAG_N"], " ", ENV["FLAG_NAME"])',
}
INTERPRETERS = {
    "sh": "sh",
    "bash": "bash",
    "pl": "perl",
    "js": "node",
    "rb": "ruby",
    "lua": "lua",
    "R": "Rscript",
    "jl": "julia",
}


@pytest.mark.parametrize("script", sampled_values(4, PRINTS))
def test_script_finds_its_flags_in_its_environment(empty_repo, script) -> None:
    interpreter = INTERPRETERS[script.partition(".")[2]]
    if not shutil.which(interpreter):
        pytest.skip(f"{interpreter} is not installed")
    empty_repo.write(script, PRINTS[script])
    assert empty_repo.run(script, "n=3", "name=a b", check=True).stdout.split() == ["3", "a", "b"]
    assert empty_repo.run("--restart", "1", "n=4", check=True).stdout.split() == ["4", "a", "b"]


def test_flags_that_an_entry_declares_have_defaults_and_can_be_arguments(empty_repo) -> None:
    empty_repo.write("bin/prep.sh", 'echo "$@"')
    empty_repo.write(
        "gitrun.toml",
        '[operations.prep]\nscript = "bin/prep.sh"\nflags-to = "args"\nflags = {n = 3, name = "a b", k = {choices = [1, 2]}}',
    )
    assert empty_repo.run("prep", check=True).stdout == "--n 3 --name a b\n"
    assert empty_repo.run("prep", "k=2", "n=4", check=True).stdout == "--k 2 --n 4 --name a b\n"
    assert empty_repo.run("prep", "--", "-v", check=True).stdout.split()[0] == "-v"
    assert empty_repo.run("prep", "k=3").returncode == 129


def test_script_that_is_executable_is_started_by_itself(empty_repo) -> None:
    empty_repo.write("prep.sh", "#!/bin/cat\nas it is\n").chmod(0o755)
    assert empty_repo.run("prep.sh", check=True).stdout == "#!/bin/cat\nas it is\n"


def test_interpreter_that_is_not_there_is_named(empty_repo, tmp_path, monkeypatch) -> None:
    git, git_run = shutil.which("git"), shutil.which("git-run")
    for program in (git, git_run, shutil.which("env")):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / program.rpartition("/")[2]).symlink_to(program)
    empty_repo.write("fit.R", "cat(1)")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    ended = empty_repo.run("fit.R")
    assert ended.returncode == 127
    assert "no such program: 'Rscript'. Check that it is installed, and on PATH" in ended.stderr


def test_script_of_an_unknown_kind_is_refused_with_what_to_do(empty_repo) -> None:
    empty_repo.write("fit.f90", "end")
    ended = empty_repo.run("fit.f90")
    assert (ended.returncode, empty_repo.git("for-each-ref", "refs/runs")) == (129, "")
    assert "'fit.f90' is neither a Python script nor executable. To make it executable: chmod +x fit.f90" in ended.stderr

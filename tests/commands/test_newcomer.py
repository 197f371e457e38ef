"""What people type in their first minute, and what they are told."""

from __future__ import annotations

from repository import Repo


def test_interpreter_in_front_of_a_script_is_told_how_a_command_is_run(repo) -> None:
    told = repo.run("python", "echo.py")
    assert told.returncode == 129
    assert "git run -- python echo.py" in told.stderr
    assert repo.run("--", "python", "echo.py", check=True).stdout == "1.0 2 'a'\n"


def test_misspelled_option_is_told_the_right_one_in_a_sentence(repo) -> None:
    told = repo.run("demo", "--kep")
    assert told.returncode == 129
    assert told.stderr.endswith("Did you mean --keep? To list the options: git run demo -h\n"), told.stderr


def test_every_verb_says_that_there_are_no_runs_yet(repo) -> None:
    assert "no runs here yet. To make one: git run <script>" in repo.run("list", check=True).stderr
    for verb in ("show", "log", "cat", "select", "watch", "mark", "checkout"):
        told = repo.run(verb)
        assert (told.returncode, told.stdout) == (128, ""), verb
        assert told.stderr == "gitrun: error: no runs here yet. To make one: git run <script>\n", verb


def test_bare_repository_without_runs_is_told_where_they_come_from(tmp_path) -> None:
    bare = Repo.create(tmp_path / "bare.git")
    bare.git("config", "core.bare", "true")
    told = bare.run("show", cwd=tmp_path / "bare.git" / ".git")
    assert told.stderr == "gitrun: error: no runs here yet. To fetch runs: git run fetch\n"


def test_script_that_is_not_on_path_is_told_how_scripts_are_run(repo) -> None:
    told = repo.run("--", "echo.py")
    assert told.returncode == 127
    assert told.stderr.startswith("gitrun: error: no such program: 'echo.py'. To run the file of that name: git run echo.py\n")

"""git run cat: the bytes of a file of a run."""

from __future__ import annotations

from byte_runs import BYTES

from gitrun import Project


def test_cat_into_a_pipe_is_byte_exact(two) -> None:
    two.write("say.py", f"import sys\nsys.stdout.buffer.write({BYTES!r})\n")
    two.run_bytes("say.py")
    assert two.run_bytes("cat").stdout == two.run_bytes("cat", "--output").stdout == BYTES
    assert two.run_bytes("cat", "-p", "made.bin", "2").stdout == BYTES
    assert two.run_bytes("cat", "--sourcecode", "-p", "say.py").stdout == (two.path / "say.py").read_bytes()
    assert two.run("cat", "--flags", "3").stdout == 'x = 2\ny = 2\nz = "[b"\n'


def test_cat_of_what_is_not_there_is_one_line(two) -> None:
    for words in (
        ["-p", "nosuch"],
        ["-p", "../echo.py"],
        ["-p", "/etc/passwd"],
        ["--sourcecode", "-p", "made.bin"],
        ["-p", "a\nb"],
    ):
        ended = two.run("cat", *words)
        assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (128, "", 1), words
    assert two.run("cat", "--sourcecode").stderr == "gitrun: error: --sourcecode needs a file. To name it: -p PATH\n"


def test_cat_of_a_directory_is_told_what_lists_its_files(two) -> None:
    two.write("a/b.txt", "b")
    two.run("make.py", check=True)
    known = Project(two.path).list_runs()[0].id[:8]
    for words, path in ((["-p", "a"], "a"), (["--sourcecode", "-p", "a/"], "a"), (["-p", ".gitrun"], ".gitrun")):
        ended = two.run("cat", *words)
        said = f"gitrun: error: '{path}' is a directory of run {known}. To list its files: git run ls {known}\n"
        assert (ended.returncode, ended.stdout, ended.stderr) == (128, "", said)


MODEL = """\
import os
os.makedirs("out", exist_ok=True)
open("out/model.txt", "w").write("trained")
"""


def test_cat_names_a_file_from_the_current_directory_as_checkout_does(repo) -> None:
    repo.write("train.py", MODEL)
    repo.run("train.py", check=True)
    (repo.path / "out").mkdir()
    for path in ("model.txt", "out/model.txt"):
        assert repo.run("cat", "-p", path, cwd=repo.path / "out", check=True).stdout == "trained"
    refused = repo.run("cat", "-p", "nosuch", cwd=repo.path / "out")
    assert (refused.returncode, "has no file 'nosuch'" in refused.stderr) == (128, True)


def test_file_beside_the_repository_is_printed_by_the_advised_command(repo) -> None:
    repo.run("--", "sh", "-c", "echo beside > ../beside.txt", check=True)
    run = repo.run("select", "1").stdout[:8]
    told = f"git run cat {run} ../beside.txt"
    repo.write("a", "")
    assert told in repo.run("checkout", "1").stderr
    again = repo.run("--restart", "1", "--clean").stderr
    assert f". To read it: {told}" in again
    assert "To get" not in again
    assert repo.run(*told.split()[2:], check=True).stdout == "beside\n"


def ids(repo) -> list[str]:
    return repo.run("select", "--all").stdout.split()


def test_file_of_a_run_is_named_behind_it_or_with_a_colon(repo) -> None:
    repo.write("make.py", "open('out.txt', 'w').write('made')\n")
    repo.write("in/note.txt", "noted")
    repo.run("make.py", check=True)
    run = ids(repo)[0]
    for words in (
        ["1", "out.txt"],
        [f"{run}:out.txt"],
        ["1:out.txt"],
        ["make.py:out.txt"],
        [":out.txt"],
        ["-p", "out.txt", "1"],
    ):
        assert repo.run("cat", *words, check=True).stdout == "made", words
    assert repo.run("cat", "1:note.txt", cwd=repo.path / "in", check=True).stdout == "noted"
    assert "open(" in repo.run("cat", "--sourcecode", "1:make.py", check=True).stdout
    repo.run("label", "a:b", "1", check=True)
    assert repo.run("cat", "--flags", "a:b").returncode == 0
    assert repo.run("cat", "1", "out.txt", "-p", "x").returncode == 129
    assert repo.run("cat", "1:nothing").returncode == 128

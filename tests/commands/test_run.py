"""`git run` itself: operations, flags, restarts, and the words that are refused before anything is written."""

from __future__ import annotations

import json

import pytest


def refs(repo) -> str:
    return repo.git("for-each-ref")


def flags_of(repo, run="1") -> dict:
    return json.loads(repo.run("show", "--json", run, check=True).stdout)["flags"]


def test_alone_it_says_what_to_do(repo) -> None:
    ended = repo.run()
    assert (ended.returncode, ended.stdout) == (129, "")
    assert ended.stderr.startswith(
        "gitrun: error: no operation given. To run a script: git run <script>. To run any program: git run -- <command>. "
        "To list the options: git run -h\n"
    )


def test_order_of_options_is_free(repo) -> None:
    assert repo.run("x=2.0", "--label", "best", "echo.py", "--random-seed", "7", "z=b").stdout == "2.0 2 'b'\n"
    assert repo.run("--restart", "best", "--needed", "x=2.0").stdout.startswith("Skipping run because flags")
    assert repo.run("--needed", "x=3", "--restart", "best").stdout == "3 2 'b'\n"


def test_annotated_constants_are_flags(repo) -> None:
    repo.write("a.py", "k: int = 1\nname: str = 'a'\nprint(k, name)\n")
    assert repo.run("a.py", "k=5", "name=007").stdout == "5 007\n"


def test_options_of_argparse_are_flags_and_words_after_dashes_are_arguments(repo) -> None:
    script = "import argparse, sys\np = argparse.ArgumentParser()\np.add_argument('--batch-size', type=int, default=8)\n"
    repo.write("a.py", script + "p.add_argument('rest', nargs='*')\nprint(p.parse_args(), file=sys.stdout)\n")
    assert repo.run("a.py", "batch_size=16", "--", "u", "v").stdout == "Namespace(batch_size=16, rest=['u', 'v'])\n"
    assert flags_of(repo) == {"batch-size": 16, "rest": ["u", "v"]}


def test_executable_gets_flags_in_its_environment(repo) -> None:
    repo.write("tool", "#!/bin/sh\necho $FLAG_LR $FLAG_BATCH_SIZE $1\n").chmod(0o755)
    assert repo.run("./tool", "lr=1e-3", "batch-size=[[1, 2]]", "--", "word").stdout == "0.001 [1, 2] word\n"


def test_command_gets_flags_in_its_words(repo) -> None:
    assert repo.run("opt=adam", "--", "echo", "{opt}", "{other}", "a b").stdout == "adam {other} a b\n"
    assert repo.run("--restart", "1", "opt=sgd").stdout == "sgd {other} a b\n"
    assert repo.run("list").stdout.split("  ")[2] == "echo {opt} {other} a b"


@pytest.mark.parametrize("words", [("./list",), ("run", "list")])
def test_script_named_like_a_verb_is_reached(repo, words) -> None:
    repo.write("list", "#!/bin/sh\necho mine\n").chmod(0o755)
    assert repo.run(*words).stdout == "mine\n"


REFUSED = {
    "echo.py has no flag 'q'. Its flags: x, y, z\n": ("echo.py", "q=1"),
    "flag 'y' of echo.py must be a number, not 'a'": ("echo.py", "y=a"),
    "no script, program or verb 'nosuch' here": ("nosuch",),
    "'folder' is a directory. Name a script in it": ("folder",),
    "'link.py' is reached through a symbolic link. To run the file itself: git run echo.py": ("link.py",),
    "'linked/a.py' is reached through a symbolic link. To run the file itself: git run folder/a.py": ("linked/a.py",),
    "'ignored.py' is not part of the snapshot: git ignores it. To run it without recording its code: git run -- ./ignored.py": (
        "ignored.py",
    ),
    "'id_rsa.py' is not part of the snapshot: ": ("id_rsa.py",),
    "'/bin/sh' is outside this repository. To run it as any program: git run -- /bin/sh": ("/bin/sh",),
    "'../a.py' is outside this repository": ("../a.py",),
    "'notes.txt' is neither a Python script nor executable": ("notes.txt",),
    "'b' is neither a flag nor an option": ("echo.py", "b"),
    "'=1' is not a flag. To set a flag: NAME=VALUE": ("echo.py", "=1"),
    "--optimizer needs a flag with several values": ("--optimizer", "random", "echo.py"),
    "--opt-flag needs a flag with several values": ("--opt-flag", "a=1", "echo.py"),
    "--max-trials needs a flag with several values": ("--max-trials", "3", "echo.py"),
    "--minimize needs a flag with several values": ("--minimize", "loss", "echo.py"),
    "--maximize needs a flag with several values": ("echo.py", "--maximize", "loss"),
    "--restart and 'echo.py' cannot be combined": ("--restart", "1", "echo.py"),
    "'1x' is not a duration": ("echo.py", "--stop-after", "1x"),
    "'nosuch' does not exist, so it cannot be linked": ("echo.py", "--link", "nosuch"),
    "cannot link 'echo.py': it is tracked by git": ("echo.py", "--link", "echo.py"),
    "no option '--bogus'": ("--bogus", "echo.py"),
    "--json needs a batch, --dry-run or --print-trials": ("echo.py", "--json"),
}


@pytest.fixture
def crowded(repo):
    """A repository with all that cannot be run."""
    repo.write("folder/a.py", "")
    (repo.path / "link.py").symlink_to("echo.py")
    (repo.path / "linked").symlink_to("folder")
    repo.write(".gitignore", "ignored.py\n")
    for name in ("ignored.py", "id_rsa.py", "notes.txt"):
        repo.write(name, "a\n")
    return repo


@pytest.mark.parametrize(("said", "words"), REFUSED.items(), ids=REFUSED)
def test_what_cannot_be_run_is_one_line_and_nothing_is_written(crowded, said, words) -> None:
    before = refs(crowded)
    ended = crowded.run(*words)
    line = json.loads(ended.stderr)["message"] if "--json" in words else ended.stderr.removeprefix("gitrun: error: ")
    assert line.startswith(said), ended.stderr
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (129, "", 1)
    assert refs(crowded) == before


def test_missing_script_of_another_repository_is_told_from_an_ignored_one(repo) -> None:
    inner = type(repo).create(repo.path / "inner")
    inner.write("a.py", "print(1)\n")
    inner.commit()
    assert "'inner/a.py' belongs to another repository, 'inner'" in repo.run("inner/a.py").stderr


def test_force_flags_accepts_what_is_not_declared_and_is_kept(repo) -> None:
    repo.write("a.py", "x = 1\nprint(x, globals().get('q'))\n")
    assert repo.run("a.py", "q=7", "x=text", "--force-flags").stdout == "text 7\n"
    assert repo.run("--restart", "1", "r=8").stdout == "text 7\n"
    assert flags_of(repo) == {"q": 7, "r": 8, "x": "text"}


def test_null_takes_a_flag_away_and_a_restart_keeps_it_away(repo) -> None:
    assert repo.run("echo.py", "x=null").stdout == "None 2 'a'\n"
    assert flags_of(repo) == {"y": 2, "z": "a"}
    assert repo.run("--restart", "1").stdout == "None 2 'a'\n"


def test_gpus_and_seed_are_kept_for_restarts_and_overridden(repo) -> None:
    repo.write("a.sh", "#!/bin/sh\necho ${CUDA_VISIBLE_DEVICES-unset} $GITRUN_SEED\n").chmod(0o755)
    assert repo.run("./a.sh", "--gpus", "0,1", "--random-seed", "7").stdout == "0,1 7\n"
    assert repo.run("--restart", "1").stdout == "0,1 7\n"
    assert repo.run("--restart", "1", "--no-gpus", "--random-seed", "8").stdout == " 8\n".lstrip()
    assert repo.run("--restart", "1").stdout == "8\n"
    assert repo.run("--restart", "1", "--gpus", "2").stdout == "2 8\n"


def test_seed_is_recorded_for_every_run(repo) -> None:
    repo.write("a.py", "import os\nprint(os.environ['GITRUN_SEED'])\n")
    seed = repo.run("a.py").stdout.strip()
    assert f"seed:      {seed}\n" in repo.run("show").stdout


def test_new_source_brings_new_flags_and_drops_those_that_are_gone(repo) -> None:
    repo.run("echo.py", "x=5", "z=b", check=True)
    repo.write("echo.py", "x = 1\nw = 'new'\nprint(x, w)\n")
    ended = repo.run("--restart", "1", "--force-sourcecode")
    assert ended.stdout == "5 new\n"
    assert "echo.py no longer has these flags, which are left out: y, z" in ended.stderr
    assert flags_of(repo) == {"w": "new", "x": 5}
    assert repo.run("--restart", "1", "z=1").returncode == 129


def test_flag_of_the_working_tree_is_refused_for_the_source_of_the_run(repo) -> None:
    repo.run("echo.py", check=True)
    repo.write("echo.py", "w = 1\n")
    assert repo.run("--restart", "1", "w=2").stderr.startswith("gitrun: error: echo.py has no flag 'w'. Its flags: x, y, z")


def test_restart_sees_the_files_of_the_attempt_before_unless_clean(repo) -> None:
    repo.write("a.sh", "#!/bin/sh\ncat made 2>/dev/null\necho more >> made\n").chmod(0o755)
    assert [repo.run(*words).stdout for words in (["./a.sh"], ["--restart", "1"], ["--restart", "1"])] == [
        "",
        "more\n",
        "more\nmore\n",
    ]
    assert repo.run("--restart", "1", "--clean").stdout == ""
    assert repo.run("--restart", "1").stdout == "more\n"


def test_exit_code_is_that_of_the_program(repo) -> None:
    assert repo.run("--", "sh", "-c", "exit 3").returncode == 3
    ended = repo.run("--", "sh", "-c", "kill -TERM $$")
    assert ended.returncode == 143
    assert " terminated (SIGTERM) in " in ended.stderr
    assert repo.run("--", "no-such-program").returncode == 127


def test_words_after_dashes_are_the_programs_own(repo) -> None:
    assert repo.run("--", "echo", "--json", "-h", "--", "x=1").stdout == "--json -h -- x=1\n"
    assert repo.run("--bogus", "--", "a", "--json").stderr.startswith("gitrun: error: no option")


def test_dry_run_writes_no_ref_and_says_the_same_in_json(repo) -> None:
    before = refs(repo)
    assert "flags:     x=7 y=2 z=a\n" in repo.run("--dry-run", "echo.py", "x=7", check=True).stdout
    plan = json.loads(repo.run("--dry-run", "--json", "echo.py", "x=7", check=True).stdout)
    assert (plan["operation"], plan["flags"], plan["source"]["dirty"]) == ("echo.py", {"x": 7, "y": 2, "z": "a"}, False)
    assert refs(repo) == before


def test_script_of_a_folder_is_one_operation_wherever_it_is_started(repo) -> None:
    repo.write("sub/a.py", "import os\nprint(os.path.basename(os.getcwd()))\n")
    assert repo.run("a.py", cwd=repo.path / "sub").stdout == "sub\n"
    repo.run("sub/a.py", check=True)
    assert [run["operation"] for run in json.loads(repo.run("list", "--json").stdout)] == ["sub/a.py", "sub/a.py"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Train.java", "To name its program: git run -- java Train.java"),
        ("train.go", "To name its program: git run -- go run train.go"),
        ("notes.txt", "To make it executable: chmod +x notes.txt. To name its program: git run -- PROGRAM notes.txt"),
        ("train", "To make it executable: chmod +x train. To name its program: git run -- PROGRAM train"),
    ],
)
def test_what_starts_a_file_is_told_by_its_ending(repo, name, hint) -> None:
    repo.write(name, "x\n")
    ended = repo.run(name)
    assert ended.returncode == 129
    assert ended.stderr == f"gitrun: error: '{name}' is neither a Python script nor executable. {hint}\n"

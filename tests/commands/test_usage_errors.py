"""Words that are off are told what was probably meant, in the words of git run."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def trained(repo):
    """A repository with a script `train.py`, another one in a folder, and no runs."""
    repo.write("train.py", "lr = 0.1\nepochs = 2\nprint(lr)\n")
    repo.write("src/model.py", "a = 1\n")
    repo.write("sub/notes.txt", "")
    return repo


def said(repo, *words: str, code: int = 129, **more) -> str:
    """Returns the one line about these words."""
    ended = repo.run(*words, **more)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (code, "", 1), ended.stderr
    return ended.stderr.removeprefix("gitrun: error: ").rstrip("\n")


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("train.py --lr 0.1", "lr=0.1, not --lr 0.1"),
        ("train.py --lr=0.2", "lr=0.2, not --lr=0.2"),
        ("train.py --needed --lr -0.3", "lr=-0.3, not --lr -0.3"),
        ("train.py --epochs", "epochs=true, not --epochs"),
        ("--restart 1 --lr 0.3", "lr=0.3, not --lr 0.3"),
    ],
)
def test_option_of_the_program_is_told_how_flags_are_written(trained, words, written) -> None:
    assert said(trained, *words.split()) == f"flags are written {written}. To pass it to the program: put it after --"


@pytest.mark.parametrize("option", ["--verbose", "--rate=3", "-x", "--kind fast"])
def test_option_that_is_no_flag_of_the_program_is_not_written_as_one(trained, option) -> None:
    name = option.partition("=")[0].partition(" ")[0]
    expected = f"gitrun knows no option {name} of train.py. To pass it to the program: put it after --"
    assert said(trained, "train.py", *option.split()) == expected
    assert said(trained, "-m", "src.model", *option.split()) == expected.replace("train.py", "-m src.model")


def test_letter_of_an_option_of_the_program_is_known(trained) -> None:
    source = (
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('-v', '--verbose', action='count')\np.parse_args()\n"
    )
    trained.write("loud.py", source)
    assert (
        said(trained, "loud.py", "-vv") == "flags are written name=value, not -vv. To pass it to the program: put it after --"
    )
    assert trained.run("loud.py", "--", "-vv", check=True).returncode == 0


def test_value_of_an_option_of_the_program_that_git_run_has_too_is_written_as_a_flag(trained) -> None:
    source = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--version', type=int)\np.parse_args()\n"
    trained.write("export.py", source)
    assert said(trained, "export.py", "--version=2").startswith("flags are written version=2, not --version=2. ")
    assert said(trained, "train.py", "--version=2").startswith("--version takes no value. ")


def test_option_near_in_spelling_is_named_and_a_far_one_is_not(trained) -> None:
    assert said(trained, "--lr", "0.3", "train.py").startswith("no option '--lr'. To set a flag: NAME=VALUE. ")
    assert "Did you mean --needed?" in said(trained, "--neded", "train.py")
    assert said(trained, "train.py", "--neded").endswith(". A similar option of git run: --needed")


@pytest.mark.parametrize("words", ["lr 0.1", "lr =0.1", "lr= 0.1", "lr = 0.1", "lr:0.1", "epochs=3 lr 0.1"])
def test_flag_in_several_words_is_told_in_one(trained, words) -> None:
    assert said(trained, "train.py", *words.split()) == "a flag and its value must be one word. Did you mean lr=0.1?"


def test_word_that_is_no_flag_is_told_where_arguments_stand(trained) -> None:
    assert said(trained, "train.py", "fast").endswith("To pass an argument: git run train.py -- fast")
    assert said(trained, "train.py", "-n", "5", "--", "a b").endswith(": git run train.py -- -n 5 'a b'")
    assert said(trained, "make", "bench", "n=2").endswith("To run any program: git run n=2 -- make bench")


def test_interpreter_before_a_script_is_told_of_the_script_first(trained) -> None:
    told = said(trained, "python", "train.py", "lr=0.3", "--", "a b")
    assert told.index(": git run train.py lr=0.3 -- 'a b'. ") < told.index("git run lr=0.3 -- python train.py 'a b'")


@pytest.mark.parametrize(
    ("word", "meant"),
    [("lsit", "list"), ("trian.py", "train.py"), ("train", "train.py"), ("model.py", "src/model.py")],
)
def test_name_of_nothing_is_told_what_is_near(trained, word, meant) -> None:
    assert said(trained, word) == f"no script, program or verb '{word}' here. Did you mean {meant}?"


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("runs",), "To list the runs: git run list"),
        (("kill", "1"), "To stop a run: git run stop RUN"),
        (("restart", "1", "lr=0.2"), "To restart a run: git run --restart RUN"),
    ],
)
def test_what_other_tools_call_it_is_told_what_it_is_here(trained, words, meant) -> None:
    assert said(trained, *words) == f"no script, program or verb '{words[0]}' here. {meant}"


def test_name_of_nothing_is_told_what_is_near_in_another_directory(trained) -> None:
    assert said(trained, "train.py", cwd=trained.path / "sub").endswith("Did you mean ../train.py?")


def test_name_of_a_program_on_path_is_no_slip_of_a_verb(trained) -> None:
    assert said(trained, "ls.sh").endswith("To run any command: git run -- COMMAND")
    assert said(trained, "cut").endswith("To run the program of that name: git run -- cut")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("stop", "git run stop needs the name of a run. To list the options: git run stop -h"),
        ("cat 1 train.py b", "git run cat does not take 'b'. To list the options: git run cat -h"),
        ("list --al", "no option '--al'. Did you mean --all? To list the options: git run list -h"),
        ("list -n x", "-n/--limit must be a whole number, not 'x'. To list the options: git run list -h"),
        ("list -n 0", "-n/--limit must be 1 or more, not 0. To list the options: git run list -h"),
        ("list --all=3", "--all takes no value. To list the options: git run list -h"),
        ("-C sub list", "no option '-C'. To run in another directory: git -C DIRECTORY run"),
        ("train.py --gpus", "--gpus needs a value. To list the options: git run -h"),
    ],
)
def test_what_click_finds_is_said_in_our_words(trained, words, told) -> None:
    assert said(trained, *words.split()) == told


@pytest.mark.parametrize("words", [("--restart", "a=3"), ("--restart", ""), ("--restart", "--needed")])
def test_restart_without_a_name_says_that_it_needs_one(trained, words) -> None:
    assert said(trained, *words).startswith("--restart needs a run")


def test_words_that_are_off_are_json_for_who_reads_json(trained) -> None:
    assert '"message": "flags are written lr=1, not --lr 1"' in said(trained, "train.py", "--json", "--lr", "1")


def test_byte_that_is_not_utf_8_is_said_as_everywhere(trained) -> None:
    assert said(trained, "list", "--color=bad\udcff").startswith("--color: 'bad\\xff' is not one of ")
    assert said(trained, "list", "-n", "bad\udcff").startswith("-n/--limit must be a whole number, not 'bad\\xff'")
    ended = trained.run("check", "--json", "--metric", "loss<1 \udcff")
    assert json.loads(ended.stderr)["message"].endswith("unexpected '\\xff'")


@pytest.mark.parametrize(
    "words",
    [
        "--label x list", "--needed list", "--dry-run list", "-y list", "--color=never list", "--all list", "-n 3 list",
        "--label x list 1", "--all -n 3 list lr=1",
    ],
)  # fmt: skip
def test_verb_behind_its_options_is_told_where_they_stand(trained, words) -> None:
    assert said(trained, *words.split()) == "options of list go after the verb. To list them: git run list -h"


@pytest.mark.parametrize("words", ["--json list", "--json show 1"])
def test_verb_behind_json_is_told_so_in_json(trained, words) -> None:
    found = json.loads(trained.run(*words.split()).stderr)
    assert (found["error"], found["message"]) == (129, f"options of {words.split()[1]} go after the verb")


def test_operation_named_like_a_verb_is_run_and_one_that_is_not_there_is_told_of_the_verb(trained) -> None:
    assert said(trained, "run", "list") == "no script or program 'list' here. To use the verb: git run list"
    trained.write("list.py", "")
    assert said(trained, "--needed", "list").endswith("To list them: git run list -h. Did you mean list.py?")
    trained.write("list", "#!/bin/sh\necho ours\n").chmod(0o755)
    assert trained.run("--needed", "list", check=True).stdout == "ours\n"
    assert said(trained, "--label", "x", "list", "y").startswith("'y' is neither a flag nor an option")


@pytest.mark.parametrize("verb", ["list", "log", "compare"])
def test_a_count_as_of_git_log_is_told_how_to_write(trained, verb) -> None:
    assert said(trained, verb, "-12") == f"no option '-1'. To see 12: git run {verb} -n 12"
    assert said(trained, "rm", "-3") == "no option '-3'. To list the options: git run rm -h"
    assert said(trained, verb, "-Z") == f"no option '-Z'. To list the options: git run {verb} -h"

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
    """What is said of these words, in its one line."""
    ended = repo.run(*words, **more)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (code, "", 1), ended.stderr
    return ended.stderr.removeprefix("gitrun: ").rstrip("\n")


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("train.py --lr 0.1", "lr=0.1, not --lr 0.1"),
        ("train.py --lr=0.2", "lr=0.2, not --lr=0.2"),
        ("train.py --needed --lr -0.3", "lr=-0.3, not --lr -0.3"),
        ("train.py --verbose", "verbose=true, not --verbose"),
        ("train.py -x", "name=value, not -x"),
        ("--restart 1 --lr 0.3", "lr=0.3, not --lr 0.3"),
    ],
)
def test_option_of_the_program_is_told_how_flags_are_written(trained, words, written) -> None:
    assert said(trained, *words.split()) == f"flags are written {written}; what is for the program itself stands behind --"


def test_option_near_in_spelling_is_named_and_a_far_one_is_not(trained) -> None:
    assert said(trained, "--lr", "0.3", "train.py").startswith("there is no option '--lr'; flags are written name=value; ")
    assert "did you mean --needed?" in said(trained, "--neded", "train.py")
    assert said(trained, "train.py", "--neded").endswith("; the option of git run is --needed")


@pytest.mark.parametrize("words", ["lr 0.1", "lr =0.1", "lr= 0.1", "lr = 0.1", "lr:0.1", "epochs=3 lr 0.1"])
def test_flag_in_several_words_is_told_in_one(trained, words) -> None:
    assert said(trained, "train.py", *words.split()) == "a flag and its value are one word; did you mean lr=0.1?"


def test_word_that_is_no_flag_is_told_where_arguments_stand(trained) -> None:
    assert said(trained, "train.py", "fast").endswith("stand behind --: git run train.py -- fast")
    assert said(trained, "make", "bench", "n=2").endswith("git run n=2 -- make bench runs any program")


def test_interpreter_before_a_script_is_told_of_the_script_first(trained) -> None:
    told = said(trained, "python", "train.py", "lr=0.3")
    assert told.index("git run train.py lr=0.3 runs train.py") < told.index("git run lr=0.3 -- python train.py")


@pytest.mark.parametrize(
    ("word", "meant"),
    [("lsit", "list"), ("trian.py", "train.py"), ("train", "train.py"), ("model.py", "src/model.py")],
)
def test_name_of_nothing_is_told_what_is_near(trained, word, meant) -> None:
    assert said(trained, word) == f"there is no script, program or verb '{word}' here; did you mean {meant}?"


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("runs",), "git run list shows the runs"),
        (("delete", "1"), "git run rm RUN deletes runs"),
        (("restart", "1", "lr=0.2"), "git run --restart RUN restarts a run"),
    ],
)
def test_what_other_tools_call_it_is_told_what_it_is_here(trained, words, meant) -> None:
    assert said(trained, *words) == f"there is no script, program or verb '{words[0]}' here; {meant}"


def test_name_of_nothing_is_told_what_is_near_in_another_directory(trained) -> None:
    assert said(trained, "train.py", cwd=trained.path / "sub").endswith("did you mean ../train.py?")


def test_name_of_a_program_on_path_is_no_slip_of_a_verb(trained) -> None:
    assert said(trained, "ls.sh").endswith("git run -- runs any command")
    assert said(trained, "cut").endswith("git run -- cut runs the program of that name")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("stop", "git run stop needs the name of a run; git run stop -h shows the options"),
        ("cat 1 train.py b", "git run cat has no use for 'b'; git run cat -h shows the options"),
        ("watch a b", "git run watch has no use for 'b'; git run watch -h shows the options"),
        ("list --al", "there is no option '--al'; did you mean --all? git run list -h shows the options"),
        ("list -n x", "-n/--limit takes a whole number, not 'x'; git run list -h shows the options"),
        ("list -n 0", "-n/--limit takes 1 or more, not 0; git run list -h shows the options"),
        ("list --all=3", "--all takes no value; git run list -h shows the options"),
        ("train.py --gpus", "--gpus needs a value; git run -h shows the options"),
    ],
)
def test_what_click_finds_is_said_in_our_words(trained, words, told) -> None:
    assert said(trained, *words.split()) == told


@pytest.mark.parametrize("words", [("--restart", "a=3"), ("--restart", ""), ("--restart", "--needed")])
def test_restart_without_a_name_says_that_it_needs_one(trained, words) -> None:
    assert said(trained, *words).startswith("--restart needs the name of a run")


def test_words_that_are_off_are_json_for_who_reads_json(trained) -> None:
    assert '"message": "flags are written lr=1, not --lr 1"' in said(trained, "train.py", "--json", "--lr", "1")


def test_byte_that_is_not_utf_8_is_said_as_everywhere(trained) -> None:
    assert said(trained, "list", "--color=bad\udcff").startswith("--color: 'bad\\xff' is not one of ")
    assert said(trained, "list", "-n", "bad\udcff").startswith("-n/--limit takes a whole number, not 'bad\\xff'")
    ended = trained.run("check", "--json", "--metric", "loss<1 \udcff")
    assert json.loads(ended.stderr)["message"].endswith("'\\xff' has no meaning here")


@pytest.mark.parametrize(
    "words",
    [
        "--label x list", "--needed list", "--dry-run list", "-y list", "--color=never list", "--all list", "-n 3 list",
        "--label x list 1", "--all -n 3 list lr=1",
    ],
)  # fmt: skip
def test_verb_behind_its_options_is_told_where_they_stand(trained, words) -> None:
    assert said(trained, *words.split()) == "list is a verb, and its options stand behind it; git run list -h shows them"


@pytest.mark.parametrize("words", ["--json list", "--json show 1"])
def test_verb_behind_json_is_told_so_in_json(trained, words) -> None:
    found = json.loads(trained.run(*words.split()).stderr)
    assert (found["error"], found["message"]) == (129, f"{words.split()[1]} is a verb, and its options stand behind it")


def test_operation_named_like_a_verb_is_run_and_one_that_is_not_there_is_told_of_the_verb(trained) -> None:
    assert said(trained, "run", "list") == "there is no script or program 'list' here; git run list is the verb"
    trained.write("list.py", "")
    assert said(trained, "--needed", "list").endswith("git run list -h shows them; or did you mean list.py?")
    trained.write("list", "#!/bin/sh\necho ours\n").chmod(0o755)
    assert trained.run("--needed", "list", check=True).stdout == "ours\n"
    assert said(trained, "--label", "x", "list", "y").startswith("'y' is neither a flag nor an option")

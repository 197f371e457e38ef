"""A recorded flag is one that reached the program: by each way, and refused where there is none."""

from __future__ import annotations

import json
import shlex
import sys

import pytest
from sampled import sampled

from gitrun import Project
from gitrun.errors import UsageError

ARGS = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=0.1)\n"
PRINTING = f"{ARGS}p.add_argument('--n', type=int, default=1)\nprint(p.parse_args())\n"


def refs(repo) -> str:
    return repo.git("for-each-ref", "refs/runs")


def shown(repo, run="1") -> dict:
    return json.loads(repo.run("show", run, "--json", check=True).stdout)


LOST = {
    "assigned in a way that cannot be set": ("import os\nsteps = os.getpid()\nprint(steps)\n", "steps=5"),
    "read by nobody": ("import sys\nprint(sys.argv[1:])\n", "lr=0.2"),
    "getopt": ("import getopt, sys\nprint(getopt.getopt(sys.argv[1:], '', ['lr=']))\n", "lr=0.2"),
    "local to a function": ("def f(lr):\n    return lr\nprint(f(3))\n", "lr=0.2"),
    "the name of an import": ("import json as lr\nprint(lr)\n", "lr=0.2"),
    "the name of a function": ("def lr(): ...\nprint(lr)\n", "lr=0.2"),
    "a name that Python has not": ("print(1)\n", "a.b=2"),
    "a switch that is off": (PRINTING, "shout=false"),
    "a file that does not parse": ("print(lr\n", "lr=0.2"),
}


@pytest.mark.parametrize(("source", "flag"), LOST.values(), ids=LOST)
def test_forced_flag_that_reaches_nothing_is_refused(repo, source, flag) -> None:
    repo.write("n.py", source)
    ended = repo.run("--force-flags", "n.py", flag)
    name = flag.partition("=")[0]
    assert (ended.returncode, ended.stdout, refs(repo)) == (129, "", "")
    assert f"flag '{name}' of n.py would not reach its program" in ended.stderr
    assert f"git run n.py -- --{name} " in ended.stderr


REACHED = {
    "a name that is read": ("print(q)\n", "7"),
    "a name that a function reads": ("def f():\n    return q\nprint(f())\n", "7"),
    "a name that is computed": ("print(globals()['q'])\n", "7"),
    "the environment": ("import os\nprint(os.environ['FLAG_Q'])\n", "7"),
    "a name of the environment that is computed": ("import os\nprint(os.environ['FLAG_' + 'q'.upper()])\n", "7"),
    "the environment, in a module beside it": ("import lib\nprint(lib.q)\n", "7"),
    "an option that is unknown": (f"{ARGS}p.parse_known_args()\nimport sys\nprint(sys.argv[2])\n", "7"),
}  # fmt: skip


@pytest.mark.parametrize(("source", "printed"), sampled(3, REACHED.values()), ids=REACHED)
def test_forced_flag_that_is_read_is_passed_and_recorded(repo, source, printed) -> None:
    repo.write("lib.py", "import os\nq = os.environ.get('FLAG_Q')\n" if "lib" in source else "")
    repo.write("n.py", source)
    assert repo.run("--force-flags", "n.py", "q=7", check=True).stdout.strip() == printed
    assert shown(repo)["flags"]["q"] == 7


def test_restart_refuses_a_flag_that_reaches_nothing(repo) -> None:
    repo.write("n.py", "x = 1\nprint(x)\n")
    repo.run("--force-flags", "n.py", check=True)
    before = refs(repo)
    ended = repo.run("--restart", "1", "y=3")
    assert (ended.returncode, refs(repo)) == (129, before)
    assert "flag 'y' of n.py would not reach its program" in ended.stderr


def test_forced_flag_that_new_code_does_not_read_is_left_out(repo) -> None:
    repo.write("n.py", "print(q)\n")
    repo.run("--force-flags", "n.py", "q=7", check=True)
    repo.write("n.py", "print('without')\n")
    ended = repo.run("--restart", "1", "--force-sourcecode", check=True)
    assert "note: n.py no longer has these flags, which are left out: q" in ended.stderr
    assert shown(repo)["flags"] == {}


ENTRIES = {
    "a script": '[operations.x]\nscript = "n.py"\n[operations.x.flags]\nsteps = 5\n',
    "words that start a script": '[operations.x]\ncommand = ["python", "n.py"]\n[operations.x.flags]\nsteps = 5\n',
    "steps": '[operations.x]\nsteps = ["n.py"]\n[operations.x.flags]\nsteps = 5\n',
    "a step's own flag": '[operations.x]\nsteps = [{run = "n.py", flags = {steps = 5}}]\n',
}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_entry_whose_flag_reaches_nothing_is_refused(repo, entry) -> None:
    repo.write("n.py", "import os\nsteps = os.getpid()\n")
    repo.write("gitrun.toml", entry)
    ended = repo.run("x", "--force-flags")
    assert (ended.returncode, refs(repo)) == (129, "")
    assert "flag 'steps' of" in ended.stderr


def test_flag_that_a_step_sets_itself_is_refused_with_that_step(repo) -> None:
    repo.write("train.py", "lr = 0.1\nprint(lr)\n")
    entry = '[operations.all]\nsteps = ["train.py lr={0}"]\nflags = {{ lr = 0.1 }}\n'
    repo.write("gitrun.toml", entry.format("{lr}"))
    refused = repo.run("all", "lr=2")
    assert (
        "flag 'lr' of all would not reach its steps: the step train.py gives it a value. To pass it on: write" in refused.stderr
    )
    repo.write("gitrun.toml", entry.format("{lr}").replace(" lr={lr}", ""))
    assert repo.run("all", "lr=2", check=True).stdout == "2\n"


def test_notebook_flag_that_no_cell_reads_is_refused(repo) -> None:
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": "x = 1\nprint(x)"}
    repo.write("n.ipynb", json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))
    plan = Project(repo.path).plan
    from gitrun.model.plan import Request

    with pytest.raises(UsageError, match=r"flag 'q' of n\.ipynb would not reach its notebook"):
        plan(Request(operation="n.ipynb", flags={"q": 1}, force_flags=True))
    cell["source"] = "x = 1\nprint(q)"
    repo.write("n.ipynb", json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))
    assert plan(Request(operation="n.ipynb", flags={"q": 1}, force_flags=True)).flags == {"q": 1, "x": 1}


def test_option_behind_the_dashes_is_recorded_compared_and_overridden(repo) -> None:
    repo.write("t.py", PRINTING)
    assert repo.run("t.py", "--", "--lr", "5", check=True).stdout == "Namespace(lr=5.0, n=1)\n"
    assert (shown(repo)["flags"], shown(repo)["given"]) == ({"lr": 5, "n": 1}, ["lr"])
    assert repo.run("--needed", "t.py", "lr=0.1").stdout == "Namespace(lr=0.1, n=1)\n"
    assert "Skipping" in repo.run("--needed", "t.py", "lr=5").stdout
    assert repo.run("--restart", "2", "lr=7", check=True).stdout == "Namespace(lr=7.0, n=1)\n"
    assert shown(repo)["flags"] == {"lr": 7, "n": 1}


def test_value_behind_the_dashes_is_of_the_kind_that_is_declared(repo) -> None:
    repo.write("t.py", PRINTING)
    ended = repo.run("t.py", "--", "--lr", "fast")
    assert (ended.returncode, refs(repo)) == (129, "")
    assert "flag 'lr' of t.py must be a number, not 'fast'" in ended.stderr


def test_flag_that_is_given_twice_is_refused(repo) -> None:
    repo.write("t.py", PRINTING)
    ended = repo.run("t.py", "lr=3", "--", "--lr", "5")
    assert (ended.returncode, refs(repo)) == (129, "")
    assert "flag 'lr' is given twice" in ended.stderr
    assert repo.run("t.py", "lr=5", "--", "--lr", "5", check=True).stdout == "Namespace(lr=5.0, n=1)\n"


def test_default_that_a_word_may_change_is_not_recorded(repo) -> None:
    log = "import os\np.add_argument('--log', nargs='?', const=os.environ.get('LOG', 'on'), default='off')\n"
    repo.write("t.py", f"{ARGS}{log}print(p.parse_args())\n")
    ended = repo.run("t.py", "--", "--log", check=True)
    assert (ended.stdout, shown(repo)["flags"]) == ("Namespace(lr=0.1, log='on')\n", {"lr": 0.1})
    assert "not recorded as flags" in ended.stderr
    assert repo.run("--restart", "1", "lr=2", check=True).stdout == "Namespace(lr=2.0, log='on')\n"


def test_words_that_stay_are_listed_shown_and_compared(repo) -> None:
    repo.write("s.py", "import sys\nprint(sys.argv[1:])\n")
    repo.run("s.py", "--", "a b", "--c", check=True)
    assert repo.run("list").stdout.rstrip().endswith("-- 'a b' --c")
    assert "words:     'a b' --c\n" in repo.run("show").stdout
    assert "Skipping run" in repo.run("--restart", "1", "--needed").stdout


COMMANDS = {
    "options": (PRINTING, [], "Namespace(lr=7.0, n=1)\n"),
    "a constant": ("lr = 0.1\nprint(lr)\n", [], "7\n"),
    "options behind words": (PRINTING, ["--n", "3"], "Namespace(lr=7.0, n=3)\n"),
    "the environment": ("import os\nprint(os.environ['FLAG_LR'])\n", [], "7\n"),
    "the environment, in a module beside it": ("import lib\nprint(lib.lr)\n", [], "7\n"),
    "a placeholder": ("import sys\nprint(sys.argv[1:])\n", ["--rate={lr}"], "['--rate=7']\n"),
}


@pytest.mark.parametrize(("source", "words", "printed"), sampled(3, COMMANDS.values()), ids=COMMANDS)
def test_flag_of_a_command_reaches_the_script_that_it_starts(repo, source, words, printed) -> None:
    repo.write("t.py", source)
    repo.write("lib.py", "import os\nlr = os.environ.get('FLAG_LR')\n" if "lib" in source else "")
    assert repo.run("lr=7", "--", sys.executable, "-u", "t.py", *words, check=True).stdout == printed
    assert shown(repo)["flags"] == {"lr": 7}
    assert repo.run("--restart", "1", check=True).stdout == printed


def test_flag_that_the_script_of_a_command_has_not_is_refused(repo) -> None:
    repo.write("t.py", PRINTING)
    ended = repo.run("speed=7", "--", "python", "t.py")
    assert (ended.returncode, refs(repo)) == (129, "")
    assert "t.py has no flag 'speed'. Its flags: lr, n" in ended.stderr
    ended = repo.run("lr=7", "--", "python", "t.py", "--lr", "3")
    assert (ended.returncode, refs(repo)) == (129, "")
    assert "flag 'lr' is also in the command" in ended.stderr


def test_flag_of_a_command_reaches_the_module_that_it_starts(repo) -> None:
    repo.write("pkg/other.py", "from pkg.train import lr\n")
    repo.write("pkg/train.py", "lr = 0.1\nif __name__ == '__main__':\n    from . import other\n    print(lr, other.lr)\n")
    assert repo.run("lr=7", "--", sys.executable, "-u", "-m", "pkg.train", check=True).stdout == "7 7\n"
    assert shown(repo)["flags"] == {"lr": 7}
    assert repo.run("--restart", "1", "lr=8", check=True).stdout == "8 8\n"
    repo.write("pkg/train.py", PRINTING)
    assert repo.run("lr=7", "--", sys.executable, "-m", "pkg.train", check=True).stdout == "Namespace(lr=7.0, n=1)\n"


@pytest.mark.parametrize(
    ("files", "words", "is_told"),
    sampled(
        3,
        [
            ({}, ["true"], True),
            ({}, ["sh", "-c", "echo $FLAG_LR"], False),
            ({}, ["echo", "{lr}"], False),
            ({"a.sh": "echo $FLAG_LR\n"}, ["sh", "a.sh"], False),
            ({"a.sh": "echo 1\n"}, ["sh", "a.sh"], True),
            ({"Makefile": "all:\n\t@echo $(FLAG_LR)\n"}, ["make"], False),
        ],
    ),
)
def test_flag_that_only_the_environment_has_is_told(repo, files, words, is_told) -> None:
    for name, text in files.items():
        repo.write(name, text)
    ended = repo.run("lr=7", "--", *words, check=True)
    assert ("note: lr: passed only in the environment, as FLAG_LR" in ended.stderr) == is_told
    assert shown(repo)["flags"] == {"lr": 7}


def test_flag_of_a_program_that_does_not_name_it_is_told(repo) -> None:
    repo.write("a.sh", "#!/bin/sh\necho 1\n").chmod(0o755)
    repo.write("b.sh", "#!/bin/sh\necho $FLAG_LR\n").chmod(0o755)
    assert "passed only in the environment, as FLAG_LR" in repo.run("./a.sh", "lr=7", check=True).stderr
    ended = repo.run("./b.sh", "lr=7", check=True)
    assert (ended.stdout, "environment" in ended.stderr) == ("7\n", False)


UNKNOWN = {
    "constants": ("x = 1\nprint(x)\n", "n.py has no flag 'q'. Its flags: x"),
    "its words": (
        "import sys\nprint(sys.argv)\n",
        "n.py has no flag 'q'. It has no flags. To pass it as words: git run n.py -- --q 7",
    ),
    "options": (f"{ARGS}p.parse_args()\n", "To pass it anyway: --force-flags"),
}


@pytest.mark.parametrize(("source", "told"), UNKNOWN.values(), ids=UNKNOWN)
def test_advice_of_an_unknown_flag_is_one_that_works(repo, source, told) -> None:
    repo.write("n.py", source)
    ended = repo.run("n.py", "q=7")
    assert (ended.returncode, refs(repo)) == (129, "")
    assert ended.stderr.rstrip().endswith(told)


def test_command_gets_flags_in_the_file_that_its_script_loads(repo) -> None:
    repo.write("conf.json", '{"lr": 0.1, "model": {"depth": 3}}')
    repo.write("n.py", "import json\nprint(json.load(open('conf.json')))\n")
    for words in (("model.depth=9", "--", "python", "n.py"), ("--restart", "1")):
        assert repo.run(*words, check=True).stdout == "{'lr': 0.1, 'model': {'depth': 9}}\n"
    assert shown(repo)["flags"] == {"model.depth": 9}
    assert repo.git("status", "--short") == "?? conf.json\n?? n.py"


@pytest.mark.parametrize(
    "code",
    [
        "lr = float(os.environ['LR'])",
        "lr = os.environ.get('LR', 0.1)",
        'lr = os.getenv("LR")',
        "lr = os.environ.setdefault('LR', '1')",
    ],
)
def test_variable_of_the_environment_that_a_script_reads_is_set_by_env(repo, code) -> None:
    repo.write("fit.py", f"import os\n{code}\nprint(os.environ['LR'])\n")
    refused = repo.run("fit.py", "LR=0.5").stderr.rstrip("\n")
    command = "git run LR=0.5 -- env 'LR={LR}' python3 fit.py"
    assert refused.endswith(f"To set the environment variable: {command}")
    assert repo.run(*shlex.split(command)[2:], check=True).stdout == "0.5\n"
    assert "environment variable" not in repo.run("fit.py", "R=0.5").stderr


@pytest.mark.parametrize(
    ("file", "text", "command", "hint"),
    [
        ("a.sh", "echo $LR", "sh a.sh", "To pass LR: git run LR=VALUE -- env 'LR={LR}' sh a.sh"),
        ("a.sh", "echo ${LR:-3}", "sh a.sh", "To pass LR: git run LR=VALUE -- env 'LR={LR}' sh a.sh"),
        ("a.sh", "echo $LRS", "sh a.sh", "To pass words: git run LR=VALUE -- sh a.sh '{LR}'"),
        ("Makefile", "a:\n\t@echo $(LR)\n", "make a", "To pass words: git run LR=VALUE -- make a 'LR={LR}'"),
    ],
)
def test_note_about_the_environment_names_a_way_that_works(repo, file, text, command, hint) -> None:
    repo.write(file, f"{text}\n")
    noted = repo.run("LR=0.5", "--", *command.split(), check=True).stderr
    assert f"note: LR: passed only in the environment, as FLAG_LR. {hint}\n" in noted
    better = repo.run(*shlex.split(hint.partition("git run ")[2].replace("VALUE", "0.5")), check=True)
    assert (better.stdout == "0.5\n", "note: LR" in better.stderr) == ("LRS" not in text, False)

"""Completion, in the shells themselves: verbs, options, runs, files; and the file of options says what the verbs take.

`python tests/commands/test_completion.py` writes that file again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from sampled import sampled
from templates import made_once

from gitrun.commands.completion import OPTIONS
from gitrun.commands.verbs import VERBS, load_command

pytestmark = pytest.mark.usefixtures("forked")
SHARE = Path(OPTIONS).parent
GIT_COMPLETION = Path("/usr/share/bash-completion/completions/git")
# what git-completion.bash sees when TAB is pressed after the words; `|` ends each reply, whose blank is to be seen
PRESS_TAB = """
. {git} && . {ours}
COMP_WORDS=({words}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)) COMP_LINE={line!r} COMP_POINT=${{#COMP_LINE}}
__git_wrap__git_main
printf '%s|' "${{COMPREPLY[@]}}"
"""


def taken(verb: str) -> str:
    """The options that the verb takes, as `git <command> --git-completion-helper` writes them."""
    found = []
    for option in load_command(verb).params:
        if isinstance(option, click.Option) and not option.hidden:
            takes = "" if option.is_flag or option._flag_needs_value else "="
            found += [name + takes for name in option.opts if name.startswith("--")]
    return " ".join(found)


def table() -> str:
    return "".join(f"{verb} {taken(verb)}".rstrip() + "\n" for verb in VERBS)


def test_file_of_options_says_what_the_verbs_take() -> None:
    assert Path(OPTIONS).read_text() == table(), f"{sys.executable} {__file__} writes it again"


def test_options_are_known_without_click_and_pygit2(repo) -> None:
    code = "import sys; from gitrun.commands import main; main.run_command(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    words = [sys.executable, "-c", code, "list", "--git-completion-helper"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "--json" in done.stdout.split()
    assert {"click", "pygit2", "subprocess", "sqlite3"}.isdisjoint(done.stderr.split())


def test_verbs_are_offered_with_the_options_of_run(repo) -> None:
    words = repo.run("--git-completion-helper", check=True).stdout.split()
    assert words[: len(VERBS)] == list(VERBS)
    assert {"--restart=", "--needed"} <= set(words)
    assert repo.run("run", "--git-completion-helper").stdout.split() == words


def test_a_program_gets_the_word_that_asks_us_for_options(repo) -> None:
    assert repo.run("--", "echo", "--git-completion-helper", check=True).stdout == "--git-completion-helper\n"


def tab(repo, typed: str) -> list[str]:
    """What bash offers when TAB is pressed after what was typed."""
    if not GIT_COMPLETION.exists():
        pytest.skip("git's completion for bash is not installed")
    words = " ".join(f"'{word}'" for word in typed.split(" "))
    script = PRESS_TAB.format(git=GIT_COMPLETION, ours=SHARE / "git-run", words=words, line=typed)
    done = subprocess.run(["bash", "-c", script], cwd=repo.path, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.removesuffix("|").split("|") if done.stdout != "|" else []


@pytest.fixture
@made_once
def one(repo):
    """A repository with a run, and the first digits of its id."""
    repo.write("lists/a b.py", "print(1)\n")
    repo.run("echo.py", check=True)
    return repo, repo.run("select").stdout[:8]


def test_bash_offers_verbs_and_files_as_the_first_word(one) -> None:
    repo, _ = one
    assert tab(repo, "git run li") == ["list ", "lists/"]
    assert tab(repo, "git run ec") == ["echo.py "]
    assert {f"{verb} " for verb in VERBS} < set(tab(repo, "git run "))


def test_bash_offers_names_as_a_shell_must_be_given_them(one) -> None:
    assert tab(one[0], "git run lists/a") == ["lists/a\\ b.py "]


def test_bash_offers_the_runs_of_the_repository(one) -> None:
    repo, run = one
    for typed in (f"show {run[:3]}", "cat ", f"--restart {run[:4]}", f"--restart={run[:4]}", "mark --clear "):
        assert tab(repo, f"git run {typed}") == [f"{run} "], typed
    assert tab(repo, "git run show x") == []


@pytest.mark.parametrize("shell", ["bash", pytest.param("fish", marks=pytest.mark.slow), "zsh"])
def test_metrics_are_offered_to_plot_and_then_runs(repo, shell) -> None:
    repo.run("--", "echo", "accuracy: 0.5", check=True)
    run = repo.run("select").stdout[:8]
    if shell == "bash":
        assert tab(repo, "git run plot ac") == ["accuracy "]
        assert tab(repo, f"git run plot accuracy {run[:4]}") == [f"{run} "]
        return
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    if shell == "zsh":
        # pressing TAB in zsh needs a terminal: its file must at least be one that zsh reads
        subprocess.run(["zsh", "-n", SHARE / "_git-run"], check=True)
        assert repo.run("--git-completion-helper-values", "metrics", check=True).stdout == "accuracy\tmetric\n"
        return
    repo.run("install-docs", check=True)
    for typed, offered in (("ac", "accuracy\tmetric"), (f"accuracy {run[:4]}", f"{run}\trun")):
        words = ["fish", "-c", f"complete -C 'git run plot {typed}'"]
        done = subprocess.run(words, cwd=repo.path, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines() == [offered]


def test_bash_offers_the_runs_of_the_repository_that_git_is_told(one) -> None:
    repo, run = one
    (repo.path.parent / "elsewhere").mkdir()
    words = f"git -C {repo.path} run show {run[:4]}"
    assert tab(type(repo)(repo.path.parent / "elsewhere"), words) == [f"{run} "]


def test_bash_offers_options_of_the_verb_or_of_run(one) -> None:
    repo, _ = one
    assert tab(repo, "git run show --js") == ["--json "]
    assert tab(repo, "git run --rest") == ["--restart="]
    assert tab(repo, "git run echo.py x=2 --nee") == ["--needed ", "--needed-source "]
    assert tab(repo, "git run install-docs --") == ["--uninstall "]
    assert tab(repo, "git run list --color=a") == ["always ", "auto "]


def test_bash_leaves_files_to_bash_behind_an_operation(one) -> None:
    for typed in ("echo.py q", "-- ./scr", "--label list l", "checkout --to ec"):
        assert "list " not in tab(one[0], f"git run {typed}"), typed
    assert tab(one[0], "git run echo.py q") == tab(one[0], "git run checkout --to ec") == []


def test_bash_offers_files_of_points_behind_an_at_sign(repo) -> None:
    for name in ("points.csv", "plan b.json", "notes.txt"):
        repo.write(name, "x\n1\n")
    repo.write("sets/a.yml", "- {x: 1}\n")
    for before in ("", "echo.py "):
        assert sorted(tab(repo, f"git run {before}@")) == ["@.git/", "@plan\\ b.json ", "@points.csv ", "@sets/"]
        assert tab(repo, f"git run {before}@po") == ["@points.csv "]
    assert tab(repo, "git run @points.csv ec") == []
    assert "x=" in tab(repo, "git run @points.csv echo.py ")


@pytest.fixture
@made_once
def lived(one):
    """As `one`, with a second run, labelled and tagged, of a script that leaves a file; a third is deleted."""
    repo, first = one
    repo.write("fit.py", "import gitrun\nlr = 0.1\ngitrun.log({'loss': 1})\nopen('model', 'w').close()\n")
    repo.run("echo.py", check=True)
    gone = repo.run("select").stdout[:8]
    repo.run("rm", "1", check=True)
    repo.run("--label", "best", "--tag", "paper", "fit.py", check=True)
    repo.git("remote", "add", "origin", ".")
    return repo, first, repo.run("select").stdout[:8], gone


STATUSES = ["completed ", "error ", "terminated ", "pruned ", "running ", "staged ", "pending "]


@pytest.mark.parametrize(
    ("typed", "offered"),
    sampled(
        7,
        [
            ("list --status ", STATUSES),
            ("list --status=err", ["error "]),
            ("list --op ", ["fit.py ", "echo.py "]),
            ("show --label ", ["best "]),
            ("show --tag ", ["paper "]),
            ("list --branch ", ["main "]),
            ("list --sort=-lo", ["-loss "]),
            ("compare --max lo", ["loss "]),
            ("list --columns id,lr,lo", ["id,lr,loss "]),
            ("list --author ", []),
            ("--label ", []),
            ("label ", []),
            ("label x ", ["{first} ", "{second} "]),
            ("tag ", ["paper "]),
            ("report --format ", ["md ", "html ", "json "]),
            ("hooks in", ["install "]),
            ("push or", ["origin "]),
            ("cat -p mo", ["model "]),
            ("cat {first} -p ", ["echo.py "]),
            ("restore ", ["{gone} "]),
            ("stop ", []),
            ("--restart ", ["{second} ", "{first} ", "fit.py ", "echo.py ", "best "]),
            ("--restart 1 l", ["lr="]),
            ("--start={first} ", ["x=", "y=", "z="]),
            ("ops fi", ["fit.py "]),
            ("help coming-from-d", ["coming-from-dvc "]),
            ("help compa", ["compare "]),
        ],
    ),
)
def test_bash_offers_what_may_stand_there_and_nothing_else(lived, typed, offered) -> None:
    repo, first, second, gone = lived
    names = {"first": first, "second": second, "gone": gone}
    expected = [word.format(**names) for word in offered]
    found = tab(repo, f"git run {typed.format(**names)}")
    # without --restart runs are in git's order, that of their ids
    assert found == (sorted(expected) if typed == "label x " else expected)


@pytest.mark.parametrize("typed", ["--at ", "--at=", "bisect --good ", "bisect --bad "])
def test_bash_offers_branches_and_tags_where_a_commit_is_wanted(lived, typed) -> None:
    repo = lived[0]
    repo.git("tag", "--force", "v1")
    assert tab(repo, f"git run {typed}") == ["main ", "v1 "]


def test_runs_are_offered_with_words_that_say_which_they_are(lived) -> None:
    repo, first, second, _ = lived
    lines = repo.run("--git-completion-helper-values", "runs", check=True).stdout.splitlines()
    assert lines[0] == f"{second}\tbest fit.py lr=0.1 completed"
    assert [line.split("\t")[0] for line in lines] == [second, first, "fit.py", "echo.py", "best"]


def test_running_runs_are_offered_to_be_stopped(lived) -> None:
    repo = lived[0]
    run = repo.run("--background", "--", "sleep", "30", check=True).stdout.strip()
    assert tab(repo, "git run watch ") == tab(repo, "git run stop ") == [f"{run[:8]} "]
    repo.run("stop", run, check=True)


def test_git_finds_our_completion_by_its_name(one, tmp_path) -> None:
    loader = Path("/usr/share/bash-completion/bash_completion")
    if not loader.exists():
        pytest.skip("bash-completion is not installed")
    one[0].run("install-docs", env={"XDG_DATA_HOME": str(tmp_path)}, check=True)
    script = f". {loader}; _completion_loader git-run; declare -F _git_run; complete -p git-run"
    done = subprocess.run(
        ["bash", "-c", script], env={**os.environ, "XDG_DATA_HOME": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("_git_run\n")
    assert "git-run" in done.stdout.splitlines()[-1]


TRAIN = """\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--opt", choices=["adam", "sgd"], default="adam")
"""


@pytest.fixture
def entries(repo):
    """A repository with an entry of a project file."""
    repo.write("train.py", TRAIN)
    repo.write("gitrun.toml", '[operations.train]\nscript = "train.py"\nflags.seed = 7\n[operations.bad]\nscript = 1\n')
    return repo


def test_bash_offers_operations_flags_and_choices(entries) -> None:
    assert set(tab(entries, "git run tr")) == {"train ", "train.py ", "trust "}
    assert tab(entries, "git run train ") == ["lr=", "opt=", "seed="]
    assert tab(entries, "git run --label x --needed train lr=1 o") == ["opt="]
    assert tab(entries, "git run train opt=") == ["adam ", "sgd "]
    assert tab(entries, "git run run train.py opt=s") == ["sgd "]
    assert tab(entries, "git run run tra") == ["train ", "train.py "]
    assert tab(entries, "git run nosuch ") == []


# a session of zsh in a terminal of its own: words are typed and TAB is pressed until what is expected appears
ZSH = r"""
zmodload zsh/zpty
zpty session zsh -f -i
zpty -w session "PS1='> '; fpath=($1 \$fpath); autoload -Uz compinit; compinit -D -u; setopt no_beep; echo rea''dy"
zpty -r session seen '*ready*'
typeset -A pairs=("${@[2,-1]}")
for typed shown in "${(@kv)pairs}"; do
  zpty -w -n session "$typed"$'\t'
  zpty -r session seen "*$shown*"
  print -r -- "$typed"
  zpty -w -n session $'\x15'
done
"""


def test_zsh_offers_what_may_stand_there(lived, entries) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    repo, run, second, gone = lived
    pairs = {
        "git run sele": "select", "git run ec": "echo.py", "git run show --js": "--json", f"git run show {run[:4]}": run,
        f"git run --restart {run[:4]}": run, f"git run --restart={run[:4]}": run, "git run --in-p": "--in-place",
        "git run list --color=nev": "never", "git run echo.py lis": "lists/", "git run -- cat ec": "echo.py",
        "git-run comp": "compare", "git run train see": "seed=", "git run --label x train.py opt=sg": "sgd",
        "git run run trai": "train", "git run help sett": "settings",
        "git run list --status ter": "terminated", "git run list --status=sta": "staged", "git run list --op ec": "echo.py",
        "git run list --columns id,lo": "loss", "git run compare --max lo": "loss", "git run list --sort=-lo": "loss",
        "git run report --format ht": "html", "git run hooks unin": "uninstall", "git run push ori": "origin",
        "git run cat -p mod": "model", f"git run restore {gone[:4]}": gone, "git run --restart bes": "best",
        "git run --restart 1 l": "lr=", f"git run --start={run} x": "x=", "git run tag pap": "paper",
        f"git run label x {second[:4]}": second,
        "git run bisect --good mai": "main", "git run --at mai": "main",
    }  # fmt: skip
    words = ["zsh", "-f", "-c", ZSH, "zsh", str(SHARE), *(word for pair in pairs.items() for word in pair)]
    done = subprocess.run(words, cwd=repo.path, capture_output=True, text=True, check=False, timeout=120)
    assert sorted(done.stdout.splitlines()) == sorted(pairs), done.stderr


FISH_VALUES = [
    ("git run list --status ter", {"terminated"}),
    ("git run list --author ", set()),
    ("git run list --op ", {"fit.py\toperation", "echo.py\toperation"}),
    ("git run compare --max lo", {"loss\tmetric"}),
    ("git run report --format ", {"md", "html", "json"}),
    ("git run hooks unin", {"uninstall"}),
    ("git run push or", {"origin\tremote"}),
    ("git run cat -p mod", {"model\tproduced"}),
    ("git run restore ", {"{gone}\techo.py x=1.0 y=2 z=a completed"}),
    ("git run bisect --good mai", {"main\tcommit"}),
    ("git run --at mai", {"main\tcommit"}),
    ("git run stop ", set()),
    ("git run help tut", {"tutorial"}),
    ("git run label ", set()),
    ("git run tag ", {"paper\ttag"}),
    ("git run --restart bes", {"best\tlabel"}),
    ("git run --restart {second} lr", {"lr=\tflag"}),
]
FISH_WORDS = [
    ("git run sele", {"select\tverb"}),
    ("git run ec", {"echo.py"}),
    ("git run show --js", {"--json"}),
    ("git run show {run:.4}", {"{run}\trun"}),
    ("git run --restart={run:.4}", {"--restart={run}\techo.py x=1.0 y=2 z=a completed"}),
    ("git run --restart {run:.4}", {"{run}\techo.py x=1.0 y=2 z=a completed"}),
    ("git run echo.py --need", {"--needed", "--needed-source"}),
    ("git run echo.py lis", {"lists/"}),
    ("git-run sele", {"select\tverb"}),
    ("git run trai", {"train\toperation", "train.py"}),
    ("git run --label x train se", {"seed=\tflag"}),
    ("git run train opt=a", {"opt=adam\tflag"}),
]


def fish_offers(repo, cases: list[tuple[str, set[str]]], names: dict[str, str]) -> list[tuple[str, set[str]]]:
    """The cases, with what one fish offers in place of what is expected."""
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    repo.run("install-docs", check=True)
    script = "; echo; ".join(f"complete -C '{typed.format(**names)}' | string join0; echo" for typed, _ in cases)
    done = subprocess.run(["fish", "-c", script], cwd=repo.path, capture_output=True, text=True, check=True)
    answers = done.stdout.split("\n\n")
    return [(typed, set(filter(None, answer.strip().split("\0")))) for (typed, _), answer in zip(cases, answers, strict=True)]


def expected(cases: list[tuple[str, set[str]]], names: dict[str, str]) -> list[tuple[str, set[str]]]:
    return [(typed, {word.format(**names) for word in offered}) for typed, offered in cases]


@pytest.mark.parametrize(
    "cases", sampled(1, [[*FISH_VALUES[::8], *FISH_WORDS[::6]], [*FISH_VALUES, *FISH_WORDS]]), ids=["some", "all"]
)
def test_fish_offers_what_may_stand_there_and_nothing_else(lived, entries, world, cases) -> None:
    repo, first, second, gone = lived
    names = {"run": first, "second": second, "gone": gone}
    assert fish_offers(repo, cases, names) == expected(cases, names)


if __name__ == "__main__":
    Path(OPTIONS).write_text(table())

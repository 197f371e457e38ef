"""From words to a plan: an operation is one however it is named; what a new source changes; nothing is written."""

from __future__ import annotations

import subprocess
from datetime import timedelta

import pytest
import tomli
import tomli_w
from runs_made_up import made_up

from gitrun import Project
from gitrun.errors import CannotRun, UsageError
from gitrun.model.flags import Flag, Flags, Typed
from gitrun.model.plan import Plan, Request
from gitrun.model.run import Params
from gitrun.scripts.discover import Script
from gitrun.source.planning import fill_placeholders, flag_variables, move_flags, restart_params


def plan(repo, at="", **request) -> Plan:
    found = Project(repo.path / at).plan(Request(**request))
    assert isinstance(found, Plan)
    return found


@pytest.fixture
def tree(repo):
    """A repository with a script in a folder, and programs."""
    repo.write("sub/train.py", "lr = 0.1\n")
    for name in ("sub/tool", "a b", "top"):
        repo.write(name, "#!/bin/sh\n").chmod(0o755)
    return repo


@pytest.mark.parametrize(
    ("at", "typed"), [("", "sub/train.py"), ("", "./sub//train.py"), ("sub", "train.py"), ("sub", "../sub/train.py")]
)
def test_script_is_one_operation_from_wherever_it_is_named(tree, at, typed) -> None:
    found = plan(tree, at, operation=typed)
    assert (found.operation, found.kind, found.cwd) == ("sub/train.py", "script", at)
    assert found.command == ("{python}", "train.py" if at else "sub/train.py")


def test_absolute_path_names_the_same_operation(tree) -> None:
    assert plan(tree, operation=str(tree.path / "sub/train.py")).operation == "sub/train.py"


@pytest.mark.parametrize(
    ("at", "typed", "command"),
    [("", "top", "./top"), ("sub", "tool", "./tool"), ("sub", "../top", "../top"), ("", "a b", "./a b")],
)
def test_program_is_started_by_a_path_never_from_PATH(tree, at, typed, command) -> None:  # noqa: N802 - the variable
    assert plan(tree, at, operation=typed).command == (command,)


def test_command_is_named_by_its_words(repo) -> None:
    found = plan(repo, command=("echo", "{x}", "a b"), flags={"x": 1})
    assert (found.operation, found.kind, found.command) == ("echo {x} a b", "command", ("echo", "{x}", "a b"))


ARGS = (
    "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=0.1)\np.add_argument('--n')\n"
)


@pytest.mark.parametrize(
    ("words", "flags", "rest"),
    [
        (("--lr", "0.3"), {"lr": 0.3}, ()),
        (("--n=3", "--other"), {"lr": 0.1, "n": "3"}, ("--other",)),
        (("--other", "x", "--", "--lr"), {"lr": 0.1}, ("--other", "x", "--", "--lr")),
    ],
)
def test_an_option_of_a_flag_among_the_words_is_recorded(repo, words, flags, rest) -> None:
    repo.write("args.py", ARGS)
    found = plan(repo, operation="args.py", command=words)
    assert (found.flags, found.command[2:], found.notices) == (flags, rest, ())


def test_options_that_an_argument_takes_are_those_of_another_program(repo) -> None:
    repo.write("args.py", ARGS + "p.add_argument('cmd', nargs='...')\n")
    assert plan(repo, operation="args.py", command=("tool", "--lr", "3")).notices == ()


def typed(repo, text: str, **request) -> object:
    return plan(repo, flags={"v": Typed(text)}, **request).flags["v"]


@pytest.mark.parametrize(
    ("text", "value"), [("1.10", "1.10"), ("yes", "yes"), ("true", True), ("1e-3", 0.001), ("12e4567", "12e4567")]
)
def test_words_of_a_command_are_given_what_was_typed(repo, text, value) -> None:
    assert typed(repo, text, command=("echo", "{v}")) == value


def test_what_a_program_has_as_text_is_as_typed_and_what_a_script_has_as_a_value_is_not(repo) -> None:
    repo.write("top", "#!/bin/sh\n").chmod(0o755)
    repo.write("gitrun.toml", '[operations.tool]\nscript = "top"\nflags-to = "args"\n[operations.tool.flags]\nv = "1.9"\n')
    assert (typed(repo, "1.10", operation="top"), typed(repo, "yes", operation="top")) == ("1.10", True)
    assert plan(repo, operation="tool", flags={"v": Typed("1.10")}).arguments == ("--v", "1.10")
    repo.write("constant.py", "v = None\n")
    assert typed(repo, "1.10", operation="constant.py") == 1.1


def test_plan_writes_no_ref_and_no_other_thing_of_the_users(repo) -> None:
    repo.write("new.py", "x = 1\n")
    before = repo.git("for-each-ref"), repo.git("status", "--porcelain")
    plan(repo, operation="new.py", flags={"x": 2})
    assert (repo.git("for-each-ref"), repo.git("status", "--porcelain")) == before


def test_constants_are_those_that_differ_and_options_are_words(repo) -> None:
    repo.write("args.py", "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=0.1)\n")
    assert plan(repo, operation="echo.py", flags={"x": 2.0, "y": 2}).constants == {"x": 2.0}
    assert plan(repo, operation="args.py", flags={"lr": 0.5}).arguments == ("--lr", "0.5")


def test_two_plans_of_the_same_are_told_apart(repo) -> None:
    first, second = (plan(repo, operation="echo.py") for _ in range(2))
    assert first.nonce != second.nonce
    assert first.flags == second.flags


def test_flag_of_another_kind_is_refused_in_python_too(repo) -> None:
    with pytest.raises(UsageError, match=r"flag 'y' of echo.py must be a number, not 'a'"):
        plan(repo, operation="echo.py", flags={"y": "a"})


def test_bare_repository_has_nothing_to_run(repo, tmp_path) -> None:
    repo.git("clone", "-q", "--bare", ".", tmp_path / "bare")
    with pytest.raises(CannotRun, match="this repository has no working tree"):
        Project(tmp_path / "bare").plan(Request(operation="echo.py"))


def test_new_source_gives_new_flags_their_defaults_and_names_those_that_are_gone() -> None:
    before = Script((Flag("x", 1), Flag("gone", 2)), "globals")
    now = Script((Flag("x", 7), Flag("new", "a"), Flag("none")), "globals")
    assert move_flags(Flags({"x": 1, "gone": 2}), before, now, force=False) == ({"x": 1, "new": "a"}, ("gone",))
    assert move_flags(Flags({"x": 1, "gone": 2}), before, now, force=True) == ({"x": 1, "new": "a", "gone": 2}, ())


def test_flag_that_was_taken_away_does_not_come_back_with_new_source() -> None:
    script = Script((Flag("x", 1),), "globals")
    assert move_flags(Flags({}), script, script, force=False) == ({}, ())


@pytest.mark.parametrize(
    ("kept", "given", "found"),
    [
        ({"gpus": "0"}, {}, ("0", False)),
        ({"gpus": "0"}, {"gpus": "1"}, ("1", False)),
        ({"gpus": "0"}, {"no_gpus": True}, (None, True)),
        ({"no_gpus": True}, {"gpus": "1"}, ("1", False)),
        ({"no_gpus": True}, {}, (None, True)),
        ({"no_gpus": True}, {"no_gpus": False}, (None, False)),
    ],
)
def test_gpus_that_are_given_win_over_those_of_the_last_attempt(kept, given, found) -> None:
    params = restart_params(made_up(params=Params(**kept)).attempt, Request(restart="1", **given))
    assert (params.gpus, params.no_gpus) == found


def test_words_are_filled_with_flags_and_other_braces_stay() -> None:
    flags = {"lr": 1e-05, "on": True, "text": "{lr}", "list": [1, "a"]}
    words = ["--lr={lr}", "{on}", "{text}", "{list}", "{other}", "{}", "${lr}", "{{lr}}"]
    assert fill_placeholders(words, flags) == ["--lr=1e-05", "true", "{lr}", '[1, "a"]', "{other}", "{}", "$1e-05", "{1e-05}"]


def test_flags_are_in_the_environment_under_upper_case_names() -> None:
    found = flag_variables({"batch-size": 8, "a.b/c": "x", "naïve": 1, "nul": "\0"})
    assert found == {"FLAG_BATCH_SIZE": "8", "FLAG_A_B_C": "x", "FLAG_NA_VE": "1"}


def made_elsewhen(repo, run: str, ahead: timedelta) -> str:
    """A run like another one, made by a clock that was so much ahead."""
    fields = tomli.loads(repo.git("cat-file", "blob", f"{run}:.gitrun/run.toml"))
    fields["created"] += ahead
    path = repo.write(".git/run.toml", tomli_w.dumps(fields))
    blob = repo.git("hash-object", "-w", path)
    inner = repo.git("ls-tree", f"{run}:.gitrun").splitlines()
    inner = [f"100644 blob {blob}\trun.toml" if line.endswith("\trun.toml") else line for line in inner]
    top = [line for line in repo.git("ls-tree", run).splitlines() if not line.endswith("\t.gitrun")]
    tree = made(repo, [*top, f"040000 tree {made(repo, inner)}\t.gitrun"])
    head = repo.git("commit-tree", "-p", "HEAD", "-m", repo.git("log", "-1", "--format=%B", run), tree)
    with (repo.path / ".git" / "gitrun" / "trust").open("a") as trust:  # as of a run that was made here
        trust.write(f"{head}\n")
    repo.git("update-ref", f"refs/runs/{head}", head)
    return head


def made(repo, lines: list[str]) -> str:
    """The id of a tree with these entries."""
    text = "".join(f"{line}\n" for line in lines)
    return subprocess.run(
        ["git", "mktree"], cwd=repo.path, input=text, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize(("ahead", "is_newest"), [(timedelta(hours=2), True), (timedelta(days=400), False)])
def test_a_restarted_run_is_the_newest_although_the_clock_was_set_back(repo, ahead, is_newest):
    run = Project(repo.path).run("echo.py").id
    made_elsewhen(repo, run, ahead)
    assert Project(repo.path).list_runs()[0].id != run
    Project(repo.path).run(restart=run)
    assert (Project(repo.path).list_runs()[0].id == run) == is_newest


def test_a_flag_too_long_for_an_environment_is_left_out_of_it(repo):
    long = "x" * (200 << 10)
    repo.write("p.py", "x = ''\nimport os\nprint(len(x), 'FLAG_X' in os.environ)\n")
    assert Project(repo.path).run("p.py", flags={"x": long}).output == f"{200 << 10} False\n"


def test_a_script_named_like_an_option_is_run(repo):
    repo.write("-x.py", "n = 1\nprint(n)\n")
    repo.write("-y.sh", "echo y\n")
    assert Project(repo.path).run("./-x.py").output == "1\n"
    assert Project(repo.path).run("./-x.py", flags={"n": 2}).output == "2\n"
    assert Project(repo.path).run("./-y.sh").output == "y\n"

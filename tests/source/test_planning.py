"""From words to a plan: an operation is one however it is named; what a new source changes; nothing is written."""

from __future__ import annotations

import pytest
from runs_made_up import made_up

from gitrun import Project
from gitrun.errors import UsageError
from gitrun.model.flags import Flag, Flags, Typed
from gitrun.model.plan import Plan, Request
from gitrun.model.run import Params
from gitrun.scripts.discover import Script
from gitrun.source.planning import move_flags, restart_params


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


def test_constants_are_those_that_differ_and_options_are_words(repo) -> None:
    repo.write("args.py", "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=0.1)\n")
    assert plan(repo, operation="echo.py", flags={"x": 2.0, "y": 2}).constants == {"x": 2.0}
    assert plan(repo, operation="args.py", flags={"lr": 0.5}).arguments == ("--lr", "0.5")


def test_flag_of_another_kind_is_refused_in_python_too(repo) -> None:
    with pytest.raises(UsageError, match=r"flag 'y' of echo.py must be a number, not 'a'"):
        plan(repo, operation="echo.py", flags={"y": "a"})


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


def test_a_restart_keeps_flags_that_were_given_beside_words_that_stay(repo):
    source = "import sys\nprint(*sys.argv[1:])\nsys.exit()\nimport dataclasses, tyro\n@dataclasses.dataclass\n"
    repo.write("t.py", source + "class Config:\n    lr: float = 0.1\n    name: str = 'a'\ntyro.cli(Config)\n")
    assert repo.run("t.py", "--", "--unread", "--lr", "3", check=True).stdout == "--unread --lr=3\n"
    restarted = repo.run("--restart", "1", check=True)
    assert restarted.stdout == "--unread --lr=3\n"
    assert Project(repo.path).list_runs()[0].flags == {"lr": 3}

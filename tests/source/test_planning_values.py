"""Plans made from files in memory: no repository, no process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from runs_made_up import WHEN, made_up

from gitrun.errors import BadRun, UsageError
from gitrun.git.exe import Git
from gitrun.model.plan import Request, Source
from gitrun.model.provenance import Basis
from gitrun.model.tree import MemoryTree
from gitrun.source.planning import LaunchStamp, PlanOrigin, Previous, plan_restart, plan_start
from gitrun.source.source_tree import SourceTree

if TYPE_CHECKING:
    from gitrun.model.plan import Plan

HERE = Git(Path("/nowhere/.git"), Path("/nowhere/.git"), Path("/nowhere"), "", {}, {})
ORIGIN = PlanOrigin(Source("5" * 40, None, None), LaunchStamp(WHEN, "n" * 32, 7), is_staged=False)
ARGS = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=0.1)\np.parse_args()\n"
ENTRY = '[operations.fit]\nscript = "a.py"\n'


def source(**files: str) -> SourceTree:
    """A source of files at the top: `a_py` stands for `a.py`."""
    return SourceTree(MemoryTree({name.replace("_", "."): text.encode() for name, text in files.items()}))


def started(tree: SourceTree, **request: object) -> Plan:
    return plan_start(HERE, tree, Request(**request), ORIGIN)


def restarted(
    own: SourceTree, now: SourceTree | None = None, *, attempt: dict[str, object], is_entry: bool = False, **request: object
) -> tuple[Plan, tuple[str, ...]]:
    """The plan of a restart; from another source if there is one."""
    previous = Previous(made_up(**attempt).attempt, Basis(is_entry=True) if is_entry else None, own)
    asked = Request(restart="1", force_sourcecode=now is not None, **request)
    return plan_restart(HERE, now or own, asked, previous, ORIGIN)


def test_start_takes_defaults_and_given_flags() -> None:
    plan = started(source(a_py=ARGS + "p.add_argument('--n', type=int, default=1)\n"), operation="a.py", flags={"n": 3})
    assert (plan.flags, plan.given, plan.arguments) == ({"lr": 0.1, "n": 3}, ("n",), ("--n", "3"))


def test_option_among_the_words_is_a_flag() -> None:
    plan = started(source(a_py=ARGS), operation="a.py", command=("--lr", "0.5"))
    assert (plan.flags, plan.command) == ({"lr": 0.5}, ("{python}", "a.py"))


def test_start_from_a_directory_runs_there() -> None:
    tree = SourceTree(MemoryTree({"sub/a.py": b"lr = 1\n"}))
    plan = plan_start(replace(HERE, prefix="sub/"), tree, Request(operation="a.py"), ORIGIN)
    assert (plan.operation, plan.cwd, plan.command) == ("sub/a.py", "sub", ("{python}", "a.py"))


def test_forced_flag_that_nothing_reads_is_refused() -> None:
    with pytest.raises(UsageError, match=r"flag 'other' of a\.py would not reach its program"):
        started(source(a_py="lr = 1\n"), operation="a.py", flags={"other": 1}, force_flags=True)


def test_script_of_a_command_gets_its_flags() -> None:
    plan = started(source(a_py=ARGS), command=("python", "a.py"), flags={"lr": 0.5})
    assert (plan.kind, plan.arguments, plan.positions) == ("command", ("--lr", "0.5"), (2, 2))


def test_restart_keeps_flags_and_changes_those_given() -> None:
    attempt = {"operation": "a.py", "flags": {"lr": 0.3, "n": 2}, "given": ("lr",)}
    plan, gone = restarted(source(a_py="lr = 0.1\nn = 1\n"), attempt=attempt, flags={"n": 5})
    assert (plan.flags, plan.given, gone) == ({"lr": 0.3, "n": 5}, ("n", "lr"), ())


def test_restart_on_new_source_takes_new_flags_and_names_those_gone() -> None:
    attempt = {"operation": "a.py", "flags": {"lr": 0.3, "old": 2}}
    plan, gone = restarted(source(a_py="lr = 0.1\nold = 1\n"), source(a_py="lr = 0.2\nnew = 9\n"), attempt=attempt)
    assert (plan.flags, gone) == ({"lr": 0.3, "new": 9}, ("old",))


def test_restart_of_an_entry_on_new_source_runs_what_the_entry_runs_now() -> None:
    attempt = {"operation": "fit", "command": ("{python}", "a.py", "words")}
    own, now = source(gitrun_toml=ENTRY, a_py="lr = 1\n"), source(gitrun_toml=ENTRY.replace("a.py", "b.py"), b_py="lr = 1\n")
    plan, _ = restarted(own, now, attempt=attempt, is_entry=True)
    assert plan.command == ("{python}", "b.py", "words")


def test_restart_of_an_entry_that_is_gone_is_refused() -> None:
    attempt = {"operation": "fit", "command": ("{python}", "a.py")}
    with pytest.raises(UsageError, match="no longer has operation 'fit'"):
        restarted(source(gitrun_toml=ENTRY, a_py=""), source(a_py=""), attempt=attempt, is_entry=True)


def test_record_without_a_command_is_refused() -> None:
    with pytest.raises(BadRun, match="records nothing that can be executed"):
        restarted(source(a_py=""), attempt={"operation": "a.py", "command": ("{python}",)})

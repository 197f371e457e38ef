"""The files of a source by path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runs_made_up import WHEN

from gitrun.git.exe import Git
from gitrun.model.plan import Request, Source
from gitrun.model.tree import MemoryTree
from gitrun.source.planning import LaunchStamp, PlanOrigin, plan_start
from gitrun.source.source_tree import SourceTree

if TYPE_CHECKING:
    from gitrun.model.plan import Plan


HERE = Git(Path("/nowhere/.git"), Path("/nowhere/.git"), Path("/nowhere"), "", {}, {})


ORIGIN = PlanOrigin(Source("5" * 40, None, None), LaunchStamp(WHEN, "n" * 32, 7), is_staged=False)


ARGS = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=0.1)\np.parse_args()\n"


def source(**files: str) -> SourceTree:
    """A source of files at the top: `a_py` stands for `a.py`."""
    return SourceTree(MemoryTree({name.replace("_", "."): text.encode() for name, text in files.items()}))


def started(tree: SourceTree, **request: object) -> Plan:
    return plan_start(HERE, tree, Request(**request), ORIGIN)


def test_variable_that_another_file_reads_reaches_the_program() -> None:
    tree = source(a_py=ARGS, lib_py="import os\nos.environ['FLAG_OTHER']\n")
    plan = started(tree, operation="a.py", flags={"other": 1}, force_flags=True)
    assert plan.flags["other"] == 1

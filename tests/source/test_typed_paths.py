"""Paths as the user types them."""

from __future__ import annotations

import pytest

from gitrun import Project
from gitrun.model.flags import Typed
from gitrun.model.plan import Plan, Request


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


def typed(repo, text: str, **request) -> object:
    return plan(repo, flags={"v": Typed(text)}, **request).flags["v"]

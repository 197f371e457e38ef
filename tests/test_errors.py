"""Errors: each a class with a kind of its own, in one tree."""

from __future__ import annotations

import ast
import re

from test_floors import modules

from gitrun import errors
from gitrun.commands.install_docs import SHARE
from gitrun.errors import GitrunError

MAN = SHARE / "git-run.1"


def error_classes() -> list[type[GitrunError]]:
    return [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, GitrunError)]


def test_every_error_has_a_kind_of_its_own() -> None:
    kinds = [one.kind for one in error_classes()]
    assert len(kinds) > 30
    assert len(set(kinds)) == len(kinds)
    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", kind) for kind in kinds)


def test_every_error_is_a_class_of_one_module() -> None:
    names = {one.__name__ for one in error_classes()}
    for module in modules():
        for node in module.nodes:
            bases = {ast.unparse(base) for base in node.bases} if isinstance(node, ast.ClassDef) else set()
            assert module.path == "errors.py" or not bases & names, f"{module.path}: {node.name}"


def test_tree_of_errors_shows_each_class_with_its_kind() -> None:
    drawn = dict(re.findall(r"^[│├└─ ]*(\w+)(?: \(\d+\))? {2,}([a-z-]+)", errors.__doc__ or "", re.MULTILINE))
    assert drawn == {one.__name__: one.kind for one in error_classes()}


def test_man_page_lists_every_kind_of_error() -> None:
    page = MAN.read_text("utf-8").partition("Kinds are:")[2].partition(".El")[0]
    assert set(re.findall(r"^\.It (.+)$", page, re.MULTILINE)) == {one.kind for one in error_classes()} | {"system"}
